"""Normalizations: `(name, shape) -> layers` to put between an affine layer and its activation.

name: of the new layer; shape: of one sample at that place, `(features,)` or `(C, H, W)`.
"""

from __future__ import annotations

from dlsweep.nn.layers import Layer
from dlsweep.registry import Registry

normalizations = Registry("normalization", "dlsweep.normalizations")


@normalizations.register
def none_(name: str, shape: tuple[int, ...]) -> list[Layer]:
    """No normalization: no layer at all."""
    return []
