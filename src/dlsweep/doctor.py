"""The environment of a sweep, part by part, with its faults."""

from __future__ import annotations

import logging
import math
import os
import platform
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from multiprocessing.connection import Connection
from pathlib import Path

try:
    import resource
except ImportError:  # Windows has no such limits
    resource = None  # type: ignore[assignment]

from dlsweep import machine
from dlsweep.errors import DlsweepError
from dlsweep.execution.startup import CONTEXT, worker_environment
from dlsweep.storage import made_by
from dlsweep.storage.folder import make_folder
from dlsweep.storage.location import is_remote
from dlsweep.text import plural, size

# Less than this is a fault: bytes of memory and of disk; open files and processes of this user.
LITTLE_MEMORY, LITTLE_DISK, FEW_FILES, FEW_PROCESSES = 1 << 30, 1 << 30, 128, 64

# Seconds that a worker may take to answer.
PATIENCE = 60.0

_LIMITS = {
    "CPU time (ulimit -t)": ("RLIMIT_CPU", math.inf, "runs that take longer are killed"),
    "open files (ulimit -n)": ("RLIMIT_NOFILE", FEW_FILES, "workers may not start"),
    "processes (ulimit -u)": ("RLIMIT_NPROC", FEW_PROCESSES, "workers may not start"),
    "address space (ulimit -v)": ("RLIMIT_AS", 4 << 30, "large sweeps may run out of memory"),
}


@dataclass(frozen=True)
class Finding:
    """A part of the environment. wrong: its fault, and the remedy; "" if it works."""

    part: str
    found: str
    wrong: str = ""


def examine(output: Path = Path("results")) -> Iterator[Finding]:
    """Yield the findings on this environment. output: the folder that results are written to.

    Each part is tried, not only looked up: a folder is written and locked, a worker process is started.

    >>> next(examine()).part
    'Python'
    """
    yield Finding("Python", f"{platform.python_version()}, {sys.executable}")
    yield _packages()
    yield _blas()
    yield Finding("cores", _cores())
    yield _memory()
    yield from _limits()
    yield _tried("worker processes", _workers)
    yield _tried(f"results ({output})", lambda: _results(output))
    yield _tried("temporary files", _temporary)
    yield _tried("data sets", _data)
    yield _fonts()


def _tried(part: str, attempt: Callable[[], tuple[str, str]]) -> Finding:
    """Return the finding of an attempt, which returns its texts; an exception is a fault as well."""
    try:
        return Finding(part, *attempt())
    except (OSError, DlsweepError) as error:
        return Finding(part, "does not work", str(error))


def _packages() -> Finding:
    """Compare the installed versions of packages with the versions that dlsweep needs."""
    from packaging.requirements import Requirement

    found, wrong = [f"dlsweep {metadata.version('dlsweep')}"], []
    for line in metadata.requires("dlsweep") or []:
        need = Requirement(line)
        if need.marker is None or need.marker.evaluate({"extra": ""}):
            try:
                version = metadata.version(need.name)
            except metadata.PackageNotFoundError:
                wrong.append(f"{need.name} is missing")
                continue
            found.append(f"{need.name} {version}")
            if not need.specifier.contains(version, prereleases=True):
                wrong.append(f"{need.name} is {version}, and must be {need.specifier}")
    advice = f"{'; '.join(wrong)}: install dlsweep again" if wrong else ""
    return Finding("packages", ", ".join(found), advice)


def _blas() -> Finding:
    """Describe the BLAS library that NumPy uses, and its kernel for this processor."""
    if not made_by.blas():
        return Finding("BLAS", "none is known", "NumPy has no fast matrix products; install NumPy with pip or conda")
    chosen = os.environ.get("OPENBLAS_CORETYPE")
    forced = f"; OPENBLAS_CORETYPE={chosen} chooses the kernel" if chosen else ""
    return Finding("BLAS", f"{made_by.here().blas}; one thread in each worker{forced}")


def _cores() -> str:
    usable, every = machine.cores(), os.cpu_count() or 1
    least = f" of {every}; affinity or a control group limits them" if usable < every else ""
    load = f"; load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{plural(usable, 'core')}{least}; {machine.processor()}{load}"


def _memory() -> Finding:
    usable = machine.memory()
    free = machine.available_memory()
    wrong = f"only {size(free)} are free; close other programs, or use -j 1" if free < LITTLE_MEMORY else ""
    return Finding("memory", f"{size(usable)} may be used, {size(free)} of it is free", wrong)


def _limits() -> Iterator[Finding]:
    """Yield the limits of this user, if there are any."""
    found, wrong = [], []
    for name, (kind, least, consequence) in _LIMITS.items() if resource else ():
        limit = resource.getrlimit(getattr(resource, kind))[0]
        if limit != resource.RLIM_INFINITY:
            found.append(f"{name} {limit:,}")
            if limit < least:
                wrong.append(f"{name} is {limit:,}: {consequence}")
    yield Finding("limits", ", ".join(found) or "none", "; ".join(wrong))


def _workers() -> tuple[str, str]:
    """Start a worker process, and wait for its answer."""
    with worker_environment():
        connection, theirs = CONTEXT.Pipe()
        process = CONTEXT.Process(target=_answer, args=(theirs,), daemon=True)
        process.start()
    theirs.close()
    try:
        answered = connection.poll(PATIENCE) and connection.recv()
    except (EOFError, OSError):
        answered = False
    process.kill()
    process.join()
    if answered:
        return f"start ({CONTEXT.get_start_method()})", ""
    return "do not start", "a worker did not answer; use -j 1"


def _answer(connection: Connection) -> None:
    connection.send(True)


def _results(output: Path) -> tuple[str, str]:
    """Use a new folder beside the results, or below their URL."""
    if is_remote(output):
        told = _warnings(output, output)
        return f"{output} can be written{'' if told else ', and held by one process'}", "; ".join(told)
    if output.exists() and not output.is_dir():
        return "not a folder", f"{output} is a file; give -o a folder"
    beside = next(folder for folder in (output, *output.absolute().parents) if folder.is_dir())
    try:
        with tempfile.TemporaryDirectory(dir=beside, prefix=".dlsweep-") as at:
            told = _warnings(Path(at), beside)
    except OSError as error:
        return "does not work", f"{beside} cannot be written ({error.strerror}); give -o a folder that can"
    free = shutil.disk_usage(beside).free
    if free < LITTLE_DISK:
        told.append(f"only {size(free)} are free")
    return f"{beside} can be written{'' if told else ', locked and synced'}; {size(free)} free", "; ".join(told)


def _warnings(output: Path, shown: Path) -> list[str]:
    """Lock a new folder, and write, read and delete a file there; return the warnings. shown: its name in them."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        folder = make_folder(output, ".dlsweep-doctor", ())
        with folder.lock():
            folder.put("tried", b"content")
            folder.get("tried")
            folder.delete("tried")
    return [str(one.message).replace(str(folder), str(shown)) for one in warned]


def _temporary() -> tuple[str, str]:
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    return f"{folder}, {size(free)} free", f"only {size(free)} are free; set TMPDIR" if free < LITTLE_DISK / 10 else ""


def _data() -> tuple[str, str]:
    """Read the bundled data, and look at the folder for fetched data sets."""
    from dlsweep.config import load
    from dlsweep.datasets import data_of
    from dlsweep.datasets.published import cache_folder

    images = len(data_of(next(load({"name": "doctor"}).arms())).arrays.x_test)
    folder = cache_folder()
    existing = next(parent for parent in (folder, *folder.parents) if parent.is_dir())
    found = f"MNIST has {images:,} test images; others go to {folder}"
    try:
        tempfile.TemporaryFile(dir=existing).close()
    except OSError:
        return found, f"{existing} cannot be written; set DLSWEEP_DATA to a folder that can"
    return found, ""


def _fonts() -> Finding:
    """Look for the folder in which Matplotlib caches the list of fonts, and for fonts with other scripts."""
    import matplotlib as mpl

    from dlsweep.plots.style import cjk_fonts

    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    folder = mpl.get_cachedir()
    scripts = ", ".join(cjk_fonts()) or "no font with Chinese, Japanese and Korean characters: they are drawn as boxes"
    forgets = folder.startswith(tempfile.gettempdir())
    wrong = "Matplotlib looks for fonts again at each start; set MPLCONFIGDIR to a folder that can be written"
    return Finding("figures", f"the list of fonts is cached in {folder}; {scripts}", wrong if forgets else "")
