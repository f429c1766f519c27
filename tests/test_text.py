"""Tables in every form, and numbers with the digits that they support."""

from __future__ import annotations

import csv
import io
import math
import re
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from dlsweep.tabular import latex, table
from dlsweep.text import measured, printable

CELLS = st.lists(st.lists(st.text(max_size=8), min_size=2, max_size=2), min_size=1, max_size=4)


@given(CELLS)
def test_csv_is_read_back(rows: list[list[str]]) -> None:
    header, *body = rows
    read = list(csv.reader(io.StringIO(table(header, body, form="csv") + "\n", newline="")))
    assert read == rows or any("\r" in cell or "\n" in cell or not any(row) for row in rows for cell in row)


class Cells(HTMLParser):
    """The texts of the cells of a table, and the names of all tags."""

    def __init__(self) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_data(self, data: str) -> None:
        if self.cells and data.strip("\n"):
            self.cells[-1] += data


@given(CELLS)
def test_a_label_is_no_html(rows: list[list[str]]) -> None:
    header, *body = rows
    parser = Cells()
    parser.feed(table(header, body, form="html"))
    assert parser.tags <= {"table", "thead", "tbody", "tr", "td", "th"}
    assert parser.cells == [printable(cell) for row in rows for cell in row]


@given(CELLS)
def test_a_label_divides_no_row_of_markdown(rows: list[list[str]]) -> None:
    header, *body = rows
    lines = table(header, body, form="markdown").split("\n")
    assert len(lines) == len(rows) + 1
    assert all(len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) == 3 for line in lines)
    assert not any(re.search(r"(?<!\\)(?:\\\\)*[<*`]", line) for line in lines)


@given(st.text(max_size=20))
def test_a_label_is_no_command_of_latex(text: str) -> None:
    commands = r"\\(?:[&%$#_{}]|textbackslash\{\}|text(?:asciitilde|asciicircum|less|greater|bar)\{\}|dots\{\})"
    rest = re.sub(rf"{commands}|\$\\(?:approx|times|alpha|beta)\$|\$-\$", "", latex(text))
    assert not set(rest) & set("\\&%$#_{}~^<>|")


@given(st.floats(-1e6, 1e6), st.floats(1e-8, 1e5))
def test_a_number_has_the_digits_that_its_interval_supports(value: float, half: float) -> None:
    shown = measured(value, half)
    if half > 1e-9 * abs(value):
        assert abs(float(shown) - value) <= 0.51 * 10 ** (math.floor(math.log10(half)) - 1) or half >= 10
        assert abs(float(shown) - value) <= max(0.51, 0.051 * half)
    assert "-0.0000" not in measured(-0.0, half)
