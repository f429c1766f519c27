"""`dlsweep status` beside a sweep that trains, that was killed, and that has ended."""

from __future__ import annotations

import json
import os
import platform
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.support.commands import Dlsweep

from dlsweep.errors import UsageError
from dlsweep.status import Status, Watch, sentence
from dlsweep.storage.folder import LocalFolder
from dlsweep.storage.holder import Holder
from dlsweep.storage.opening import open_results


def test_a_finished_sweep_has_all_runs_and_nobody_works_on_it(dlsweep: Dlsweep) -> None:
    dlsweep("run", "tiny.yaml", "-j", "1", "-q")
    done = dlsweep("status", "results")
    assert done.stdout == "tiny: all 12 runs are on disk (12 done)\n"
    (found,) = json.loads(dlsweep("status", "results/tiny", "--json").stdout)
    assert (found["done"], found["left"], found["holder"]) == (12, 0, None)
    assert dlsweep("status", "results", "--watch").stdout == done.stdout  # it ends by itself


def test_runs_that_the_config_does_not_ask_for_do_not_count(dlsweep: Dlsweep) -> None:
    dlsweep("run", "tiny.yaml", "-j", "1", "-q")
    dlsweep("run", "tiny.yaml", "seeds=2", "-j", "1", "-q")
    assert dlsweep("status", "results").stdout == "tiny: all 8 runs are on disk (8 done)\n"


def test_beside_a_sweep_that_trains_it_names_the_process_and_after_a_kill_the_way_to_go_on(dlsweep: Dlsweep) -> None:
    command = [sys.executable, "-m", "dlsweep", "run", "tiny.yaml", "train.iterations=30000", "-j", "1", "-q"]
    with subprocess.Popen(command, cwd=dlsweep.folder) as runner:
        try:
            found = _until(
                lambda: _status(dlsweep.folder / "results" / "tiny"), lambda status: status.holder is not None
            )
            assert found.holder == Holder(platform.node(), runner.pid, found.holder.since if found.holder else "")
            assert found.left > 0
            shown = dlsweep("status", "results").stdout
            assert f"process {runner.pid} on {platform.node()} has worked on it since" in shown
        finally:
            runner.send_signal(signal.SIGKILL)
    shown = dlsweep("status", "results", "--watch").stdout
    assert re.fullmatch(r"tiny: \d+ of 12 runs are on disk.*, \d+ to train\n.*", shown, re.DOTALL)
    assert "no process works on it; to go on: " in shown
    assert "run tiny.yaml train.iterations=30000 -j 1 -q" in shown


def _status(folder: Path) -> Status | None:
    try:
        return Watch().look(open_results(folder))
    except UsageError:
        return None


def _until(look: Callable[[], Status | None], wanted: Callable[[Status], bool]) -> Status:
    while True:
        found = look()
        if found and wanted(found):
            return found
        time.sleep(0.05)


def test_the_rate_is_that_of_the_process_that_works_and_not_of_earlier_ones(dlsweep: Dlsweep) -> None:
    dlsweep("run", "tiny.yaml", "-j", "1", "-q", "seeds=1")
    dlsweep("run", "tiny.yaml", "-j", "1", "-q")
    folder = dlsweep.folder / "results" / "tiny"
    since = datetime(2026, 1, 1, tzinfo=UTC)
    note = {"host": platform.node(), "pid": os.getpid(), "since": since.isoformat(sep=" ")}
    (folder / ".runner.json").write_text(json.dumps(note), "utf-8")
    found = Watch().look(open_results(folder), since + timedelta(seconds=16))
    assert found.rate == 8 / 16  # 4 of the 12 runs were there before
    assert "30 runs a minute, about 0.0 s left" not in sentence(found)  # nothing is left
    half = replace(found, total=24)
    assert sentence(half).endswith("30 runs a minute, about 24 s left")


def test_a_holder_that_has_died_is_none_and_one_on_another_machine_is_believed(tmp_path: Path) -> None:
    folder = LocalFolder(tmp_path)
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    for host, pid, known in ((platform.node(), ended.pid, False), ("elsewhere", ended.pid, True)):
        (tmp_path / ".runner.json").write_text(json.dumps({"host": host, "pid": pid, "since": "2026-01-01"}), "utf-8")
        assert (folder.holder() is not None) == known
    (tmp_path / ".runner.json").write_text("{", "utf-8")
    assert folder.holder() is None


@pytest.mark.parametrize(
    "note",
    [
        "",
        "{",
        "[]",
        "[" * 100_000,
        '{"host": "elsewhere", "pid": 1, "since": "soon"}',
        '{"host": "elsewhere", "pid": Infinity, "since": "2026-01-01"}',
        '{"host": "else\\u001b[31mwhere", "pid": 1, "since": "2026-01-01"}',
    ],
    ids=["empty", "torn", "another type", "nested", "no time", "no number", "escape sequence"],
)
def test_a_note_that_another_program_wrote_disturbs_nobody(dlsweep: Dlsweep, note: str) -> None:
    dlsweep("run", "tiny.yaml", "-j", "1", "-q", "seeds=1")
    (dlsweep.folder / "results/tiny/.runner.json").write_text(note, "utf-8")
    shown = dlsweep("status", "results").stdout
    assert shown.startswith("tiny: all 4 runs are on disk (4 done)\n")
    assert all(line.isprintable() for line in shown.splitlines())
    assert ("process 1 on else\N{REPLACEMENT CHARACTER}[31mwhere" in shown) == ("where" in note and "u001b" in note)
    assert "4 of 4 runs are done already" in dlsweep("run", "tiny.yaml", "-j", "1", "seeds=1").stderr


def test_a_command_cannot_steer_the_terminal(dlsweep: Dlsweep) -> None:
    dlsweep("run", "tiny.yaml", "-j", "1", "-q", "--max-memory", "1e-6", "-o", "re\x1b[31msults")
    for table in ("curves", "predictions", "runs"):
        min((dlsweep.folder / "re\x1b[31msults/tiny" / table).iterdir()).unlink()
    shown = dlsweep("status", "re\x1b[31msults").stdout
    assert "to go on: dlsweep run tiny.yaml" in shown
    assert all(line.isprintable() for line in shown.splitlines())


def test_a_folder_without_results_is_an_error_in_a_sentence(dlsweep: Dlsweep) -> None:
    (dlsweep.folder / "empty").mkdir()
    assert dlsweep("status", "empty", code=2).stderr == "there are no results in empty\n"


def test_runs_without_a_record_are_told(dlsweep: Dlsweep) -> None:
    dlsweep("run", "tiny.yaml", "-j", "1", "-q")
    (dlsweep.folder / "results/tiny/sweep.json").unlink()
    for command in ("status", "show", "verify"):
        assert "results/tiny holds runs but no sweep.json" in dlsweep(command, "results/tiny", code=4).stderr


def test_the_command_to_go_on_is_one_for_this_folder(dlsweep: Dlsweep) -> None:
    dlsweep("run", "tiny.yaml", "-j", "1", "--max-memory", "1e-6", "-q", "--shard", "0/2")
    shard = dlsweep.folder / "results/tiny.shard-0-of-2"
    for table in ("curves", "predictions", "runs"):
        min((shard / table).iterdir()).unlink()
    again = "  no process works on it; to go on: dlsweep run tiny.yaml -j 1 --max-memory 1e-6 -q --shard 0/2\n"
    assert dlsweep("status", str(shard)).stdout.endswith(again)
    dlsweep("merge", "results/united", str(shard))
    assert dlsweep("status", "results/united").stdout.endswith("  no process works on it\n")


def test_a_look_reads_only_new_parts(dlsweep: Dlsweep, monkeypatch: pytest.MonkeyPatch) -> None:
    dlsweep("run", "tiny.yaml", "-j", "1", "-q")
    watch, folder = Watch(), dlsweep.folder / "results" / "tiny"
    first = watch.look(open_results(folder))
    read: list[str] = []
    whole = LocalFolder.get
    monkeypatch.setattr(LocalFolder, "get", lambda self, name: read.append(name) or whole(self, name))  # type: ignore[func-returns-value]
    assert watch.look(open_results(folder)) == first
    assert read[0] == "sweep.json"
    assert len(read) <= 2  # opening the results compares the sweep of one part with that of the record
