"""An image whose numbers are counted from 0, the windows on it, and the matrix that im2col makes of them."""

from __future__ import annotations

from functools import cached_property
from math import gcd, prod
from typing import Any

import numpy as np

from dlsweep.explain.drawing import PADDING, beside, counted, grid
from dlsweep.explain.reading import refuse_large
from dlsweep.explain.sizes import facts, padding_text
from dlsweep.nn.patches import Pad, Pair, col2im, im2col, window
from dlsweep.text import plural, shape_text
from dlsweep.types import Array

Shape = tuple[int, int, int, int]


class Example:
    """Images `(N, C, H, W)` with the numbers 0, 1, 2, … and a window that slides over them.

    A row of the matrix is what the window sees at one place; there are N · OH · OW of them. mixed: whether the numbers
    lie about, so that the greatest in a window is now here, now there.
    """

    def __init__(self, name: str, shape: Shape, size: Pair, stride: Pair, pad: Pad | Pair, *, mixed: bool = False):
        self.shape, self.how = shape, (size, stride, pad)
        self.over = window(name, shape[2:], *self.how)
        self.n, self.c, *_ = shape
        oh, ow = self.over.output
        self.rows, self.columns = self.n * oh * ow, self.c * size[0] * size[1]
        refuse_large(f"{name}: the matrix", self.rows, self.columns)
        refuse_large(f"{name}: the images with their padding", self.n, self.c, *self.over.padded)
        self.x = _mixed(shape) if mixed else counted(*shape)
        self.matrix = im2col(self.x, *self.how)

    def back(self, matrix: Array) -> Array:
        """col2im of a matrix: images `(N, C, H, W)`."""
        return col2im(matrix, self.shape, *self.how)

    @cached_property
    def seen(self) -> Array:
        """The matrix with `PADDING` in place of the zeros of the padding."""
        return np.where(im2col(np.ones_like(self.x), *self.how) == 0, PADDING, self.matrix)

    @cached_property
    def counts(self) -> Array:
        """How many windows see each pixel of an image, `(H, W)`."""
        counts: Array = self.back(np.ones_like(self.matrix))[0, 0]
        return counts

    @cached_property
    def placed(self) -> Array:
        """The images with `PADDING` around them."""
        around = zip(self.over.before, self.over.after, strict=True)
        return np.pad(self.x, ((0, 0), (0, 0), *around), constant_values=PADDING)

    def place(self, row: int) -> tuple[int, int, int]:
        """The image that a row of the matrix belongs to, and the window's place on it: down, to the right."""
        oh, ow = self.over.output
        n, at = divmod(row, oh * ow)
        return n, *divmod(at, ow)

    def label(self, row: int) -> str:
        """The same in words: `place (0, 1)`, and of several images `image 0, place (0, 1)`."""
        n, i, j = self.place(row)
        return f"image {n}, place ({i}, {j})" if self.n > 1 else f"place ({i}, {j})"

    def under(self, row: int) -> Array:
        """Which pixels of the padded image the window sees at a row's place."""
        _, i, j = self.place(row)
        (kh, kw), (sh, sw) = self.over.size, self.over.stride
        mask = np.zeros(self.over.padded, bool)
        mask[i * sh : i * sh + kh, j * sw : j * sw + kw] = True
        return mask

    @cached_property
    def labels(self) -> list[str]:
        """What stands in front of the rows of the matrix: their numbers, and their places."""
        width = len(str(self.rows - 1))
        return [f"row {row:<{width}}  {self.label(row)}" for row in range(self.rows)]

    def drawn(self) -> str:
        """The matrix, with the place that each of its rows belongs to."""
        return beside([("", grid(self.seen, labels=self.labels))])

    def shapes(self) -> list[tuple[str, ...]]:
        """The shapes in letters, in numbers and in words."""
        n, c, h, w = self.shape
        size, stride, matrix = map(shape_text, (self.over.size, self.over.stride, self.matrix.shape))
        filters = "the size of a filter" + ", in every channel" * (c > 1)
        images = f"{plural(n, 'image')}, {plural(c, 'channel')}, {h}×{w}"
        return [
            ("image", "(N, C, H, W)", shape_text(self.shape), images),
            ("window", "(KH, KW)", size, filters),
            ("stride", "(SH, SW)", stride, "how far the window moves, down and to the right"),
            ("padding", "(PH, PW)", *padding_text(self.over)),
            ("places", "(OH, OW)", shape_text(self.over.output), "of the window on an image"),
            ("matrix", "(N·OH·OW, C·KH·KW)", matrix, "all places, and the numbers seen at each"),
        ]

    @property
    def data(self) -> dict[str, Any]:
        """The facts, for JSON."""
        arrays = {"image": self.x.tolist(), "matrix": self.matrix.tolist(), "counts": self.counts.tolist()}
        return {"input": self.shape, **facts(self.over), "matrix_shape": self.matrix.shape, **arrays}


def _mixed(shape: Shape) -> Array:
    """The numbers 0, 1, 2, …, each once, in steps of about the golden section around a circle."""
    n = prod(shape)
    step = next(step for step in range(round(0.618 * n), 2 * n + 2) if gcd(step, n) == 1)
    return counted(*shape) * step % n
