"""Axes in the wrong order: a convolution by im2col with a reshape but without its transpose."""

from __future__ import annotations

from string import ascii_uppercase
from typing import Any, NamedTuple

import numpy as np

from dlsweep.explain.drawing import FEW, INDENT, Explained, aligned, counted, grid, more, notes, side_by_side, text
from dlsweep.explain.example import Example
from dlsweep.explain.reading import refuse_large
from dlsweep.text import shape_text
from dlsweep.types import Array


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


def explain(example: Example, filters: int) -> Explained:
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
