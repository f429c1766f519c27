"""Activation functions: `x -> (y, back)`, elementwise, where `back(dy)` is the gradient with respect to `x`.

Settings are arrays that broadcast against `x`, one value a run. Positional parameters after `x` are learned: one number
for each unit or channel, which begins at the setting `start`; `back` then returns their gradients too, elementwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from dlsweep.nn.layers import Layer, Output, Parameter, Parameters, Pass, column
from dlsweep.registry import Entry, Registry

Array = np.ndarray
Back = Callable[[Array], Array]

activations = Registry("activation", "dlsweep.activations")


def activation_layer(name: str, shape: tuple[int, ...], activation: Entry, settings: Mapping[str, Any]) -> Layer:
    """A registered activation as a layer, for samples of a shape; settings: `(R,)` each, if they are numbers."""
    learned = activation.positional[1:]
    units = (shape[0], *[1] * len(shape))
    parameters = {k: Parameter(units, start=settings["start"]) for k in learned}

    def apply(p: Parameters, x: Array, pass_: Pass) -> Output:
        own = {k: column(v, x) if isinstance(v, np.ndarray) else v for k, v in settings.items()}
        y, back = activation.function(x, *(p[k] for k in learned), **own)
        if not learned:
            return Output(y, lambda dy: (back(dy), {}))

        def back_to_all(dy: Array) -> tuple[Array, Parameters]:
            dx, *gradients = back(dy)
            sums = (g.reshape(*g.shape[:2], -1).sum(axis=2).reshape(len(g), *units) for g in gradients)
            return dx, dict(zip(learned, sums, strict=True))

        return Output(y, back_to_all)

    return Layer(name, parameters, apply)


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


@activations.register
def prelu(x: Array, slope: Array, *, start: float = 0.25) -> tuple[Array, Callable[[Array], tuple[Array, Array]]]:
    """ReLU with a learned slope for x < 0, one for each unit: y = x for x > 0, else a x (He et al. 2015, Equation 1).

    start: where the slopes begin. Regularizers leave them alone: shrinking them would turn the unit into a ReLU.
    """
    positive = x > 0

    def back(dy: Array) -> tuple[Array, Array]:
        return np.where(positive, dy, slope * dy), np.where(positive, 0, x * dy)

    return np.where(positive, x, slope * x), back
