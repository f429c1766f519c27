"""Forward and backward pass through a list of layers, and the layers that divide it into branches.

A block of branches, such as a residual block, is a part of the flat list:

    fork, first branch …, next, second branch …, next, …, join

`fork` keeps its input, `next` ends a branch and begins another with that input, `join` combines the results of all
branches. So observers, regularizers, initializers and rewriting passes treat a layer within a branch as any other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np

from dlsweep.errors import UsageError
from dlsweep.nn.layers import Back, Context, Facts, Layer, Output, Parameters
from dlsweep.types import Array, Shape


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


def begin(name: str, shape: Shape, route: Literal["fork", "next"] = "next") -> Layer:
    """Begin a branch, which reads the block's input, of this shape: the first one by `fork`, a further one by `next`.

    >>> begin("residual1_next1", (3,)).facts.route
    'next'
    """
    return Layer(name, lambda p, x, context: Output(x, lambda dy: (dy, {})), shape=shape, facts=Facts(route=route))


def add(name: str, shapes: Sequence[Shape]) -> Layer:
    """End a block: the sum of its branches, y = Σ x_i (He et al. 2016, Equation 1).

    >>> add("residual1", [(3,), (3,)]).apply({}, [np.ones((1, 3, 2)), np.ones((1, 3, 2))], Context(True, None)).y[0, 0]
    array([2., 2.])
    """

    def apply(p: Parameters, x: list[Array], context: Context) -> Output:
        return Output(sum(x[1:], start=x[0]), lambda dy: ([dy] * len(x), {}))

    return Layer(name, apply, shape=shapes[0], facts=Facts(route="join"))


def concatenate(name: str, shapes: Sequence[Shape]) -> Layer:
    """End a block: the channels, or features, of its branches one after the other (Szegedy et al. 2015, Figure 2).

    >>> concatenate("parallel1", [(2, 8, 8), (3, 8, 8)]).shape
    (5, 8, 8)
    """
    if len({shape[1:] for shape in shapes}) > 1:
        told = ", ".join("×".join(map(str, shape)) for shape in shapes)
        raise UsageError(f"{name}: the branches must have the same output shape except for channels, got {told}")
    ends = np.cumsum([shape[0] for shape in shapes])[:-1]

    def apply(p: Parameters, x: list[Array], context: Context) -> Output:
        def back(dy: Array) -> tuple[list[Array], Parameters]:
            return [np.ascontiguousarray(d) for d in np.split(dy, ends, axis=1)], {}

        return Output(np.concatenate(x, axis=1), back)

    return Layer(name, apply, shape=(sum(shape[0] for shape in shapes), *shapes[0][1:]), facts=Facts(route="join"))
