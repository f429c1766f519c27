"""Convolutional layers: y = W ∗ x + b, as matrix products with the rows that each row of the output sees."""

from __future__ import annotations

from math import prod

import numpy as np

from dlsweep.errors import UsageError
from dlsweep.nn.dense import tall_is_exact
from dlsweep.nn.layers import Array, Layer, Output, Parameter, Parameters, Pass, Shared, kinds, spread, total
from dlsweep.nn.patches import Pad, Size, Window, columns, image_of, rows, unrowed, window
from dlsweep.registry import Count


@kinds.register
def conv(
    name: str,
    shape: tuple[int, ...],
    *,
    filters: Count,
    kernel: Size = 3,
    stride: Size = 1,
    pad: Pad = 0,
    groups: Count = 1,
    bias: bool = True,
) -> Layer:
    """A 2-D convolution (cross-correlation, as in all libraries) of samples `(C, H, W)` to `(filters, OH, OW)`.

    W: `(R, F, C, KH, KW)`, b: `(R, F, 1, 1, 1)`; OH = ⌊(H + 2P − KH)/S⌋ + 1 (LeCun et al. 1998, Section II.A). pad:
    zeros on each side, or `same` for OH = ⌈H/S⌉. groups: so many parts of the channels go to so many parts of the
    filters, each to its own (Krizhevsky et al. 2012, Section 3.5). As the first layer of a network it reads
    `list[Shared]`: what all runs of a seed see is laid out for the product once.
    """
    over = window(name, image_of(name, shape), kernel, stride, pad)
    if shape[0] % groups or filters % groups:
        raise UsageError(f"{name}: {shape[0]} channels and {filters} filters cannot both be split into {groups} groups")
    channels, area = shape[0] // groups, prod(over.size)
    parameters = {"W": Parameter((filters, channels, *over.size), channels * area, filters // groups * area)}
    if bias:
        parameters["b"] = Parameter((filters, 1, 1, 1))

    def apply(p: Parameters, given: Array | list[Shared], pass_: Pass) -> Output:
        # Groups do not know of each other, as runs do not: (R, F, …) becomes (R · groups, F / groups, …).
        W = p["W"]
        kernels = W.reshape(-1, filters // groups, channels, *over.size).swapaxes(2, 3)
        kernels = kernels.reshape(*kernels.shape[:2], -1)  # KH · C · KW, as `columns` are ordered
        if isinstance(given, list) and groups == 1:
            seen: Array | list[Shared] = [s._replace(x=rows(np.ascontiguousarray(s.x), over)) for s in given]
        else:
            x = spread(given) if isinstance(given, list) else given
            seen = rows(x.reshape(-1, channels, *x.shape[2:]), over)
        y = _products(kernels, seen, over).reshape(len(W), *layer.shape, -1)
        if bias:
            y += p["b"]

        def back(dy: Array) -> tuple[Array | None, Parameters]:
            gradients = {"b": total(dy, p["b"].shape[1:])} if bias else {}
            dy = dy.reshape(*kernels.shape[:2], *dy.shape[2:])
            dW = _kernel_gradient(dy, seen, over).reshape(*kernels.shape[:2], over.size[0], channels, over.size[1])
            gradients["W"] = dW.swapaxes(2, 3).reshape(W.shape)
            if isinstance(given, list):
                return None, gradients
            return _input_gradient(kernels, dy, channels, over).reshape(given.shape), gradients

        return Output(y, back)

    layer = Layer(name, parameters, apply, shape=(filters, *over.output), linear=bias)
    return layer


def _by_row(y: Array) -> Array:
    """What a convolution gives, `(R, F, OH, OW, N)`, one matrix for each row of the output: `(R, OH, F, OW · N)`."""
    return y.reshape(*y.shape[:3], -1).swapaxes(1, 2)


def _products(kernels: Array, seen: Array | list[Shared], over: Window) -> Array:
    """Every kernel with all that it sees, `(R, F, OH, OW · N)`: one product for each row of the output."""
    places = (seen[0].x if isinstance(seen, list) else seen).shape[-1]
    y = np.empty((*kernels.shape[:2], over.output[0], places), kernels.dtype)
    if not isinstance(seen, list):
        np.matmul(kernels[:, None], columns(seen, over), out=_by_row(y))
        return y
    for x, runs in seen:
        across, kernel, out = columns(x, over), kernels[runs], y[runs]
        if tall_is_exact(kernel, across[0]):
            kernel, out = kernel.reshape(1, -1, kernel.shape[2]), out.reshape(1, -1, *out.shape[2:])
        np.matmul(kernel[:, None], across, out=_by_row(out))
    return y


def _kernel_gradient(dy: Array, seen: Array | list[Shared], over: Window) -> Array:
    """The gradient of the kernels, `(R, F, KH · C · KW)`: a product for each row of the output, and their sum."""
    if not isinstance(seen, list):
        return np.asarray((_by_row(dy) @ columns(seen, over).swapaxes(-1, -2)).sum(axis=1))
    parts = []
    for x, runs in seen:
        across, d = columns(x, over).swapaxes(-1, -2), dy[runs]
        if tall_is_exact(_by_row(d)[:, 0], across[0]):
            d = d.reshape(1, -1, *d.shape[2:])
        parts.append((_by_row(d) @ across).sum(axis=1).reshape(-1, dy.shape[1], across.shape[2]))
    return np.concatenate(parts)


def _input_gradient(kernels: Array, dy: Array, channels: int, over: Window) -> Array:
    """The gradient of the input: what each row of the output gives to the KH rows that it saw."""
    runs, _, height, width, samples = dy.shape
    (kh, kw), (stride, _) = over.size, over.stride
    drows = np.zeros((runs, over.padded[0], channels * kw, width * samples), dy.dtype)
    by_row, transposed = _by_row(dy), kernels.swapaxes(1, 2)
    for r in range(runs):  # one after the other, so that what is added stays in cache
        for o in range(height):
            drows[r, o * stride : o * stride + kh] += (transposed[r] @ by_row[r, o]).reshape(kh, channels * kw, -1)
    return unrowed(drows, channels, over)
