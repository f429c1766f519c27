"""Workers of Dask: facts about them, by which they suit a sweep or not.

A worker needs the same versions, one thread, the folder of the results, and the modules that register functions. All
are asked before training; one that comes later is found out by its first chunk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any
from zlib import crc32

from dlsweep import machine
from dlsweep.errors import DlsweepError, UsageError
from dlsweep.execution.worker import Task
from dlsweep.storage.made_by import Machine, here, versions

ATTEMPTS = 3  # to ask workers that all die meanwhile
PATIENCE = "distributed.comm.timeouts.connect"  # setting: how long a scheduler may take to answer, and to have workers


@dataclass(frozen=True)
class About:
    """Facts about a worker, or those that it must share with the runner.

    machine: on which the bits of its runs depend. record: a checksum of the record that it sees. lacks: the reason why
    it cannot import a module that registers functions.
    """

    dlsweep: str
    python: str
    numpy: str
    threads: int
    memory: int
    machine: Machine
    record: int | None = None
    lacks: str = ""


def described(client: Any, task: Task | None) -> dict[str, About]:
    """Return the facts about each worker, by address, except for those that die meanwhile.

    Raise a `UsageError` if a worker cannot report them, or if all die, also the ones that follow them.
    """
    from distributed.comm import CommClosedError

    for _ in range(ATTEMPTS):
        answers = client.run(about, task, on_error="return")
        found = {address: answer for address, answer in answers.items() if isinstance(answer, About)}
        there = client.nthreads() if len(found) < len(answers) else {}
        for address in there.keys() & answers.keys() - found.keys():
            if not isinstance(error := answers[address], CommClosedError):  # no dlsweep, or another version of it
                what, own = f"{address}: {type(error).__name__}: {error}", versions()["dlsweep"]
                raise UsageError(
                    f"the workers of Dask cannot run this dlsweep ({what}); install dlsweep {own} there"
                ) from error
        if found:
            return found
        await_worker(client)
    raise UsageError("the workers of Dask end when they are asked for their versions; their messages may say why")


def await_worker(client: Any) -> None:
    """Wait for a first worker; raise a `UsageError` if none comes."""
    from dask import config
    from dask.utils import parse_timedelta

    try:
        client.wait_for_workers(1, timeout=parse_timedelta(config.get(PATIENCE)))
    except TimeoutError:
        address = client.scheduler.address
        advice = f"start some: dask worker {address} --nthreads 1"
        raise UsageError(f"the scheduler at {address} has no workers; {advice}") from None


def about(task: Task | None, dask_worker: Any = None) -> About:
    """Describe the worker that this runs on, which Dask passes."""
    record, lacks = None, ""
    if task:
        try:
            for module in task.modules:
                import_module(module)
        except ImportError as error:
            lacks = str(error)
        try:
            record = crc32(task.store.folder.get("sweep.json"))
        except (OSError, DlsweepError):
            record = -1
    memory = dask_worker.memory_manager.memory_limit or machine.memory()
    threads = dask_worker.state.nthreads
    return About(*_versions(), threads, memory, here(), record, lacks)


def _versions() -> tuple[str, str, str]:
    own = versions()
    return own["dlsweep"], own["python"], own["numpy"]


def needed(task: Task) -> About:
    """Return the facts that a worker must share to work on this task."""
    record = crc32(task.store.folder.get("sweep.json"))
    return About(*_versions(), 1, 0, here(), record)


def checked(client: Any, task: Task, needed: About) -> int:
    """Return the number of workers. Raise a `UsageError` for those that cannot work on this task."""
    found = described(client, task)
    refuse([fault for address, about in found.items() for fault in faults(address, about, needed, task)])
    return len(found)


def faults(address: str, about: About, needed: About, task: Task) -> list[str]:
    """Return sentences on a worker that cannot work on a task."""
    told = [
        f"{address} has {package} {there}, and this process has {own}"
        for package in ("dlsweep", "python", "numpy")
        if (there := getattr(about, package)) != (own := getattr(needed, package))
    ]
    if about.lacks:
        told.append(f"{address} cannot import your functions: {about.lacks}; put their module on its PYTHONPATH")
    if about.threads > needed.threads:
        told.append(f"{address} has {about.threads} threads; start a worker for each core, with --nthreads 1")
    if about.record != needed.record:
        told.append(f"{address} does not see {task.store.folder}; workers need the same folder at the same path")
    return told


def refuse(faults: Sequence[str]) -> None:
    """Raise a `UsageError` if there are faults."""
    if faults:
        raise UsageError("\n".join(["workers of Dask cannot train this sweep:", *(f"  {one}" for one in faults)]))
