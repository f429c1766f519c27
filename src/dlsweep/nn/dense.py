"""Dense (fully connected) layers: y = W x + b."""

from __future__ import annotations

from math import prod

import numpy as np

from dlsweep.nn.layers import Context, Facts, Layer, Output, Parameter, Parameters, SharedInput, kinds, total
from dlsweep.nn.products import product, shared_product
from dlsweep.registry import Count
from dlsweep.types import Array, Shape


@kinds.register
def dense(name: str, shape: Shape, *, units: Count, bias: float = 0.0) -> Layer:
    """Dense layer for samples of any shape, W: `(R, units, in)`, b: `(R, units, 1)`.

    units: number of units.

    bias: the initial value of every b; initializers fill W only. As the first layer of a network it reads
    `list[SharedInput]`, and multiplies shared inputs once for all runs.

    >>> layer = dense("fc", (4,), units=2)
    >>> layer.shape, layer.parameters["W"].shape
    ((2,), (2, 4))
    """
    fan_in = prod(shape)
    parameters = {"W": Parameter((units, fan_in), fan_in, units), "b": Parameter((units, 1), start=bias)}
    facts = Facts(affine=True, linear=True, reads_shared=True, reorders="W")
    return Layer(name, _apply, parameters, (units,), facts)


def _apply(p: Parameters, x: Array | list[SharedInput], context: Context) -> Output:
    if isinstance(x, list):
        return _apply_shared(p, x)
    W, flat = p["W"], x.reshape(len(x), -1, x.shape[-1])
    y = product(W, flat)
    if "b" in p:  # otherwise it is a column of W, see `fusion`
        y += p["b"]

    def back(dy: Array) -> tuple[Array, Parameters]:
        dx = product(W.swapaxes(1, 2), dy).reshape(x.shape)
        return dx, {"W": dy @ flat.swapaxes(1, 2), "b": total(dy, (dy.shape[1], 1))}

    return Output(y, back)


def _apply_shared(p: Parameters, inputs: list[SharedInput]) -> Output:
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
