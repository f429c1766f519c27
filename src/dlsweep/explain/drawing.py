"""Drawings for a terminal: grids of numbers side by side, tables of words, and paragraphs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from textwrap import fill, indent
from typing import Any, NamedTuple

import numpy as np

from dlsweep.text import plural
from dlsweep.types import Array

WIDTH = 100
TALL = 12  # rows of a grid that are shown
FEW = 3  # channels, or maps, that are shown
INDENT = "  "
GAP = "    "

PADDING = -1  # marks a zero of the padding, in images with the numbers 0, 1, 2, …
LEFT_OUT = "A … stands for rows or columns that are left out here."
DOTS = "A · is a zero of the padding."

_FORMULA = re.compile(r"(?<=[·−+=]) | (?=[·−+=%])|(?<=[0-9],) (?=[0-9])")  # its spaces, and those of shapes


class Explained(NamedTuple):
    """Explanation for a person, and the same facts as values for JSON."""

    text: str
    data: dict[str, Any]


def numbers(a: Array) -> Callable[[Any], str]:
    """Return a function that formats the numbers of an array: all whole, or all with a fraction; padding as a dot."""
    digits = 0 if (a == np.floor(a)).all() else 2
    return lambda value: "·" if value == PADDING else f"{value:.{digits}f}"


def grid(
    a: Array, show: Callable[[Any], str] | None = None, marked: Array | None = None, labels: Sequence[str] = ()
) -> list[str]:
    """Format the rows of a matrix as lines, numbers aligned to the right; marked ones in brackets.

    labels: one for the start of each row. Of a large matrix, the first rows and columns and the last ones are shown,
    with … between them.
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
    """Return the indices below n that are shown; None for the ones that are left out."""
    return [*range(n)] if n <= most else [*range(most - 2), None, n - 1]


def side_by_side(*blocks: tuple[str, list[str]]) -> str:
    """Join titled blocks of lines side by side, as many as fit, the others below."""
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
    """Return a line with the number of grids that are not shown; "" if all are shown."""
    return f"\n\n{INDENT}and {plural(n - FEW, f'more {noun}')}" if n > FEW else ""


def paragraph(sentences: str) -> str:
    """Break sentences into lines that fit, but not within a formula."""
    glued = _FORMULA.sub("\N{NO-BREAK SPACE}", sentences)
    return fill(glued, WIDTH, break_on_hyphens=False).replace("\N{NO-BREAK SPACE}", " ")


def aligned(*rows: Sequence[str]) -> str:
    """Align rows of words in columns, indented."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join((INDENT + line).rstrip() for line in lines)


def indented(lines: str) -> str:
    """Indent lines, such as a table's, as drawings are."""
    return indent(lines, INDENT)


def text(*parts: str) -> str:
    """Join the parts of an explanation with empty lines between them; empty parts are left out.

    A part that is neither indented nor broken into lines is a paragraph.
    """
    return "\n\n".join(p if p.startswith(INDENT) or "\n" in p else paragraph(p) for p in parts if p)


def notes(*drawn: str) -> str:
    """Return a sentence for each of the signs · and … that drawings contain."""
    together = "\n".join(drawn)
    return " ".join([DOTS] * ("·" in together) + [LEFT_OUT] * ("…" in together))


def by(shape: Iterable[int]) -> str:
    """Format a shape as `6×28×28`."""
    return "×".join(map(str, shape))


def counted(*shape: int) -> Array:
    """Return an array of the numbers 0, 1, 2, …"""
    return np.arange(int(np.prod(shape))).reshape(shape)
