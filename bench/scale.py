"""Cost of size: a million planned runs, small runs, many chunks, two cores, Dask: `python -m bench.scale [--quick]`.

Every sweep runs through the command line, in a process of its own. Processor seconds are given beside seconds, since a
machine with other work adds to the latter only. Last, `bench.projection` computes the needs of a larger sweep.
"""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from bench.common import PROCESSES, environment
from bench.projection import Measured, Prices, Sweep, projection
from bench.simulations import Table, command
from bench.stores import usage
from dlsweep import load, open_results, plan
from dlsweep.execution.worker import Receipt, Task
from dlsweep.storage import compatibility, parts
from dlsweep.storage.folder import LocalFolder
from dlsweep.storage.store import Store
from dlsweep.storage.tables import TABLES

SEEDS = 10
PLANNED = (100_000, 500_000, 1_000_000)
RUNS = (10, 100, 1000, 10_000)
SHORT, LONG = 20, 1000  # iterations of a run
CHUNKS = (100, 300, 1000)
HALVES, STEPS = 2000, 1000  # runs, and iterations of each, of the sweeps that two cores train
ROUNDS = 2

# The command line; afterwards a file has the processor seconds of the training loop.
TIMED = """
import atexit, sys, time
from pathlib import Path
from dlsweep.cli import main
from dlsweep.execution import worker

spent, train = 0.0, worker.train

def timed(*given, **named):
    global spent
    start = time.process_time()
    try:
        return train(*given, **named)
    finally:
        spent += time.process_time() - start

worker.train = timed
atexit.register(lambda: Path(told).write_text(str(spent)))
told = sys.argv.pop(1)
main()
"""


def config(folder: Path, name: str, runs: int, iterations: int = SHORT, every: int = 0, hidden: int = 4) -> Path:
    """Write a sweep of tiny networks on tiny data: learning rates by ten seeds, two activations from 20 runs on."""
    draw = np.random.default_rng(0)
    x, t = draw.random((120, 8), np.float32), draw.integers(0, 3, 120)
    np.savez(folder / "tiny.npz", x_train=x[:100], t_train=t[:100], x_test=x[100:], t_test=t[100:])
    activations = ["sigmoid", "relu"][: max(1, min(2, runs // SEEDS))]
    arms = max(1, runs // SEEDS // len(activations))
    momenta = np.linspace(0.05, 0.95, 10 if arms % 10 == 0 else 1).round(3).tolist()
    rates = np.geomspace(1e-3, 1, arms // len(momenta)).round(8).tolist()
    sweep: dict[str, Any] = {
        "name": name,
        "data": {"npz": {"path": str(folder / "tiny.npz")}},
        "model": {"mlp": {"hidden": [hidden]}},
        "train": {"iterations": iterations, "batch_size": 10, "sampling": "replacement"},
        "evaluate": {"every": every or max(1, iterations // 2), "on": ["batch", "test"]},
        "seeds": SEEDS,
        "grid": {"activation": activations, "optimizer": {"momentum": {"lr": rates, "alpha": momenta}}},
    }
    path = folder / f"{name}.yaml"
    path.write_text(json.dumps(sweep), encoding="utf-8")
    return path


def dlsweep(path: Path, *words: str) -> list[str]:
    """Return the command that trains a sweep beside its config."""
    return [sys.executable, "-m", "dlsweep", "run", str(path), "--quiet", "-o", str(path.parent), *words]


def trained(path: Path, *words: str) -> tuple[float, float, float]:
    """Run a sweep in one process. Return its processor seconds, those of the training loop, and peak bytes."""
    told = path.with_suffix(".told")
    _, cpu, memory = usage([sys.executable, "-c", TIMED, str(told), *dlsweep(path, "-j", "1", *words)[3:]])
    return cpu, float(told.read_text()), memory


def together(*lines: Sequence[str]) -> tuple[float, float]:
    """Run commands at the same time. Return seconds, and processor seconds of them and of all their descendants."""
    program = [sys.executable, str(Path(__file__).with_name("together.py")), json.dumps(lines)]
    done = subprocess.run(program, check=True, stdout=subprocess.PIPE, env=environment(None))
    wall, cpu = json.loads(done.stdout.splitlines()[-1])
    return wall, cpu


def files(folder: Path) -> list[Path]:
    """Return all files of a folder; those that are deleted meanwhile may be missing."""
    return [path for path in folder.rglob("*") if path.is_file()]


def planning(folder: Path, share: float, measured: Measured) -> Table:
    """Measure dry runs, which read a config, sort its runs into chunks, and time a few steps."""
    note = "`dlsweep run --dry-run`, with its start-up and the timing of a few steps. To be reached: 20 s and 500 MB."
    table = Table("Planning", note, ["runs", "seconds", "processor s", "memory, MB"])
    for runs in (int(runs * share) for runs in PLANNED):
        wall, cpu, memory = usage(dlsweep(config(folder, f"plan-{runs}", runs), "--dry-run", "--max-runs", "1000000"))
        table.rows.append([f"{runs:,}", f"{wall:.1f}", f"{cpu:.1f}", f"{memory / 1e6:.0f}"])
        measured.planned[runs] = cpu, memory
    return table


def small_runs(folder: Path, share: float, measured: Measured) -> Table:
    """Measure sweeps of more and more runs in one process, without figures."""
    note = (
        f"Tiny networks in one process (`-j 1`) with 3 evaluations; last, with {LONG // 10 + 1}. Training: processor "
        "seconds of the training loop. Start: the others of the smallest sweep. Beyond: all others without the start. "
        "To be reached: a share beyond the training under 10 %, and no more memory or time a run for more runs."
    )
    header = ["runs", "iterations", "processor s", "training, s", "start, s", "ms a run without start"]
    header += ["µs a run beyond", "share beyond", "with start", "memory, MB", "files", "bytes a run"]
    table = Table("Time and memory of small runs", note, header)
    sizes = [int(runs * share) for runs in RUNS if runs * share >= SEEDS]
    start = None
    for runs, iterations, every in [*((n, SHORT, 0) for n in sizes), (sizes[-1], LONG, 0), (sizes[-1] // 10, LONG, 10)]:
        path = config(folder, f"sweep-{runs}-{iterations}-{every}", runs, iterations, every)
        cpu, training, memory = trained(path)
        start = measured.start = cpu - training if start is None else start
        beyond, written = cpu - training - start, files(path.with_suffix(""))
        size = sum(file.stat().st_size for file in written) / runs
        row = [f"{runs:,}", str(iterations), f"{cpu:.2f}", f"{training:.2f}", f"{start:.2f}"]
        row += [f"{1e3 * (cpu - start) / runs:.2f}", f"{1e6 * beyond / runs:.0f}", f"{beyond / (cpu - start):.0%}"]
        table.rows.append([*row, f"{1 - training / cpu:.0%}", f"{memory / 1e6:.0f}", f"{len(written)}", f"{size:.0f}"])
        read = LocalFolder(path.with_suffix(""))
        memory = sum(parts.stored(read, name).nbytes for t in TABLES for name in read.list(t)) / runs
        own = Sweep(training / runs, max(0.0, beyond / runs), size, memory, 1)
        if every:
            measured.long = own
        else:
            measured.small = own
    return table


@contextmanager
def watched(folder: Path) -> Iterator[list[int]]:
    """Count the files of a folder again and again, and yield the list of counts."""
    counts, ended = [0], threading.Event()

    def watch() -> None:
        while not ended.wait(0.1):
            counts.append(len(files(folder)))

    watcher = threading.Thread(target=watch)
    watcher.start()
    yield counts
    ended.set()
    watcher.join()


def many_chunks(folder: Path, share: float, measured: Measured) -> Table:
    """Measure sweeps in which each run is a chunk, with a part of each table: the parts are united."""
    note = "As above, with the memory for one run at a time: each is a chunk, which is written and synced by itself."
    header = ["chunks", "processor s", "training, s", "ms a chunk beyond", "memory, MB", "files at most", "files"]
    table = Table("Files of many chunks", note, header)
    for runs in (max(20, int(runs * share)) for runs in CHUNKS):
        path = config(folder, f"chunks-{runs}", runs)
        with watched(path.with_suffix("")) as counts:
            cpu, training, memory = trained(path, "--max-memory", "1e-6")
        left = len(files(path.with_suffix("")))
        beyond = cpu - training - measured.start
        row = [f"{runs:,}", f"{cpu:.1f}", f"{training:.1f}", f"{1e3 * beyond / runs:.1f}", f"{memory / 1e6:.0f}"]
        table.rows.append([*row, str(max(*counts, left)), str(left)])
        measured.chunk = beyond / runs
    return table


def cores(folder: Path, share: float, measured: Measured) -> Table:
    """Compare workers of one sweep with as many independent processes, each of which trains one shard of it."""
    note = (
        f"{PROCESSES} workers of one command, and in turns {PROCESSES} commands at the same time that each train a "
        "shard in one process. Efficiency: what the latter take by what the former take. To be reached: 90 %."
    )
    header = ["round", "workers, s", "halves, s", "efficiency", "workers, processor s", "halves, processor s"]
    table = Table(f"{PROCESSES} cores", note, [*header, "efficiency"])
    for number in range(ROUNDS if share == 1 else 1):
        path = config(folder, f"halves-{number}", max(40, int(HALVES * share)), max(10, int(STEPS * share)), hidden=50)
        wall, cpu = together(dlsweep(path, "-j", str(PROCESSES)))
        shards = [dlsweep(path, "-j", "1", "--shard", f"{i}/{PROCESSES}") for i in range(PROCESSES)]
        apart, spent = together(*shards)
        row = [str(number + 1), f"{wall:.1f}", f"{apart:.1f}", f"{apart / wall:.0%}"]
        table.rows.append([*row, f"{cpu:.1f}", f"{spent:.1f}", f"{spent / cpu:.0%}"])
    return table


def dask(folder: Path, share: float, measured: Measured) -> Table:
    """Compare workers of Dask, in a cluster of this machine, with worker processes."""
    note = (
        f"`--executor dask` and `--executor processes`, {PROCESSES} workers, in turns; start: of a sweep of one run. "
        "Overhead: of the seconds, and of the processor seconds, each without its start. To be reached: 10 %."
    )
    header = ["round", "s a chunk", "processes, s", "Dask, s", "overhead", "processes, processor s"]
    table = Table("Dask", note, [*header, "Dask, processor s", "overhead"])
    if not find_spec("distributed"):
        table.rows.append(["`distributed` is not installed: pip install 'dlsweep[dask]'"])
        return table

    def spent(path: Path, executor: str) -> tuple[float, float]:
        return together(dlsweep(path, "-j", str(PROCESSES), "--executor", executor))

    once = {name: spent(config(folder, f"once-{name}", 1), name) for name in ("processes", "dask")}
    table.rows.append(["start", "", *(f"{once[name][0]:.1f}" for name in once), ""])
    table.rows[-1] = [*table.rows[-1], *(f"{once[name][1]:.1f}" for name in once), ""]
    for number in range(ROUNDS if share == 1 else 1):
        took = {}
        for name in once:
            size = max(40, int(HALVES * share)), max(10, int(STEPS * share))
            path = config(folder, f"dask-{number}-{name}", *size, hidden=50)
            took[name] = spent(path, name)
        results = open_results(path.with_suffix(""))
        each = results.runs["seconds"].sum() / len(results.files.list("runs"))
        walls, cpus = ([took[name][i] for name in once] for i in range(2))
        more = [
            (took["dask"][i] - once["dask"][i]) / (took["processes"][i] - once["processes"][i]) - 1 for i in range(2)
        ]
        row = [str(number + 1), f"{each:.1f}", *(f"{x:.1f}" for x in walls), f"{more[0]:.0%}"]
        table.rows.append([*row, *(f"{x:.1f}" for x in cpus), f"{more[1]:.0%}"])
    return table


def messages(folder: Path, share: float, measured: Measured) -> Table:
    """Measure what a chunk of 512 small runs and its receipt take in messages to and from a worker."""
    made = load(config(folder, "messages", 10_000))
    task = Task(Store(LocalFolder(folder), compatibility.tables(made)))
    chunk = next(plan(made).chunks((), 1, 1 << 30))
    receipt = Receipt(tuple(run.id for run in chunk), ("done",) * len(chunk))
    sizes = [len(pickle.dumps(one)) for one in (chunk, (task, chunk), receipt)]
    measured.small, measured.message = replace(measured.small, chunk=len(chunk)), sum(sizes[1:])
    header = ["runs", "chunk to a process, kB", "task to Dask, kB", "receipt, kB"]
    row = [str(len(chunk)), *(f"{size / 1e3:.1f}" for size in sizes)]
    return Table("Messages of a chunk", "Pickled, as they are sent.", header, [row])


def tables(share: float, **prices: float) -> Iterable[Table]:
    """Yield a table of each cost, and one of a larger sweep; share: of the full sizes."""
    measured = Measured()
    for measure in (planning, small_runs, many_chunks, messages, cores, dask):
        with tempfile.TemporaryDirectory() as folder:
            yield measure(Path(folder), share, measured)
    yield projection(measured, Prices(**prices))


if __name__ == "__main__":
    command("scale", "Cost of size", tables, core_hour=Prices.core_hour, gb_month=Prices.gb_month, months=Prices.months)
