"""im2col: a convolution as one product of matrices."""

from __future__ import annotations

from dlsweep.explain.drawing import FEW, Explained, aligned, grid, more, notes, side_by_side, text
from dlsweep.explain.example import Example
from dlsweep.explain.sizes import formula
from dlsweep.text import plural, shape_text


def explain(example: Example, filters: int) -> Explained:
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
