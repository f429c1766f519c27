"""What this machine lends to a sweep."""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress
from pathlib import Path

# Where the limit of a container or a batch job stands (Linux, cgroup v2); what to assume where nothing can be asked.
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
_MODEST = 4 << 30

# Bytes in which BLAS packs the blocks of matrices, once per process: OpenBLAS reserves 32 MiB a thread. How much of it
# is used depends on the kernel, which depends on the processor.
BLAS_BUFFER = 32 << 20

# Parameters of glibc's mallopt(3), and what they become.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = (-1, 256 << 20), (-3, 32 << 20)


def cores() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory() -> int:
    """The machine's memory in bytes, or the part of it that this process may use."""
    limits = []
    with suppress(AttributeError, ValueError, OSError):
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    with suppress(ValueError, OSError):
        limits.append(int(_CGROUP_LIMIT.read_text()))
    return min(limits, default=_MODEST)


def keep_freed_memory() -> None:
    """Let this process reuse the memory of arrays that it frees, up to some hundred megabytes.

    By default glibc hands a large array's pages back to the system, which then clears new ones for the next: in a
    training step, where such arrays come and go, that is a fifth of the time. Elsewhere this does nothing.
    """
    if sys.platform == "linux":
        with suppress(AttributeError):  # another C library
            for parameter, value in (_TRIM_THRESHOLD, _MMAP_THRESHOLD):
                ctypes.CDLL(None).mallopt(parameter, value)
