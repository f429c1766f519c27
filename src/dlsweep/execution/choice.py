"""Choose the executor, the number of workers and the memory per worker."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from dlsweep.errors import UsageError
from dlsweep.execution import machine
from dlsweep.execution.executors import Executor, executors
from dlsweep.factors import foreign

# The options that belong to an executor, with their flags on the command line.
FLAGS = {"jobs": "-j", "timeout": "--timeout"}


@dataclass(frozen=True)
class Options:
    """The options of `dlsweep.run`, which explains them, and of `dlsweep.dry_run`."""

    output: Path
    jobs: int | None = None
    executor: str | None = None
    force: bool = False
    retry: bool = False
    fail_fast: bool = False
    timeout: float | None = None
    max_memory: int | None = None


def choose(options: Options) -> Executor:
    """Return the executor for some options.

    By default it is this process if one worker is enough, or if the main module registered functions: a worker cannot
    import every script, and no notebook.
    """
    name = options.executor
    if name is None:
        alone = (options.jobs or machine.cores()) == 1 and options.timeout is None
        name = "inline" if alone or "__main__" in registering_modules() else "processes"
    entry = executors[name]
    given = {option: value for option in FLAGS if (value := getattr(options, option)) is not None}
    if "jobs" not in entry.settings and given.get("jobs") == 1:
        del given["jobs"]
    for option in given:
        if option not in entry.settings:
            raise UsageError(f"executor.{name} has no setting {option!r}; remove {FLAGS[option]}")
    _, faults = entry.check(given, f"executor.{name}")
    if faults:
        raise UsageError("\n".join(fault.sentence for fault in faults))
    if options.max_memory is not None and options.max_memory <= 0:
        raise UsageError(f"max_memory must be above 0 bytes, got {options.max_memory}")
    executor = entry(**given)
    if not isinstance(executor, Executor):
        raise entry.broken("an Executor", type(executor).__name__)
    return replace(executor, memory=options.max_memory // executor.workers) if options.max_memory else executor


def registering_modules() -> tuple[str, ...]:
    """Return the modules outside this package that registered something: a worker has to import them."""
    return tuple(sorted({entry.function.__module__ for entry in foreign()}))
