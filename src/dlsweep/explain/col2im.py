"""col2im: what it adds up, and why that is the gradient of im2col and not its inverse."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dlsweep.explain.base import Explained
from dlsweep.explain.drawing import aligned, beside, counted, grid, notes, paragraph, text
from dlsweep.explain.example import Example
from dlsweep.explain.sizes import formula
from dlsweep.types import Array


def explain(example: Example) -> Explained:
    """The rows of a matrix added back into images, and the equation that makes col2im the adjoint."""
    added = example.back(example.matrix)
    m = counted(*example.matrix.shape)
    matrix, growing = example.drawn(), beside(_growing(example))
    compared = beside(
        [
            ("the image", grid(example.x[0, 0])),
            ("× how many windows see it", grid(example.counts)),
            ("= what comes back", grid(added[0, 0])),
        ]
    )
    unseen = (example.counts == 0).any()
    return Explained(
        text(
            "col2im: the rows of im2col's matrix, added back to where they came from",
            aligned(example.shapes()),
            formula(example.over),
            "1. The matrix that im2col makes of an image with the numbers 0, 1, 2, …",
            matrix,
            "2. col2im begins with zeros and takes row after row. Where windows overlap, it adds.",
            growing,
            paragraph(
                "3. So it does not give the image back. A number that two windows see was copied twice and comes back "
                "twice as large:"
            ),
            compared,
            paragraph("Where the count is 0 no window ever looks, and nothing comes back." * bool(unseen)),
            paragraph(
                "4. This is what a gradient needs. When im2col copies a number to several places, a change of the "
                "number is felt at all of them, and so its gradient is the sum of theirs. Forward a convolution takes "
                "im2col, backward col2im."
            ),
            paragraph(
                "5. In the words of linear algebra, col2im is not the inverse of im2col but its adjoint: were im2col "
                "written as a matrix, col2im would be its transpose. To check it, multiply im2col(x) and any matrix m "
                "number by number and add all up; x and col2im(m) give the same sum. With 0, 1, 2, … for m:"
            ),
            f"  im2col(x) · m = {_dot(example.matrix, m):,}\n  x · col2im(m) = {_dot(example.x, example.back(m)):,}",
            notes(matrix, growing, compared),
        ),
        example.data | {"added": added.tolist()},
    )


def _growing(example: Example) -> Iterator[tuple[str, list[str]]]:
    """The first image after the first row, after the first two, and after all of its rows."""
    own = example.rows // example.n
    columns = np.zeros_like(example.matrix)
    for rows in dict.fromkeys((1, min(2, own), own)):
        columns[:rows] = example.matrix[:rows]
        title = {1: "after row 0", 2: "after rows 0 and 1"}.get(rows, f"after rows 0 to {rows - 1}")
        yield title, grid(example.back(columns)[0, 0])


def _dot(a: Array, b: Array) -> int:
    """The sum of products in Python's whole numbers, which never overflow."""
    return sum(x * y for x, y in zip(a.ravel().tolist(), b.ravel().tolist(), strict=True))
