"""Comparison with PyTorch in float64: `make parity`. It is separate from the test suite, which needs no PyTorch.

Only names of the registries that PyTorch knows too are compared; the test suite covers the others.
"""
