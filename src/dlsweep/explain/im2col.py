"""im2col, a convolution as one product of matrices: itself, its gradient col2im, and its axes in the wrong order."""

from __future__ import annotations

from collections.abc import Iterator
from string import ascii_uppercase
from typing import Any, NamedTuple

import numpy as np

from dlsweep.explain.drawing import FEW, INDENT, Explained, aligned, counted, grid, more, notes, side_by_side, text
from dlsweep.explain.example import Example
from dlsweep.explain.reading import refuse_large
from dlsweep.explain.sizes import formula
from dlsweep.text import plural, shape_text
from dlsweep.types import Array


def forward(example: Example, filters: int) -> Explained:
    """Explain the windows, the matrix, the number of copies of each pixel, and the convolution as a product."""
    windows, matrix, counts = _windows(example), example.drawn(), side_by_side(("", grid(example.counts)))
    several = ", one channel after the other" * (example.c > 1)
    times = example.matrix.size / example.x.size
    told = text(
        "im2col: a convolution as one product of matrices",
        "A window of the filter's size slides over the image. im2col copies the numbers that it covers, one row of a "
        "matrix for each position.",
        aligned(*example.shapes()),
        "1. The number of positions of the window",
        formula(example.over),
        "2. The image, with the numbers 0, 1, 2, …; brackets mark the window",
        windows,
        f"3. The matrix. A row holds the numbers of the window at one position, in reading order{several}.",
        matrix,
        "4. How many windows cover each number? (col2im of a matrix of ones)",
        counts,
        f"The input has {plural(example.x.size, 'number')}, the matrix {example.matrix.size:,}, which is {times:.3g} "
        "times as many." + " This memory is the cost of im2col." * (times > 1),
        f"5. A convolution with {plural(filters, 'filter')} is then one product",
        _product(example, filters),
        f"Each filter is a column. {_first_number(example)}",
        "The last two steps put the axes into the order that the next layer expects. --no-transpose shows the result "
        "without them.",
        notes(windows, matrix, counts),
    )
    return Explained(told, example.data)


def _windows(example: Example) -> str:
    """Draw the first image with the window at its first two positions; several channels at the first one."""
    several = example.c > 1
    rows = range(1 if several else min(2, example.rows))
    blocks = [
        (
            example.label(row) + f", channel {c}" * several,
            grid(example.padded[example.position(row)[0], c], marked=example.under(row)),
        )
        for row in rows
        for c in range(min(FEW, example.c))
    ]
    return side_by_side(*blocks) + more(example.c, "channel")


def _product(example: Example, filters: int) -> str:
    rows, columns, output = example.rows, example.columns, example.over.output
    return aligned(
        ("matrix", shape_text((rows, columns)), "(N·OH·OW, C·KH·KW)"),
        ("@ filters", shape_text((columns, filters)), "(C·KH·KW, F)"),
        ("= product", shape_text((rows, filters)), "(N·OH·OW, F)"),
        ("reshape", shape_text((example.n, *output, filters)), "(N, OH, OW, F)"),
        ("transpose(0, 3, 1, 2)", shape_text((example.n, filters, *output)), "(N, F, OH, OW)"),
    )


def _first_number(example: Example) -> str:
    """Return the product of row 0 and a filter, as a sentence."""
    terms = [f"{value}·w{i}" for i, value in enumerate(example.matrix[0].tolist())]
    if len(terms) > 9:
        terms = [*terms[:4], "…", terms[-1]]
    first, last = "w0" if len(terms) == 1 else "w0, w1, …", " + ".join(terms)
    return f"With the weights {first} of one filter, row 0 gives the first number of its map: {last}."


def backward(example: Example) -> Explained:
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


class Orders(NamedTuple):
    """Right and wrong order of the same numbers, in the same shape."""

    right: Array
    wrong: Array

    @property
    def data(self) -> dict[str, Any]:
        """Right and wrong order for JSON, with padding as zeros."""
        return {"right": np.maximum(self.right, 0).tolist(), "wrong": np.maximum(self.wrong, 0).tolist()}

    def verdict(self, differ: str, same: str) -> str:
        """Return `differ`, or, if both orders are the same here, a sentence with the reason `same`."""
        equal = bool((self.right == self.wrong).all())
        return f"Here both are the same, since {same}: such a case hides the mistake." if equal else differ


def wrong_order(example: Example, filters: int) -> Explained:
    """Explain the right and the wrong result of both steps, and the reason that nothing fails."""
    refuse_large("im2col: the output", example.rows, filters)
    output, matrix = after(example, filters), before(example)
    steps = [*_after_product(example, filters, output), *_before_product(example, matrix)]
    told = text(
        "im2col with the axes in the wrong order",
        "A convolution by im2col reorders axes twice. Without the transpose every shape still fits, but the numbers "
        "are in the wrong positions.",
        *steps,
        "Such a network still trains, but worse, and without any error. A test finds the mistake if it compares with a "
        "plain loop over all positions, for several images, channels and filters.",
        notes(*(step for step in steps if step.startswith(INDENT))),
    )
    return Explained(told, example.data | {"output_order": output.data, "matrix_order": matrix.data})


def _after_product(example: Example, filters: int, output: Orders) -> list[str]:
    """Return the first step: a letter stands for a filter, and a number for a row of the matrix."""

    def named(value: int) -> str:
        return f"{ascii_uppercase[value % filters]}{value // filters}"

    (oh, ow), n = example.over.output, example.n
    product = side_by_side(("", grid(counted(example.rows, filters), named, labels=example.labels)))
    orders = [("right", output.right), ("wrong", output.wrong)]
    maps = [(f"{word}, map {f}", grid(a[0, f], named)) for word, a in orders for f in range(min(FEW, filters))]
    first = ", ".join(map(named, range(min(4, output.right.size))))
    return [
        "1. After the product. It is a matrix with a row for each position and a column for each filter, "
        f"{shape_text((example.rows, filters))}. Here a letter stands for the filter, and a number for the row:",
        product,
        aligned(
            ("right", f"reshape{shape_text((n, oh, ow, filters))}", ".transpose(0, 3, 1, 2)", "(N, F, OH, OW)"),
            ("wrong", f"reshape{shape_text((n, filters, oh, ow))}", "", "(N, F, OH, OW)"),
        ),
        side_by_side(*maps) + more(filters, "map"),
        output.verdict(
            f"Both have the shape {shape_text(output.right.shape)}, so nothing fails. But a reshape does not move "
            f"numbers: it splits the same sequence, {first}, …, in another way. A map must hold the numbers of one "
            "filter, each at its position. The wrong maps mix filters, and neighbours in them are not neighbours in "
            "the image.",
            "with one filter or one position there is only one order",
        ),
    ]


def _before_product(example: Example, matrix: Orders) -> list[str]:
    """Return the second step."""
    (oh, ow), (kh, kw), n, c = example.over.output, example.over.size, example.n, example.c
    return [
        "2. Before the product. im2col is often written with six axes, (N, C, KH, KW, OH, OW) = "
        f"{shape_text((n, c, kh, kw, oh, ow))}: for each pixel of the window, its values at all positions. The matrix "
        "needs the other order: for each position, all numbers of the window.",
        aligned(
            ("right", "transpose(0, 4, 5, 1, 2, 3)", f".reshape{shape_text(example.matrix.shape)}"),
            ("wrong", "", f".reshape{shape_text(example.matrix.shape)}"),
        ),
        side_by_side(("right", grid(matrix.right)), ("wrong", grid(matrix.wrong))),
        matrix.verdict(
            "Each right row holds the numbers of the window at one position. The wrong rows begin with the first pixel "
            "of the window at one position after the other, so that a wrong row belongs to no position.",
            "with one position, or a window of one number, there is only one order",
        ),
    ]


def after(example: Example, filters: int) -> Orders:
    """Return the product (N·OH·OW, F) as an output (N, F, OH, OW). Its numbers are F · row + filter."""
    product, output = counted(example.rows, filters), example.over.output
    right = product.reshape(example.n, *output, filters).transpose(0, 3, 1, 2)
    return Orders(right, product.reshape(example.n, filters, *output))


def before(example: Example) -> Orders:
    """Return the six axes (N, C, KH, KW, OH, OW) as a matrix (N·OH·OW, C·KH·KW)."""
    n, c, (oh, ow), (kh, kw) = example.n, example.c, example.over.output, example.over.size
    six = example.covered.reshape(n, oh, ow, c, kh, kw).transpose(0, 3, 4, 5, 1, 2)
    shape = example.matrix.shape
    return Orders(six.transpose(0, 4, 5, 1, 2, 3).reshape(shape), np.ascontiguousarray(six).reshape(shape))
