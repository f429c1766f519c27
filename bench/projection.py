"""Needs of a sweep of a hundred million runs, computed from what `bench.scale` measures."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise

from bench.simulations import Table
from dlsweep.storage.compaction import MOST, MOST_BYTES, MOST_RUNS

RUNS, SHARDS, CORES = 10**8, 1000, 1000
TABLES, OTHERS = 3, 3  # runs/, curves/ and predictions/; `sweep.yaml`, `sweep.json` and the lock
MESSAGES = 8  # of Dask for a chunk: to submit, assign, report the end, gather the receipt and forget it, with answers
TASK = 1e-3  # seconds of a scheduler for a chunk, as Dask's documentation says


@dataclass(frozen=True)
class Prices:
    """Dollars for an hour of a core, and for a gigabyte kept for a month; months of keeping."""

    core_hour: float = 0.04
    gb_month: float = 0.023
    months: float = 12.0


@dataclass(frozen=True)
class Sweep:
    """Seconds of the training of a run, seconds beyond it, bytes on disk and in memory, and runs in a chunk."""

    training: float
    beyond: float
    disk: float
    memory: float
    chunk: int


@dataclass
class Measured:
    """Measurements of `bench.scale`. planned: processor seconds and peak bytes of a dry run by its number of runs.

    small, long: runs with few evaluations, and with a hundred. start: seconds of the start of a sweep. chunk: seconds
    of a chunk beyond its runs. message: the bytes of a task and its receipt.
    """

    planned: dict[int, tuple[float, float]] = field(default_factory=dict)
    small: Sweep = Sweep(0, 0, 0, 0, 1)
    long: Sweep = Sweep(0, 0, 0, 0, 1)
    start: float = 0.0
    chunk: float = 0.0
    message: float = 0.0

    def plan(self, of: int) -> float:
        """Return the processor seconds (0) or bytes (1) of planning a run more."""
        (few, less), (many, more) = min(self.planned.items()), max(self.planned.items())
        return (more[of] - less[of]) / (many - few)


def projection(measured: Measured, prices: Prices) -> Table:
    """Return the needs of small runs as measured, and of runs of a minute with a hundred evaluations."""
    minute = Sweep(60.0, measured.long.beyond, measured.long.disk, measured.long.memory, 10)
    sweeps = {"small runs": measured.small, "runs of a minute": minute}
    note = (
        f"N = {RUNS:,} runs in S = {SHARDS:,} shards on {CORES:,} cores, without kept weights. The first rows are "
        f"measured above, or assumed; all others follow from them by the formulas. Assumed are also {MESSAGES} "
        f"messages and {1e3 * TASK:.0f} ms of Dask's scheduler for a chunk, and the prices: ${prices.core_hour:g} for "
        f"an hour of a core, and ${prices.gb_month:g} for a gigabyte in each of {prices.months:g} months."
    )
    table = Table("A hundred million runs", note, ["", "formula", *sweeps])
    columns = [_needs(measured, prices, sweep) for sweep in sweeps.values()]
    assert all(a.keys() == b.keys() for a, b in pairwise(columns))
    table.rows += [[name, formula, *(own[name, formula] for own in columns)] for name, formula in columns[0]]
    return table


def _needs(measured: Measured, prices: Prices, sweep: Sweep) -> dict[tuple[str, str], str]:
    """Return the needs of a sweep by their names and formulas."""
    chunks = math.ceil(RUNS / sweep.chunk)
    planned, memory = (measured.plan(of) * RUNS for of in range(2))
    hours = {
        "plan": SHARDS * planned / 3600,
        "train": RUNS * sweep.training / 3600,
        "rest": (RUNS * sweep.beyond + chunks * measured.chunk) / 3600,
    }
    of_shard = chunks / SHARDS
    during = TABLES * (MOST + min(of_shard, MOST) + of_shard / MOST) + OTHERS
    merged = max(MOST, RUNS / MOST_RUNS, RUNS * sweep.memory / MOST_BYTES)
    disk, used = RUNS * sweep.disk / 1e9, sum(hours.values())
    return {
        ("p, planning of a run", "measured"): f"{1e6 * measured.plan(0):.1f} µs",
        ("m, memory of its plan", "measured"): f"{measured.plan(1):.0f} B",
        ("t, training of a run", "measured, or assumed"): f"{sweep.training * 1e3:,.1f} ms",
        ("b, other work for a run", "measured"): f"{sweep.beyond * 1e6:.0f} µs",
        ("n, runs of a chunk", "measured, or assumed"): f"{sweep.chunk}",
        ("c, other work for a chunk", "measured"): f"{1e3 * measured.chunk:.1f} ms",
        ("k, messages of a chunk", "measured"): f"{measured.message / 1e3:.0f} kB",
        ("d, a run on disk", "measured"): f"{sweep.disk:,.0f} B",
        ("r, a run in memory", "measured"): f"{sweep.memory:,.0f} B",
        ("chunks", "C = N / n"): f"{chunks:,}",
        ("planning by one process", "p N"): f"{planned / 60:,.0f} minutes",
        ("memory of this process", "m N"): f"{memory / 1e9:,.1f} GB",
        ("planning by all shards", "S p N"): f"{hours['plan']:,.0f} core-hours",
        ("training", "t N"): f"{hours['train']:,.0f} core-hours",
        ("other work", "b N + c C"): f"{hours['rest']:,.1f} core-hours",
        ("time", "these three / cores"): f"{used / CORES:,.1f} hours",
        ("files of a shard at most", f"{TABLES} ({2 * MOST} + C / S / {MOST}) + {OTHERS}"): f"{during:,.0f}",
        ("files of a table after `merge`", f"max({MOST}, N / {MOST_RUNS:,}, N r / 64 MiB)"): f"{merged:,.0f}",
        ("disk", "N d"): f"{disk:,.0f} GB",
        ("messages of one Dask scheduler", f"{MESSAGES} C"): f"{MESSAGES * chunks:,}",
        ("their bytes", "k C"): f"{measured.message * chunks / 1e9:,.0f} GB",
        ("time of this scheduler", "1 ms C"): f"{TASK * chunks / 3600:,.1f} hours",
        ("money for cores", "core-hours × price"): f"${used * prices.core_hour:,.0f}",
        ("money for the disk", "N d × months × price"): f"${disk * prices.months * prices.gb_month:,.0f}",
    }
