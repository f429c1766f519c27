"""The status of a sweep that may be training: in another terminal, or on another machine that shares the folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import pyarrow as pa

from dlsweep.storage.holder import Holder
from dlsweep.storage.results import Results
from dlsweep.storage.store import Store, statuses
from dlsweep.storage.tables import STATUSES
from dlsweep.text import duration, plural


@dataclass(frozen=True)
class Status:
    """The progress of a sweep.

    total: runs of the sweep. counts: runs on disk, by status. holder: the process that trains; None if there is none.
    rate: runs in a second since this process began; None before its first run is done. command: how it was started.
    """

    name: str
    folder: str
    total: int
    counts: Mapping[str, int]
    holder: Holder | None = None
    rate: float | None = None
    command: str = ""

    @property
    def done(self) -> int:
        """Number of runs on disk."""
        return sum(self.counts.values())

    @property
    def left(self) -> int:
        """Number of runs to train."""
        return max(0, self.total - self.done)

    @property
    def seconds_left(self) -> float | None:
        """Predicted seconds until the last run is done, if the others take as long; None if this is not known."""
        return self.left / self.rate if self.rate else None


@dataclass
class Watch:
    """A look at a sweep, again and again: a part of runs/ that was read once is not read again."""

    _known: dict[str, pa.Table | None] = field(default_factory=dict)  # by the name of the part, as for `Store.counted`

    def look(self, results: Results, now: datetime | None = None) -> Status:
        """Return the status of a sweep at this moment. results: opened anew for each look."""
        found, holder = self._found(results), results.files.holder()
        session: Mapping[str, Any] = results.record.sessions[-1] if results.record.sessions else {}
        begun = None if results.record.further else session.get("done", 0)  # of a longer training it is not recorded
        return Status(
            results.name + (f" (shard {results.record.shard})" if results.record.shard else ""),
            str(results.folder),
            _total(results),
            {status: found[status] for status in STATUSES},
            holder,
            None if begun is None else _rate(found.total() - begun, holder, now or datetime.now().astimezone()),
            _command(results, str(session.get("command", ""))),
        )

    def _found(self, results: Results) -> Counter[str]:
        """Return the number of runs by status: of those that the config asks for, of the sweep that trains."""
        record, hidden = results.record, set(results.record.hidden)
        tables = replace(record.tables, sweep=record.further or record.tables.sweep)
        store = Store(results.files, tables, record.tables.sweep if record.further else record.earlier)
        found = statuses(store.counted(self._known).parts)
        for name, rows in self._known.items():  # a sweep may have many runs
            self._known[name] = rows and rows.select(["run_id", "arm", "seed", "status"])
        return Counter(status for run, status in found.items() if run not in hidden)


def _command(results: Results, last: str) -> str:
    """Return the command that goes on; "" if the last one trained a shard, from which the runs here were merged."""
    return "" if "--shard" in last and not results.record.shard else last


def _total(results: Results) -> int:
    """Return the number of runs of a sweep, or of its part. An older dlsweep did not record it, and had no parts."""
    known = results.record.runs or bool(results.record.shard)
    return results.record.runs if known else sum(1 for _ in results.expanded.runs())


def _rate(runs: int, holder: Holder | None, now: datetime) -> float | None:
    """Return the runs in a second since a process holds the folder; None if none of them is done."""
    if holder is None or runs <= 0:
        return None
    seconds = (now - datetime.fromisoformat(holder.since)).total_seconds()
    return runs / seconds if seconds > 0 else None


def sentence(status: Status) -> str:
    """Return a status for a person: the runs on disk, the process that trains, and the time left.

    >>> print(sentence(Status("tiny", "results/tiny", 12, {"done": 9, "failed": 1})))
    tiny: 10 of 12 runs are on disk (9 done, 1 failed), 2 to train
      no process works on it
    >>> print(sentence(Status("tiny", "results/tiny", 12, {"done": 12})))
    tiny: all 12 runs are on disk (12 done)
    """
    ended = ", ".join(f"{count} {status}" for status, count in status.counts.items() if count)
    some = f" ({ended})" if ended else ""
    runs = plural(status.total, "run")
    if not status.left:
        every = {0: "it has no runs", 1: "its run is on disk"}.get(status.total, f"all {runs} are on disk")
        lines = [f"{status.name}: {every}{some}"]
    else:
        lines = [f"{status.name}: {status.done} of {runs} are on disk{some}, {status.left} to train"]
    if status.holder:
        lines.append(f"  {status.holder}")
        if status.left and status.rate and status.seconds_left is not None:
            lines.append(f"  {_pace(status.rate)}, about {duration(status.seconds_left)} left")
        elif status.left:
            lines.append("  the time left is not known yet")
    elif status.left:
        again = f"; to go on: {status.command}" if status.command else ""
        lines.append(f"  no process works on it{again}")
    return "\n".join(lines)


def _pace(rate: float) -> str:
    """Return runs in a second in the unit that has a number of one or more.

    >>> _pace(2.5), _pace(0.1), _pace(0.001)
    ('2.5 runs a second', '6 runs a minute', '3.6 runs an hour')
    """
    units = [("a second", 1), ("a minute", 60), ("an hour", 3600)]
    name, seconds = next((one for one in units if rate * one[1] >= 1), units[-1])
    return f"{rate * seconds:.2g} runs {name}"
