"""Blocks of branches, such as residual blocks, as parts of a flat list of layers.

    fork, first branch …, next, second branch …, next, …, join

`fork` keeps its input, `next` ends a branch and begins another with that input, `join` combines the results of all
branches. So a network stays a flat list: observers, regularizers, initializers and rewriting passes treat a layer
within a branch as any other layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from dlsweep.errors import UsageError
from dlsweep.nn.layers import Context, Facts, Layer, Output, Parameters
from dlsweep.types import Array, Shape


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
