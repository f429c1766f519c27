"""Sliding windows on images: padding, im2col and col2im, the rows that convolutions multiply, and output in tiles.

`im2col` and `col2im` are the classic pair, with one row of a matrix for each position of the window. Convolutions
compute the same products from `rows`, which copies every number KW times instead of KH · KW times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from math import prod
from typing import Annotated, Literal, NamedTuple

import numpy as np
from annotated_types import Ge, Len
from numpy.lib.stride_tricks import as_strided, sliding_window_view

from dlsweep.errors import UsageError
from dlsweep.registry import Count
from dlsweep.types import Array, Shape

_CACHE = 1 << 18  # numbers that stay in a core's cache together with as many others

Pair = tuple[int, int]
Size = Count | Annotated[list[Count], Len(2, 2)]  # a square's side, or [height, width]
Pad = Annotated[int, Ge(0)] | Annotated[list[Annotated[int, Ge(0)]], Len(2, 2)] | Literal["same"]


class Window(NamedTuple):
    """Window that slides over images of one size.

    image: (H, W); size: (KH, KW); stride: (SH, SW), the step between neighbouring positions; before: zeros added above
    and to the left; after: zeros added below and to the right; output: (OH, OW), the number of positions.
    """

    image: Pair
    size: Pair
    stride: Pair
    before: Pair
    after: Pair
    output: Pair

    @property
    def padded(self) -> Pair:
        """Size of an image with its padding."""
        (h, w), (top, left), (bottom, right) = self.image, self.before, self.after
        return h + top + bottom, w + left + right


def window(name: str, image: Pair, size: Size | Pair, stride: Size | Pair = 1, pad: Pad | Pair = 0) -> Window:
    """Return the window of a size, a stride and a padding on an image: output ⌊(H + 2P − K)/S⌋ + 1.

    pad: zeros on each side; `same` adds the zeros that make the output ⌈H/S⌉, the odd one below or to the right. Pixels
    that remain at the end, fewer than a stride, are not covered. Raise a `UsageError` that begins with `name` if the
    window has no position.

    >>> window("conv", (28, 28), 5, 1, 2).output
    (28, 28)
    """
    (kh, kw), strides = _pair(size), _pair(stride)
    if isinstance(pad, str):
        totals = [max(0, (-(-n // s) - 1) * s + k - n) for n, k, s in zip(image, (kh, kw), strides, strict=True)]
        before, after = (totals[0] // 2, totals[1] // 2), (-(-totals[0] // 2), -(-totals[1] // 2))
    else:
        before = after = _pair(pad)
    output = []
    for n, k, s, b, a, side in zip(image, (kh, kw), strides, before, after, ("height", "width"), strict=True):
        positions = (n + b + a - k) // s + 1
        formula = f"({n} + {b + a} − {k}) / {s} + 1"
        if positions < 1:
            raise UsageError(
                f"{name}: a window of {kh}×{kw} does not fit on {image[0]}×{image[1]} with padding {b}: "
                f"output {side} = (input + padding on both sides − window) / stride + 1 = {formula} is below 1"
            )
        if max(b, a) >= k:
            raise UsageError(f"{name}: padding must be smaller than the window, got {max(b, a)} for a window of {k}")
        output.append(positions)
    return Window(image, (kh, kw), strides, before, after, (output[0], output[1]))


def image_of(name: str, shape: Shape) -> Pair:
    """Return height and width of samples `(C, H, W)`. Raise a `UsageError` that begins with `name` for other samples.

    >>> image_of("conv", (3, 32, 30))
    (32, 30)
    """
    if len(shape) != 3:
        raise UsageError(
            f"{name} needs samples with channels, height and width, "
            f"and here a sample is {prod(shape):,} numbers in a row"
        )
    return shape[1], shape[2]


def _pair(size: Size | Pair) -> Pair:
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def padded(x: Array, window: Window, fill: float = 0.0) -> Array:
    """Return images `(…, H, W, N)` with the window's padding around them.

    >>> padded(np.ones((1, 1, 1)), window("pool", (1, 1), 2, 1, 1))[..., 0].tolist()
    [[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
    """
    if window.padded == window.image:
        return x
    (top, left), (h, w) = window.before, window.image
    y = np.full((*x.shape[:-3], *window.padded, x.shape[-1]), fill, x.dtype)
    y[..., top : top + h, left : left + w, :] = x
    return y


def crop(x: Array, window: Window) -> Array:
    """Return images without their padding, the inverse of `padded`.

    >>> crop(np.arange(9).reshape(3, 3, 1), window("pool", (1, 1), 2, 1, 1)).tolist()
    [[[4]]]
    """
    (top, left), (h, w) = window.before, window.image
    return x[..., top : top + h, left : left + w, :]


def views(x: Array, window: Window) -> list[Array]:
    """Return one view `(…, OH, OW, N)` for each pixel of the window, in reading order: its values at all positions.

    >>> [v[..., 0].tolist() for v in views(np.arange(4).reshape(2, 2, 1), window("pool", (2, 2), [1, 2]))]
    [[[0], [2]], [[1], [3]]]
    """
    (kh, kw), (sh, sw), (oh, ow) = window.size, window.stride, window.output
    return [
        x[..., i : i + sh * (oh - 1) + 1 : sh, j : j + sw * (ow - 1) + 1 : sw, :] for i in range(kh) for j in range(kw)
    ]


def rows(x: Array, window: Window) -> Array:
    """Return each row of padded images `(…, C, H, W, N)` with its KW shifts: `(…, H, C · KW, OW · N)`.

    In memory, KH consecutive rows are the im2col columns of one output row.

    >>> rows(np.arange(4).reshape(1, 2, 2, 1), window("conv", (2, 2), 2)).tolist()
    [[[0], [1]], [[2], [3]]]
    """
    x = padded(x, window)
    *lead, channels, height, _, samples = x.shape
    (_, kw), (_, sw), (_, ow) = window.size, window.stride, window.output
    y = np.empty((*lead, height, channels, kw, ow, samples), x.dtype)
    for j in range(kw):
        y[..., j, :, :] = np.moveaxis(x[..., j : j + sw * (ow - 1) + 1 : sw, :], -4, -3)
    return y.reshape(*lead, height, channels * kw, ow * samples)


def columns(rows: Array, window: Window) -> Array:
    """Return the matrices that kernels multiply, one for each output row: `(…, OH, KH · C · KW, OW · N)`, a view.

    >>> w = window("conv", (2, 2), 2)
    >>> columns(rows(np.arange(4).reshape(1, 2, 2, 1), w), w).tolist()
    [[[0], [1], [2], [3]]]
    """
    *lead, _, across, positions = rows.shape
    *strides, down, along, step = rows.strides
    (kh, _), (sh, _), (oh, _) = window.size, window.stride, window.output
    shape = (*lead, oh, kh * across, positions)
    return as_strided(rows, shape, (*strides, sh * down, along, step), writeable=False)


def rows_adjoint(y: Array, channels: int, window: Window) -> Array:
    """Apply the adjoint of `rows`: add every number to the pixel that it was copied from.

    >>> w = window("conv", (2, 3), 2)
    >>> rows_adjoint(np.ones((2, 2, 2)), 1, w)[..., 0].tolist()
    [[[1.0, 2.0, 1.0], [1.0, 2.0, 1.0]]]
    """
    *lead, height, _, positions = y.shape
    (_, kw), (_, sw), (_, ow) = window.size, window.stride, window.output
    samples = positions // ow
    y = y.reshape(*lead, height, channels, kw, ow, samples)
    x = np.zeros((*lead, channels, *window.padded, samples), y.dtype)
    for j in range(kw):
        x[..., j : j + sw * (ow - 1) + 1 : sw, :] += np.moveaxis(y[..., j, :, :], -4, -3)
    return crop(x, window)


def im2col(x: Array, size: Size | Pair, stride: Size | Pair = 1, pad: Pad | Pair = 0) -> Array:
    """Turn images `(N, C, H, W)` into a matrix: one row for each position of the window, image by image.

    A row holds the C · KH · KW numbers that the window covers. Positions follow each other in reading order. A
    convolution with F kernels is then one product, of `(N · OH · OW, C · KH · KW)` and `(C · KH · KW, F)`
    (Chellapilla et al. 2006, Section 3).

    >>> im2col(np.arange(16).reshape(1, 1, 4, 4), 2)[:2].tolist()
    [[0, 1, 4, 5], [1, 2, 5, 6]]
    """
    w = window("im2col", x.shape[2:], size, stride, pad)
    images = np.moveaxis(padded(np.moveaxis(x, 0, -1), w), -1, 0)
    covered = sliding_window_view(images, w.size, axis=(2, 3))[:, :, :: w.stride[0], :: w.stride[1]]
    return np.moveaxis(covered, 1, 3).reshape(len(x) * w.output[0] * w.output[1], -1)


def col2im(
    columns: Array, shape: tuple[int, int, int, int], size: Size | Pair, stride: Size | Pair = 1, pad: Pad | Pair = 0
) -> Array:
    """Apply the adjoint of `im2col`: add each number of a matrix to its pixel, in images of `shape` (N, C, H, W).

    A pixel that several windows cover gets a sum: col2im is the gradient of im2col, not its inverse. col2im of a matrix
    of ones counts the windows that cover each pixel.

    >>> col2im(np.ones((4, 4)), (1, 1, 3, 3), 2)[0, 0].tolist()
    [[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]
    """
    n, c, *image = shape
    w = window("col2im", (image[0], image[1]), size, stride, pad)
    by_pixel = np.moveaxis(columns.reshape(n, *w.output, c, w.size[0] * w.size[1]), (4, 3, 0), (0, 1, -1))
    x = np.zeros((c, *w.padded, n), columns.dtype)
    for covered, part in zip(views(x, w), by_pixel, strict=True):
        covered += part
    return np.moveaxis(crop(x, w), -1, 0)


class Tiles(NamedTuple):
    """Output of images that is never in memory as a whole.

    shape: of the whole, `(R, C, H, W, N)`. compute(runs, rows): one tile, computed again at each call.
    """

    shape: Shape
    dtype: np.dtype
    compute: Callable[[slice, slice], Array]

    def run_slices(self, rows: int) -> Iterator[slice]:
        """Return slices of the runs, each with so few runs that `rows` rows of them stay in cache.

        >>> list(Tiles((5, 64, 32, 32, 64), np.dtype(np.float32), lambda runs, rows: np.empty(0)).run_slices(1))[:2]
        [slice(0, 2, None), slice(2, 4, None)]
        """
        runs, channels, _, width, samples = self.shape
        count = max(1, _CACHE // (channels * rows * width * samples))
        return (slice(start, min(start + count, runs)) for start in range(0, runs, count))


# The gradient of an output that was read in tiles, in the order in which they were read: runs, rows, dy.
TileGradients = Iterable[tuple[slice, slice, Array]]
