"""`dlsweep doctor` on this machine, and on ones where something is wrong."""

from __future__ import annotations

import json
import os
import platform
from importlib import metadata
from pathlib import Path

import pytest
from tests.support.commands import Dlsweep

from dlsweep import doctor, machine


def test_it_tries_every_part_and_leaves_nothing_behind(dlsweep: Dlsweep) -> None:
    done = dlsweep("doctor")
    lines = done.stdout.splitlines()
    assert lines[-1] == "Everything works."
    assert all(line.startswith("ok    ") for line in lines[:-2])
    assert f"Python: {platform.python_version()}" in done.stdout
    assert "worker processes: start" in done.stdout
    assert sorted(path.name for path in dlsweep.folder.iterdir()) == ["tiny.npz", "tiny.yaml"]
    found = json.loads(dlsweep("doctor", "--json").stdout)
    assert [one["part"] for one in found][:4] == ["Python", "packages", "BLAS", "cores"]


def test_low_limits_and_folders_that_cannot_be_written_are_wrong(dlsweep: Dlsweep) -> None:
    done = dlsweep(
        "doctor", code=1, anew=True, DLSWEEP_DATA="/proc/data", MPLCONFIGDIR="/proc/fonts", TMPDIR="/" + "x" * 90
    )
    assert "/proc cannot be written; set DLSWEEP_DATA to a folder that can" in done.stdout
    assert "things to mend" in done.stdout


def test_a_results_folder_that_is_read_only_is_wrong() -> None:
    (found,) = [one for one in doctor.examine(Path("/proc/results")) if one.part.startswith("results")]
    assert found.wrong == "/proc cannot be written (No such file or directory); give -o a folder that can"


def test_packages_that_are_too_old_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "1.0" if name == "numpy" else real(name))
    found = doctor._packages()
    assert "numpy is 1.0, and must be >=2" in found.wrong
    assert found.wrong.endswith("install dlsweep again")


def test_little_memory_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "available_memory", lambda: 100 << 20)
    assert "are free; close other programs, or use -j 1" in doctor._memory().wrong


def test_a_worker_that_cannot_start_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_answer", os._exit)
    monkeypatch.setattr(doctor, "PATIENCE", 30.0)
    assert doctor._tried("worker processes", doctor._workers).wrong
