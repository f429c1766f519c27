"""The faults of `tests/sweep/test_faults.py` on the workers of Dask, and on a server of S3."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support import faults
from tests.support.commands import Dlsweep
from tests.support.kills import assert_complete
from tests.support.s3 import Remote

import dlsweep as package

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

INLINE, PROCESSES, DASK = ("-j", "1"), ("-j", "2"), ("-j", "2", "--executor", "dask")


def survives(sweeps: Dlsweep, arguments: tuple[str, ...], fate: str, step: int, url: str = "") -> None:
    sweeps("run", "tiny.yaml", "-q", "-j", "1", "-o", "whole")
    whole = faults.digest(package.open_results(sweeps.folder / "whole/tiny"))
    met = 0
    for _, place in faults.resumed(sweeps, arguments, fate, step, url):
        assert_complete(sweeps, place, whole)
        met += 1
    assert met > 1


@pytest.mark.parametrize(("fate", "step"), [("kill", 29), ("EIO", 29)])
def test_on_workers_of_dask(tmp_path: Path, fate: str, step: int) -> None:
    survives(Dlsweep(tmp_path), DASK, fate, step)


@pytest.mark.parametrize(
    ("arguments", "fate", "step"),
    [
        (INLINE, "kill", 5),
        (INLINE, "late", 5),
        (INLINE, "ENOSPC", 5),
        (PROCESSES, "kill", 9),
        (PROCESSES, "crash", 11),
        (PROCESSES, "EIO", 11),
    ],
)
def test_on_a_server(remote: Remote, arguments: tuple[str, ...], fate: str, step: int) -> None:
    survives(remote, arguments, fate, step, remote.url)


@pytest.mark.torture
@pytest.mark.parametrize("fate", [fate for fate in faults.FATES if fate != "torn"])  # an upload is whole, or not there
@pytest.mark.parametrize("arguments", [INLINE, PROCESSES, DASK], ids=["inline", "processes", "dask"])
def test_on_a_server_at_every_operation(remote: Remote, arguments: tuple[str, ...], fate: str) -> None:
    survives(remote, arguments, fate, 1, remote.url)


@pytest.mark.torture
@pytest.mark.parametrize("fate", faults.FATES)
def test_on_workers_of_dask_at_every_operation(tmp_path: Path, fate: str) -> None:
    survives(Dlsweep(tmp_path), DASK, fate, 1)
