"""Regularizers: `(**settings) -> Regularizer`, a technique against overfitting and the places where it acts.

Number settings are arrays `(R,)`, one value a run. A run may have several regularizers at once. One whose settings are
all at the value that their annotation calls `off` does nothing, and folds into `none`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from dlsweep.nn.layers import Context, Layer, SharedInput
from dlsweep.registry import Contract, Registry
from dlsweep.types import Array

regularizers = Registry("regularizer", "dlsweep.regularizers", Contract())

Augment = Callable[[list[SharedInput], Context], list[SharedInput]]


class Penalty(NamedTuple):
    """A term of what is minimized, `w -> (R,)`, and its gradient, `w -> (R, …)`: each where it is needed."""

    value: Callable[[Array], Array]
    gradient: Callable[[Array], Array]


class Regularizer(NamedTuple):
    """The places where a regularizer acts; what it leaves out, it leaves alone.

    penalty: of each kernel, added to what is minimized and reported apart from the loss. activated: `(name, shape) ->
    layer` to follow each activation. wrap: a layer to the one that takes its place, for all but the network's last;
    wrap_input: the same for its first. augmented: `shape -> change` of the samples in training, before all else; a
    `UsageError` where samples of that shape cannot be changed so. project: `w -> w`, a kernel after each update.
    smoothing: `(R,)`, the part of a label's probability that is spread over all classes. columns: how many an
    evaluation makes of each sample.
    """

    penalty: Penalty | None = None
    activated: Callable[[str, tuple[int, ...]], Layer] | None = None
    wrap: Callable[[Layer], Layer] | None = None
    wrap_input: Callable[[Layer], Layer] | None = None
    augmented: Callable[[tuple[int, ...]], Augment] | None = None
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


from dlsweep.nn import augmentation, dropout, penalties  # noqa: E402, F401  they register, and need what is above
