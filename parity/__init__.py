"""Comparison with PyTorch in float64, for who has it: `make parity`. No part of the test suite, which needs NumPy only.

What is compared is found by its name in the registries; a name that PyTorch does not know is left to the tests.
"""
