"""Initial weights: `(draw, shape, fan_in, fan_out) -> weights`, float64.

`draw` is the random stream of one layer of one replicate. Every normal initializer scales the *same* base draws, and
every uniform one the same uniform draws, so `he` and `xavier` start from proportional weights. Biases start at 0.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dlsweep.registry import Count, NonNegative, Positive, Registry

Array = np.ndarray
Shape = tuple[int, ...]

initializers = Registry("initializer", "dlsweep.initializers")


@initializers.register
def normal(draw: np.random.Generator, shape: Shape, fan_in: int, fan_out: int, *, std: NonNegative = 0.01) -> Array:
    """Gaussian with mean 0 and standard deviation `std`, whatever the layer's size."""
    return std * draw.standard_normal(shape)


@initializers.register
def uniform(draw: np.random.Generator, shape: Shape, fan_in: int, fan_out: int, *, std: NonNegative = 0.01) -> Array:
    """Uniform around 0 with standard deviation `std`: on ±std √3."""
    return std * np.sqrt(3) * draw.uniform(-1, 1, shape)


@initializers.register
def xavier(draw: np.random.Generator, shape: Shape, fan_in: int, fan_out: int) -> Array:
    """Gaussian with std √(1/fan_in), the simplified form of Glorot & Bengio 2010, Section 4.2.1."""
    return np.sqrt(1 / fan_in) * draw.standard_normal(shape)


@initializers.register
def glorot_normal(draw: np.random.Generator, shape: Shape, fan_in: int, fan_out: int) -> Array:
    """Gaussian with std √(2/(fan_in + fan_out)) (Glorot & Bengio 2010, Equation 12)."""
    return np.sqrt(2 / (fan_in + fan_out)) * draw.standard_normal(shape)


@initializers.register
def glorot_uniform(draw: np.random.Generator, shape: Shape, fan_in: int, fan_out: int) -> Array:
    """Uniform on ±√(6/(fan_in + fan_out)) (Glorot & Bengio 2010, Equation 16)."""
    return np.sqrt(6 / (fan_in + fan_out)) * draw.uniform(-1, 1, shape)


@initializers.register
def he(draw: np.random.Generator, shape: Shape, fan_in: int, fan_out: int) -> Array:
    """Gaussian with std √(2/fan_in), made for ReLU (He et al. 2015, Equation 10)."""
    return np.sqrt(2 / fan_in) * draw.standard_normal(shape)


@initializers.register
def he_uniform(draw: np.random.Generator, shape: Shape, fan_in: int, fan_out: int) -> Array:
    """Uniform on ±√(6/fan_in), the variance of `he` (He et al. 2015, Equation 10)."""
    return np.sqrt(6 / fan_in) * draw.uniform(-1, 1, shape)


@initializers.register
def zeros(draw: np.random.Generator, shape: Shape, fan_in: int, fan_out: int) -> Array:
    """All zero: the units of a layer stay copies of each other."""
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
    """Layer-sequential unit variance: orthogonal, then divided by the spread of the layer's outputs until that is 1.

    outputs(w) is what the layer makes of the replicate's first minibatch with the kernel w. It ends when the variance
    is within `tolerance` of 1, or after so many `rounds` (Mishkin & Matas 2016, Algorithm 1).
    """
    q, r = np.linalg.qr(draw.standard_normal((max(shape[0], fan_in), min(shape[0], fan_in))))
    q *= np.sign(np.diag(r))
    w = (q if shape[0] >= fan_in else q.T).reshape(shape)
    for _ in range(rounds):
        variance = outputs(w).var(dtype=np.float64)
        if abs(variance - 1) < tolerance or variance == 0:
            break
        w = w / np.sqrt(variance)
    return w
