"""The cores and the memory of this machine."""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress
from pathlib import Path

# The memory limit of a container or a batch job (Linux, cgroup v2); the memory to assume if the system gives none.
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
_MODEST = 4 << 30

# Bytes into which BLAS packs blocks of matrices, once per process: OpenBLAS reserves 32 MiB a thread. Its kernel, which
# depends on the processor, decides how much of it is used.
BLAS_BUFFER = 32 << 20

# Parameters of glibc's mallopt(3) with their new values.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = (-1, 256 << 20), (-3, 32 << 20)


def cores() -> int:
    """Return the number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory() -> int:
    """Return the machine's memory in bytes, or the part that this process may use."""
    limits = []
    with suppress(AttributeError, ValueError, OSError):
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    with suppress(ValueError, OSError):
        limits.append(int(_CGROUP_LIMIT.read_text()))
    return min(limits, default=_MODEST)


def keep_freed_memory() -> None:
    """Let this process reuse the memory of arrays that it frees, up to some hundred megabytes.

    By default glibc returns a large array's pages to the system, which clears new ones for the next array: this takes a
    fifth of the time of a training step. With other C libraries this function does nothing.
    """
    if sys.platform == "linux":
        with suppress(AttributeError):  # another C library
            for parameter, value in (_TRIM_THRESHOLD, _MMAP_THRESHOLD):
                ctypes.CDLL(None).mallopt(parameter, value)
