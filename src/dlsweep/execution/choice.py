"""Who trains: the executor that was asked for or that suits, and what it has to work with."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Any

from dlsweep.datasets import data_of
from dlsweep.errors import UsageError
from dlsweep.execution import machine
from dlsweep.execution.executors import executors
from dlsweep.execution.worker import Progress, Receipt, Task
from dlsweep.factors import FACTORS
from dlsweep.registry import Entry
from dlsweep.training.plan import Chunk, Plan


@dataclass(frozen=True)
class Crew:
    """An executor with its settings. workers: how many train at once. memory: bytes that the stack of each may take."""

    executor: str
    settings: dict[str, Any]
    workers: int
    memory: int

    def notes(self, whole: Plan) -> list[str]:
        """What a person should know before it trains a plan."""
        notes = list(dict.fromkeys(note for cohort in whole.cohorts for note in data_of(cohort.arm).notes))
        large = max(whole.cohorts, key=lambda cohort: cohort.memory * cohort.together)
        if (memory := large.memory * large.together) > self.memory:
            needed = (
                f"{'an ensemble' if large.together > 1 else 'a run'} of {large.arm.name} takes {memory / 1e6:,.2f} MB"
            )
            notes.append(f"{needed}, more than max_memory leaves to a worker; it trains alone, with what it needs")
        return notes

    def map(self, task: Task, chunks: Iterable[Chunk], progress: Progress) -> Generator[Receipt, None, None]:
        """Let the executor do the chunks."""
        receipts: Generator[Receipt, None, None] = executors[self.executor](task, chunks, progress, **self.settings)
        return receipts


def crew(executor: str | None, jobs: int | None, timeout: float | None, max_memory: int | None) -> Crew:
    """The crew for what was asked; None leaves the choice to the program.

    It trains in this process if one worker is enough, or if functions were registered in the main module: not every
    script can be imported by a worker, and no notebook can.
    """
    if executor is None:
        alone = (jobs or machine.cores()) == 1 and timeout is None
        executor = "inline" if alone or "__main__" in registering_modules() else "processes"
    entry = executors[executor]
    settings = {name: value for name, value in (("jobs", jobs), ("timeout", timeout)) if value is not None}
    if "jobs" not in entry.settings and settings.get("jobs") == 1:
        del settings["jobs"]
    _check(settings, entry)
    workers = (jobs or machine.cores()) if "jobs" in entry.settings else 1
    if max_memory is not None and max_memory <= 0:
        raise UsageError(f"max_memory must be above 0 bytes, got {max_memory}")
    share = (max_memory or machine.memory() // 2) // workers
    return Crew(executor, settings, workers, max(0, share - machine.BLAS_BUFFER))


def _check(settings: dict[str, Any], entry: Entry) -> None:
    for name, option in (("jobs", "-j"), ("timeout", "--timeout")):
        if name in settings and name not in entry.settings:
            raise UsageError(f"executor.{entry.name} has no setting {name!r}; leave {option} away")
    _, faults = entry.check(settings, f"executor.{entry.name}")
    if faults:
        raise UsageError("\n".join(fault.sentence for fault in faults))


def registering_modules() -> tuple[str, ...]:
    """The modules outside this package that registered something: a worker has to import them."""
    entries = (factor.registry[name] for factor in FACTORS for name in factor.registry)
    modules = {entry.function.__module__ for entry in entries}
    return tuple(sorted(m for m in modules if not m.startswith("dlsweep.")))
