"""Example for explanations: images with the numbers 0, 1, 2, …, a window on them, and their im2col matrix."""

from __future__ import annotations

from functools import cached_property
from math import gcd, prod
from typing import Any

import numpy as np

from dlsweep.explain.drawing import PADDING, by, counted, grid, side_by_side
from dlsweep.explain.reading import refuse_large
from dlsweep.explain.sizes import facts, window_rows
from dlsweep.nn.patches import Pad, Pair, col2im, im2col, window
from dlsweep.text import plural, shape_text
from dlsweep.types import Array

Shape = tuple[int, int, int, int]


class Example:
    """Images `(N, C, H, W)` with the numbers 0, 1, 2, … and a window that slides over them.

    A row of the matrix holds the numbers of the window at one position; there are N · OH · OW rows. mixed: True for
    numbers in mixed order, so that the maximum has different positions in different windows.
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
        """Return col2im of a matrix: images `(N, C, H, W)`."""
        return col2im(matrix, self.shape, *self.how)

    @cached_property
    def covered(self) -> Array:
        """Matrix with `PADDING` instead of the zeros of the padding."""
        return np.where(im2col(np.ones_like(self.x), *self.how) == 0, PADDING, self.matrix)

    @cached_property
    def counts(self) -> Array:
        """Number of windows that cover each pixel of an image, `(H, W)`."""
        return np.asarray(self.back(np.ones_like(self.matrix))[0, 0])

    @cached_property
    def padded(self) -> Array:
        """Images with `PADDING` around them."""
        widths = zip(self.over.before, self.over.after, strict=True)
        return np.pad(self.x, ((0, 0), (0, 0), *widths), constant_values=PADDING)

    def position(self, row: int) -> tuple[int, int, int]:
        """Return the image that a row of the matrix belongs to, and the window's position on it: down, to the right."""
        oh, ow = self.over.output
        n, at = divmod(row, oh * ow)
        return n, *divmod(at, ow)

    def label(self, row: int) -> str:
        """Return `position (0, 1)`, or for several images `image 0, position (0, 1)`."""
        n, i, j = self.position(row)
        return f"image {n}, position ({i}, {j})" if self.n > 1 else f"position ({i}, {j})"

    def under(self, row: int) -> Array:
        """Return a mask of the pixels of the padded image that the window covers at a row's position."""
        _, i, j = self.position(row)
        (kh, kw), (sh, sw) = self.over.size, self.over.stride
        mask = np.zeros(self.over.padded, bool)
        mask[i * sh : i * sh + kh, j * sw : j * sw + kw] = True
        return mask

    @cached_property
    def labels(self) -> list[str]:
        """Labels for the rows of the matrix: their numbers and their positions."""
        width = len(str(self.rows - 1))
        return [f"row {row:<{width}}  {self.label(row)}" for row in range(self.rows)]

    def drawn(self) -> str:
        """Draw the matrix, with the position of each row."""
        return side_by_side(("", grid(self.covered, labels=self.labels)))

    def shapes(self) -> list[tuple[str, ...]]:
        """Return the shapes in letters, in numbers and in words."""
        n, c, h, w = self.shape
        filters = "the size of a filter" + ", in every channel" * (c > 1)
        images = f"{plural(n, 'image')}, {plural(c, 'channel')}, {by((h, w))}"
        return [
            ("image", "(N, C, H, W)", shape_text(self.shape), images),
            *window_rows(self.over, filters),
            ("positions", "(OH, OW)", shape_text(self.over.output), "of the window on an image"),
            ("matrix", "(N·OH·OW, C·KH·KW)", shape_text(self.matrix.shape), "all positions, and the numbers at each"),
        ]

    @property
    def data(self) -> dict[str, Any]:
        """Facts for JSON."""
        arrays = {"image": self.x.tolist(), "matrix": self.matrix.tolist(), "counts": self.counts.tolist()}
        return {"input": self.shape, **facts(self.over), "matrix_shape": self.matrix.shape, **arrays}


def _mixed(shape: Shape) -> Array:
    """Return the numbers 0, 1, 2, …, each once, in mixed order: multiples of about 0.618 n, modulo n."""
    n = prod(shape)
    step = next(step for step in range(round(0.618 * n), 2 * n + 2) if gcd(step, n) == 1)
    return counted(*shape) * step % n
