"""Matrix products of all runs of a stack, so that BLAS is quick and no run's numbers depend on its company."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache

import numpy as np

from dlsweep.types import Array

# OpenBLAS's AVX-512 kernels take products of up to so many multiplications without repacking their matrices first,
# which for narrow matrices is quicker, by a tenth to a half; its AVX2 kernels lose a twentieth by the cuts. Pieces of
# fewer rows or columns than `_LEAST` would lose more than they bring.
_SMALL, _LEAST = 1_000_000, 64


def product(a: Array, b: Array, out: Array | None = None) -> Array:
    """a @ b, for stacks of matrices `(…, M, K) @ (…, K, N)`; where it can, as products that are small.

    Cut are the columns of b, or else the rows of a, or else both along K, whose products are added up. How is a
    function of M, K and N alone.

    >>> product(np.array([[1, 2], [3, 4]]), np.array([[5], [6]])).tolist()
    [[17], [39]]
    """
    (rows, inner), columns = a.shape[-2:], b.shape[-1]
    if rows * inner * columns <= _SMALL:
        return np.matmul(a, b, out=out)
    if out is None:
        lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        out = np.empty((*lead, rows, columns), a.dtype)
    if piece := _piece(columns, rows * inner):
        np.matmul(a[..., None, :, :], _split_columns(b, piece), out=_split_columns(out, piece))
    elif piece := _piece(rows, inner * columns):
        np.matmul(_split_rows(a, piece), b[..., None, :, :], out=_split_rows(out, piece))
    elif piece := _piece(inner, rows * columns):
        np.matmul(a[..., :piece], b[..., :piece, :], out=out)
        for at in range(piece, inner, piece):
            out += a[..., at : at + piece] @ b[..., at : at + piece, :]
    else:
        np.matmul(a, b, out=out)
    return out


@lru_cache(maxsize=4096)
def _piece(length: int, others: int) -> int:
    """The longest of equal pieces of a side that make a product small; 0 where they would be too short."""
    most = min(_SMALL // others, length)
    return next((n for n in range(most, _LEAST - 1, -1) if length % n == 0), 0)


def _split_columns(a: Array, piece: int) -> Array:
    """A matrix as those that lie beside each other in it: `(…, N / piece, K, piece)`, a view."""
    return a.reshape(*a.shape[:-1], -1, piece).swapaxes(-2, -3)


def _split_rows(a: Array, piece: int) -> Array:
    """A matrix as those that lie below each other in it: `(…, M / piece, piece, K)`, a view."""
    return a.reshape(*a.shape[:-2], -1, piece, a.shape[-1])


def shared_product(a: Array, x: Array, out: Array) -> Array:
    """The product of every run's matrix `(R, M, K)` with one matrix `(K, N)` for all, into a contiguous `(R, M, N)`.

    One tall product `(R·M, K) @ (K, N)` is quicker than R small ones, and is taken wherever this machine's BLAS gives
    it the same bits, so that a run's numbers never depend on how many runs share the product.

    >>> a, x = np.arange(4.0).reshape(2, 1, 2), np.array([[1.0], [10.0]])
    >>> shared_product(a, x, out=np.empty((2, 1, 1))).tolist()
    [[[10.0]], [[32.0]]]
    """
    runs, rows, inner = a.shape
    if tall_is_exact(a, x):
        np.matmul(a.reshape(runs * rows, inner), x, out=out.reshape(runs * rows, -1))
    else:
        np.matmul(a, x, out=out)
    return out


def tall_is_exact(a: Array, x: Array, multiply: Callable[..., Array] = np.matmul) -> bool:
    """Whether one tall product of all runs of `(R, M, K)`, under each other, with `(K, N)` has the bits of small ones.

    Where it does, runs may share the product without a run's numbers depending on how many do. multiply: what makes it,
    `np.matmul` or `product`.

    >>> tall_is_exact(np.ones((1, 2, 3)), np.ones((3, 4)))  # one run has nothing to share
    False
    """
    runs, *each = a.shape
    return runs > 1 and _exact(multiply, runs, *each, a.strides[1], x.shape[1], x.flags.c_contiguous, a.dtype)


@lru_cache(maxsize=4096)
def _exact(
    multiply: Callable[..., Array],
    runs: int,
    rows: int,
    inner: int,
    stride: int,
    columns: int,
    c_contiguous: bool,
    dtype: np.dtype,
) -> bool:
    """Whether the tall product has the bits of the small ones at these shapes: tried once, on random numbers.

    The order of a product's additions follows from its shapes and strides alone, so a try tells; but it may change
    with the height (BLAS libraries have kernels of their own for small matrices and for edges), so it must be tried.
    Two orders can agree on a few numbers by chance: small products are tried until thousands of results were compared.

    stride: bytes from one row to the next, more than `inner` numbers where the last features are left out.
    """
    small, tall = np.empty((2, runs, rows, columns), dtype)
    for at in range(1 + 4096 // tall.size):
        a = np.resize(_noise(dtype)[at:], (runs, rows, stride // dtype.itemsize))[:, :, :inner]
        x = np.resize(_noise(dtype)[-1 - at :: -1], (inner, columns) if c_contiguous else (columns, inner))
        x = x if c_contiguous else x.T
        multiply(a, x, out=small)
        multiply(a.reshape(runs * rows, inner), x, out=tall.reshape(runs * rows, columns))
        if not np.array_equal(small, tall):
            return False
    return True


@cache
def _noise(dtype: np.dtype) -> Array:
    """Random numbers, drawn once: that takes longer than a product with them."""
    return np.random.default_rng(0).random(1 << 20, dtype)
