"""Convolutional layers: y = W ∗ x + b, as one matrix product for each output row."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from math import prod

import numpy as np

from dlsweep.errors import UsageError
from dlsweep.nn.layers import (
    Context,
    Facts,
    Layer,
    Output,
    Parameter,
    Parameters,
    SharedInput,
    kinds,
    materialize,
    ones,
)
from dlsweep.nn.patches import Pad, Size, TileGradients, Tiles, Window, columns, image_of, rows, rows_adjoint, window
from dlsweep.nn.products import product, tall_is_exact
from dlsweep.registry import Count
from dlsweep.types import Array, Shape


@kinds.register
def conv(
    name: str,
    shape: Shape,
    *,
    filters: Count,
    kernel: Size = 3,
    stride: Size = 1,
    pad: Pad = 0,
    groups: Count = 1,
    bias: bool | float = True,
) -> Layer:
    """2-D convolution (cross-correlation, as in all libraries) of samples `(C, H, W)` to `(filters, OH, OW)`.

    filters: number of filters; kernel: height and width of the window in pixels; stride: step of the window.

    W: `(R, F, C, KH, KW)`, b: `(R, F, 1, 1, 1)`; OH = ⌊(H + 2P − KH)/S⌋ + 1 (LeCun et al. 1998, Section II.A). pad:
    zeros on each side, or `same` for OH = ⌈H/S⌉. groups: the channels and the filters are split into this many groups,
    and each group of filters reads its own group of channels (Krizhevsky et al. 2012, Section 3.5). bias: the initial
    value of every b, true for 0; or false for no b. As the first layer of a network it reads `list[SharedInput]`: an
    input that all runs of a seed share is prepared for the product once.

    >>> layer = conv("conv1", (3, 28, 28), filters=6, kernel=5, pad=2)
    >>> layer.shape, layer.parameters["W"].shape
    ((6, 28, 28), (6, 3, 5, 5))
    """
    over = window(name, image_of(name, shape), kernel, stride, pad)
    if shape[0] % groups or filters % groups:
        raise UsageError(f"{name}: {shape[0]} channels and {filters} filters cannot both be split into {groups} groups")
    channels, area = shape[0] // groups, prod(over.size)
    parameters = {"W": Parameter((filters, channels, *over.size), channels * area, filters // groups * area)}
    if bias is not False:
        parameters["b"] = Parameter((filters, 1, 1, 1), start=0.0 if bias is True else bias)
    apply = partial(_apply, over, groups)
    # In a product with a vector, BLAS may add in an order that depends on the memory layout of the matrix, which is
    # different in tiles. So there are no tiles if a kernel is one number, nor if an output row is one number.
    tiled = partial(apply, tiled=True) if channels * area > 1 else None
    facts = Facts(affine=True, linear=bias is not False, reads_shared=True, tiled=tiled)
    return Layer(name, apply, parameters, (filters, *over.output), facts)


def _apply(
    over: Window, groups: int, p: Parameters, given: Array | list[SharedInput], context: Context, tiled: bool = False
) -> Output:
    W, b = p["W"], p.get("b")
    filters, channels = W.shape[1:3]
    # Groups are independent of each other, as runs are: (R, F, …) becomes (R · groups, F / groups, …).
    kernels = W.reshape(-1, filters // groups, channels, *over.size).swapaxes(2, 3)
    kernels = kernels.reshape(*kernels.shape[:2], -1)  # KH · C · KW, as `columns` are ordered
    if isinstance(given, list) and groups == 1:
        inputs = [SharedInput(columns(rows(np.ascontiguousarray(x), over), over), runs) for x, runs in given]
    else:
        x = materialize(given) if isinstance(given, list) else given
        x = rows(x.reshape(-1, channels, *x.shape[2:]), over)
        inputs = [SharedInput(columns(x, over), slice(0, len(x)))]
    everything = slice(0, len(W)), slice(0, over.output[0])
    positions = inputs[0].x.shape[-1]  # of all samples, in one output row

    def compute(runs: slice, lines: slice) -> Array:
        y = np.empty((runs.stop - runs.start, filters, lines.stop - lines.start, positions), W.dtype)
        for part, across, out in _parts(inputs, groups, runs, lines, y):
            _multiply(kernels[part], across, out)
        y = y.reshape(*y.shape[:3], over.output[1], -1)
        if b is not None:
            y += b[runs]
        return y

    def back(dy: Array | TileGradients) -> tuple[Array | None, Parameters]:
        dW, db = np.zeros_like(kernels), np.zeros((*kernels.shape[:2], 1), W.dtype)
        drows = None  # a network's first layer computes no gradient of its input
        if not isinstance(given, list):
            drows = np.zeros((len(kernels), over.padded[0], channels * over.size[1], positions), W.dtype)
        for runs, lines, d in [(*everything, dy)] if isinstance(dy, np.ndarray) else dy:
            for part, across, own in _parts(inputs, groups, runs, lines, d):
                _add_products(own, across, out=dW[part])
                if b is not None:
                    _add_sums(own, out=db[part])
                if drows is not None:
                    _add_rows(own, kernels[part], over, lines, out=drows[part])
        dW = dW.reshape(*kernels.shape[:2], over.size[0], channels, over.size[1]).swapaxes(2, 3)
        gradients = {"W": dW.reshape(W.shape)} | ({} if b is None else {"b": db.reshape(b.shape)})
        if drows is None:
            return None, gradients
        dx = rows_adjoint(drows, channels, over)
        return dx.reshape(len(W), -1, *dx.shape[2:]), gradients

    if tiled and positions > 1:
        shape = (*W.shape[:2], *over.output, positions // over.output[1])
        return Output(Tiles(shape, W.dtype, compute), back)
    return Output(compute(*everything), back)


def _parts(
    inputs: list[SharedInput], groups: int, runs: slice, lines: slice, y: Array
) -> Iterator[tuple[slice, Array, Array]]:
    """Yield the slices of all groups that belong to some runs, the columns of some output rows, and their part of `y`.

    y: output of these runs and rows, or its gradient; a part is `(r, F, OH, P)`. Columns are `(OH, K, P)` if all groups
    share them, or `(r, OH, K, P)` if each has its own.
    """
    first, last = runs.start * groups, runs.stop * groups
    y = y.reshape(last - first, -1, lines.stop - lines.start, inputs[0].x.shape[-1])
    for x, own in inputs:
        start, stop = max(own.start, first), min(own.stop, last)
        if start < stop:
            across = x if x.ndim == 3 else x[start:stop]
            yield slice(start, stop), across[..., lines, :, :], y[start - first : stop - first]


def _multiply(kernels: Array, across: Array, out: Array) -> None:
    """Multiply kernels with their columns, into `out`, `(r, F, OH, P)`: one product for each output row."""
    if across.ndim == 3 and tall_is_exact(kernels, across[0], product):
        kernels, out = kernels.reshape(1, -1, kernels.shape[2]), out.reshape(1, -1, *out.shape[2:])
    product(kernels[:, None], across, out=out.swapaxes(1, 2))


def _add_products(dy: Array, across: Array, out: Array) -> None:
    """Add the gradient of the kernels to `out`, `(r, F, K)`: one product for each output row of dy, `(r, F, OH, P)`."""
    by_row, across = dy.swapaxes(1, 2), across.swapaxes(-1, -2)
    if across.ndim == 3 and tall_is_exact(by_row[:, 0], across[0], product):
        by_row = dy.reshape(1, -1, *dy.shape[2:]).swapaxes(1, 2)
    products = product(by_row, across).swapaxes(1, 2)
    _add_in_turn(products.reshape(*dy.shape[:3], -1), out)


def _add_sums(dy: Array, out: Array) -> None:
    """Add the gradient of the bias to `out`, `(r, F, 1)`: one sum for each output row of dy, `(r, F, OH, P)`."""
    _add_in_turn(np.vecdot(dy, ones(dy.shape[3], dy.dtype)[:, 0])[..., None], out)


def _add_in_turn(parts: Array, out: Array) -> None:
    """Add `(r, F, OH, …)` row by row to `(r, F, …)`: the sum over all rows has the same bits in tiles and at once."""
    for row in range(parts.shape[2]):
        out += parts[:, :, row]


def _add_rows(dy: Array, kernels: Array, over: Window, lines: slice, out: Array) -> None:
    """Add what each output row adds to its KH input rows to `out`, one row after the other: the sums stay in cache."""
    (height, _), (stride, _) = over.size, over.stride
    for drows, transposed, d in zip(out, kernels.swapaxes(1, 2), dy, strict=True):
        for i, line in enumerate(range(lines.start, lines.stop)):
            covered = drows[line * stride : line * stride + height]
            covered += product(transposed, d[:, i]).reshape(covered.shape)
