"""Whatever happens at the n-th durable operation, in whichever process, the next run completes the sweep (faults 1-4).

`test_crashes.py` does this in one process for sweeps of other kinds, `tests/cluster/test_faults.py` with Dask and on a
server. Here some of the operations are met; `make torture` meets all of them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.support import faults
from tests.support.commands import Dlsweep

import dlsweep as package

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")]

INLINE, PROCESSES = ("-j", "1"), ("-j", "2")


def survives(sweeps: Dlsweep, arguments: tuple[str, ...], fate: str, step: int) -> None:
    sweeps("run", "tiny.yaml", "-q", "-j", "1", "-o", "whole")
    whole = faults.digest(package.open_results(sweeps.folder / "whole/tiny"))
    met = 0
    for _, place in faults.resumed(sweeps, arguments, fate, step):
        results = package.open_results(place)
        assert faults.digest(results) == whole
        assert set(results.runs["status"]) == {"done"}
        assert not [path for path in results.folder.rglob(".*") if path.name != ".lock"]
        met += 1
    assert met > 2


@pytest.mark.parametrize("fate", ["ENOSPC", "torn"])
def test_in_one_process(tmp_path: Path, fate: str) -> None:
    survives(Dlsweep(tmp_path), INLINE, fate, 5)


@pytest.mark.parametrize("fate", faults.FATES)
def test_with_workers(tmp_path: Path, fate: str) -> None:
    survives(Dlsweep(tmp_path), PROCESSES, fate, 11)


@pytest.mark.torture
@pytest.mark.parametrize("fate", faults.FATES)
@pytest.mark.parametrize("arguments", [INLINE, PROCESSES], ids=["inline", "processes"])
def test_at_every_operation(tmp_path: Path, fate: str, arguments: tuple[str, ...]) -> None:
    survives(Dlsweep(tmp_path), arguments, fate, 1)
