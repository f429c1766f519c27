"""im2col: how a convolution becomes one product of matrices."""

from __future__ import annotations

from dlsweep.explain.base import Explained
from dlsweep.explain.drawing import FEW, aligned, beside, grid, more, notes, paragraph, text
from dlsweep.explain.example import Example
from dlsweep.explain.sizes import formula
from dlsweep.text import plural, shape_text


def explain(example: Example, filters: int) -> Explained:
    """The windows, the matrix, how often each number is in it, and the product that is a convolution."""
    windows, matrix, counts = _windows(example), example.drawn(), beside([("", grid(example.counts))])
    several = ", one channel after the other" * (example.c > 1)
    times = example.matrix.size / example.x.size
    return Explained(
        text(
            "im2col: a convolution as one product of matrices",
            paragraph(
                "A window of the filter's size slides over the image. im2col writes down what it sees, one row of a "
                "matrix for each place."
            ),
            aligned(example.shapes()),
            "1. How many places are there for the window?",
            formula(example.over),
            "2. The image, its numbers simply counted, and in brackets what the window sees",
            windows,
            paragraph(f"3. The matrix. A row is what the window sees at one place, in reading order{several}."),
            matrix,
            "4. How many windows see each number? (col2im of a matrix of ones)",
            counts,
            paragraph(
                f"The input has {plural(example.x.size, 'number')}, the matrix {example.matrix.size:,}, which is "
                f"{times:.3g} times as many." + " This memory is the price of im2col." * (times > 1)
            ),
            f"5. Now a convolution with {plural(filters, 'filter')} is one product",
            aligned(_product(example, filters)),
            paragraph("The filters stand in columns.", _first_number(example)),
            paragraph(
                "The last two steps bring the axes into the order that the next layer expects. --no-transpose shows "
                "what happens without them."
            ),
            notes(windows, matrix, counts),
        ),
        example.data,
    )


def _windows(example: Example) -> str:
    """The first image with the window at its first two places; of several channels each with the first."""
    several = example.c > 1
    rows = range(1 if several else min(2, example.rows))
    blocks = [
        (
            example.label(row) + f", channel {c}" * several,
            grid(example.placed[example.place(row)[0], c], marked=example.under(row)),
        )
        for row in rows
        for c in range(min(FEW, example.c))
    ]
    return beside(blocks) + more(example.c, "channel")


def _product(example: Example, filters: int) -> list[tuple[str, str, str]]:
    rows, columns, output = example.rows, example.columns, example.over.output
    return [
        ("matrix", shape_text((rows, columns)), "(N·OH·OW, C·KH·KW)"),
        ("@ filters", shape_text((columns, filters)), "(C·KH·KW, F)"),
        ("= product", shape_text((rows, filters)), "(N·OH·OW, F)"),
        ("reshape", shape_text((example.n, *output, filters)), "(N, OH, OW, F)"),
        ("transpose(0, 3, 1, 2)", shape_text((example.n, filters, *output)), "(N, F, OH, OW)"),
    ]


def _first_number(example: Example) -> str:
    """Row 0 times a filter."""
    terms = [f"{value}·w{i}" for i, value in enumerate(example.matrix[0].tolist())]
    if len(terms) > 9:
        terms = [*terms[:4], "…", terms[-1]]
    first, last = "w0" if len(terms) == 1 else "w0, w1, …", " + ".join(terms)
    return f"With the weights {first} of one filter, row 0 gives the first number of its map: {last}."
