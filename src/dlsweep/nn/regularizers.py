"""Regularizers: `(**settings) -> Regularizer`, techniques against overfitting and the points where they act.

Number settings are arrays `(R,)`, one value for each run. A run may have several regularizers. A regularizer whose
settings all have the value that their annotation marks as `Off` does nothing, and folds into `none`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from dlsweep.nn.layers import Context, Layer, SharedInput
from dlsweep.registry import Contract, Registry
from dlsweep.types import Array, Shape

regularizers = Registry("regularizer", "dlsweep.regularizers", Contract())

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


from dlsweep.nn import augmentation, dropout, penalties  # noqa: E402, F401  they register, and need the names above
