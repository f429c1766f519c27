"""Optimizers: `(w, g, t, *slots, **settings) -> (w, *slots)`, one step on the parameters of every run at once.

w, g: parameters and gradient, `(R, …)`; t: the step, from 1; slots: the optimizer's memory, arrays like `w`, zero at
the start, one for each positional parameter after `t`. Settings are arrays that broadcast against `w`, one value for
each run. Every optimizer has `lr`. `w`, `g` and the slots may be overwritten, because the caller drops them. A
decoupled `weight_decay` λ acts on every parameter, biases too, and follows the schedule of `lr`. Where passes over
memory matter, `dlsweep.nn.in_place` has a second function for the same step.
"""

from __future__ import annotations

import numpy as np

from dlsweep.registry import Fraction, NonNegative, Positive, Registry
from dlsweep.signatures import Contract
from dlsweep.types import Array

optimizers = Registry(
    "optimizer", "dlsweep.optimizers", Contract(("w", "g", "t"), rest="slots", needs={"lr": "schedules multiply it"})
)


@optimizers.register
def sgd(w: Array, g: Array, t: int, *, lr: Positive = 0.01) -> tuple[Array, ...]:
    """Stochastic gradient descent: w ← w − η g (Robbins & Monro 1951).

    lr: learning rate η.

    >>> w, *slots = sgd(np.ones(2), np.array([0.5, -2.0]), 1, lr=0.1)
    >>> w.round(4).tolist()
    [0.95, 1.2]
    """
    return (w - lr * g,)


@optimizers.register
def momentum(w: Array, g: Array, t: int, v: Array, *, lr: Positive = 0.01, alpha: Fraction = 0.9) -> tuple[Array, ...]:
    """Momentum: v ← α v − η g, w ← w + v (Polyak 1964; Sutskever et al. 2013, Equations 1-2).

    lr: learning rate η. alpha: α, the part of the last step that is repeated.

    >>> w, *slots = momentum(np.ones(2), np.array([0.5, -2.0]), 1, *np.zeros((1, 2)), lr=0.1)
    >>> w.round(4).tolist()
    [0.95, 1.2]
    """
    v = alpha * v - lr * g
    return w + v, v


@optimizers.register
def nesterov(w: Array, g: Array, t: int, v: Array, *, lr: Positive = 0.01, alpha: Fraction = 0.9) -> tuple[Array, ...]:
    """Nesterov momentum, which stores the look-ahead weights: w ← w + α² v − (1 + α) η g, v ← α v − η g.

    Sutskever et al. 2013, Equations 3-4, in the variables of Bengio et al. 2013, Equation 7.

    lr: learning rate η. alpha: α, the part of the last step that is repeated.

    >>> w, *slots = nesterov(np.ones(2), np.array([0.5, -2.0]), 1, *np.zeros((1, 2)), lr=0.1)
    >>> w.round(4).tolist()
    [0.905, 1.38]
    """
    step = lr * g
    return w + alpha * alpha * v - (1 + alpha) * step, alpha * v - step


@optimizers.register
def adagrad(w: Array, g: Array, t: int, h: Array, *, lr: Positive = 0.01, eps: NonNegative = 1e-7) -> tuple[Array, ...]:
    """AdaGrad: h ← h + g², w ← w − η g / (√h + ε) (Duchi et al. 2011, Section 1.1, diagonal form).

    lr: learning rate η. eps: ε, added to the divisor.

    >>> w, *slots = adagrad(np.ones(2), np.array([0.5, -2.0]), 1, *np.zeros((1, 2)), lr=0.1)
    >>> w.round(4).tolist()
    [0.9, 1.1]
    """
    h = h + g * g
    return w - lr * g / (np.sqrt(h) + eps), h


@optimizers.register
def adadelta(
    w: Array, g: Array, t: int, h: Array, u: Array, *, lr: Positive = 1.0, rho: Fraction = 0.95, eps: Positive = 1e-6
) -> tuple[Array, ...]:
    """AdaDelta: h ← ρ h + (1 − ρ) g², Δ = −√(u + ε) / √(h + ε) g, u ← ρ u + (1 − ρ) Δ², w ← w + η Δ (Zeiler 2012).

    Algorithm 1, whose η is 1. Without ε there would be no motion: the first steps have the size √ε.

    lr: factor η of a step. rho: ρ, which averages squares. eps: ε, which sets the size of the first steps.

    >>> w, *slots = adadelta(np.ones(2), np.array([0.5, -2.0]), 1, *np.zeros((2, 2)), lr=0.1)
    >>> w.round(4).tolist()
    [0.9996, 1.0004]
    """
    h = rho * h + (1 - rho) * g * g
    step = np.sqrt((u + eps) / (h + eps)) * g
    return w - lr * step, h, rho * u + (1 - rho) * step * step


@optimizers.register
def rmsprop(
    w: Array, g: Array, t: int, h: Array, *, lr: Positive = 0.001, rho: Fraction = 0.9, eps: NonNegative = 1e-7
) -> tuple[Array, ...]:
    """RMSProp: h ← ρ h + (1 − ρ) g², w ← w − η g / (√h + ε), without bias correction (Tieleman & Hinton 2012).

    lr: learning rate η. rho: ρ, which averages squared gradients. eps: ε, added to the divisor.

    >>> w, *slots = rmsprop(np.ones(2), np.array([0.5, -2.0]), 1, *np.zeros((1, 2)), lr=0.1)
    >>> w.round(4).tolist()
    [0.6838, 1.3162]
    """
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

    m, v: the moment estimates. The first step is η · sign(g), for gradients of any size.

    lr: learning rate η. beta1: β₁, which averages gradients. beta2: β₂, which averages squared gradients. eps: ε,
    added to the divisor.

    >>> w, *slots = adam(np.ones(2), np.array([0.5, -2.0]), 1, *np.zeros((2, 2)), lr=0.1)
    >>> w.round(4).tolist()
    [0.9, 1.1]
    """
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
    return w - lr * m_hat / (np.sqrt(v_hat) + eps), m, v


@optimizers.register
def adamw(
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
    weight_decay: NonNegative = 0.01,
) -> tuple[Array, ...]:
    """Adam with decoupled weight decay: Adam's step, and separately w ← w − η λ w (Loshchilov & Hutter 2019).

    Algorithm 2, with the decay scaled by η, as in PyTorch, and not by the schedule's factor alone.

    lr: learning rate η. beta1: β₁, which averages gradients. beta2: β₂, which averages squared gradients. eps: ε,
    added to the divisor. weight_decay: λ, the decoupled decay.

    >>> w, *slots = adamw(np.ones(2), np.array([0.5, -2.0]), 1, *np.zeros((2, 2)), lr=0.1)
    >>> w.round(4).tolist()
    [0.899, 1.099]
    """
    stepped, m, v = adam(w, g, t, m, v, lr=lr, beta1=beta1, beta2=beta2, eps=eps)
    return stepped - lr * weight_decay * w, m, v


@optimizers.register
def amsgrad(
    w: Array,
    g: Array,
    t: int,
    m: Array,
    v: Array,
    v_max: Array,
    *,
    lr: Positive = 0.001,
    beta1: Fraction = 0.9,
    beta2: Fraction = 0.999,
    eps: NonNegative = 1e-7,
) -> tuple[Array, ...]:
    """AMSGrad: Adam that divides by the largest second moment so far, v_max ← max(v_max, v) (Reddi et al. 2018).

    Algorithm 2, with Adam's bias corrections, so that the maximum is the only difference from `adam`.

    lr: learning rate η. beta1: β₁, which averages gradients. beta2: β₂, which averages squared gradients. eps: ε,
    added to the divisor.

    >>> w, *slots = amsgrad(np.ones(2), np.array([0.5, -2.0]), 1, *np.zeros((3, 2)), lr=0.1)
    >>> w.round(4).tolist()
    [0.9, 1.1]
    """
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    v_max = np.maximum(v_max, v)
    m_hat, v_hat = m / (1 - beta1**t), v_max / (1 - beta2**t)
    return w - lr * m_hat / (np.sqrt(v_hat) + eps), m, v, v_max


@optimizers.register
def nadam(
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
    """Adam with Nesterov momentum: m̂ is one step ahead, β₁ m / (1 − β₁ᵗ⁺¹) + (1 − β₁) g / (1 − β₁ᵗ) (Dozat 2016).

    Algorithm 2 with the same μ = β₁ at every step; v̂ is Adam's.

    lr: learning rate η. beta1: β₁, which averages gradients. beta2: β₂, which averages squared gradients. eps: ε,
    added to the divisor.

    >>> w, *slots = nadam(np.ones(2), np.array([0.5, -2.0]), 1, *np.zeros((2, 2)), lr=0.1)
    >>> w.round(4).tolist()
    [0.8526, 1.1474]
    """
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    m_hat = beta1 * m / (1 - beta1 ** (t + 1)) + (1 - beta1) * g / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    return w - lr * m_hat / (np.sqrt(v_hat) + eps), m, v


@optimizers.register
def lion(
    w: Array,
    g: Array,
    t: int,
    m: Array,
    *,
    lr: Positive = 0.0001,
    beta1: Fraction = 0.9,
    beta2: Fraction = 0.99,
    weight_decay: NonNegative = 0.0,
) -> tuple[Array, ...]:
    """Lion: w ← w − η (sign(β₁ m + (1 − β₁) g) + λ w), m ← β₂ m + (1 − β₂) g (Chen et al. 2023, Algorithm 2).

    Every step changes every weight by η, so `lr` is usually three to ten times smaller than for Adam.

    lr: learning rate η. beta1: β₁, the part of m in a step. beta2: β₂, which averages gradients. weight_decay: λ, the
    decoupled decay.

    >>> w, *slots = lion(np.ones(2), np.array([0.5, -2.0]), 1, *np.zeros((1, 2)), lr=0.1)
    >>> w.round(4).tolist()
    [0.9, 1.1]
    """
    c = beta1 * m + (1 - beta1) * g
    return w - lr * (np.sign(c) + weight_decay * w), beta2 * m + (1 - beta2) * g
