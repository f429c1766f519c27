"""Activation functions: `x -> (y, back)`, elementwise, where `back(dy)` is the gradient with respect to `x`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dlsweep.registry import Registry

Array = np.ndarray
Back = Callable[[Array], Array]

activations = Registry("activation", "dlsweep.activations")


@activations.register
def identity(x: Array) -> tuple[Array, Back]:
    """The input unchanged: y = x."""
    return x, lambda dy: dy


@activations.register
def sigmoid(x: Array) -> tuple[Array, Back]:
    """Logistic function: y = 1 / (1 + exp(-x)); derivative y (1 - y)."""
    y = np.negative(x)
    np.exp(y, out=y)  # overflows to inf for x below -88 in float32, and 1 / inf is the right 0
    y += 1
    np.reciprocal(y, out=y)
    return y, lambda dy: dy * y * (1 - y)


@activations.register
def tanh(x: Array) -> tuple[Array, Back]:
    """Hyperbolic tangent; derivative 1 - tanh²."""
    y = np.tanh(x)
    return y, lambda dy: dy * (1 - y * y)


@activations.register
def relu(x: Array) -> tuple[Array, Back]:
    """Rectified linear unit: y = max(x, 0); derivative 1 for x > 0, else 0 (Nair & Hinton 2010)."""
    y = np.maximum(x, 0)
    return y, lambda dy: dy * (y > 0)
