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
    biased = bias is not False
    if biased:
        parameters["b"] = Parameter((filters, 1, 1, 1), start=0.0 if bias is True else bias)

    def apply(p: Parameters, given: Array | list[SharedInput], context: Context, tiled: bool = False) -> Output:
        W = p["W"]
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
            split = y.reshape(-1, *kernels.shape[1:2], *y.shape[2:])
            for part, here, across in _of_runs(inputs, runs, groups):
                _multiply(kernels[part], across[..., lines, :, :], out=split[here])
            y = y.reshape(*y.shape[:3], over.output[1], -1)
            if biased:
                y += p["b"][runs]
            return y

        def back(dy: Array | TileGradients) -> tuple[Array | None, Parameters]:
            dW, db = np.zeros_like(kernels), np.zeros((*kernels.shape[:2], 1), W.dtype)
            dx = None if isinstance(given, list) else _InputGradient(kernels, given.shape, over, positions)
            for runs, lines, d in [(*everything, dy)] if isinstance(dy, np.ndarray) else dy:
                split = d.reshape(-1, *kernels.shape[1:2], lines.stop - lines.start, positions)
                for part, here, across in _of_runs(inputs, runs, groups):
                    _add_products(split[here], across[..., lines, :, :], out=dW[part])
                    if dx:
                        dx.add(part, lines, split[here])
                    if biased:
                        _add_sums(split[here], out=db[part])
            dW = dW.reshape(*kernels.shape[:2], over.size[0], channels, over.size[1]).swapaxes(2, 3)
            gradients = {"W": dW.reshape(W.shape)} | ({"b": db.reshape(p["b"].shape)} if biased else {})
            return dx.whole() if dx else None, gradients

        if tiled and positions > 1:
            shape = (len(W), *layer.shape, positions // over.output[1])
            return Output(Tiles(shape, W.dtype, compute), back)
        return Output(compute(*everything), back)

    # In a product with a vector, BLAS may add in an order that depends on the memory layout of the matrix, which is
    # different in tiles. So there are no tiles if a kernel is one number, nor, above, if an output row is one number.
    tiled = partial(apply, tiled=True) if channels * area > 1 else None
    facts = Facts(affine=True, linear=biased, reads_shared=True, tiled=tiled)
    layer = Layer(name, apply, parameters, (filters, *over.output), facts)
    return layer


def _of_runs(inputs: list[SharedInput], runs: slice, groups: int) -> Iterator[tuple[slice, slice, Array]]:
    """Yield the groups of some runs: their slice of all groups, their slice of these, and their columns.

    Columns are `(OH, K, P)` if all groups share them, or `(r · groups, OH, K, P)` if each has its own.
    """
    first, last = runs.start * groups, runs.stop * groups
    for x, own in inputs:
        start, stop = max(own.start, first), min(own.stop, last)
        if start < stop:
            yield slice(start, stop), slice(start - first, stop - first), x if x.ndim == 3 else x[start:stop]


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


class _InputGradient:
    """Gradient of the input: the sum of the parts that each output row adds to its KH input rows."""

    def __init__(self, kernels: Array, shape: Shape, over: Window, positions: int):
        self.transposed, self.shape, self.over = kernels.swapaxes(1, 2), shape, over
        self.rows = np.zeros((len(kernels), over.padded[0], kernels.shape[2] // over.size[0], positions), kernels.dtype)

    def add(self, runs: slice, lines: slice, dy: Array) -> None:
        """Add the parts of output rows, one row after the other, so that the sums stay in cache."""
        (height, _), (stride, _) = self.over.size, self.over.stride
        for drows, transposed, d in zip(self.rows[runs], self.transposed[runs], dy, strict=True):
            for i, line in enumerate(range(lines.start, lines.stop)):
                covered = drows[line * stride : line * stride + height]
                covered += product(transposed, d[:, i]).reshape(covered.shape)

    def whole(self) -> Array:
        """Return the sum, in the shape of the input."""
        return rows_adjoint(self.rows, self.rows.shape[2] // self.over.size[1], self.over).reshape(self.shape)
