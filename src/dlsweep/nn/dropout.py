"""Random masks of units (dropout) and of weights (DropConnect)."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from dlsweep.nn.layers import Context, Facts, Layer, Output, Parameters, SharedInput, column, no_gradient
from dlsweep.nn.regularizers import Regularizer, regularizers
from dlsweep.registry import Count, Ratio
from dlsweep.types import Array, Shape

# These facts do not hold for a layer whose weights are masked.
_MASKED: dict[str, Any] = {"linear": False, "tiled": None, "takes_tiles": False, "scale_and_shift": None}


@regularizers.register
def dropout(*, ratio: Ratio = 0.5, mode: Literal["inverted", "classic"] = "inverted") -> Regularizer:
    """Dropout: in training, each hidden unit's output is set to 0 with probability `ratio` (Srivastava et al. 2014).

    ratio: probability that an output is set to 0. mode: `inverted` multiplies the kept outputs by 1 / (1 − ratio) in
    training; `classic` multiplies all outputs by 1 − ratio in evaluation, as in the paper's Section 4. A mask at ratio
    0.2 contains the mask at 0.15.

    >>> layer = dropout(ratio=np.array([0.25]), mode="classic").activated("dropout1", (2,))
    >>> layer.apply({}, np.ones((1, 2, 1)), Context(False, None)).y.tolist()
    [[[0.75], [0.75]]]
    """

    def activated(name: str, shape: Shape) -> Layer:
        def apply(p: Parameters, x: Array, context: Context) -> Output:
            if not context.training:
                return Output(x * (1 - column(ratio, x)) if mode == "classic" else x, no_gradient)
            scale = np.ones_like(ratio) if mode == "classic" else 1 / (1 - ratio)
            masks = _masks(context, f"dropout/{name}", x.shape[1:], ratio, scale)
            return Output(_masked(x, masks), lambda dy: (_masked(dy, masks), {}))

        return Layer(name, apply, facts=Facts(training_only=mode == "inverted"))

    return Regularizer(activated=activated)


@regularizers.register
def dropconnect(
    *, ratio: Ratio = 0.5, inference: Literal["mean", "gaussian"] = "mean", samples: Count = 20
) -> Regularizer:
    """DropConnect: in training, each weight is set to 0 with probability `ratio`, with new draws for each minibatch.

    ratio: probability that a weight is set to 0.

    The kept weights are multiplied by 1 / (1 − ratio); the network's last layer keeps all its weights (Wan et al. 2013,
    Section 3). inference: `mean` uses the mean weights; `gaussian` averages the activations over `samples` draws of
    their inputs from the Gaussian with the moments of the masks, N(W v, ratio / (1 − ratio) · W² v²), as in the paper's
    Algorithm 1. All samples of an evaluation share the draws, so the result of a sample does not depend on the others.

    samples: draws of each mean, for `gaussian`.

    >>> dropconnect(ratio=np.array([0.5]), inference="gaussian", samples=5).columns  # draws of each sample
    5
    """

    def wrap(layer: Layer) -> Layer:
        kernels = layer.kernels

        def apply(p: Parameters, x: Any, context: Context) -> Output:
            if not context.training:
                gaussian = inference == "gaussian"
                return _sampled(layer, ratio, samples, p, x, context) if gaussian else layer.apply(p, x, context)
            purposes = {k: f"dropconnect/{layer.name}/{k}" for k in kernels}
            masks = {k: _masks(context, purposes[k], p[k].shape[1:], ratio, 1 / (1 - ratio)) for k in kernels}
            output = layer.apply(p | {k: _masked(p[k], m) for k, m in masks.items()}, x, context)

            def back(dy: Array) -> tuple[Array | None, Parameters]:
                dx, gradients = output.back(dy)
                return dx, gradients | {k: _masked(gradients[k], m) for k, m in masks.items()}

            return output._replace(back=back)

        return layer.wrapped(apply, layer.facts._replace(**_MASKED)) if kernels else layer

    def averaged(name: str, shape: Shape) -> Layer:
        def apply(p: Parameters, x: Array, context: Context) -> Output:
            if context.training:
                return Output(x, lambda dy: (dy, {}))
            return Output(x.reshape(*x.shape[:-1], samples, -1).mean(axis=-2), no_gradient)

        return Layer(name, apply)

    if inference == "mean":
        return Regularizer(wrap=wrap)
    return Regularizer(wrap=wrap, activated=averaged, columns=samples)


def _sampled(layer: Layer, ratio: Any, samples: int, p: Parameters, x: Any, context: Context) -> Output:
    """Evaluate a layer with Gaussian draws of its outputs: `samples` columns for each sample."""
    mean = layer.apply(p, x, context).y
    squares = {k: p[k] ** 2 if layer.parameters[k].kernel else np.zeros_like(p[k]) for k in p}
    x_squared = [s._replace(x=s.x**2) for s in x] if isinstance(x, list) else x**2
    variance = layer.apply(squares, x_squared, context).y * column(ratio / (1 - ratio), mean)
    std = np.sqrt(variance)[..., None, :]
    y = np.empty((*mean.shape[:-1], samples, mean.shape[-1]), mean.dtype)
    for z, runs in context.draws.normal(f"dropconnect/{layer.name}/inference", (*mean.shape[1:-1], samples, 1)):
        np.multiply(std[runs], z, out=y[runs])
    y += mean[..., None, :]
    return Output(y.reshape(*mean.shape[:-1], -1), no_gradient)


def _masks(context: Context, purpose: str, shape: Shape, ratio: Any, scale: Any) -> list[SharedInput]:
    """Return `scale` where a uniform draw reaches the ratio, else 0; ratio, scale: `(R,)`, or `(1,)` if all runs agree.

    A draw is the upper 24 of 32 random bits, the precision of a float32 in [0, 1); the ratio is scaled to integers
    instead. All runs of a seed have the same draws: if their ratios agree they share a mask, `(1, …)`, otherwise each
    has its own, `(r, …)`.
    """
    each = (-1, *[1] * len(shape))
    least, scale = (np.ceil(ratio * 2**24) * 2**8).astype(np.uint32).reshape(each), scale.reshape(each)
    masks = []
    for bits, runs in context.draws.bits(purpose, shape):
        own = slice(None) if len(ratio) == 1 else runs
        masks.append(SharedInput((bits >= least[own]) * scale[own], runs))
    return masks


def _masked(x: Array, masks: list[SharedInput]) -> Array:
    y = np.empty_like(x)
    for mask, runs in masks:
        np.multiply(x[runs], mask, out=y[runs])
    return y
