"""Normalizations: `(name, shape, **settings) -> Around`, layers to put before or after an activation.

name: of the new layer; shape: of one sample at that place, `(features,)` or `(C, H, W)`. Number settings are arrays
`(R,)`, one value a run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from dlsweep.nn.layers import Array, Layer, Output, Parameter, Parameters, Pass, column
from dlsweep.registry import Fraction, Positive, Registry

normalizations = Registry("normalization", "dlsweep.normalizations")

Position = Literal["before", "after"]


class Around(NamedTuple):
    """Layers before and layers after an activation."""

    before: tuple[Layer, ...] = ()
    after: tuple[Layer, ...] = ()


@normalizations.register
def none_(name: str, shape: tuple[int, ...]) -> Around:
    """No normalization: no layer at all."""
    return Around()


@normalizations.register
def batch(
    name: str,
    shape: tuple[int, ...],
    *,
    momentum: Fraction = 0.9,
    eps: Positive = 1e-5,
    position: Position = "before",
) -> Around:
    """Batch normalization: each feature to mean 0 and variance 1 over the minibatch, then a learned scale and shift.

    y = γ (x − μ) / √(σ² + ε) + β, with the biased variance of the minibatch in training, and in evaluation with running
    statistics: running ← momentum · running + (1 − momentum) · minibatch's, of the variance the unbiased one (Ioffe &
    Szegedy 2015, Algorithms 1-2). In convolutions a feature is a channel. γ begins at 1, β at 0, the running mean at 0
    and the running variance at 1. position: before the activation, as in the paper, or after it.
    """
    each = (shape[0], *[1] * len(shape))
    parameters = _affine(each) | {
        "mean": Parameter(each, trained=False),
        "variance": Parameter(each, start=1.0, trained=False),
    }

    def total(a: Array) -> Array:
        return a.reshape(*a.shape[:2], -1).sum(axis=2).reshape(len(a), *each)

    def apply(p: Parameters, x: Array, pass_: Pass) -> Output:
        if not pass_.training:
            return _fixed(x, p["scale"], p["shift"], p["mean"], p["variance"] + column(eps, x))
        samples = x[0, 0].size
        mean = total(x) / samples
        centred = x - mean
        variance = total(centred * centred) / samples
        keep = column(momentum, x)
        state = {
            "mean": keep * p["mean"] + (1 - keep) * mean,
            "variance": keep * p["variance"] + (1 - keep) * variance * (samples / max(samples - 1, 1)),
        }
        output = _normalized(p, centred, variance + column(eps, x), lambda a: total(a) / samples, total)
        return output._replace(state=state)

    return Around(**{position: (Layer(name, parameters, apply),)})


@normalizations.register
def layer(
    name: str,
    shape: tuple[int, ...],
    *,
    eps: Positive = 1e-5,
    position: Position = "before",
) -> Around:
    """Layer normalization: each sample to mean 0 and variance 1 over its features, then a learned scale and shift.

    y = γ (x − μ) / √(σ² + ε) + β, the same in training and in evaluation (Ba et al. 2016, Equations 3-4). In
    convolutions μ and σ² are over channels, height and width. γ and β: one of each for every feature. position: before
    or after the activation.
    """

    def mean(a: Array) -> Array:
        return a.reshape(len(a), -1, a.shape[-1]).mean(axis=1).reshape(len(a), *[1] * len(shape), -1)

    def total(a: Array) -> Array:
        return a.sum(axis=-1, keepdims=True)

    def apply(p: Parameters, x: Array, pass_: Pass) -> Output:
        centred = x - mean(x)
        return _normalized(p, centred, mean(centred * centred) + column(eps, x), mean, total)

    return Around(**{position: (Layer(name, _affine((*shape, 1)), apply),)})


def _affine(shape: tuple[int, ...]) -> dict[str, Parameter]:
    return {"scale": Parameter(shape, start=1.0), "shift": Parameter(shape)}


def _normalized(
    p: Parameters, centred: Array, variance: Array, mean: Callable[[Array], Array], total: Callable[[Array], Array]
) -> Output:
    """γ x̂ + β with x̂ = centred / √variance, both of which follow from the input by `mean`; total: over the samples."""
    std = np.sqrt(variance)
    x_hat = centred / std

    def back(dy: Array) -> tuple[Array, Parameters]:
        gradients = {"scale": total(dy * x_hat), "shift": total(dy)}
        dx = dy * p["scale"]
        dx = (dx - mean(dx) - x_hat * mean(dx * x_hat)) / std
        return dx, gradients

    return Output(p["scale"] * x_hat + p["shift"], back)


def _fixed(x: Array, scale: Array, shift: Array, mean: Array, variance: Array) -> Output:
    """γ (x − μ) / √σ² + β for statistics that do not depend on x: two passes over the samples."""
    factor = scale / np.sqrt(variance)
    y = x * factor
    y += shift - mean * factor

    def back(dy: Array) -> tuple[Array, Parameters]:
        raise NotImplementedError("evaluation has no gradients")

    return Output(y, back)
