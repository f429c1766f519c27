"""Dense (fully connected) layers: y = x W + b."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from dlsweep.nn.layers import Array, Back, Layer, Parameter, Parameters


class Shared(NamedTuple):
    """Input that a slice of the stack's runs reads together: the test images, or the minibatch of one seed.

    x: `(N, in)`, or only those of its `columns` that are not zero throughout: the others contribute nothing.
    """

    x: Array
    runs: slice
    columns: Array | None = None


def dense(name: str, fan_in: int, fan_out: int, *, first: bool = False) -> Layer:
    """A dense layer, W: `(R, in, out)`, b: `(R, 1, out)`. The first of a network reads `list[Shared]`, not an array."""
    kernel = Parameter((fan_in, fan_out), fan_in, fan_out, wide=first)
    return Layer(name, {"W": kernel, "b": Parameter((1, fan_out))}, _apply_shared if first else _apply)


def _apply(p: Parameters, x: Array, training: bool) -> tuple[Array, Back]:
    W = p["W"]
    y = x @ W
    y += p["b"]

    def back(dy: Array) -> tuple[Array, Parameters]:
        return dy @ W.swapaxes(1, 2), {"W": x.swapaxes(1, 2) @ dy, "b": dy.sum(axis=1, keepdims=True)}

    return y, back


def _apply_shared(p: Parameters, inputs: list[Shared], training: bool) -> tuple[Array, Back]:
    W, b = p["W"], p["b"]
    y = np.empty((len(W), len(inputs[0].x), W.shape[2]), W.dtype)
    for x, runs, columns in inputs:
        kernels = W[runs]
        if columns is not None:
            kernels = kernels.transpose(1, 0, 2).take(columns, axis=0).transpose(1, 0, 2)
        product = shared_product(x, kernels)
        np.add(product, b[runs], out=y[runs])

    def back(dy: Array) -> tuple[None, Parameters]:
        dW = np.empty_like(W)
        for x, runs, _ in inputs:
            dW[runs] = shared_product(x.T, dy[runs])
        return None, {"W": dW, "b": dy.sum(axis=1, keepdims=True)}

    return y, back


def shared_product(a: Array, b: Array) -> Array:
    """The products of one matrix `(M, K)` with every run's `(R, K, N)`, as `(R, M, N)`.

    One wide product `(M, K) @ (K, R·N)` is quicker than R small ones, and is taken wherever this machine's BLAS gives
    it the same bits, so that a run's numbers never depend on how many runs share the product.
    """
    runs, inner, columns = b.shape
    wide = b.transpose(1, 0, 2).reshape(inner, runs * columns)  # a view, if b is wide in memory
    stride, step = wide.strides
    by_rows = step == wide.itemsize and stride >= runs * columns * step
    if by_rows and _wide_is_exact(len(a), inner, runs, columns, stride, a.flags.c_contiguous, a.dtype.char):
        return (a @ wide).reshape(len(a), runs, columns).transpose(1, 0, 2)
    return a @ np.ascontiguousarray(b)


@lru_cache(maxsize=4096)
def _wide_is_exact(rows: int, inner: int, runs: int, columns: int, stride: int, c_contiguous: bool, dtype: str) -> bool:
    """Whether the wide product has the bits of the small ones at these shapes: tried once, on random numbers.

    The order of a product's additions follows from its shapes and strides alone, so a try tells; but it may change
    with the width (BLAS libraries have kernels of their own for small matrices and for edges), so it must be tried. Two
    orders can agree on a few numbers by chance: small products are tried until thousands of results were compared.

    stride: bytes from one row of the wide matrix to the next, more than a row where it is a part of a wider one.
    """
    draw = np.random.default_rng(0)
    room = np.empty((inner, stride // np.dtype(dtype).itemsize), dtype)
    wide = room[:, : runs * columns]
    for _ in range(1 + 4096 // (rows * runs * columns)):
        a = draw.standard_normal((rows, inner) if c_contiguous else (inner, rows)).astype(dtype)
        a = a if c_contiguous else a.T
        wide[...] = draw.standard_normal(wide.shape)
        small = np.ascontiguousarray(wide.reshape(inner, runs, columns).transpose(1, 0, 2))
        if not np.array_equal((a @ wide).reshape(rows, runs, columns).transpose(1, 0, 2), a @ small):
            return False
    return True
