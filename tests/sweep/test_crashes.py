"""What is on disk survives anything: a kill or an error at every durable operation, a full disk (faults 1, 2, 3, 4)."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from tests.support import PROGRAMS
from tests.support.sweeps import Bits, Launch, Make

import dlsweep

FATES = (PROGRAMS / "fates.py").read_text()


@pytest.fixture
def memory_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder in which many a sync costs little, where the system has one."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else tmp_path) as folder:
        yield Path(folder)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.parametrize(
    ("fate", "scenario"),
    [
        *(("kill", scenario) for scenario in ("plain", "damaged", "complete", "forced", "further", "compacted")),
        ("error", "complete"),
        ("error", "compacted"),
    ],
)
def test_whatever_happens_at_any_durable_operation_the_sweep_goes_on(
    make: Make, launch: Launch, memory_disk: Path, fate: str, scenario: str
) -> None:
    two, one = ({"activation": activations, "init": ["he"]} for activations in (["relu", "tanh"], ["relu"]))  # chunks
    config, before = make(seeds=1, grid=two), None
    if scenario == "damaged":
        before = config
    if scenario == "complete":  # with everything that is kept of a run
        config = make(seeds=2, grid=one, evaluate={"every": 2, "on": ["test"], "keep": "best", "ensemble": True})
    if scenario == "forced":
        config = make(seeds=1, grid=one, evaluate={"every": 2, "on": ["test"], "keep": "best"})
        before = config | {"seeds": 2}
    if scenario == "further":
        config = make(seeds=1, grid=two, evaluate={"every": 2, "on": ["test"], "keep": "final"})
        before = config | {"train": config["train"] | {"iterations": 3}}
    if scenario == "compacted":
        config = make(seeds=1, grid=two, evaluate={"every": 6, "on": ["batch"]})  # two tables
    options = {"forced": {"force": True}, "compacted": {"parts": 1}}.get(scenario, {})
    output, start = memory_disk / "output", memory_disk / "start"
    start.mkdir()
    process = launch(FATES, fate, *map(json.dumps, (config, before, options)), output, start)
    lines, messages = process.communicate()
    assert process.returncode == 0, messages
    assert messages == ""

    told = [json.loads(line) for line in lines.splitlines()]
    assert len(told) > (20 if before is None else 8)
    _, ends, resumed, *looks = zip(*told, strict=True)
    assert set(resumed) == {0}
    if fate == "kill":
        assert set(ends[:-1]) == {-signal.SIGKILL}
    else:
        assert set(ends[:-1]) == {0, 1}  # 0 where the operation was to clean up, and nothing depends on it
    digests, hidden, whole, lengths = looks
    if scenario == "further":  # until all runs are longer, all are as they were
        assert {tuple(found) for found in lengths} == {(3, 3), (6, 6)}
    if scenario == "compacted":  # a run counts once, in whichever part
        assert {tuple(found) for found in lengths} == {(), (6,), (6, 6)}
    assert len(set(digests)) == 1
    assert not any(hidden)
    assert all(whole)


SWEEP = (PROGRAMS / "limited.py").read_text()


@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_a_full_disk_ends_the_sweep_with_a_sentence_and_it_goes_on_later(
    make: Make, launch: Launch, tmp_path: Path, bits: Bits, leftovers: Any, executor: str
) -> None:
    whole = dlsweep.run(make(), output=tmp_path / "whole", executor="inline")
    # What is written, in this order, grows: so a limit below the size of one lets all before it pass.
    files = [whole.folder / "sweep.yaml", whole.folder / "sweep.json"]
    files += [
        min((whole.folder / table).iterdir(), key=lambda path: path.stat().st_size) for table in ("curves", "runs")
    ]
    sizes = [0, *(path.stat().st_size for path in files)]
    assert sizes == sorted(sizes)
    limits = [10, *(size - 100 for size in sizes[1:])]
    codes, messages = launch(SWEEP, json.dumps(make()), executor, tmp_path, *limits).communicate()
    assert codes.split() == ["1"] * len(limits)
    assert messages.count("\n") == len(limits)
    for i, message in enumerate(messages.splitlines(keepends=True)):
        output = tmp_path / str(i)
        assert message.startswith(f"cannot write {output}/tiny/")
        assert message.endswith(": File too large\n")
        assert not leftovers(output / "tiny")
        assert not list(output.glob("tiny/runs/*"))
        resumed = dlsweep.run(make(), output=output, executor="inline")
        assert bits(resumed) == bits(whole)


def test_a_sweep_that_is_killed_at_random_moments_ends_as_if_nothing_had_happened(
    make: Make, tmp_path: Path, memory_disk: Path, bits: Bits, leftovers: Any
) -> None:
    config = make(train={"iterations": 500, "batch_size": 5}, evaluate={"every": 500, "on": ["test"]}, seeds=8)
    (tmp_path / "config.yaml").write_text(json.dumps(config))
    # With the memory for one run at a time: 32 chunks.
    command = [sys.executable, "-m", "dlsweep", "run", "config.yaml", "-q", "-j", "2", "--max-memory", "1e-6"]
    command += ["-o", str(memory_disk)]
    moments = random.Random(0)
    committed = 0
    for _ in range(3):
        process = subprocess.Popen(command, cwd=tmp_path, start_new_session=True)
        while len(list(memory_disk.glob("tiny/runs/*.parquet"))) == committed:
            assert process.poll() is None
            time.sleep(0.01)
        time.sleep(0.1 * moments.random())
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        committed = len(list(memory_disk.glob("tiny/runs/*.parquet")))
        assert 0 < committed < 32
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    killed = dlsweep.open_results(memory_disk / "tiny")
    assert not leftovers(killed.folder)
    assert bits(killed) == bits(dlsweep.run(config, output=tmp_path / "whole", executor="inline"))
