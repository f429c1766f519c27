"""Kills at random moments of the processes that train a sweep, on workers of Dask and on a server of S3."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from itertools import count
from random import Random

from tests.support import faults
from tests.support.commands import Dlsweep
from tests.support.s3 import Remote

import dlsweep as package
from dlsweep.storage.folder import open_folder
from dlsweep.storage.location import located

KILLS = 4  # in a sweep of 32 chunks
LONG = ["--max-memory", "1e-6", "seeds=8", "train.iterations=1000", "evaluate.every=500", "evaluate.keep=final", "-q"]

TORTURE_SECONDS = float(os.environ.get("TORTURE_SECONDS", "180"))

# Kills one of the workers of a runner.
KillWorker = Callable[["subprocess.Popen[str]", Random], None]


def survives_kills(
    sweeps: Dlsweep, output: str, arguments: Sequence[str], kill_worker: KillWorker, seconds: float
) -> None:
    """Assert that a sweep whose runner and workers are killed is complete in the end; one sweep after the other.

    seconds: after which no other sweep begins.
    """
    sweeps("run", "tiny.yaml", *LONG, "-j", "1", "-o", "whole")
    whole = faults.digest(package.open_results(sweeps.folder / "whole/tiny"))
    end = time.monotonic() + seconds
    for number in count():
        options = [*LONG, "--retry", *arguments, "-o", f"{output}/killed-{number}"]
        kill_at_random(sweeps, options, f"{output}/killed-{number}/tiny", kill_worker, Random(number))
        assert sweeps("run", "tiny.yaml", *options, anew=True).stderr == ""
        assert_complete(sweeps, f"{output}/killed-{number}/tiny", whole)
        if time.monotonic() > end:
            break


def kill_at_random(sweeps: Dlsweep, options: Sequence[str], place: str, kill_worker: KillWorker, draw: Random) -> None:
    """Kill the runner of a sweep, which starts again, or a worker, each time a moment after another chunk counts."""
    folder, kills = open_folder(located(place)), 0
    while kills < KILLS:
        with sweeps.start(*options) as process:
            while process.poll() is None and kills < KILLS:
                before = folder.list("runs")
                while folder.list("runs") == before and process.poll() is None:
                    time.sleep(0.02)
                time.sleep(draw.uniform(0, 0.2))
                assert process.poll() is None, process.communicate()  # there are chunks enough for all kills
                kills += 1
                if draw.random() < 0.4:
                    process.kill()
                    process.wait()
                else:
                    kill_worker(process, draw)
        assert process.returncode == -signal.SIGKILL


def assert_complete(sweeps: Dlsweep, place: str, whole: str) -> None:
    """Assert that all runs are done, once each and with the digest of the whole, and that no other file is left."""
    results = package.open_results(place)
    assert faults.digest(results) == whole
    assert set(results.runs["status"]) == {"done"}
    found = {table: len(results.files.list(table)) for table in ("curves", "predictions", "runs")}
    assert len(set(found.values())) == 1
    if isinstance(sweeps, Remote):  # nothing beside these parts, and the markers of runs/
        assert {table: len(sweeps.at(place, table)) for table in found} == {**found, "runs": 2 * found["runs"]}
