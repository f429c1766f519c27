"""Optimizers: `(w, g, t, *slots, **settings) -> (w, *slots)`, one step on the parameters of every run at once.

w, g: parameters and gradient, `(R, …)`; t: the step, from 1; slots: the optimizer's memory, arrays like `w`, zero at
the start, one for each positional parameter after `t`. Settings are arrays that broadcast against `w`, one value a run.
Every optimizer has `lr`; `w` and `g` may be overwritten, since the caller keeps neither.
"""

from __future__ import annotations

import numpy as np

from dlsweep.registry import Fraction, NonNegative, Positive, Registry

Array = np.ndarray

optimizers = Registry("optimizer", "dlsweep.optimizers")


@optimizers.register
def sgd(w: Array, g: Array, t: int, *, lr: Positive = 0.01) -> tuple[Array, ...]:
    """Stochastic gradient descent: w ← w − η g (Robbins & Monro 1951)."""
    g *= lr
    w -= g
    return (w,)


@optimizers.register
def momentum(w: Array, g: Array, t: int, v: Array, *, lr: Positive = 0.01, alpha: Fraction = 0.9) -> tuple[Array, ...]:
    """Momentum: v ← α v − η g, w ← w + v (Polyak 1964; Sutskever et al. 2013, Equations 1-2)."""
    v = alpha * v - lr * g
    return w + v, v


@optimizers.register
def nesterov(w: Array, g: Array, t: int, v: Array, *, lr: Positive = 0.01, alpha: Fraction = 0.9) -> tuple[Array, ...]:
    """Nesterov momentum, the stored weights being the look-ahead: w ← w + α² v − (1 + α) η g, v ← α v − η g.

    Sutskever et al. 2013, Equations 3-4, in the variables of Bengio et al. 2013, Equation 7.
    """
    step = lr * g
    return w + alpha * alpha * v - (1 + alpha) * step, alpha * v - step


@optimizers.register
def adagrad(w: Array, g: Array, t: int, h: Array, *, lr: Positive = 0.01, eps: NonNegative = 1e-7) -> tuple[Array, ...]:
    """AdaGrad: h ← h + g², w ← w − η g / (√h + ε) (Duchi et al. 2011, Section 1.1, diagonal form)."""
    h = h + g * g
    return w - lr * g / (np.sqrt(h) + eps), h


@optimizers.register
def rmsprop(
    w: Array, g: Array, t: int, h: Array, *, lr: Positive = 0.001, rho: Fraction = 0.9, eps: NonNegative = 1e-7
) -> tuple[Array, ...]:
    """RMSProp: h ← ρ h + (1 − ρ) g², w ← w − η g / (√h + ε), without bias correction (Tieleman & Hinton 2012)."""
    h = rho * h + (1 - rho) * g * g
    return w - lr * g / (np.sqrt(h) + eps), h


@optimizers.register
def adam(
    w: Array,
    g: Array,
    t: int,
    m: Array,
    v: Array,
    *,
    lr: Positive = 0.001,
    beta1: Fraction = 0.9,
    beta2: Fraction = 0.999,
    eps: NonNegative = 1e-7,
) -> tuple[Array, ...]:
    """Adam, with both bias corrections (Kingma & Ba 2015, Algorithm 1).

    m, v: the moment estimates. The first step is η · sign(g), whatever the gradient's size.
    """
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
    return w - lr * m_hat / (np.sqrt(v_hat) + eps), m, v
