"""Matrix products of all runs of a stack: fast in BLAS, and independent of the number of runs in the stack."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from math import prod

import numpy as np

from dlsweep.types import Array, Shape

# OpenBLAS's AVX-512 kernels compute products of up to `_SMALL` multiplications without repacking the matrices. For
# narrow matrices this is faster, by a tenth to a half; its AVX2 kernels lose a twentieth by the splitting. Blocks of
# fewer rows or columns than `_MIN_BLOCK` would lose more than they gain.
_SMALL, _MIN_BLOCK = 1_000_000, 64


def product(a: Array, b: Array, out: Array | None = None) -> Array:
    """Return a @ b for stacks of matrices `(…, M, K) @ (…, K, N)`, if possible computed in small blocks.

    The blocks are columns of b, otherwise rows of a, otherwise parts of both along K, whose products are added. The
    choice depends on M, K and N alone.

    >>> product(np.array([[1, 2], [3, 4]]), np.array([[5], [6]])).tolist()
    [[17], [39]]
    """
    (rows, inner), columns = a.shape[-2:], b.shape[-1]
    if rows * inner * columns <= _SMALL:
        return np.matmul(a, b, out=out)
    if out is None:
        lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        out = np.empty((*lead, rows, columns), a.dtype)
    if block := _block(columns, rows * inner):
        np.matmul(a[..., None, :, :], _split_columns(b, block), out=_split_columns(out, block))
    elif block := _block(rows, inner * columns):
        np.matmul(_split_rows(a, block), b[..., None, :, :], out=_split_rows(out, block))
    elif block := _block(inner, rows * columns):
        np.matmul(a[..., :block], b[..., :block, :], out=out)
        for at in range(block, inner, block):
            out += a[..., at : at + block] @ b[..., at : at + block, :]
    else:
        np.matmul(a, b, out=out)
    return out


@lru_cache(maxsize=4096)
def _block(length: int, others: int) -> int:
    """Return the largest length of equal blocks that make a product small; 0 if the blocks would be too short."""
    most = min(_SMALL // others, length)
    return next((n for n in range(most, _MIN_BLOCK - 1, -1) if length % n == 0), 0)


def _split_columns(a: Array, block: int) -> Array:
    """View a matrix as blocks of columns: `(…, N / block, K, block)`."""
    return a.reshape(*a.shape[:-1], -1, block).swapaxes(-2, -3)


def _split_rows(a: Array, block: int) -> Array:
    """View a matrix as blocks of rows: `(…, M / block, block, K)`."""
    return a.reshape(*a.shape[:-2], -1, block, a.shape[-1])


def shared_product(a: Array, x: Array, out: Array) -> Array:
    """Multiply every run's matrix `(R, M, K)` with one shared matrix `(K, N)`, into a contiguous `out`, `(R, M, N)`.

    One tall product `(R·M, K) @ (K, N)` is faster than R small ones. It is used where this machine's BLAS computes the
    same bits, so that a run's numbers never depend on the number of runs that share the product.

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
    """Test if one tall product `(R · M, K) @ (K, N)` has the same bits as a product for each run of `a`, `(R, M, K)`.

    If so, runs may share the product: a run's numbers do not depend on the number of runs. multiply: the function that
    multiplies, `np.matmul` or `product`.

    >>> tall_is_exact(np.ones((1, 2, 3)), np.ones((3, 4)))  # one run has nothing to share
    False
    """
    return len(a) > 1 and _exact(multiply, a.shape, a.strides[1], x.shape[1], x.flags.c_contiguous, a.dtype)


@lru_cache(maxsize=4096)
def _exact(
    multiply: Callable[..., Array], shape: Shape, stride: int, columns: int, c_contiguous: bool, dtype: np.dtype
) -> bool:
    """Test on random numbers if the tall product has the same bits as the small ones at these shapes.

    The order of a product's additions follows from its shapes and strides alone (with kernels since Nehalem), so one
    test is enough. It may change with the height, because BLAS libraries have special kernels for small matrices and
    for edges, so a test is needed.
    Two orders can agree on a few numbers by chance: small products repeat until thousands of results were compared.

    stride: bytes from one row to the next; more than `inner` numbers if the last features are left out.
    """
    runs, rows, inner = shape
    small, tall = np.empty((2, runs, rows, columns), dtype)
    padded = (runs, rows, stride // dtype.itemsize)
    stored = (inner, columns) if c_contiguous else (columns, inner)
    for at in range(1 + 4096 // tall.size):
        a, x = (
            np.resize(draws[: prod(size)], size)  # np.resize copies all that it is given
            for draws, size in ((_noise(dtype)[at:], padded), (_noise(dtype)[-1 - at :: -1], stored))
        )
        a, x = a[:, :, :inner], x if c_contiguous else x.T
        multiply(a, x, out=small)
        multiply(a.reshape(runs * rows, inner), x, out=tall.reshape(runs * rows, columns))
        if not np.array_equal(small, tall):
            return False
    return True


@cache
def _noise(dtype: np.dtype) -> Array:
    """Draw random numbers, once: drawing takes longer than a product."""
    return np.random.default_rng(0).random(1 << 20, dtype)
