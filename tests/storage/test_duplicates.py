"""Runs that are in two parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlsweep.storage.duplicates import counted, difference, share_runs

PARTS = st.dictionaries(st.text("xyz", min_size=1), st.sets(st.sampled_from("abcdefgh"), min_size=1), min_size=1)


def part(runs: Sequence[str], loss: float | None = 0.5, status: str = "done", **more: Any) -> pa.Table:
    rows = [{"run_id": run, "arm": f"arm {run}", "seed": 0, "status": status, "loss": loss} | more for run in runs]
    return pa.Table.from_pylist(rows)


def runs(parts: Mapping[str, pa.Table]) -> list[str]:
    return [run for rows in parts.values() for run in rows["run_id"].to_pylist()]


@given(PARTS)
def test_each_run_counts_once(found: dict[str, set[str]]) -> None:
    tables = {stem: part(sorted(own)) for stem, own in found.items()}
    told = counted(tables)
    assert not told.conflicts
    assert len(set(runs(told.parts))) == len(runs(told.parts))
    assert share_runs(tables.values()) == (len(told.parts) < len(tables))
    assert sorted([*told.parts, *told.spare, *told.mixed]) == sorted(found)
    for stem, own in found.items():
        shared = own & set(runs(told.parts))
        assert (stem in told.mixed) == (shared < own)
    assert [stem for stem in found if stem in told.parts] == list(told.parts)


def test_the_largest_part_counts_and_those_that_it_has_are_spare() -> None:
    told = counted({"small": part("ab"), "large": part("abc", seconds=2.0), "other": part("d")})
    assert list(told.parts) == ["large", "other"]
    assert told.spare == {"small"}


def test_a_failed_run_gives_way() -> None:
    told = counted({"failed": part("a", None, "failed"), "done": part("a")})
    assert list(told.parts) == ["done"]
    assert told.spare == {"failed"}


@pytest.mark.parametrize(("loss", "seconds", "conflict"), [(0.5, 9.0, False), (0.25, 1.0, True), (None, 1.0, True)])
def test_other_numbers_are_a_conflict(loss: float | None, seconds: float, conflict: bool) -> None:
    told = counted({"one": part("ab", seconds=1.0), "other": part("b", loss, seconds=seconds)})
    assert list(told.parts) == ["one"]
    sentence = f"the run b (arm b, seed 0) has different numbers in two parts: loss is {loss} and 0.5"
    assert told.conflicts == ({"other": sentence} if conflict else {})


def test_columns_that_the_config_decides_may_differ() -> None:
    assert difference({"arm": "a", "loss": 1.0}, {"arm": "b", "loss": 1.0}, {"arm"}) is None
    assert difference({"loss": float("nan")}, {"loss": float("nan")}) is None
