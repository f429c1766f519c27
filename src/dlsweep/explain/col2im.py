"""col2im: its sums, and the reason that it is the gradient of im2col and not its inverse."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dlsweep.explain.drawing import Explained, aligned, counted, grid, notes, side_by_side, text
from dlsweep.explain.example import Example
from dlsweep.explain.sizes import formula
from dlsweep.types import Array


def explain(example: Example) -> Explained:
    """Explain the sum of a matrix's rows in images, and the equation that makes col2im the adjoint."""
    added = example.back(example.matrix)
    m = counted(*example.matrix.shape)
    matrix, growing = example.drawn(), side_by_side(*_growing(example))
    compared = side_by_side(
        ("the image", grid(example.x[0, 0])),
        ("× windows that cover it", grid(example.counts)),
        ("= the result", grid(added[0, 0])),
    )
    uncovered = bool((example.counts == 0).any())
    told = text(
        "col2im: the rows of im2col's matrix, added to the pixels that they were copied from",
        aligned(*example.shapes()),
        formula(example.over),
        "1. The im2col matrix of an image with the numbers 0, 1, 2, …",
        matrix,
        "2. col2im begins with zeros and adds row after row. Where windows overlap, a pixel gets a sum.",
        growing,
        "3. So the result is not the image. A number that two windows cover was copied twice, and is added twice:",
        compared,
        "Where the count is 0, no window covers the pixel, and the result is 0." * uncovered,
        "4. A gradient needs this sum. If im2col copies a number to several rows, a change of the number changes all "
        "its copies, so its gradient is the sum of their gradients. A convolution uses im2col in the forward pass and "
        "col2im in the backward pass.",
        "5. In linear algebra, col2im is the adjoint of im2col, not its inverse: with im2col written as a matrix, "
        "col2im is its transpose. To check this, multiply im2col(x) and any matrix m elementwise, and add all "
        "products; x and col2im(m) give the same sum. With the numbers 0, 1, 2, … as m:",
        f"  im2col(x) · m = {_dot(example.matrix, m):,}\n  x · col2im(m) = {_dot(example.x, example.back(m)):,}",
        notes(matrix, growing, compared),
    )
    return Explained(told, example.data | {"added": added.tolist()})


def _growing(example: Example) -> Iterator[tuple[str, list[str]]]:
    """Yield the first image after one row, after two rows, and after all of its rows, with titles."""
    own = example.rows // example.n
    columns = np.zeros_like(example.matrix)
    for rows in dict.fromkeys((1, min(2, own), own)):
        columns[:rows] = example.matrix[:rows]
        title = {1: "after row 0", 2: "after rows 0 and 1"}.get(rows, f"after rows 0 to {rows - 1}")
        yield title, grid(example.back(columns)[0, 0])


def _dot(a: Array, b: Array) -> int:
    """Return the sum of products in Python's integers, which never overflow."""
    return sum(x * y for x, y in zip(a.ravel().tolist(), b.ravel().tolist(), strict=True))
