"""Tables of text: for a terminal, Markdown, LaTeX, CSV and HTML; and values for JSON."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from io import StringIO
from math import isfinite
from typing import Any, Literal, NamedTuple

from dlsweep.text import half_width, interval_text, measured, printable, terminal_width

GAP = "  "
Form = Literal["plain", "markdown", "latex", "csv", "html"]  # of a table


def table(
    header: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[bool] = (), form: Form = "plain"
) -> str:
    """Return columns of text in a form: text to the left, numbers to the right.

    plain: aligned as a terminal shows them; markdown; latex: a `tabular` with the rules of booktabs; csv; html.

    >>> print(table(["arm", "n"], [["a|b", "5"]], [False, True], "markdown"))
    | arm | n |
    |---|--:|
    | a\\|b | 5 |
    """
    return _FORMS[form](header, rows, numeric or [False] * len(header))


class Column(NamedTuple):
    """A column of a table. right: True for numbers."""

    header: str
    cells: Iterable[str]
    right: bool = True


def table_of(columns: Iterable[Column], form: Form = "plain") -> str:
    """Return columns as `table` returns rows.

    >>> print(table_of([Column("arm", ["he", "xavier"], right=False), Column("n", ["5", "10"])]))
    arm      n
    he       5
    xavier  10
    """
    headers, cells, right = zip(*columns, strict=True)
    return table(headers, list(zip(*cells, strict=True)), right, form)


def measured_each(
    values: Iterable[float], low: Iterable[float], high: Iterable[float], *, sign: bool = False
) -> list[str]:
    """Return values as `measured` has them, each with its interval.

    >>> measured_each([0.87931, 0.5], [0.8712, 0.4], [0.8874, 0.6])
    ['0.8793', '0.50']
    """
    return [measured(value, half_width(*ends), sign=sign) for value, *ends in zip(values, low, high, strict=True)]


def interval_texts(low: Iterable[float], high: Iterable[float], *, sign: bool = False) -> list[str]:
    """Return intervals as `interval_text` has them.

    >>> interval_texts([-0.25], [0.5], sign=True)
    ['[-0.25, +0.50]']
    """
    return [interval_text(*ends, sign=sign) for ends in zip(low, high, strict=True)]


def _plain(header: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[bool]) -> str:
    cells = [[printable(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(terminal_width, column)) for column in zip(*cells, strict=True)]
    lines = []
    for row in cells:
        padded = [
            " " * (width - terminal_width(cell)) + cell if right else cell + " " * (width - terminal_width(cell))
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ]
        lines.append(GAP.join(padded).rstrip())
    return "\n".join(lines)


def markdown(text: str) -> str:
    """Return a text as Markdown prints it: its special characters escaped.

    >>> print(markdown("a*b < c_d"))
    a\\*b \\< c\\_d
    """
    return re.sub(r"([\\`*_<>|\[\]])", r"\\\1", printable(text))


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[bool]) -> str:
    cells = [[markdown(cell) for cell in row] for row in (header, *rows)]
    lines = [f"| {' | '.join(row)} |" for row in cells]
    return "\n".join([lines[0], "|" + "|".join("--:" if right else "---" for right in numeric) + "|", *lines[1:]])


_LATEX = {
    **{c: f"\\{c}" for c in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "≈": r"$\approx$",
    "×": r"$\times$",
    "α": r"$\alpha$",
    "β": r"$\beta$",
    "–": "--",
    "−": "$-$",
    "→": r"$\to$",
    "…": r"\dots{}",
}


def latex(text: str) -> str:
    """Return a text as LaTeX prints it: its special characters escaped, a minus before a number as one.

    >>> print(latex("L1_0.1 & -0.5 %"))
    L1\\_0.1 \\& $-$0.5 \\%
    """
    escaped = "".join(_LATEX.get(c, c) for c in printable(text))
    return re.sub(r"(?<![\w.])-(?=[.\d])", "$-$", escaped)


def _latex(header: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[bool]) -> str:
    columns = "".join("r" if right else "l" for right in numeric)
    first, *others = [f"  {' & '.join(map(latex, row))} \\\\" for row in (header, *rows)]
    body = [r"  \toprule", first, r"  \midrule", *others, r"  \bottomrule"]
    return "\n".join([f"\\begin{{tabular}}{{{columns}}}", *body, r"\end{tabular}"])


def _csv(header: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[bool]) -> str:
    content = StringIO()
    csv.writer(content, lineterminator="\n").writerows([header, *rows])
    return content.getvalue().removesuffix("\n")


def _html(header: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[bool]) -> str:
    sides = [' style="text-align: right"' if right else ' style="text-align: left"' for right in numeric]

    def line(row: Sequence[str], tag: str) -> str:
        cells = (f"<{tag}{side}>{escape(printable(cell))}</{tag}>" for cell, side in zip(row, sides, strict=True))
        return f"<tr>{''.join(cells)}</tr>"

    body = "\n".join(line(row, "td") for row in rows)
    return f"<table>\n<thead>{line(header, 'th')}</thead>\n<tbody>\n{body}\n</tbody>\n</table>"


_FORMS = {"plain": _plain, "markdown": _markdown, "latex": _latex, "csv": _csv, "html": _html}


_NOTES: dict[str, Callable[[Sequence[str]], str]] = {
    "plain": lambda notes: "".join(f"\n{printable(note)}" for note in ["", *notes]),
    "markdown": lambda notes: "\n" + "".join(f"\n- {markdown(note)}" for note in notes),
    "latex": lambda notes: "".join(f"\n% {printable(note)}" for note in notes),
    "html": lambda notes: f"\n<p>{'<br>'.join(escape(printable(note)) for note in notes)}</p>",
}


def with_notes(told: str, sentences: Sequence[str], form: Form) -> str:
    """Return a table with sentences below it; in LaTeX they are comments.

    >>> print(with_notes("arm  n", ["Means over 2 seeds."], "plain"))
    arm  n
    <BLANKLINE>
    Means over 2 seeds.
    """
    return told + _NOTES[form](sentences) if sentences else told


def json_value(value: Any) -> Any:
    """Return a value as JSON has it, also within lists and mappings: a number that is not finite is null.

    >>> json_value({"mean": float("nan"), "runs": (1, 2.5)})
    {'mean': None, 'runs': [1, 2.5]}
    """
    if isinstance(value, Mapping):
        return {key: json_value(own) for key, own in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_value(own) for own in value]
    value = value.item() if hasattr(value, "item") else value  # of NumPy
    return None if isinstance(value, float) and not isfinite(value) else value
