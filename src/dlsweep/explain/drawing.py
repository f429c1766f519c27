"""Numbers and words on a terminal: grids of numbers, some of them marked, side by side."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from textwrap import fill, indent
from typing import Any

import numpy as np

from dlsweep.text import plural
from dlsweep.types import Array

WIDTH = 100
TALL = 12  # rows of a grid that are shown
FEW = 3  # channels, or maps, that are shown
INDENT = "  "
GAP = "    "

PADDING = -1  # stands for a zero of the padding where the numbers of an image are counted from 0
LEFT_OUT = "A … stands for rows or columns that are left out here."
DOTS = "A · is a zero of the padding."

_FORMULA = re.compile(r"(?<=[·−+=]) | (?=[·−+=%])|(?<=[0-9],) (?=[0-9])")  # its spaces, and those of shapes


def numbers(a: Array) -> Callable[[Any], str]:
    """How the numbers of an array are written: all whole, or all with a fraction; padding as a dot."""
    digits = 0 if (a == np.floor(a)).all() else 2
    return lambda value: "·" if value == PADDING else f"{value:.{digits}f}"


def grid(
    a: Array, show: Callable[[Any], str] | None = None, marked: Array | None = None, labels: Sequence[str] = ()
) -> list[str]:
    """The rows of a matrix as lines, numbers to the right; marked ones in brackets, a label in front of each row.

    Of a large one the first rows and columns and the last are there, with … between them.
    """
    show = show or numbers(a)
    down = _shown(len(a), TALL)
    room = WIDTH - len(INDENT) - (2 + max(map(len, labels)) if labels else 0)
    widest = max(len(show(value)) for value in (a.min(), a.max())) + (1 if marked is None else 3)
    across = _shown(a.shape[1], room // widest)
    cells = [["…" if i is None or j is None else show(a[i, j]) for j in across] for i in down]
    width = max(len(cell) for row in cells for cell in row)
    cells = [[cell.rjust(width) for cell in row] for row in cells]
    if marked is not None:
        marks = [[i is not None and j is not None and marked[i, j] for j in across] for i in down]
        pairs = [zip(*row, strict=True) for row in zip(cells, marks, strict=True)]
        cells = [[f"[{cell}]" if mark else f" {cell} " for cell, mark in row] for row in pairs]
    fronts = [labels[i] if i is not None else "…" for i in down] if labels else [""] * len(down)
    front = max(map(len, fronts)) + 2 if labels else 0
    return [f"{f:{front}}{' '.join(row)}" for f, row in zip(fronts, cells, strict=True)]


def _shown(n: int, most: int) -> list[int | None]:
    """The positions that are shown of n; None where some are left out."""
    return [*range(n)] if n <= most else [*range(most - 2), None, n - 1]


def beside(blocks: Iterable[tuple[str, list[str]]]) -> str:
    """Titled blocks of lines next to each other, as many as fit, the others below."""
    bands: list[list[list[str]]] = [[]]
    for title, lines in blocks:
        block = [title, *lines] if title else lines
        block = [line.ljust(max(map(len, block))) for line in block]
        if bands[-1] and sum(len(b[0]) + len(GAP) for b in [*bands[-1], block]) > WIDTH:
            bands.append([])
        bands[-1].append(block)
    return "\n\n".join("\n".join(_band(band)) for band in bands)


def _band(blocks: list[list[str]]) -> list[str]:
    height = max(map(len, blocks))
    level = [block + [" " * len(block[0])] * (height - len(block)) for block in blocks]
    return [(INDENT + GAP.join(parts)).rstrip() for parts in zip(*level, strict=True)]


def more(n: int, noun: str) -> str:
    """A line below grids for those that are not shown."""
    return f"\n\n{INDENT}and {plural(n - FEW, f'more {noun}')}" if n > FEW else ""


def paragraph(*sentences: str) -> str:
    """Sentences, broken into lines that fit, but not within a formula."""
    glued = _FORMULA.sub("\N{NO-BREAK SPACE}", " ".join(filter(None, sentences)))
    return fill(glued, WIDTH, break_on_hyphens=False).replace("\N{NO-BREAK SPACE}", " ")


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of words in columns, indented."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join((INDENT + line).rstrip() for line in lines)


def indented(lines: str) -> str:
    """Lines, such as a table's, where drawings begin."""
    return indent(lines, INDENT)


def text(*parts: str) -> str:
    """The parts of an explanation with an empty line between them; what is empty is left away."""
    return "\n\n".join(filter(None, parts))


def notes(*drawn: str) -> str:
    """What the signs in drawings mean, those that are there."""
    together = "\n".join(drawn)
    return paragraph(DOTS * ("·" in together), LEFT_OUT * ("…" in together))


def counted(*shape: int) -> Array:
    """An array of the numbers 0, 1, 2, …"""
    return np.arange(int(np.prod(shape))).reshape(shape)
