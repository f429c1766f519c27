"""The n-th durable operation on some results is met by a fate, in whichever process of a sweep it happens.

The operations are those through which results become durable: of the system for a folder, of the client for S3. All
processes of a sweep count them together, in a file. A process that starts anew installs this through `sitecustomize`.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from tests.support import PROGRAMS

VARIABLE = "TESTS_FAULT"
LOCAL = ("fsync", "replace", "mkdir", "unlink")
REMOTE = ("_pipe_file", "_rm_file")

# kill: the process ends; late: it ends after the operation; crash: it ends, and the runner with it; EIO: an error;
# ENOSPC: this and every later write is an error; torn: half of a file is lost with the runner.
FATES = ("kill", "late", "crash", "EIO", "ENOSPC", "torn")


@dataclass
class Fault:
    """A fate, and the number of the operation below a folder or URL that it meets. runner: id of the main process."""

    fate: str
    number: int
    below: str
    count: str
    runner: int = 0

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which programs, and the processes that they start, install it."""
        paths = (str(PROGRAMS.parents[2]), str(PROGRAMS / "faulty"))
        return {VARIABLE: json.dumps(vars(self)), "PYTHONPATH": os.pathsep.join(paths)}

    @property
    def met(self) -> bool:
        """There were as many operations as its number."""
        return Path(self.count).stat().st_size >= self.number

    def next(self) -> int:
        """The number of this operation among those of all processes."""
        handle = os.open(self.count, os.O_WRONLY | os.O_APPEND)
        try:
            os.write(handle, b".")
            return os.lseek(handle, 0, os.SEEK_CUR)
        finally:
            os.close(handle)

    def end(self, *others: int) -> None:
        for process in (*others, os.getpid()):
            os.kill(process, signal.SIGKILL)

    def strike(self, operation: str, file: str) -> bool:
        """Meet the operation on a file before it happens; return True if it is to be left out."""
        if self.fate == "kill":
            self.end()
        if self.fate == "crash" or (self.fate == "torn" and operation not in ("fsync", "replace")):
            self.end(self.runner)
        if self.fate in ("EIO", "ENOSPC"):
            code = getattr(errno, self.fate)
            raise OSError(code, os.strerror(code), file)
        if self.fate == "torn" and Path(file).is_file():
            os.truncate(file, Path(file).stat().st_size // 2)
            return operation == "fsync"
        return False

    def strikes(self, operation: str, number: int) -> bool:
        """Tell if the operation of a number is met."""
        if self.fate == "ENOSPC":
            return number >= self.number and operation not in ("unlink", "_rm_file")
        return number == self.number

    def after(self, operation: str) -> None:
        """Meet an operation after it happened."""
        if self.fate == "late":
            self.end()
        if self.fate == "torn" and operation == "replace":
            self.end(self.runner)


def install(fault: Fault) -> None:
    """Let the fault meet the operations of this process."""

    def met(name: str, operation: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(operation)
        def called(what: Any, *args: Any, **kwargs: Any) -> Any:
            file = str(Path(f"/proc/self/fd/{what}").readlink() if isinstance(what, int) else Path(what).absolute())
            if not file.startswith(fault.below) or not fault.strikes(name, fault.next()):
                return operation(what, *args, **kwargs)
            if not fault.strike(name, file):
                operation(what, *args, **kwargs)
            fault.after(name)
            return None

        return called

    def met_by_client(name: str, operation: Callable[..., Any]) -> Callable[..., Any]:
        async def called(self: Any, path: str, *args: Any, **kwargs: Any) -> Any:
            if not f"s3://{path}".startswith(fault.below) or not fault.strikes(name, fault.next()):
                return await operation(self, path, *args, **kwargs)
            fault.strike(name, path)
            found = await operation(self, path, *args, **kwargs)
            fault.after(name)
            return found

        return called

    if fault.below.startswith("s3://"):
        from s3fs import S3FileSystem

        for name in REMOTE:
            setattr(S3FileSystem, name, met_by_client(name, getattr(S3FileSystem, name)))
    else:
        for name in LOCAL:
            setattr(os, name, met(name, getattr(os, name)))


def from_environment(runner: bool = False) -> None:
    """Install the fault that the environment has, if it has one. runner: this is the main process."""
    if given := os.environ.get(VARIABLE):
        fault = Fault(**json.loads(given))
        if runner:
            fault.runner = os.getpid()
            os.environ[VARIABLE] = json.dumps(vars(fault))
        if fault.runner:
            install(fault)


def await_others(fault: Fault) -> None:
    """Wait until no process of a sweep is left: a worker ends a moment after its killed runner."""
    while any(fault.count.encode() in _environment(path) for path in Path("/proc").glob("[0-9]*/environ")):
        time.sleep(0.02)


def _environment(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it has ended, or belongs to another user
        return b""


def digest(results: Any) -> str:
    """A digest of all numbers of some results, but for times."""
    frames = [results.runs.drop(columns=["seconds", "error"]), results.curves, results.predictions]
    return hashlib.sha256("".join(frame.to_csv() for frame in frames).encode()).hexdigest()


def every(fate: str, below: str, first: int, step: int) -> Iterator[Fault]:
    """Yield the fault at the operation `first`, and at each `step`-th one after it, until one is not met."""
    number = first
    while True:
        with NamedTemporaryFile() as count:
            fault = Fault(fate, number, below, count.name)
            yield fault
            if not fault.met:
                return
        number += step


def resumed(sweeps: Any, arguments: tuple[str, ...], fate: str, step: int, url: str = "") -> Iterator[tuple[int, str]]:
    """Run `dlsweep run tiny.yaml ARGUMENTS` with each fault in turn, and once more without it.

    sweeps: a `Dlsweep`. step: of the operations, which begin at another one for each fate. url: where the results are,
    if not in a folder. Yield the exit code of the first command, and the place of the results.
    """
    from tests.support.commands import python

    for fault in every(fate, url or str(sweeps.folder), 1 + FATES.index(fate) % step, step):
        output = f"{url or sweeps.folder}/{fate}-{fault.number}"
        fault.below = output
        command = ("run", "tiny.yaml", *arguments, "-o", output, "-q")
        environment = {**getattr(sweeps, "environment", {}), **fault.environment}
        done = python(PROGRAMS / "faulty.py", *command, folder=sweeps.folder, environment=environment)
        await_others(fault)
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode in (0, 1, -signal.SIGKILL), done.stderr
        assert (done.returncode == 1) == bool(done.stderr), done.stderr
        sweeps("run", "tiny.yaml", "-j", "1", "--retry", "-q", "-o", output)
        yield done.returncode, f"{output}/tiny"
