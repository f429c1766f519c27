"""Numbers as colours, on a scale that all panels of a figure share; and small images in a panel of inches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from dlsweep.plots import style
from dlsweep.plots.axes import decades, drawable, short
from dlsweep.plots.layout import NOTE, fit, text_width
from dlsweep.plots.panels import Bar, Words, bare, empty, panels
from dlsweep.types import Array, Axes, Figure

if TYPE_CHECKING:
    from matplotlib.image import AxesImage

MISSING = "#dcdcdc"
CENTRED = "RdBu_r"  # white in the middle
_GAP = 0.08  # of an image, between two
_COLUMNS, _TILE, _TEXT = 8, 1.15, 0.36  # of a gallery: images in a row; inches of an image and of the words below it


@dataclass(frozen=True)
class Colours:
    """Scale of colours from `low` to `high`, white at 0 where centred. Values beyond an end take its colour."""

    low: float
    high: float
    name: str = "viridis"
    log: bool = False
    missing: str = MISSING  # of NaN

    @staticmethod
    def of(values: Sequence[Array], name: str = "viridis", *, log: bool = False, far: float = np.inf) -> Colours:
        """Scale that shows these values; without logarithms, only those up to `far` times their median."""
        shown = drawable(values, log)
        shown = shown[shown <= far * np.median(shown)] if len(shown) and far < np.inf and not log else shown
        low, high = (float(shown.min()), float(shown.max())) if len(shown) else (0.1, 1.0)
        if name == CENTRED:
            low, high = -max(-low, high), max(-low, high)
        if not low < high:
            low, high = (low / 1.1, low * 1.1) if log else (low - 0.05, low + 0.05)
        return Colours(low, high, name, log)

    @property
    def mapping(self) -> Any:
        """Map from number to colour for matplotlib."""
        from matplotlib import colormaps
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import LogNorm, Normalize

        norm = (LogNorm if self.log else Normalize)(self.low, self.high, clip=True)
        return ScalarMappable(norm, colormaps[self.name].with_extremes(bad=self.missing))

    def mesh(self, ax: Axes, x: np.ndarray, y: np.ndarray, values: np.ndarray, **settings: Any) -> None:
        """Draw values `(len(y) - 1, len(x) - 1)` as cells between edges."""
        shades = self.mapping
        ax.pcolormesh(x, y, np.ma.masked_invalid(values), cmap=shades.cmap, norm=shades.norm, **settings)

    def bar(self, name: str = "") -> Bar:
        """Colour bar, with ticks at round numbers."""
        from matplotlib.ticker import MaxNLocator

        if self.log:
            ticks = decades(self.low, self.high)
            ticks = ticks if len(ticks) > 1 else [self.low, self.high]
        else:
            ticks = [float(t) for t in MaxNLocator(5).tick_values(self.low, self.high) if self.low <= t <= self.high]
        return Bar(self.mapping, ticks, [short(tick, 3) for tick in ticks], name)


def tile(ax: Axes, images: Array, room: tuple[float, float], colours: Colours | None = None) -> None:
    """Draw images `(N, H, W)` or `(N, H, W, 3)` in rows, as large as a room of width and height allows."""
    (wide, high), (height, width) = room, images.shape[1:3]

    def scale(columns: int) -> float:
        return float(min(wide / (columns * width), high / (ceil(len(images) / columns) * height)))

    columns = max(range(1, len(images) + 1), key=lambda n: (scale(n), -n))
    w, h = scale(columns) * width, scale(columns) * height
    gap = _GAP * max(w, h)
    left = (wide - columns * w) / 2
    top = high - (high - ceil(len(images) / columns) * h) / 2
    for i, image in enumerate(images):
        x, y = left + (i % columns) * w, top - (i // columns + 1) * h
        show(ax, image, (x + gap / 2, y + gap / 2, w - gap, h - gap), colours)


def show(ax: Axes, image: Array, box: tuple[float, float, float, float], colours: Colours | None = None) -> AxesImage:
    """Draw an image as large as possible in the middle of a box: left, bottom, width and height in inches.

    `(H, W)` takes its colours, by default brightness from 0 to 1; `(H, W, 3)` is red, green and blue.
    """
    left, bottom, wide, high = box
    height, width = image.shape[:2]
    size = min(wide / width, high / height)
    x, y = left + (wide - size * width) / 2, bottom + (high - size * height) / 2
    extent = (x, x + size * width, y, y + size * height)
    common: dict[str, Any] = {"extent": extent, "aspect": "equal", "interpolation": "nearest"}
    if image.ndim == 3:
        return ax.imshow(np.clip(image, 0, 1), **common)
    mapping = (colours or Colours(0, 1, "gray")).mapping
    return ax.imshow(image, mapping.cmap, mapping.norm, **common)


Caption = tuple[str, str]  # a name, which is cut where it is too long, and what follows it: ("seven", " (80 %)")


def gallery(
    images: Sequence[Array], labels: Sequence[Caption], taken: Sequence[Caption], *, title: str, foot: str, nothing: str
) -> Figure:
    """Draw images in rows, each above its label and the class that is taken for it. nothing: words without images."""
    columns = max(1, min(_COLUMNS, len(images)))
    step = _TILE + 0.14
    size = max(columns * step - 0.14, 4.0), max(1, ceil(len(images) / columns)) * (_TILE + _TEXT)
    with picture(title, foot, size) as (figure, ax):
        if not len(images):
            empty(ax, nothing)
        for i, (image, *captions) in enumerate(zip(images, labels, taken, strict=True)):
            left, top = (i % columns) * step, size[1] - (i // columns) * (_TILE + _TEXT)
            show(ax, image, (left, top - _TILE, _TILE, _TILE))
            looks = (0.03, "", style.INK), (0.17, "→ ", style.ALARM)
            for (name, end), (below, start, colour) in zip(captions, looks, strict=True):
                text = start + fit(name, _TILE + 0.1 - text_width(start + end, NOTE), NOTE) + end
                ax.text(left + _TILE / 2, top - _TILE - below, text, size=NOTE, ha="center", va="top", color=colour)
    return figure


@contextmanager
def picture(title: str, foot: str, size: tuple[float, float], **words: Any) -> Iterator[tuple[Figure, Axes]]:
    """Provide a figure with a single canvas of some width and height. words: further texts of `Words`."""
    with panels(Words(title=title, foot=foot, below=0.0, **words), size) as (figure, axes):
        canvas(axes[0, 0], *size)
        yield figure, axes[0, 0]


def canvas(ax: Axes, wide: float, high: float) -> None:
    """Make the coordinates of a panel inches, and remove its frame."""
    ax.set_xlim(0, wide)
    ax.set_ylim(0, high)
    ax.set_xticks([])
    ax.set_yticks([])
    bare(ax)
