"""A URL is never taken for a folder of this machine."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.support.commands import Dlsweep

import dlsweep
from dlsweep.errors import UsageError
from dlsweep.storage.location import located

COMMANDS = [
    ["run", "tiny.yaml", "-o", "URL"],
    ["run", "tiny.yaml", "--dry-run", "-o", "URL"],
    ["show", "URL"],
    ["plot", "URL"],
    ["check", "URL"],
    ["effects", "URL"],
    ["diff", "URL", "URL"],
    ["status", "URL"],
    ["verify", "URL"],
    ["export", "URL", "-o", "runs.csv"],
    ["export", "results", "-o", "URL"],
    ["merge", "URL", "results"],
    ["merge", "results", "URL"],
    ["doctor", "-o", "URL"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_command_takes_a_url_for_a_folder(command: list[str], tmp_path: Path) -> None:
    sweeps = Dlsweep(tmp_path)
    before = sorted(tmp_path.iterdir())
    done = sweeps(*(word.replace("URL", "s9://bucket/x") for word in command), code=2)
    assert "s9://bucket/x" in done.stderr  # without the packages, or without such a file system
    assert sorted(tmp_path.iterdir()) == before


def test_a_url_needs_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "upath", None)
    with pytest.raises(UsageError, match=r"s3://bucket/x: .* pip install 'dlsweep\[remote\]'"):
        dlsweep.open_results("s3://bucket/x")


@pytest.mark.parametrize("place", [Path("s3://bucket/x"), "s3:/bucket/x"])
def test_a_flattened_url_is_refused_with_the_url(place: str | Path) -> None:
    with pytest.raises(UsageError, match="s3://bucket/x"):
        located(place)
    with pytest.raises(UsageError, match="s3://bucket/x"):
        dlsweep.open_results(place)


def test_a_folder_may_have_a_colon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mnist:").mkdir()
    monkeypatch.chdir(tmp_path)
    assert located("mnist:/tiny") == Path("mnist:/tiny")
    assert located("C:/results") == Path("C:/results")
