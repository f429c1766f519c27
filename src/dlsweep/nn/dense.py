"""Dense (fully connected) layers: y = W x + b."""

from __future__ import annotations

from functools import lru_cache
from math import prod

import numpy as np

from dlsweep.nn.layers import Array, Layer, Output, Parameter, Parameters, Pass, Shared, kinds, total
from dlsweep.registry import Count


@kinds.register
def dense(name: str, shape: tuple[int, ...], *, units: Count) -> Layer:
    """A dense layer for samples of any shape, W: `(R, units, in)`, b: `(R, units, 1)`.

    As the first layer of a network it reads `list[Shared]`, and multiplies what runs share once.
    """
    fan_in = prod(shape)
    parameters = {"W": Parameter((units, fan_in), fan_in, units), "b": Parameter((units, 1))}
    return Layer(name, parameters, _apply, reads="W", shape=(units,), linear=True)


def _apply(p: Parameters, x: Array | list[Shared], pass_: Pass) -> Output:
    if isinstance(x, list):
        return _apply_shared(p, x)
    W, flat = p["W"], x.reshape(len(x), -1, x.shape[-1])
    y = product(W, flat)
    y += p["b"]

    def back(dy: Array) -> tuple[Array, Parameters]:
        dx = (W.swapaxes(1, 2) @ dy).reshape(x.shape)
        return dx, {"W": dy @ flat.swapaxes(1, 2), "b": total(dy, (dy.shape[1], 1))}

    return Output(y, back)


def _apply_shared(p: Parameters, inputs: list[Shared]) -> Output:
    W, b = p["W"], p["b"]
    inputs = [s._replace(x=s.x.reshape(-1, s.x.shape[-1])) for s in inputs]
    y = np.empty((*W.shape[:2], inputs[0].x.shape[1]), W.dtype)
    for x, runs in inputs:
        shared_product(W[runs, :, : len(x)], x, out=y[runs])
    y += b

    def back(dy: Array) -> tuple[None, Parameters]:
        dW = np.empty(W.shape, W.dtype)
        for x, runs in inputs:
            shared_product(dy[runs], x.T, out=dW[runs])
        return None, {"W": dW, "b": total(dy, (dy.shape[1], 1))}

    return Output(y, back)


# OpenBLAS's AVX-512 kernels take products of up to so many multiplications without repacking their matrices, which is
# quicker; and so many columns at once fill the vectors of all its kernels.
_SMALL, _COLUMNS = 1_000_000, 96


def product(a: Array, b: Array) -> Array:
    """The products of every run's matrices, `(R, M, K) @ (R, K, N)`; where that makes them small, some columns at once.

    How they are cut is a function of M, K and N alone, as are their bits.
    """
    (runs, rows, inner), columns = a.shape, b.shape[2]
    if columns % _COLUMNS or not rows * inner * _COLUMNS <= _SMALL < rows * inner * columns:
        return a @ b
    y = np.empty((runs, rows, columns), a.dtype)
    pieces, into = (m.reshape(runs, m.shape[1], -1, _COLUMNS).swapaxes(1, 2) for m in (b, y))
    np.matmul(a[:, None], pieces, out=into)
    return y


def shared_product(a: Array, x: Array, out: Array) -> Array:
    """The product of every run's matrix `(R, M, K)` with one matrix `(K, N)` for all, into a contiguous `(R, M, N)`.

    One tall product `(R·M, K) @ (K, N)` is quicker than R small ones, and is taken wherever this machine's BLAS gives
    it the same bits, so that a run's numbers never depend on how many runs share the product.
    """
    runs, rows, inner = a.shape
    if tall_is_exact(a, x):
        np.matmul(a.reshape(runs * rows, inner), x, out=out.reshape(runs * rows, -1))
    else:
        np.matmul(a, x, out=out)
    return out


def tall_is_exact(a: Array, x: Array) -> bool:
    """Whether one tall product of all runs of `(R, M, K)`, under each other, with `(K, N)` has the bits of small ones.

    Where it does, runs may share the product without a run's numbers depending on how many do.
    """
    runs, rows, inner = a.shape
    return runs > 1 and _tall_is_exact(runs, rows, inner, a.strides[1], x.shape[1], x.flags.c_contiguous, a.dtype)


@lru_cache(maxsize=4096)
def _tall_is_exact(
    runs: int, rows: int, inner: int, stride: int, columns: int, c_contiguous: bool, dtype: np.dtype
) -> bool:
    """Whether the tall product has the bits of the small ones at these shapes: tried once, on random numbers.

    The order of a product's additions follows from its shapes and strides alone, so a try tells; but it may change
    with the height (BLAS libraries have kernels of their own for small matrices and for edges), so it must be tried.
    Two orders can agree on a few numbers by chance: small products are tried until thousands of results were compared.

    stride: bytes from one row to the next, more than `inner` numbers where the last features are left out.
    """
    draw = np.random.default_rng(0)
    a = np.empty((runs, rows, stride // dtype.itemsize), dtype)[:, :, :inner]
    small, tall = np.empty((2, runs, rows, columns), dtype)
    for _ in range(1 + 4096 // tall.size):
        a[...] = draw.random(a.shape, dtype)
        x = draw.random((inner, columns), dtype) if c_contiguous else draw.random((columns, inner), dtype).T
        np.matmul(a, x, out=small)
        np.matmul(a.reshape(runs * rows, inner), x, out=tall.reshape(runs * rows, columns))
        if not np.array_equal(small, tall):
            return False
    return True
