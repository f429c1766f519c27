"""Options that every plot has: titles, the names and limits of its axes, its size, its font."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

from annotated_types import Ge, Gt, Le, MaxLen, MinLen

from dlsweep.settings import Setting

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Limits = Annotated[list[float | None], MinLen(2), MaxLen(2)]
Size = Annotated[list[Annotated[float, Gt(0), Le(100)]], MinLen(2), MaxLen(2)]

LAID_OUT = "laid out"  # label of a figure that has its options
NORMAL = 10.0  # points: the font of tick labels; other sizes are relative to it


@dataclass(frozen=True)
class Options:
    """The options of one figure.

    title, subtitle: above everything; "" for none, by default the title of the config, and its data, network and seeds.
    x_label, y_label: the names of the axes; x_limits, y_limits: their ends, null for an end that follows from the data.
    size: width and height in inches; dpi: pixels per inch of a PNG; font_size: of tick labels in points, to which other
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
        """The size of texts, as a multiple of the normal size."""
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


def settings() -> Mapping[str, Setting]:
    """Return the options as settings of a plot."""
    hints: dict[str, Any] = get_type_hints(Options, include_extras=True)
    return {field.name: Setting(field.name, hints[field.name], field.default) for field in fields(Options)}
