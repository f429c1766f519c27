"""Types that every part of the program shares: arrays, frames, shapes, names of splits, and marks in annotations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Axes
    from matplotlib.figure import Figure as Figure
    from pandas import DataFrame as DataFrame
    from pandas import Series as Series
else:  # names in annotations: the packages are imported where they are used, since their import takes long
    Axes = Figure = DataFrame = Series = Any

Array = np.ndarray
Shape = tuple[int, ...]
Split = Literal["batch", "train", "validation", "test"]


class NameOf(NamedTuple):
    """In an annotation: the text names a factor, a split or a numeric setting of the sweep. also: other valid names."""

    kind: Literal["factor", "split", "setting"]
    also: tuple[str, ...] = ()


def name_of(annotation: Any) -> NameOf | None:
    """Return the mark on an annotation or on a part of it.

    >>> from typing import Annotated
    >>> name_of(list[Annotated[Split, NameOf("split")]] | None).kind
    'split'
    """
    if isinstance(annotation, NameOf):
        return annotation
    return next(filter(None, map(name_of, get_args(annotation))), None)
