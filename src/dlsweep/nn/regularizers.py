"""Regularizers: `(**settings) -> Regularizer`, techniques against overfitting and the points where they act.

Number settings are arrays `(R,)`, one value for each run. A run may have several regularizers. A regularizer whose
settings all have the value that their annotation marks as `Off` does nothing, and folds into `none`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np

from dlsweep.nn.layers import Context, Layer, Output, Parameters, SharedInput, column
from dlsweep.registry import Positive, Ratio, Registry, Strength
from dlsweep.signatures import Contract
from dlsweep.types import Array, Shape

regularizers = Registry("regularizer", "dlsweep.regularizers", Contract())

Where = Literal["kernel", "activity"]
Augment = Callable[[list[SharedInput], Context], list[SharedInput]]


class Penalty(NamedTuple):
    """Term of the minimized sum, `w -> (R,)`, and its gradient, `w -> (R, …)`, as separate functions."""

    value: Callable[[Array], Array]
    gradient: Callable[[Array], Array]


class Regularizer(NamedTuple):
    """Points where a regularizer acts; by default it acts at none.

    penalty: of each kernel, added to the minimized sum, and reported separately from the loss. activated: `(name,
    shape) -> layer` to follow each activation. wrap: replaces each layer except the network's last; wrap_input:
    replaces its first. augmented: `shape -> change` of the training samples, before everything else; it raises a
    `UsageError` if samples of that shape cannot be changed. project: `w -> w`, a kernel after each update. smoothing:
    `(R,)`, the part of a label's probability that is spread over all classes. columns: the number of columns that an
    evaluation computes for each sample.
    """

    penalty: Penalty | None = None
    activated: Callable[[str, Shape], Layer] | None = None
    wrap: Callable[[Layer], Layer] | None = None
    wrap_input: Callable[[Layer], Layer] | None = None
    augmented: Callable[[Shape], Augment] | None = None
    project: Callable[[Array], Array] | None = None
    smoothing: Any = None
    columns: int = 1


@regularizers.register
def none_() -> Regularizer:
    """No regularization.

    >>> none_() == Regularizer()
    True
    """
    return Regularizer()


@regularizers.register
def l1(*, strength: Strength = 1e-4, on: Where = "kernel") -> Regularizer:
    """L1 penalty λ ‖w‖₁, gradient λ sign(w) with sign(0) = 0 (Tibshirani 1996).

    on: the kernels, or the activity of every hidden layer, as a mean over the samples.

    strength: factor of the penalty.

    >>> r, w = l1(strength=np.array([0.1])), np.array([[[1.0, -2.0]]])
    >>> r.penalty.value(w).round(6).tolist(), r.penalty.gradient(w).tolist()
    ([0.3], [[[0.1, -0.1]]])
    """
    return _penalized(_l1(strength), on)


@regularizers.register
def l2(*, strength: Strength = 1e-4, on: Where = "kernel") -> Regularizer:
    """L2 penalty ½ λ ‖w‖², gradient λ w (Krogh & Hertz 1991, Equation 2).

    on: the kernels, or the activity of every hidden layer, as a mean over the samples.

    strength: factor of the penalty.

    >>> r, w = l2(strength=np.array([0.1])), np.array([[[1.0, -2.0]]])
    >>> r.penalty.value(w).tolist(), r.penalty.gradient(w).tolist()
    ([0.25], [[[0.1, -0.2]]])
    """
    return _penalized(_l2(strength), on)


@regularizers.register
def elastic_net(*, l1: Strength = 1e-4, l2: Strength = 1e-4, on: Where = "kernel") -> Regularizer:
    """Elastic net λ₁ ‖w‖₁ + ½ λ₂ ‖w‖² (Zou & Hastie 2005, Equation 3, with a half for the gradient λ₂ w).

    on: the kernels, or the activity of every hidden layer, as a mean over the samples.

    l1: strength of the L1 part. l2: strength of the L2 part.

    >>> r, w = elastic_net(l1=np.array([0.1]), l2=np.array([0.1])), np.array([[[1.0, -2.0]]])
    >>> r.penalty.value(w).round(6).tolist(), r.penalty.gradient(w).round(6).tolist()
    ([0.55], [[[0.2, -0.3]]])
    """

    one, two = _l1(l1), _l2(l2)
    both = Penalty(lambda w: one.value(w) + two.value(w), lambda w: one.gradient(w) + two.gradient(w))
    return _penalized(both, on)


@regularizers.register
def max_norm(*, limit: Positive = 3.0) -> Regularizer:
    """Max-norm: after each update, the incoming weights of every unit are scaled to a norm of at most `limit`.

    limit: maximum norm of the incoming weights of a unit.

    w ← w · min(1, limit / ‖w‖₂), not for biases (Srebro & Shraibman 2005; Srivastava et al. 2014, Section 5.1).

    >>> max_norm(limit=np.array([1.0])).project(np.array([[[3.0, 4.0], [0.3, 0.4]]])).round(6).tolist()
    [[[0.6, 0.8], [0.3, 0.4]]]
    """

    def project(w: Array) -> Array:
        norm = np.sqrt((w * w).reshape(*w.shape[:2], -1).sum(axis=2)).reshape(*w.shape[:2], *[1] * (w.ndim - 2))
        # The factor is exactly 1 for a norm within the limit; there is no division by a norm of 0.
        bound = column(limit, w)
        return w * (bound / np.maximum(norm, bound))

    return Regularizer(project=project)


@regularizers.register
def label_smoothing(*, epsilon: Ratio = 0.1) -> Regularizer:
    """Label smoothing: the target of the label is 1 − ε, plus ε / K for each of the K classes.

    The minimized sum grows by ε (z_t − mean z), which is reported as penalty; the reported loss uses the plain labels
    (Szegedy et al. 2016, Section 7).

    epsilon: probability that is spread over all classes.

    >>> label_smoothing(epsilon=np.array([0.1])).smoothing.tolist()
    [0.1]
    """
    return Regularizer(smoothing=epsilon)


def _l1(strength: Any) -> Penalty:
    return Penalty(lambda w: strength * _total(np.abs(w)), lambda w: column(strength, w) * np.sign(w))


def _l2(strength: Any) -> Penalty:
    return Penalty(lambda w: 0.5 * strength * _total(w * w), lambda w: column(strength, w) * w)


def _total(a: Array) -> Array:
    return a.reshape(len(a), -1).sum(axis=1)


def _penalized(penalty: Penalty, on: Where) -> Regularizer:
    """Return a penalty on the kernels, or on the activities, by layers that add its gradient going backward."""
    if on == "kernel":
        return Regularizer(penalty=penalty)

    def activated(name: str, shape: Shape) -> Layer:
        def apply(p: Parameters, x: Array, context: Context) -> Output:
            return Output(x, lambda dy: (dy + penalty.gradient(x) / x.shape[-1], {}), penalty=penalty.value(x))

        return Layer(name, apply)

    return Regularizer(activated=activated)


from dlsweep.nn import augmentation, dropout  # noqa: E402, F401  they register, and need the names above
