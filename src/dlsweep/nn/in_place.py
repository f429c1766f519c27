"""Optimizers in place: the same steps as the formulas in `dlsweep.nn.optimizers`, with fewer passes over memory.

`fastest` gives the function that training calls. A test holds each pair of functions to the same step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dlsweep.nn import optimizers as plain
from dlsweep.types import Array

Step = Callable[..., tuple[Array, ...]]


def fastest(optimizer: Step) -> Step:
    """Return an optimizer's function in place if it has one, else the optimizer.

    >>> fastest(plain.sgd).__name__, fastest(plain.lion).__name__
    ('sgd_in_place', 'lion')
    """
    return IN_PLACE.get(optimizer, optimizer)


def sgd_in_place(w: Array, g: Array, t: int, *, lr: Any) -> tuple[Array, ...]:
    """Step of `sgd`.

    >>> sgd_in_place(np.ones(1), np.array([0.5]), 1, lr=0.5)[0].tolist()
    [0.75]
    """
    g *= lr
    w -= g
    return (w,)


def rmsprop_in_place(w: Array, g: Array, t: int, h: Array, *, lr: Any, rho: Any, eps: Any) -> tuple[Array, ...]:
    """Step of `rmsprop`.

    >>> rmsprop_in_place(np.ones(1), np.ones(1), 1, np.zeros(1), lr=0.1, rho=0.75, eps=0.0)[0].tolist()
    [0.8]
    """
    h = _average(h, g * g, rho)
    return _step(w, g, h, np.ones_like(lr), lr, eps), h


def adam_in_place(
    w: Array, g: Array, t: int, m: Array, v: Array, *, lr: Any, beta1: Any, beta2: Any, eps: Any
) -> tuple[Array, ...]:
    """Step of `adam`.

    >>> slots = np.zeros((2, 1))
    >>> adam_in_place(np.ones(1), np.array([0.5]), 1, *slots, lr=0.5, beta1=0.5, beta2=0.75, eps=0.0)[0].tolist()
    [0.5]
    """
    m, v = _average(m, g, beta1), _average(v, np.square(g, out=g), beta2)
    return _step(w, m, v, 1 - beta2**t, lr / (1 - beta1**t), eps), m, v


def adamw_in_place(
    w: Array, g: Array, t: int, m: Array, v: Array, *, lr: Any, weight_decay: Any, **adam: Any
) -> tuple[Array, ...]:
    """Step of `adamw`.

    >>> settings = {"lr": 0.5, "weight_decay": 0.5, "beta1": 0.5, "beta2": 0.75, "eps": 0.0}
    >>> adamw_in_place(np.ones(1), np.array([0.5]), 1, *np.zeros((2, 1)), **settings)[0].tolist()
    [0.25]
    """
    decay = lr * weight_decay * w
    w, m, v = adam_in_place(w, g, t, m, v, lr=lr, **adam)
    return w - decay, m, v


def amsgrad_in_place(
    w: Array, g: Array, t: int, m: Array, v: Array, v_max: Array, *, lr: Any, beta1: Any, beta2: Any, eps: Any
) -> tuple[Array, ...]:
    """Step of `amsgrad`.

    >>> slots = np.zeros((3, 1))
    >>> amsgrad_in_place(np.ones(1), np.array([0.5]), 1, *slots, lr=0.5, beta1=0.5, beta2=0.75, eps=0.0)[0].tolist()
    [0.5]
    """
    m, v = _average(m, g, beta1), _average(v, g * g, beta2)
    v_max = np.maximum(v_max, v)
    return _step(w, m, v_max, 1 - beta2**t, lr / (1 - beta1**t), eps), m, v, v_max


def nadam_in_place(
    w: Array, g: Array, t: int, m: Array, v: Array, *, lr: Any, beta1: Any, beta2: Any, eps: Any
) -> tuple[Array, ...]:
    """Step of `nadam`.

    >>> slots = np.zeros((2, 1))
    >>> nadam_in_place(np.ones(1), np.array([0.5]), 1, *slots, lr=0.5, beta1=0.0, beta2=0.75, eps=0.0)[0].tolist()
    [0.5]
    """
    m, v = _average(m, g, beta1), _average(v, g * g, beta2)
    m_hat = beta1 * m / (1 - beta1 ** (t + 1)) + (1 - beta1) * g / (1 - beta1**t)
    return _step(w, m_hat, v, 1 - beta2**t, lr, eps), m, v


def _average(a: Array, new: Array, beta: Any) -> Array:
    """Update a moving average in place: a ← β a + (1 − β) new."""
    a *= beta
    a += (1 - beta) * new
    return a


def _step(w: Array, m: Array, v: Array, correction: Any, lr: Any, eps: Any) -> Array:
    """Step in place: w ← w − η m / (√(v / c) + ε), as η √c m / (√v + ε √c), which divides whole arrays only once."""
    root = np.sqrt(correction)
    step = np.sqrt(v)
    step += eps * root
    np.divide(m, step, out=step)
    step *= lr * root
    w -= step
    return w


IN_PLACE: dict[Step, Step] = {  # by the plain function
    plain.sgd: sgd_in_place,
    plain.rmsprop: rmsprop_in_place,
    plain.adam: adam_in_place,
    plain.adamw: adamw_in_place,
    plain.amsgrad: amsgrad_in_place,
    plain.nadam: nadam_in_place,
}
