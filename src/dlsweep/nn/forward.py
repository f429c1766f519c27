"""Forward and backward pass through a list of layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from dlsweep.nn.layers import Back, Context, Layer, Output, Parameters
from dlsweep.types import Array


class Forward(NamedTuple):
    """Forward pass: the logits of every run and sample, `(R, classes, N)`, and the other results of the layers.

    back(dlogits): the gradients, layer by layer; states: the next values of parameters that are not trained, layer by
    layer; penalty: `(R,)` or `(1,)`, the penalty on activities, part of the minimized sum over the samples.
    """

    logits: Array
    back: Callable[[Array], list[Parameters]]
    states: list[Parameters]
    penalty: Array


def forward(
    layers: Sequence[Layer],
    parameters: Sequence[Parameters],
    x: Any,
    context: Context,
    outputs: list[Output] | None = None,
) -> Forward:
    """Pass samples through a network.

    outputs: for an observer, a list to which each layer's output is added.

    >>> from dlsweep.nn.dense import dense
    >>> from dlsweep.nn.layers import SharedInput
    >>> p = {"W": np.ones((1, 2, 3)), "b": np.zeros((1, 2, 1))}
    >>> x = [SharedInput(np.ones((3, 4)), slice(0, 1))]
    >>> passed = forward([dense("fc", (3,), units=2)], [p], x, Context(True, None))
    >>> passed.logits.tolist()
    [[[3.0, 3.0, 3.0, 3.0], [3.0, 3.0, 3.0, 3.0]]]
    >>> passed.back(np.ones((1, 2, 4)))[0]["b"].tolist()
    [[[4.0], [4.0]]]
    """
    backs, states, penalty = [], [], np.zeros(1)
    blocks: list[tuple[Array, list[Array]]] = []  # of open blocks: the input, and the results of the branches so far
    for layer, p in zip(layers, parameters, strict=True):
        if layer.facts.route == "next":
            given, results = blocks[-1]
            results.append(x)
            x = given
        elif layer.facts.route == "join":
            x = [*blocks.pop()[1], x]
        output = layer.apply(p, x, context)
        if outputs is not None:
            outputs.append(output)
        x, back, state, added = output
        if layer.facts.route == "fork":
            blocks.append((x, []))
        if context.training:  # an evaluation has no backward pass
            backs.append((layer, back))
        states.append(state)
        penalty = penalty + added
    return Forward(x, partial(_backward, backs), states, penalty)


def _backward(backs: Sequence[tuple[Layer, Back]], dy: Any) -> list[Parameters]:
    """Return the gradients of every layer; dy: of the logits."""
    gradients = []
    blocks: list[tuple[list[Array], list[Array]]] = []  # gradients of the branches' results, and of the input so far
    for layer, back in reversed(backs):
        assert dy is not None  # only the first layer returns None, and it is the last here
        if layer.facts.route == "fork":
            dy = sum(blocks.pop()[1], start=dy)
        dy, gradient = back(dy)
        if layer.facts.route == "join":
            *results, dy = dy
            blocks.append((results, []))
        elif layer.facts.route == "next":
            results, inputs = blocks[-1]
            inputs.append(dy)
            dy = results.pop()
        gradients.append(gradient)
    return gradients[::-1]
