"""What a worker does with a chunk: train it, commit it, hand back a receipt."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dlsweep.datasets import data_of
from dlsweep.errors import DataChanged, DlsweepError, Interrupted
from dlsweep.storage import parts, weights
from dlsweep.storage.store import Store
from dlsweep.storage.tables import nothing_learned
from dlsweep.training.cohorts import train
from dlsweep.training.plan import Chunk, units

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Receipt:
    """These runs are on disk.

    runs: their ids. statuses: how each ended. error: for a run that failed, which and why, in a line.
    """

    runs: tuple[str, ...]
    statuses: tuple[str, ...]
    error: str | None = None


@dataclass(frozen=True)
class Task:
    """The map of a sweep: chunks to receipts. It is sent once to every worker.

    modules: what the worker must import so that the registries hold all that the config names.
    """

    store: Store
    modules: tuple[str, ...] = ()

    def work(self, chunk: Chunk, progress: Progress) -> Iterator[Receipt]:
        """Train and commit a chunk.

        Whatever is raised in training costs as little as can be: the chunk is tried again in halves, down to the one
        run that raises it, or the ensemble that it belongs to, which is stored as failed. Only a stop (`Interrupted`),
        other data than planned, and what keeps the chunk from being written end the sweep.
        """
        reported = 0

        def count(iterations: int) -> None:
            nonlocal reported
            reported += iterations
            progress(iterations)

        try:
            outcome = train(chunk, data_of(chunk[0].arm), progress=count)
            kept = weights.contents(chunk, outcome)
            rows = self.store.tables.rows(chunk, outcome, kept)
        except (Interrupted, DataChanged):
            raise
        except BaseException as error:  # SystemExit and KeyboardInterrupt too: Ctrl-C itself comes as `Interrupted`
            # As text: the traceback itself would keep the arrays of the stack alive.
            report = str(error) if isinstance(error, DlsweepError) else "".join(traceback.format_exception(error))
        else:
            self.store.commit(chunk, rows, kept)
            yield Receipt(tuple(run.id for run in chunk), tuple(outcome.status))
            return

        progress(-reported)
        if len(units(chunk)) == 1:
            yield self.fail(chunk, report)
        else:
            for half in halves(chunk):
                yield from self.work(half, progress)

    def fail(self, unit: Chunk, error: str) -> Receipt:
        """Store a run or an ensemble as failed. It has a part of its own, so that `retry` can take it back."""
        self.store.remove([parts.stem(unit)])  # what an attempt that was killed may have left
        self.store.commit(unit, self.store.tables.rows(unit, nothing_learned(unit), {}, error), {})
        who = f"{unit[0].arm.name}, seed{'s' * (len(unit) > 1)} {', '.join(str(run.seed) for run in unit)}"
        statuses = ("failed",) * len(unit)
        return Receipt(tuple(run.id for run in unit), statuses, f"{who}: {error.strip().splitlines()[-1]}")

    def receipt_of(self, left: Chunk) -> Receipt | None:
        """The receipt that a worker owes when it died after a commit: for the first of the runs that it had left."""
        rows = self.store.committed(left)
        return Receipt(tuple(rows["run_id"].to_pylist()), tuple(rows["status"].to_pylist())) if rows else None


def halves(chunk: Chunk) -> tuple[Chunk, Chunk]:
    """A chunk of two units or more, in two."""
    parted = units(chunk)
    middle = len(chunk[0].arm.members or (0,)) * (len(parted) // 2)
    return chunk[:middle], chunk[middle:]
