"""Normalizations: `(name, shape, **settings) -> Around`, layers to put before or after an activation.

name: of the new layer; shape: of one sample of its input, `(features,)` or `(C, H, W)`. Number settings are arrays
`(R,)`, one value for each run.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, Literal, NamedTuple

import numpy as np

from dlsweep.errors import UsageError
from dlsweep.nn.layers import Context, Facts, Layer, Output, Parameter, Parameters, column, inner, no_gradient, total
from dlsweep.registry import Count, Fraction, NonNegative, Positive, Registry
from dlsweep.signatures import Contract
from dlsweep.types import Array, Shape

normalizations = Registry("normalization", "dlsweep.normalizations", Contract(("name", "shape")))

Position = Literal["before", "after"]


class Around(NamedTuple):
    """Layers before and after an activation. pointless: the reason, if normalization makes no sense there.

    A network is refused with the reason if this holds for every activation. In other networks, such activations are
    not normalized: for example those of the dense layers after convolutions.
    """

    before: tuple[Layer, ...] = ()
    after: tuple[Layer, ...] = ()
    pointless: str = ""


def refuse_pointless(positions: Sequence[Around]) -> None:
    """Raise a `UsageError` with the reason if normalization is pointless at every activation of a network.

    >>> refuse_pointless([Around(pointless="it is always 0")])
    Traceback (most recent call last):
    dlsweep.errors.UsageError: it is always 0
    """
    if positions and all(around.pointless for around in positions):
        raise UsageError(positions[0].pointless)


@normalizations.register
def none_(name: str, shape: Shape) -> Around:
    """No normalization: no layer at all.

    >>> none_("normalization1", (3,))
    Around(before=(), after=(), pointless='')
    """
    return Around()


@normalizations.register
def batch(
    name: str, shape: Shape, *, momentum: Fraction = 0.9, eps: Positive = 1e-5, position: Position = "before"
) -> Around:
    """Batch normalization: each feature to mean 0 and variance 1 over the minibatch, then a learned scale and shift.

    y = γ (x − μ) / √(σ² + ε) + β. Training uses the biased variance of the minibatch. Evaluation uses running
    statistics: running ← momentum · running + (1 − momentum) · minibatch's, with the unbiased variance (Ioffe & Szegedy
    2015, Algorithms 1-2). In convolutions a feature is a channel. γ begins at 1, β at 0, the running mean at 0 and the
    running variance at 1. In a dense layer, a minibatch of one sample equals its mean: the output is β, and preceding
    layers do not learn. position: before the activation, as in the paper, or after it.

    momentum: weight of the earlier running statistics. eps: added to the variance.

    >>> (layer,) = batch("normalization1", (3, 8, 8)).before
    >>> layer.parameters["scale"].shape, layer.parameters["mean"].trained
    ((3, 1, 1, 1), False)
    """
    each = _per_channel(shape)
    statistics = {"mean": Parameter(each, trained=False), "variance": Parameter(each, start=1.0, trained=False)}

    def running(p: Parameters) -> tuple[Array, Array]:
        factor = p["scale"] / np.sqrt(p["variance"] + column(eps, p["variance"]))
        return factor, p["shift"] - p["mean"] * factor

    def apply(p: Parameters, x: Array, context: Context) -> Output:
        if context.training:
            return _within_minibatch(p, x, momentum, eps)
        factor, shift = running(p)
        y = x * factor
        y += shift
        return Output(y, no_gradient)

    return _at(position, Layer(name, apply, _affine(each) | statistics, facts=Facts(scale_and_shift=running)))


@normalizations.register
def layer(name: str, shape: Shape, *, eps: Positive = 1e-5, position: Position = "before") -> Around:
    """Layer normalization: each sample to mean 0 and variance 1 over its features, then a learned scale and shift.

    y = γ (x − μ) / √(σ² + ε) + β, the same in training and in evaluation (Ba et al. 2016, Equations 3-4). In
    convolutions μ and σ² are over channels, height and width. γ and β: one of each for every feature of a sample.
    position: before or after the activation.

    eps: added to the variance.

    >>> (made,) = layer("normalization1", (3,), eps=np.array([1e-9])).before
    >>> x, p = np.array([[[1.0], [2.0], [3.0]]]), {"scale": np.ones((1, 3, 1)), "shift": np.zeros((1, 3, 1))}
    >>> made.apply(p, x, Context(True, None)).y.ravel().round(4).tolist()
    [-1.2247, 0.0, 1.2247]
    """
    return _at(position, _within_samples(name, 1, (*shape, 1), eps))


@normalizations.register
def instance(name: str, shape: Shape, *, eps: Positive = 1e-5, position: Position = "before") -> Around:
    """Instance normalization: each channel of each sample to mean 0 and variance 1 over height and width.

    y = γ (x − μ) / √(σ² + ε) + β, the same in training and in evaluation, γ and β by channel (Ulyanov et al. 2016,
    Equation 5). Not for dense layers. position: before or after the activation.

    eps: added to the variance.

    >>> instance("normalization1", (3,)).pointless[:22]
    'instance normalization'
    >>> instance("normalization1", (3, 8, 8)).before[0].parameters["scale"].shape
    (3, 1, 1, 1)
    """
    if prod(shape[1:]) == 1:
        return Around(
            pointless="instance normalization takes each channel of a sample minus its mean over height and width, and "
            "here a channel is a single number, so the output would always be 0; use batch or layer, or none"
        )
    return _at(position, _within_samples(name, shape[0], _per_channel(shape), eps))


@normalizations.register
def group(name: str, shape: Shape, *, groups: Count = 2, eps: Positive = 1e-5, position: Position = "before") -> Around:
    """Group normalization: a sample's channels in `groups` groups, each group to mean 0 and variance 1.

    groups: number of groups of channels.

    y = γ (x − μ) / √(σ² + ε) + β, μ and σ² over the channels of a group, height and width; the same in training and in
    evaluation, γ and β by channel (Wu & He 2018, Equation 7; there 32 groups). One group has the statistics of `layer`,
    one group for each channel has those of `instance`. position: before or after the activation.

    eps: added to the variance.

    >>> group("normalization1", (4, 8, 8), groups=2).before[0].parameters["scale"].shape
    (4, 1, 1, 1)
    """
    if shape[0] % groups:
        divisors = ", ".join(str(n) for n in range(1, shape[0] + 1) if shape[0] % n == 0)
        raise UsageError(f"group normalization cannot split {shape[0]} channels into groups: {groups}; {divisors} can")
    if prod(shape) == groups:
        raise UsageError(f"group normalization with groups: {groups} leaves a single number in each; use fewer")
    return _at(position, _within_samples(name, groups, _per_channel(shape), eps))


@normalizations.register
def lrn(
    name: str,
    shape: Shape,
    *,
    size: Count = 5,
    k: Positive = 2.0,
    alpha: NonNegative = 1e-4,
    beta: NonNegative = 0.75,
    position: Position = "after",
) -> Around:
    """Local response normalization: each number divided by a power of the activity in neighbouring channels.

    y_c = x_c / (k + α Σ x_c'²)^β. The sum is over the `size` channels centred on c, as far as they exist, at the same
    position of the image (Krizhevsky et al. 2012, Section 3.3). PyTorch uses the mean instead of the sum, so its α is
    `size` times this one. Not for dense layers. position: after the activation, as in the paper, or before it.

    size: number of channels in the sum. k: the constant of the divisor. alpha: factor of the sum of squares. beta:
    exponent of the divisor.

    >>> lrn("normalization1", (4, 8, 8)).after[0].name
    'normalization1'
    """
    if len(shape) == 1:
        return Around(
            pointless="local response normalization compares channels at the same position of an image, and a dense "
            "layer has neither; use batch or layer, or none"
        )
    if size % 2 == 0:
        raise UsageError(f"local response normalization needs an odd size, as many channels on each side, got {size}")

    def apply(p: Parameters, x: Array, context: Context) -> Output:
        scale = _neighbour_sums(x * x, size)
        scale *= column(alpha, x)
        scale += column(k, x)
        factor = scale ** -column(beta, x)
        y = x * factor

        def back(dy: Array) -> tuple[Array, Parameters]:
            dx = _neighbour_sums(dy * y / scale, size)
            dx *= x
            dx *= column(-2 * alpha * beta, x)
            dx += dy * factor
            return dx, {}

        return Output(y, back)

    return _at(position, Layer(name, apply))


def _neighbour_sums(a: Array, size: int) -> Array:
    """Return for each channel, axis 1, the sum over the `size` channels centred on it."""
    sums = a.copy()
    for shift in range(1, min(size // 2, a.shape[1] - 1) + 1):
        sums[:, shift:] += a[:, :-shift]
        sums[:, :-shift] += a[:, shift:]
    return sums


def _at(position: Position, layer: Layer) -> Around:
    return Around(before=(layer,)) if position == "before" else Around(after=(layer,))


def _within_minibatch(p: Parameters, x: Array, momentum: Any, eps: Any) -> Output:
    """Normalize each feature over a minibatch; the state has the next running statistics."""
    scale, each = p["scale"], p["scale"].shape[1:]
    count = x[0, 0].size
    mean = total(x, each) / count
    centred = x - mean
    variance = inner(centred, centred, each) / count
    std = np.sqrt(variance + column(eps, x))
    y = centred * (scale / std)
    y += p["shift"]

    def back(dy: Array) -> tuple[Array, Parameters]:
        d_scale, d_shift = inner(dy, centred, each) / std, total(dy, each)
        dx = centred * (-d_scale / (count * std))
        dx += dy
        dx -= d_shift / count
        dx *= scale / std
        return dx, {"scale": d_scale, "shift": d_shift}

    keep = column(momentum, x)
    found = {"mean": mean, "variance": variance * (count / max(count - 1, 1))}
    return Output(y, back, {k: keep * p[k] + (1 - keep) * value for k, value in found.items()})


def _within_samples(name: str, groups: int, each: Shape, eps: Any) -> Layer:
    """Return a layer that normalizes `groups` groups of a sample's channels; each: the shape of γ and of β."""

    def mean(a: Array) -> Array:
        members = a.reshape(len(a), groups, -1, a.shape[-1])
        return np.ones((1, members.shape[2]), a.dtype) @ members / members.shape[2]

    def apply(p: Parameters, x: Array, context: Context) -> Output:
        scale = p["scale"]
        x_hat = x.reshape(len(x), groups, -1, x.shape[-1])
        x_hat = x_hat - mean(x_hat)
        std = np.sqrt(mean(x_hat * x_hat) + column(eps, x_hat))
        x_hat /= std
        y = x_hat.reshape(x.shape) * scale
        y += p["shift"]

        def back(dy: Array) -> tuple[Array, Parameters]:
            gradients = {"scale": inner(dy, x_hat.reshape(x.shape), each), "shift": total(dy, each)}
            dx = (dy * scale).reshape(x_hat.shape)
            along = mean(dx * x_hat)
            dx -= mean(dx)
            dx -= x_hat * along
            dx /= std
            return dx.reshape(x.shape), gradients

        return Output(y, back)

    return Layer(name, apply, _affine(each))


def _per_channel(shape: Shape) -> Shape:
    """Return the shape of one number for each channel, or for each feature, of samples of a shape."""
    return (shape[0], *[1] * len(shape))


def _affine(each: Shape) -> dict[str, Parameter]:
    return {"scale": Parameter(each, start=1.0), "shift": Parameter(each)}
