"""Text for a terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pytest
from annotated_types import Ge, Gt, Le, MinLen

from dlsweep.cli.listing import kind
from dlsweep.cli.terminal import print_json
from dlsweep.marks import ItemsOf
from dlsweep.registry import Count, Fraction, Positive, Registry
from dlsweep.tabular import table
from dlsweep.text import duration, number, size


def test_columns_align_as_a_terminal_shows_them() -> None:
    lines = table(["name", "n"], [["日本", "1"], ["e\u0301", "22"]], [False, True]).splitlines()
    assert lines == ["name   n", "日本   1", "e\u0301     22"]


def test_a_table_cannot_steer_the_terminal() -> None:
    assert table(["a"], [["\x1b[31mred\nnext"]]).splitlines()[1] == "\ufffd[31mred\ufffdnext"


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (Positive, "number > 0"),
        (Fraction, "number >= 0 and < 1"),
        (Count, "integer >= 1"),
        (Count | None, "integer >= 1 | null"),
        (Annotated[float, Gt(1), Le(2)], "number > 1 and <= 2"),
        (Annotated[int, Ge(-1)], "integer >= -1"),
        (Literal["before", "after"], "before | after"),
        (list[Count], "list of integer >= 1"),
        (Annotated[list[Any], MinLen(1), ItemsOf(Registry("layer", ""))], "list of layers"),
        (bool, "true | false"),
        (str, "text"),
    ],
)
def test_what_a_setting_may_be(annotation: Any, words: str) -> None:
    assert kind(annotation) == words


def test_quantities() -> None:
    assert [duration(s) for s in (0.04, 9.9, 12.4, 200, 7500)] == ["0.0 s", "9.9 s", "12 s", "3 min 20 s", "2 h 05 min"]
    assert [size(n) for n in (12, 1500, 98_200_000, 4e12)] == ["12 B", "1.5 kB", "98 MB", "4.0 TB"]
    assert [number(x) for x in (0.5, float("nan"))] == ["0.5000", "–"]


def test_json_has_null_for_numbers_that_it_does_not_have(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"interval": (float("nan"), float("inf")), "n": np.int64(3), "path": Path("results")})
    assert json.loads(capsys.readouterr().out) == {"interval": [None, None], "n": 3, "path": "results"}
