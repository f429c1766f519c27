"""Initial weights: `(draw, shape, fan_in, fan_out) -> weights`, float64.

`draw` is the random stream of one layer of one replicate. Every normal initializer scales the *same* base draws, and
every uniform one the same uniform draws, so `he` and `xavier` start from proportional weights; `truncated_normal` maps
the normal draws into its bounds, `orthogonal` makes them orthogonal. A kernel's first axis counts its outputs. Biases
start at 0.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np

from dlsweep.registry import Count, NonNegative, Positive, Registry
from dlsweep.signatures import Contract
from dlsweep.types import Array, Shape

initializers = Registry(
    "initializer", "dlsweep.initializers", Contract(("draw", "shape", "fan_in", "fan_out"), rest="outputs")
)


@initializers.register
def normal(draw: np.random.Generator, shape: Shape, fan_in: int, fan_out: int, *, std: NonNegative = 0.01) -> Array:
    """Gaussian with mean 0 and standard deviation `std`, for layers of any size.

    std: standard deviation of the weights.

    >>> float(normal(np.random.default_rng(0), (500, 400), 400, 500).std().round(3))
    0.01
    """
    return std * draw.standard_normal(shape)


@initializers.register
def truncated_normal(
    draw: np.random.Generator, shape: Shape, fan_in: int, fan_out: int, *, std: NonNegative = 0.01
) -> Array:
    """Gaussian truncated at ±2 of its standard deviations, then scaled to the standard deviation `std`.

    std: standard deviation of the weights.

    No draw is rejected: the base draw z becomes Φ⁻¹(Φ(-2) + Φ(z) (Φ(2) - Φ(-2))), with z's sign and order. This
    number has the variance 1 - 4 φ(2) / (Φ(2) - Φ(-2)). So |w| <= 2.274 std.

    >>> float(truncated_normal(np.random.default_rng(0), (500, 400), 400, 500).std().round(3))
    0.01
    """
    from scipy.special import ndtr, ndtri

    within = ndtr(2) - ndtr(-2)
    z = ndtri(ndtr(-2) + ndtr(draw.standard_normal(shape)) * within)
    return std * z / np.sqrt(1 - 4 * np.exp(-2) / np.sqrt(2 * np.pi) / within)


@initializers.register
def uniform(draw: np.random.Generator, shape: Shape, fan_in: int, fan_out: int, *, std: NonNegative = 0.01) -> Array:
    """Uniform around 0 with standard deviation `std`: on ±std √3.

    std: standard deviation of the weights.

    >>> float(uniform(np.random.default_rng(0), (500, 400), 400, 500).std().round(3))
    0.01
    """
    return std * np.sqrt(3) * draw.uniform(-1, 1, shape)


@initializers.register
def xavier(draw: np.random.Generator, shape: Shape, fan_in: int, fan_out: int) -> Array:
    """Gaussian with std √(1/fan_in), the simplified form of Glorot & Bengio 2010, Section 4.2.1.

    >>> float(xavier(np.random.default_rng(0), (500, 400), 400, 500).std().round(3))
    0.05
    """
    return np.sqrt(1 / fan_in) * draw.standard_normal(shape)


@initializers.register
def lecun(draw: np.random.Generator, shape: Shape, fan_in: int, fan_out: int) -> Array:
    """Gaussian with std √(1/fan_in), the same as `xavier` under its older name (LeCun et al. 1998, Section 4.6).

    >>> float(lecun(np.random.default_rng(0), (500, 400), 400, 500).std().round(3))
    0.05
    """
    return xavier(draw, shape, fan_in, fan_out)


@initializers.register
def glorot_normal(draw: np.random.Generator, shape: Shape, fan_in: int, fan_out: int) -> Array:
    """Gaussian with std √(2/(fan_in + fan_out)) (Glorot & Bengio 2010, Equation 12).

    >>> float(glorot_normal(np.random.default_rng(0), (500, 400), 400, 500).std().round(3))
    0.047
    """
    return np.sqrt(2 / (fan_in + fan_out)) * draw.standard_normal(shape)


@initializers.register
def glorot_uniform(draw: np.random.Generator, shape: Shape, fan_in: int, fan_out: int) -> Array:
    """Uniform on ±√(6/(fan_in + fan_out)) (Glorot & Bengio 2010, Equation 16).

    >>> float(glorot_uniform(np.random.default_rng(0), (500, 400), 400, 500).std().round(3))
    0.047
    """
    return np.sqrt(6 / (fan_in + fan_out)) * draw.uniform(-1, 1, shape)


@initializers.register
def he(draw: np.random.Generator, shape: Shape, fan_in: int, fan_out: int) -> Array:
    """Gaussian with std √(2/fan_in), made for ReLU (He et al. 2015, Equation 10).

    >>> float(he(np.random.default_rng(0), (500, 400), 400, 500).std().round(3))
    0.071
    """
    return np.sqrt(2 / fan_in) * draw.standard_normal(shape)


@initializers.register
def he_uniform(draw: np.random.Generator, shape: Shape, fan_in: int, fan_out: int) -> Array:
    """Uniform on ±√(6/fan_in), the variance of `he` (He et al. 2015, Equation 10).

    >>> float(he_uniform(np.random.default_rng(0), (500, 400), 400, 500).std().round(3))
    0.071
    """
    return np.sqrt(6 / fan_in) * draw.uniform(-1, 1, shape)


@initializers.register
def orthogonal(draw: np.random.Generator, shape: Shape, fan_in: int, fan_out: int, *, gain: Positive = 1.0) -> Array:
    """Random orthogonal matrix times `gain`: W Wᵀ = gain² I, or Wᵀ W where W is tall (Saxe et al. 2014).

    gain: factor of the orthogonal matrix.

    W: the kernel as a matrix, (outputs, the rest). The Q of the base draws' QR decomposition, with the signs that
    make R's diagonal positive, is uniform over all such matrices (Mezzadri 2007).

    >>> w = orthogonal(np.random.default_rng(0), (2, 3), 3, 2)
    >>> np.allclose(w @ w.T, np.eye(2))
    True
    """
    a = draw.standard_normal((shape[0], prod(shape[1:])))
    tall = a if len(a) >= a.shape[1] else a.T
    q, r = np.linalg.qr(tall)
    q *= np.sign(np.diag(r))
    return gain * (q if tall is a else q.T).reshape(shape)


@initializers.register
def constant(draw: np.random.Generator, shape: Shape, fan_in: int, fan_out: int, *, value: float = 0.01) -> Array:
    """Constant weights, all equal to `value`: the units of a layer stay copies of each other, as with `zeros`.

    value: of every weight.

    >>> constant(np.random.default_rng(0), (1, 2), 2, 1, value=0.5).tolist()
    [[0.5, 0.5]]
    """
    return np.full(shape, float(value))


@initializers.register
def zeros(draw: np.random.Generator, shape: Shape, fan_in: int, fan_out: int) -> Array:
    """Zero weights: the units of a layer stay copies of each other.

    >>> zeros(np.random.default_rng(0), (1, 2), 2, 1).tolist()
    [[0.0, 0.0]]
    """
    return np.zeros(shape)


@initializers.register
def lsuv(
    draw: np.random.Generator,
    shape: Shape,
    fan_in: int,
    fan_out: int,
    outputs: Callable[[Array], Array],
    *,
    tolerance: Positive = 0.1,
    rounds: Count = 10,
) -> Array:
    """Layer-sequential unit variance: orthogonal weights, rescaled until the layer's outputs have variance 1.

    outputs(w): the layer's outputs for the replicate's first minibatch, with the kernel w. Each round divides w by
    their standard deviation. It ends when the variance is within `tolerance` of 1, or after the given number of
    `rounds` (Mishkin & Matas 2016, Algorithm 1).

    tolerance: largest difference of a variance from 1. rounds: largest number of corrections.

    >>> x = np.random.default_rng(1).standard_normal((3, 200))
    >>> w = lsuv(np.random.default_rng(0), (5, 3), 3, 5, lambda w: w @ x)
    >>> bool(abs((w @ x).var() - 1) < 0.1)
    True
    """
    w = orthogonal(draw, shape, fan_in, fan_out)
    for _ in range(rounds):
        variance = outputs(w).var(dtype=np.float64)
        if abs(variance - 1) < tolerance or variance == 0:
            break
        w = w / np.sqrt(variance)
    return w
