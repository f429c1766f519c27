"""Rewriting passes for speed: layers -> layers that compute the same with less work.

A network keeps its layers in the order in which they are written, and everybody who looks at a layer's output
(probes, pictures, `Model.outputs`) sees that order. A pass that nobody observes runs the rewritten layers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dlsweep.nn.layers import Array, Context, Layer, Parameters

_ADDITION = 10  # multiplications of a product take as long as one addition apart from it


def pool_first(layers: Sequence[Layer]) -> list[Layer]:
    """Move max-pooling before a non-decreasing activation that it follows: max f(x) = f(max x), from fewer numbers.

    Neither layer has parameters, so the parameters of the network keep their places. Where two inputs of a window have
    the same output without being equal, the gradient goes to the larger input instead of the first one.
    """
    layers = list(layers)
    for i in range(len(layers) - 1):
        one, two = layers[i : i + 2]
        if one.facts.non_decreasing and two.facts.is_max:
            layers[i : i + 2] = two, one._replace(shape=two.shape)
    return layers


def fuse_for_evaluation(
    layers: Sequence[Layer], parameters: Sequence[Parameters], context: Context
) -> tuple[list[Layer], list[Parameters]]:
    """Return the network for an evaluation, `context`, with less to do for each sample.

    What acts in training only is left out. A normalization's scale and shift are folded into the preceding layer's W
    and b. Between two dense layers a unit that is always 1 carries the bias of the second, as a column of its
    kernel, where that is quicker than an addition to all outputs. What is infinite between them becomes NaN
    by that; the run has diverged either way.
    """
    layers = pool_first(layers)
    few: list[Layer] = []
    fused: list[Parameters] = []
    for layer, p in zip(layers, parameters, strict=True):
        if layer.facts.training_only:
            continue
        if layer.facts.scale_and_shift and few and few[-1].facts.linear:
            (factor, shift), W, b = layer.facts.scale_and_shift(p), fused[-1]["W"], fused[-1]["b"]
            fused[-1] = {"W": W * factor.reshape(*factor.shape[:2], *[1] * (W.ndim - 2)), "b": b * factor + shift}
        else:
            few.append(layer)
            fused.append(p)
    for i in range(len(few) - 3, -1, -1):  # from the end, so that every bias is still one when a unit joins it
        one, between, two = few[i : i + 3]
        if one.facts.dense and between.facts.non_decreasing and two.facts.dense:
            (W, b), (V, c) = ((p["W"], p["b"]) for p in fused[i : i + 3 : 2])
            if W.shape[2] > _ADDITION * V.shape[1]:
                continue
            unit = between.apply({}, np.ones((len(W), 1, 1), W.dtype), context).y
            fused[i] = {"W": _joined(W, np.zeros_like(W[:, :1]), 1), "b": _joined(b, np.ones_like(b[:, :1]), 1)}
            fused[i + 2] = {"W": _joined(V, c / unit, 2)}
    return few, fused


def _joined(a: Array, b: Array, axis: int) -> Array:
    return np.concatenate([a, b], axis=axis)
