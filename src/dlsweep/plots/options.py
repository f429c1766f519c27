"""Options that every plot has: titles, the names and limits of its axes, its size, its font."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le, MaxLen, MinLen

from dlsweep.registry import Entry
from dlsweep.types import Figure

Limits = Annotated[list[float | None], MinLen(2), MaxLen(2)]
Size = Annotated[list[Annotated[float, Gt(0), Le(100)]], MinLen(2), MaxLen(2)]

LAID_OUT = "laid out"  # label of a figure that has its options
NORMAL = 10.0  # points: the font of tick labels; other sizes are relative to it


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of a figure, in every plot.

    title: by default the one of the config, "" for none; subtitle: by default data, network and number of seeds, "" for
    none. x_label, y_label: the name of the axis; x_limits, y_limits: its ends, null for an end that follows from the
    data. size: width and height in inches; dpi: pixels per inch of a PNG; font_size: of tick labels, in points; other
    texts are in proportion.
    """

    title: str | None = None
    subtitle: str | None = None
    x_label: str | None = None
    y_label: str | None = None
    x_limits: Limits | None = None
    y_limits: Limits | None = None
    size: Size | None = None
    dpi: Annotated[int, Ge(20), Le(2000)] = 200
    font_size: Annotated[float, Ge(4), Le(40)] = NORMAL

    @property
    def scale(self) -> float:
        """Size of texts, as a multiple of the normal size."""
        return self.font_size / NORMAL


_USUAL = Options()
_current: ContextVar[Options] = ContextVar("options", default=_USUAL)


def current() -> Options:
    """Return the options of the figure that is drawn now."""
    return _current.get()


@contextmanager
def applied(options: Options) -> Iterator[None]:
    """Draw figures with these options in this context."""
    token = _current.set(options)
    try:
        yield
    finally:
        _current.reset(token)


def apply_to(figure: Figure, asked: Options) -> None:
    """Give options to a figure that was drawn without `dlsweep.plots.panels`, such as one from another package."""
    if title := "\n".join(filter(None, (asked.title, asked.subtitle))):
        figure.suptitle(title, parse_math=False)
    if asked.size:
        figure.set_size_inches((asked.size[0], asked.size[1]))
    for ax in figure.axes:
        labels = {"xlabel": asked.x_label, "ylabel": asked.y_label, "xlim": asked.x_limits, "ylim": asked.y_limits}
        ax.set(**{name: value for name, value in labels.items() if value is not None})


EVERY_PLOT = Entry("plots", "every plot", Options)  # its settings are those of every plot
