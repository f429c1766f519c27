"""Pooling, one number for each position of a window, channel by channel; and flattening."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any, Literal

import numpy as np

from dlsweep.nn.layers import Context, Facts, Layer, Output, Parameters, kinds
from dlsweep.nn.patches import Pad, Size, TileGradients, Tiles, Window, crop, image_of, padded, views, window
from dlsweep.types import Array, Shape


@kinds.register
def pool(
    name: str,
    shape: Shape,
    *,
    size: Size = 2,
    stride: Size | None = None,
    pad: Pad = 0,
    kind: Literal["max", "average"] = "max",
) -> Layer:
    """Max-pooling, or average pooling.

    size: height and width of the window in pixels; pad: pixels on each side. kind: max or average.

    stride: null for the size of the window, so that windows touch; with a smaller stride they overlap (Krizhevsky et
    al. 2012, Section 3.4). The gradient of a maximum goes to the first pixel in reading order that has this value.
    Padding is never the maximum; it counts as 0 in an average.

    >>> layer = pool("pool1", (1, 2, 2), size=2)
    >>> layer.apply({}, np.array([1.0, 4.0, 3.0, 2.0]).reshape(1, 1, 2, 2, 1), Context(False, None)).y.ravel().tolist()
    [4.0]
    """
    over = window(name, image_of(name, shape), size, size if stride is None else stride, pad)
    # If no two rows of windows overlap, the preceding layer can compute the rows of each, and then discard them.
    apart = over.stride[0] >= over.size[0] and not over.before[0] and not over.after[0]
    apply = partial(_apply, over, {"max": _max, "average": _mean}[kind])
    return Layer(name, apply, shape=(shape[0], *over.output), facts=Facts(is_max=kind == "max", takes_tiles=apart))


def _apply(over: Window, one: Callable[..., Any], p: Parameters, x: Array | Tiles, context: Context) -> Output:
    """Pool tile by tile; one: the function that pools a tile."""
    if isinstance(x, Tiles):  # a tile has the rows of one row of windows
        given, part = x, over._replace(image=(over.size[0], over.image[1]), output=(1, over.output[1]))
    else:  # a tile has some channels
        channels = x.reshape(-1, 1, *x.shape[2:])
        given, part = Tiles(channels.shape, x.dtype, lambda runs, rows: channels[runs]), over
    y = np.empty((*given.shape[:2], *over.output, x.shape[-1]), x.dtype)
    backs = []
    for runs in given.run_slices(part.image[0]):
        for top in range(0, over.output[0], part.output[0]):
            out = runs, slice(None), slice(top, top + part.output[0])
            rows = slice(top * over.stride[0], top * over.stride[0] + part.image[0])
            y[out], back = one(given.compute(runs, rows), part, context.training)
            backs.append((runs, rows, out, back))

    def back_to_all(dy: Array) -> tuple[Array | TileGradients, Parameters]:
        dy = dy.reshape(y.shape)
        gradients = ((runs, rows, back(dy[out])) for runs, rows, out, back in backs)
        if isinstance(x, Tiles):
            return gradients, {}
        dx = np.empty(given.shape, given.dtype)
        for runs, _, d in gradients:
            dx[runs] = d
        return dx.reshape(x.shape), {}

    return Output(y.reshape(*x.shape[:2], *y.shape[2:]), back_to_all)


def _max(x: Array, over: Window, training: bool) -> tuple[Array, Callable[[Array], Array]]:
    apart = all(step >= side for step, side in zip(over.stride, over.size, strict=True))
    all_covered = apart and over.padded == (over.output[0] * over.size[0], over.output[1] * over.size[1])
    first, *others = views(padded(x, over, fill=-np.inf), over)
    y = first.copy()
    argmax = np.zeros(y.shape if training else 0, np.min_scalar_type(len(others)))  # the pixel with the maximum
    for pixel, values in enumerate(others, start=1):
        if training:
            np.maximum(argmax, (values > y).view(np.uint8) * argmax.dtype.type(pixel), out=argmax)
        np.maximum(y, values, out=y)

    def back(dy: Array) -> Array:
        make = np.empty if all_covered else np.zeros
        dx = make((*dy.shape[:-3], *over.padded, dy.shape[-1]), dy.dtype)
        for pixel, d in enumerate(views(dx, over)):
            if apart:
                np.multiply(dy, argmax == pixel, out=d)
            else:
                d += dy * (argmax == pixel)
        return crop(dx, over)

    return y, back


def _mean(x: Array, over: Window, training: bool) -> tuple[Array, Callable[[Array], Array]]:
    first, *others = views(padded(x, over), over)
    y = first.copy()
    for values in others:
        y += values
    y /= prod(over.size)

    def back(dy: Array) -> Array:
        share = dy / prod(over.size)
        dx = np.zeros((*dy.shape[:-3], *over.padded, dy.shape[-1]), dy.dtype)
        for d in views(dx, over):
            d += share
        return crop(dx, over)

    return y, back


@kinds.register
def global_average_pool(name: str, shape: Shape) -> Layer:
    """Mean of each channel over height and width: one number for each channel (Lin et al. 2014, Section 3.2).

    >>> layer = global_average_pool("gap", (1, 2, 2))
    >>> layer.apply({}, np.array([1.0, 4.0, 3.0, 2.0]).reshape(1, 1, 2, 2, 1), Context(False, None)).y.ravel().tolist()
    [2.5]
    """
    area = prod(image_of(name, shape))

    def apply(p: Parameters, x: Array, context: Context) -> Output:
        y = x.reshape(*x.shape[:2], area, -1).sum(axis=2) / area
        return Output(y, lambda dy: (np.broadcast_to((dy / area)[:, :, None, None], x.shape).copy(), {}))

    return Layer(name, apply, shape=shape[:1])


@kinds.register
def flatten(name: str, shape: Shape) -> Layer:
    """Reshape samples `(C, H, W)` to numbers in a row, in that order. Dense layers do this by themselves.

    >>> flatten("flatten1", (3, 4, 5)).shape
    (60,)
    """

    def apply(p: Parameters, x: Array, context: Context) -> Output:
        return Output(x.reshape(len(x), -1, x.shape[-1]), lambda dy: (dy.reshape(x.shape), {}))

    return Layer(name, apply, shape=(prod(shape),))
