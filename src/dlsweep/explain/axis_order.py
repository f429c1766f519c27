"""Axes in the wrong order: what a reshape without its transpose makes of a convolution."""

from __future__ import annotations

from string import ascii_uppercase
from typing import Any, NamedTuple

import numpy as np

from dlsweep.explain.base import Explained
from dlsweep.explain.drawing import FEW, aligned, beside, counted, grid, more, notes, paragraph, text
from dlsweep.explain.example import Example
from dlsweep.explain.reading import refuse_large
from dlsweep.text import shape_text
from dlsweep.types import Array


class Orders(NamedTuple):
    """The same numbers in two orders and one shape."""

    right: Array
    wrong: Array

    @property
    def data(self) -> dict[str, Any]:
        """Both for JSON, padding as the zeros that it is."""
        return {"right": np.maximum(self.right, 0).tolist(), "wrong": np.maximum(self.wrong, 0).tolist()}

    @property
    def same(self) -> bool:
        return bool((self.right == self.wrong).all())


def explain(example: Example, filters: int) -> Explained:
    """The right and the wrong result of both steps side by side, and why nothing fails."""
    refuse_large("im2col: the output", example.rows, filters)
    output, matrix = after(example, filters), before(example)

    def named(value: int) -> str:
        return f"{ascii_uppercase[value % filters]}{value // filters}"

    (oh, ow), (kh, kw), n, c = example.over.output, example.over.size, example.n, example.c
    product = beside([("", grid(counted(example.rows, filters), named, labels=example.labels))])
    maps = beside(
        (f"{word}, map {f}", grid(a[0, f], named))
        for word, a in (("right", output.right), ("wrong", output.wrong))
        for f in range(min(FEW, filters))
    )
    rows = beside([("right", grid(matrix.right)), ("wrong", grid(matrix.wrong))])
    first = ", ".join(map(named, range(min(4, output.right.size))))
    return Explained(
        text(
            "im2col, and what happens when the axes are left in the wrong order",
            paragraph(
                "A convolution by im2col moves axes twice. Leave the transpose out, and every shape still fits, but "
                "the numbers lie in wrong places."
            ),
            paragraph(
                "1. After the product. It has a row for each place and a column for each filter, "
                f"{shape_text((example.rows, filters))}. Here a letter stands for the filter and a number for the row:"
            ),
            product,
            aligned(
                [
                    ("right", f"reshape{shape_text((n, oh, ow, filters))}", ".transpose(0, 3, 1, 2)", "(N, F, OH, OW)"),
                    ("wrong", f"reshape{shape_text((n, filters, oh, ow))}", "", "(N, F, OH, OW)"),
                ]
            ),
            maps + more(filters, "map"),
            _verdict(
                output,
                f"Both have the shape {shape_text(output.right.shape)}, so nothing fails. But a reshape moves no "
                f"number: it cuts the same long row, {first}, …, into other pieces. A map must hold "
                "the numbers of one filter, each at its place. The wrong maps mix filters, and neighbours in them are "
                "no neighbours in the image.",
                "one filter or one place leaves a single order",
            ),
            paragraph(
                "2. Before the product. im2col is often written with six axes, (N, C, KH, KW, OH, OW) = "
                f"{shape_text((n, c, kh, kw, oh, ow))}: for each pixel of the window what it sees, at all places. The "
                "matrix needs it the other way round: for each place all that the window sees."
            ),
            aligned(
                [
                    ("right", "transpose(0, 4, 5, 1, 2, 3)", f".reshape{shape_text(example.matrix.shape)}"),
                    ("wrong", "", f".reshape{shape_text(example.matrix.shape)}"),
                ]
            ),
            rows,
            _verdict(
                matrix,
                "Each right row is what the window sees at one place. The wrong rows go through the places first: they "
                "begin with what the first pixel of the window sees at one place after the other, so that a row of "
                "them belongs to no place.",
                "one place, or a window of one number, leaves a single order",
            ),
            paragraph(
                "Such a network still trains, only worse, and nothing says why. What finds the mistake is a test "
                "beside a plain loop over all places, with several images, channels and filters."
            ),
            notes(product, maps, rows),
        ),
        example.data | {"output_order": output.data, "matrix_order": matrix.data},
    )


def _verdict(orders: Orders, differ: str, same: str) -> str:
    return paragraph(f"Here both are the same, since {same}: such a case hides the mistake." if orders.same else differ)


def after(example: Example, filters: int) -> Orders:
    """The product (N·OH·OW, F) as an output (N, F, OH, OW). Its numbers are counted: F · row + filter."""
    product, output = counted(example.rows, filters), example.over.output
    right = product.reshape(example.n, *output, filters).transpose(0, 3, 1, 2)
    return Orders(right, product.reshape(example.n, filters, *output))


def before(example: Example) -> Orders:
    """The six axes (N, C, KH, KW, OH, OW), pixel of the window by pixel, as a matrix (N·OH·OW, C·KH·KW)."""
    n, c, (oh, ow), (kh, kw) = example.n, example.c, example.over.output, example.over.size
    six = example.seen.reshape(n, oh, ow, c, kh, kw).transpose(0, 3, 4, 5, 1, 2)
    shape = example.matrix.shape
    return Orders(six.transpose(0, 4, 5, 1, 2, 3).reshape(shape), np.ascontiguousarray(six).reshape(shape))
