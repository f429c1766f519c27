"""Dense (fully connected) layers: y = W x + b."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from dlsweep.nn.layers import Array, Layer, Output, Parameter, Parameters, Pass, Shared, total


def dense(name: str, fan_in: int, fan_out: int, *, first: bool = False) -> Layer:
    """A dense layer, W: `(R, out, in)`, b: `(R, out, 1)`. The first of a network reads `list[Shared]`, not an array."""
    parameters = {"W": Parameter((fan_out, fan_in), fan_in, fan_out), "b": Parameter((fan_out, 1))}
    apply, reads = (_apply_shared, "W") if first else (_apply, "")
    return Layer(name, parameters, apply, reads=reads, linear=True)


def _apply(p: Parameters, x: Array, pass_: Pass) -> Output:
    W = p["W"]
    y = W @ x
    y += p["b"]

    def back(dy: Array) -> tuple[Array, Parameters]:
        return W.swapaxes(1, 2) @ dy, {"W": dy @ x.swapaxes(1, 2), "b": total(dy, (dy.shape[1], 1))}

    return Output(y, back)


def _apply_shared(p: Parameters, inputs: list[Shared], pass_: Pass) -> Output:
    W, b = p["W"], p["b"]
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


def shared_product(a: Array, x: Array, out: Array) -> Array:
    """The product of every run's matrix `(R, M, K)` with one matrix `(K, N)` for all, into a contiguous `(R, M, N)`.

    One tall product `(R·M, K) @ (K, N)` is quicker than R small ones, and is taken wherever this machine's BLAS gives
    it the same bits, so that a run's numbers never depend on how many runs share the product.
    """
    runs, rows, inner = a.shape
    if runs > 1 and _tall_is_exact(runs, rows, inner, a.strides[1], x.shape[1], x.flags.c_contiguous, a.dtype):
        np.matmul(a.reshape(runs * rows, inner), x, out=out.reshape(runs * rows, -1))
    else:
        np.matmul(a, x, out=out)
    return out


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
