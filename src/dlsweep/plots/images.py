"""Many small images in a panel, whose coordinates are inches."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from dlsweep.plots.maps import MISSING, Colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

Array = np.ndarray


def grid(count: int, shape: tuple[int, int], room: tuple[float, float]) -> tuple[int, int]:
    """Rows and columns in which so many images of a shape `(H, W)` are largest in a room of width and height."""
    (height, width), (wide, high) = shape, room

    def scale(columns: int) -> float:
        return min(wide / (columns * width), high / (ceil(count / columns) * height))

    columns = max(range(1, count + 1), key=lambda n: (scale(n), -n))
    return ceil(count / columns), columns


def mosaic(tiles: Array, rows: int, columns: int) -> Array:
    """Images `(N, H, W)` or `(N, H, W, 3)` beside and below each other, with gaps of NaN between them."""
    count, height, width = tiles.shape[:3]
    gap = max(1, round(max(height, width) / 12))
    whole = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, *tiles.shape[3:]), np.nan)
    for i in range(count):
        y, x = (i // columns) * (height + gap), (i % columns) * (width + gap)
        whole[y : y + height, x : x + width] = tiles[i]
    return whole


def show(ax: Axes, image: Array, box: tuple[float, float, float, float], colours: Colours | None = None) -> AxesImage:
    """Draw an image as large as it gets in the middle of a box: left, bottom, width and height in inches.

    Numbers take their colours; without a scale they are brightness, from 0 to 1. NaN is grey.
    """
    left, bottom, wide, high = box
    height, width = image.shape[:2]
    size = min(wide / width, high / height)
    x, y = left + (wide - size * width) / 2, bottom + (high - size * height) / 2
    extent = (x, x + size * width, y, y + size * height)
    if image.ndim == 3:
        grey = tuple(int(MISSING[i : i + 2], 16) / 255 for i in (1, 3, 5))
        image = np.where(np.isnan(image), grey, np.clip(image, 0, 1))
        return ax.imshow(image, extent=extent, aspect="auto", interpolation="nearest")
    mapping = (colours or Colours(0, 1, "gray")).mapping
    return ax.imshow(
        np.ma.masked_invalid(image), mapping.cmap, mapping.norm, extent=extent, aspect="auto", interpolation="nearest"
    )


def canvas(ax: Axes, wide: float, high: float) -> None:
    """Make the coordinates of a panel inches, and take its frame away."""
    ax.set_xlim(0, wide)
    ax.set_ylim(0, high)
    ax.set_xticks([])
    ax.grid(False)
    ax.tick_params(length=0)
    for side in ax.spines.values():
        side.set_visible(False)


def picture(x: Array, low: float = 0.0, high: float = 1.0) -> Array:
    """A sample `(C, H, W)` whose pixels go from low to high, as brightness: `(H, W)`, or `(H, W, 3)` of three channels.

    Of another number of channels it is their mean.
    """
    x = (x - low) / (high - low or 1.0)
    return np.moveaxis(x, 0, -1) if len(x) == 3 else x.mean(axis=0)


def brightness(x: Array) -> tuple[float, float]:
    """The lowest and the highest pixel that samples can have: 0 and 255 of bytes, else those that they do have."""
    return (0.0, 255.0) if x.dtype == np.uint8 else (float(x.min()), float(x.max()))
