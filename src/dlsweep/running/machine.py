"""What this machine lends to a sweep."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

# Where the limit of a container or a batch job stands (Linux, cgroup v2); what to assume where nothing can be asked.
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
_MODEST = 4 << 30


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
