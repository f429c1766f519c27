"""Pooling: one number for each place of a window, channel by channel; and flattening."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Literal

import numpy as np

from dlsweep.nn.layers import Array, Layer, Output, Parameters, Pass, kinds
from dlsweep.nn.patches import Pad, Size, Window, image_of, inner, placed, views, window

CACHE = 1 << 18  # numbers that stay in a core's cache, with as many beside them


@kinds.register
def pool(
    name: str,
    shape: tuple[int, ...],
    *,
    size: Size = 2,
    stride: Size | None = None,
    pad: Pad = 0,
    kind: Literal["max", "average"] = "max",
) -> Layer:
    """The greatest number that a window sees, or their average.

    stride: null for windows that touch; where it is smaller than the window, they overlap (Krizhevsky et al. 2012,
    Section 3.4). The gradient of the greatest goes to the first pixel in reading order that has it. Padding is never
    the greatest; it counts as 0 in an average.
    """
    over = window(name, image_of(name, shape), size, size if stride is None else stride, pad)
    greatest_or_mean = {"max": _greatest, "average": _mean}[kind]

    def apply(p: Parameters, x: Array, pass_: Pass) -> Output:
        y, back = greatest_or_mean(x, over)
        return Output(y, lambda dy: (back(dy), {}))

    return Layer(name, {}, apply, shape=(shape[0], *over.output), greatest=kind == "max")


def _greatest(x: Array, over: Window) -> tuple[Array, Callable[[Array], Array]]:
    padded = placed(x, over, fill=-np.inf)
    first, *others = views(padded, over)
    y = np.maximum(first, others[0]) if others else first.copy()
    for seen in others[1:]:
        np.maximum(y, seen, out=y)

    def back(dy: Array) -> Array:
        dx = np.zeros_like(padded)
        alone = all(step >= side for step, side in zip(over.stride, over.size, strict=True))
        # Channel by channel, a few at once, so that what is compared stays in cache.
        x_c, dx_c, y_c, dy_c = (a.reshape(-1, *a.shape[2:]) for a in (padded, dx, y, dy))
        few = max(1, CACHE // x_c[0].size)
        for c in range(0, len(x_c), few):
            here = slice(c, c + few)
            unfound = np.ones(y_c[here].shape, bool)
            for seen, d in zip(views(x_c[here], over), views(dx_c[here], over), strict=True):
                found = seen == y_c[here]
                found &= unfound
                unfound ^= found
                if alone:
                    np.multiply(dy_c[here], found, out=d)
                else:
                    d += dy_c[here] * found
        return inner(dx, over)

    return y, back


def _mean(x: Array, over: Window) -> tuple[Array, Callable[[Array], Array]]:
    first, *others = views(placed(x, over), over)
    y = first.copy()
    for seen in others:
        y += seen
    y /= prod(over.size)

    def back(dy: Array) -> Array:
        dx = np.zeros((*x.shape[:-3], *over.padded, x.shape[-1]), x.dtype)
        share = dy / prod(over.size)
        for d in views(dx, over):
            d += share
        return inner(dx, over)

    return y, back


@kinds.register
def global_average_pool(name: str, shape: tuple[int, ...]) -> Layer:
    """The mean of each channel over height and width: one number a channel (Lin et al. 2014, Section 3.2)."""
    area = prod(image_of(name, shape))

    def apply(p: Parameters, x: Array, pass_: Pass) -> Output:
        y = x.reshape(*x.shape[:2], area, -1).sum(axis=2) / area
        return Output(y, lambda dy: (np.broadcast_to((dy / area)[:, :, None, None], x.shape).copy(), {}))

    return Layer(name, {}, apply, shape=shape[:1])


@kinds.register
def flatten(name: str, shape: tuple[int, ...]) -> Layer:
    """Samples `(C, H, W)` as numbers in a row, in that order. Dense layers do it by themselves."""

    def apply(p: Parameters, x: Array, pass_: Pass) -> Output:
        return Output(x.reshape(len(x), -1, x.shape[-1]), lambda dy: (dy.reshape(x.shape), {}))

    return Layer(name, {}, apply, shape=(prod(shape),))
