"""Processes that end with the one that started them, so that a killed pytest leaves nothing that trains."""

from __future__ import annotations

import ctypes
import signal
import sys

_PR_SET_PDEATHSIG = 1


def follow() -> None:
    """Let the system kill this process when its parent ends; do nothing where it cannot (Linux can)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
