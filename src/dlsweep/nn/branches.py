"""Blocks of branches, such as residual blocks, as parts of a flat list of layers.

    fork, first branch …, next, second branch …, next, …, join

`fork` keeps its input, `next` ends a branch and begins another with that input, `join` combines the results of all
branches. So a network stays a flat list: observers, regularizers, initializers and rewriting passes treat a layer
within a branch as any other layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dlsweep.errors import UsageError
from dlsweep.nn.layers import Context, Facts, Layer, Output, Parameters
from dlsweep.types import Array, Shape


def fork(name: str, shape: Shape) -> Layer:
    """Begin a block: every branch reads this layer's input, and their gradients add up.

    >>> fork("residual1_fork", (3,)).facts.route
    'fork'
    """
    return Layer(name, _unchanged, shape=shape, facts=Facts(route="fork"))


def next_branch(name: str, shape: Shape) -> Layer:
    """End a branch and begin the next one; shape: of the block's input.

    >>> next_branch("residual1_next1", (3,)).facts.route
    'next'
    """
    return Layer(name, _unchanged, shape=shape, facts=Facts(route="next"))


def add(name: str, shapes: Sequence[Shape]) -> Layer:
    """End a block: the sum of its branches, y = Σ x_i (He et al. 2016, Equation 1).

    >>> add("residual1", [(3,), (3,)]).apply({}, [np.ones((1, 3, 2)), np.ones((1, 3, 2))], Context(True, None)).y[0, 0]
    array([2., 2.])
    """

    def apply(p: Parameters, x: list[Array], context: Context) -> Output:
        first, *others = x
        y = first.copy()
        for other in others:
            y += other
        return Output(y, lambda dy: ([dy] * len(x), {}))

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
        return Output(
            np.concatenate(x, axis=1), lambda dy: ([np.ascontiguousarray(d) for d in np.split(dy, ends, axis=1)], {})
        )

    return Layer(name, apply, shape=(sum(shape[0] for shape in shapes), *shapes[0][1:]), facts=Facts(route="join"))


def _unchanged(p: Parameters, x: Array, context: Context) -> Output:
    return Output(x, lambda dy: (dy, {}))


class Open:
    """Blocks that a pass has entered and not left: their inputs, and the results of their branches so far."""

    def __init__(self) -> None:
        self.blocks: list[tuple[Array, list[Array]]] = []

    def enter(self, layer: Layer, x: Array) -> Array | list[Array]:
        """Return the input of a layer: for `next` the block's input, for `join` the results of all branches."""
        if layer.facts.route == "next":
            given, results = self.blocks[-1]
            results.append(x)
            return given
        if layer.facts.route == "join":
            return [*self.blocks.pop()[1], x]
        return x

    def leave(self, layer: Layer, y: Array) -> None:
        """Keep the input of a block, which is the output of its `fork`."""
        if layer.facts.route == "fork":
            self.blocks.append((y, []))


class OpenGradients:
    """Blocks of a backward pass: the gradients of the branches' results, and of the block's input so far."""

    def __init__(self) -> None:
        self.blocks: list[tuple[list[Array], list[Array]]] = []

    def enter(self, layer: Layer, dy: Array) -> Array:
        """Return the gradient of a layer's output: for `fork` the sum over the branches."""
        if layer.facts.route == "fork":
            total = dy.copy()
            for other in self.blocks.pop()[1]:
                total += other
            return total
        return dy

    def leave(self, layer: Layer, dx: Any) -> Any:
        """Return the gradient of the preceding output: for `next` and `join` of the branch that ends there."""
        if layer.facts.route == "join":
            *others, last = dx
            self.blocks.append((others, []))
            return last
        if layer.facts.route == "next":
            results, inputs = self.blocks[-1]
            inputs.append(dx)
            return results.pop()
        return dx
