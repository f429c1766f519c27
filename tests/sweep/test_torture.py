"""Long tests of faults, which `make torture` runs: kills at random, little memory, gzip bombs, few processes.

TORTURE_SECONDS: how long the kills go on, 180 by default. TORTURE_CGROUP: a memory control group in which this user may
make groups, such as `/sys/fs/cgroup/memory/mine`; by default those of the system are tried.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.support.processes import of_session
from tests.support.sweeps import Bits, Make

import dlsweep

pytestmark = [pytest.mark.torture, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]

SECONDS = float(os.environ.get("TORTURE_SECONDS", "180"))
DLSWEEP = [sys.executable, "-m", "dlsweep"]
Done = subprocess.CompletedProcess[str]


def run(folder: Path, *arguments: object, limit: Callable[[], Any] | None = None) -> Done:
    command = [*DLSWEEP, *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, preexec_fn=limit, timeout=600)


def in_sentences(done: Done) -> bool:
    return done.stderr.strip() != "" and "Traceback" not in done.stderr


KEPT: dict[str, dict[str, Any]] = {
    "plain": {"evaluate": {"every": 100, "on": ["test"]}},
    "kept": {"evaluate": {"every": 100, "on": ["test"], "keep": "final", "ensemble": True}},
    "measured": {"evaluate": {"every": 100, "on": ["batch", "test"], "keep": "best", "layers": True}},
}


@pytest.mark.parametrize("kind", KEPT)
def test_runners_and_workers_that_are_killed_again_and_again(
    make: Make, tmp_path: Path, bits: Bits, leftovers: Any, kind: str
) -> None:
    config = make(train={"iterations": 400, "batch_size": 5}, seeds=6, **KEPT[kind])
    (tmp_path / "config.yaml").write_text(json.dumps(config))
    whole = bits(dlsweep.run(config, output=tmp_path / "whole", executor="inline"))
    arguments = ["run", "config.yaml", "-q", "-j", "2", "--max-memory", "1e-6", "--retry"]  # a chunk for each run
    draw, end, kills = random.Random(kind), time.monotonic() + SECONDS / len(KEPT), 0
    while time.monotonic() < end:
        process = subprocess.Popen([*DLSWEEP, *arguments], cwd=tmp_path, start_new_session=True, stderr=subprocess.PIPE)
        while process.poll() is None and time.monotonic() < end:
            time.sleep(draw.uniform(0, 1.5))
            workers = of_session(process.pid)
            victim = draw.choice(workers) if workers and draw.random() < 0.6 else process.pid
            try:
                os.kill(victim, signal.SIGKILL)
                kills += 1
            except ProcessLookupError:
                pass
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        _, messages = process.communicate()
        assert b"Traceback" not in messages, messages.decode()
        for left in of_session(process.pid):  # a worker notices by itself, within seconds
            os.kill(left, signal.SIGKILL)
        if draw.random() < 0.2:
            shutil.rmtree(tmp_path / "results", ignore_errors=True)
    assert kills > 3
    done = run(tmp_path, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    results = dlsweep.open_results(tmp_path / "results" / "tiny")
    assert bits(results) == whole
    assert not leftovers(results.folder)


LIMITS = ("memory.max", "memory.limit_in_bytes")  # of control groups of version 2 and 1


@pytest.fixture
def group() -> Iterator[Path]:
    """A memory control group of its own."""
    for above in filter(None, (os.environ.get("TORTURE_CGROUP"), "/sys/fs/cgroup/memory", "/sys/fs/cgroup")):
        made = Path(above, f"dlsweep-{os.getpid()}")
        with suppress(OSError):
            made.mkdir()
            if any((made / name).exists() for name in LIMITS):
                yield made
                made.rmdir()
                return
            made.rmdir()
    pytest.skip("this user may make no memory control group; TORTURE_CGROUP names one in which it may")


def test_workers_that_run_out_of_their_memory_cgroup(make: Make, tmp_path: Path, bits: Bits, group: Path) -> None:
    wide = make(model={"mlp": {"hidden": [3000, 3000]}}, train={"iterations": 2, "batch_size": 5}, seeds=2)
    (tmp_path / "config.yaml").write_text(json.dumps(wide))
    limit = next(name for name in LIMITS if (group / name).exists())
    (group / limit).write_text(str(300 << 20))
    join = lambda: (group / "cgroup.procs").write_text(str(os.getpid()))  # noqa: E731
    done = run(tmp_path, "run", "config.yaml", "-j", "2", "--max-memory", "8", limit=join)
    assert done.returncode != 0
    assert in_sentences(done) or done.returncode == -signal.SIGKILL  # the system may end the runner itself
    assert run(tmp_path, "run", "config.yaml", "-q", "-j", "1", "--retry").returncode == 0
    whole = dlsweep.run(wide, output=tmp_path / "whole", executor="inline")
    assert bits(dlsweep.open_results(tmp_path / "results" / "tiny")) == bits(whole)


def little_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
    resource.setrlimit(resource.RLIMIT_CPU, (120, 120))


def nested(levels: int, size: int = 1 << 28) -> bytes:
    content = bytes(size)
    for _ in range(levels):
        content = gzip.compress(content)
    return content


def refused(path: Path, *command: str) -> None:
    done = run(path.parent, *command, path, limit=little_memory)
    assert done.returncode == 2, done
    assert in_sentences(done), done


@pytest.mark.parametrize("levels", [1, 2, 4])
def test_nested_gzip_bombs_are_told(tmp_path: Path, levels: int) -> None:
    bomb = nested(levels)
    for name in ("data.csv.gz", "data.csv", "data.npz"):
        (tmp_path / name).write_bytes(bomb)
        refused(tmp_path / name, "data", "check")
    for part in ("train-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"):
        (tmp_path / part).write_bytes(bomb)
        refused(tmp_path / part, "data", "import", "kmnist")


def test_bombs_inside_of_archives_are_told(tmp_path: Path) -> None:
    head = io.BytesIO()
    np.save(head, np.zeros((2, 2), np.float32))
    with zipfile.ZipFile(tmp_path / "zip.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("x_train", "t_train", "x_test", "t_test"):
            archive.writestr(f"{name}.npy", head.getvalue() + bytes(1 << 29))
    refused(tmp_path / "zip.npz", "data", "check")
    zeros = pa.table({"x": np.zeros(20_000_000), "label": np.zeros(20_000_000, np.int8)})
    for compression in ("gzip", "zstd"):
        pq.write_table(zeros, tmp_path / f"{compression}.parquet", compression=compression)
        refused(tmp_path / f"{compression}.parquet", "data", "check")


NOBODY = 65534  # the user that ulimit -u is tried with where this one is root, whom it does not bound


def as_nobody() -> None:
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


@pytest.fixture
def folder(data: Path) -> Iterator[Path]:
    """A folder of the user that is bounded."""
    with TemporaryDirectory(dir="/tmp") as made:
        Path(made).chmod(0o777)
        shutil.copy(data, made)
        reason = "ulimit -u does not bound root, and another user cannot run dlsweep"
        try:
            done = run(Path(made), "--version", limit=as_nobody)
        except PermissionError as error:  # the interpreter is in a folder of root
            pytest.skip(f"{reason}: {error}")
        if done.returncode:
            pytest.skip(f"{reason}: {done.stderr.strip()}")
        yield Path(made)


@pytest.mark.parametrize("more", [0, 1, 2, 3, 4, 6, 8, 12, 20])
def test_any_number_of_processes_is_enough_or_told(make: Make, folder: Path, bits: Bits, more: int) -> None:
    config = make(data={"npz": {"path": str(folder / "tiny.npz")}})
    threads = sum(
        int(line.split()[1])
        for path in Path("/proc").glob("[0-9]*/status")
        if path.stat().st_uid == (os.getuid() or NOBODY)
        for line in path.read_text().splitlines()
        if line.startswith("Threads:")
    )
    (folder / "config.yaml").write_text(json.dumps(config))
    limit = threads + more

    def few() -> None:
        as_nobody()
        resource.setrlimit(resource.RLIMIT_NPROC, (limit, limit))

    for jobs in ("1", "2"):
        done = run(folder, "run", "config.yaml", "-j", jobs, limit=few)
        assert done.returncode == 0 or in_sentences(done), done
    done = run(folder, "run", "config.yaml", "-q", "-j", "1", "--retry", limit=as_nobody)
    assert (done.returncode, done.stderr) == (0, "")
    whole = dlsweep.run(config, output=folder / "whole", executor="inline")
    assert bits(dlsweep.open_results(folder / "results" / "tiny")) == bits(whole)
