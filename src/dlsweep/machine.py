"""The processor, the cores and the memory of this machine."""

from __future__ import annotations

import ctypes
import math
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

# The folder in which Linux keeps the limits of control groups (of a container, of a batch job), and the file that
# lists the groups of this process.
GROUPS, OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")

# Bytes of memory to assume if the system reports none.
_MODEST = 4 << 30

# Bytes into which BLAS packs blocks of matrices, once per process: OpenBLAS reserves 32 MiB a thread. Its kernel, which
# depends on the processor, decides how much of it is used.
BLAS_BUFFER = 32 << 20

# Parameters of glibc's mallopt(3) with their new values.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = (-1, 256 << 20), (-3, 32 << 20)


def processor() -> str:
    """Return the model of the processor, or its architecture if the system does not report the model."""
    with suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
        return next(line for line in lines if line.startswith("model name")).partition(":")[2].strip()
    return platform.processor() or platform.machine()


def cores() -> int:
    """Return the number of processor cores that this process may use: a part of a core counts as one."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for group in _groups("cpu"):
        with suppress(ValueError, OSError):  # no such file, or `max` in it
            quota, period = map(int, (group / "cpu.max").read_text().split())
            usable = min(usable, math.ceil(quota / period))
        with suppress(ValueError, OSError):
            quota, period = (int((group / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
            usable = min(usable, math.ceil(quota / period) if quota > 0 else usable)
    with suppress(KeyError, ValueError):  # a job of SLURM, also where it does not bind its processes to cores
        usable = min(usable, int(os.environ.get("SLURM_CPUS_PER_TASK") or os.environ["SLURM_CPUS_ON_NODE"]))
    return max(1, usable)


def memory() -> int:
    """Return the machine's memory in bytes, or the part that this process may use."""
    limits = []
    with suppress(AttributeError, ValueError, OSError):
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for group in _groups("memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            with suppress(ValueError, OSError):
                limits.append(int((group / name).read_text()))
    with suppress(KeyError, ValueError):
        limits.append(int(os.environ["SLURM_MEM_PER_NODE"]) << 20)
    with suppress(KeyError, ValueError):  # --mem-per-cpu
        limits.append(int(os.environ["SLURM_MEM_PER_CPU"]) * int(os.environ["SLURM_CPUS_ON_NODE"]) << 20)
    return min((limit for limit in limits if limit > 0), default=_MODEST)


def available_memory() -> int:
    """Return the bytes that new programs may use without swapping, if the system reports them; else `memory()`."""
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = next(line for line in lines if line.startswith("MemAvailable:"))
        return min(memory(), int(free.split()[1]) << 10)
    return memory()


def _groups(controller: str) -> Iterator[Path]:
    """Yield the folders of this process's control groups with a controller, of version 1 or 2, from inner to outer."""
    with suppress(OSError):
        for line in OWN.read_text().splitlines():
            controllers, _, path = line.partition(":")[2].partition(":")
            if not controllers or controller in controllers.split(","):  # version 2 has none
                root = GROUPS / controller if controllers else GROUPS
                group = root / path.lstrip("/")
                yield from (folder for folder in (group, *group.parents) if folder.is_relative_to(root))


def keep_freed_memory() -> None:
    """Let this process reuse the memory of arrays that it frees, up to some hundred megabytes.

    By default glibc returns a large array's pages to the system, which clears new ones for the next array: this takes a
    fifth of the time of a training step. With other C libraries this function does nothing.
    """
    if sys.platform == "linux":
        with suppress(AttributeError):  # another C library
            for parameter, value in (_TRIM_THRESHOLD, _MMAP_THRESHOLD):
                ctypes.CDLL(None).mallopt(parameter, value)
