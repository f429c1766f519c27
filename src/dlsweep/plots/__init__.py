"""Plots by name: each registered function takes a tidy frame and its settings and returns a matplotlib `Figure`."""

from __future__ import annotations

from dlsweep.plots import curves as _curves  # noqa: F401  registers itself, as does the next
from dlsweep.plots import paths as _paths  # noqa: F401
from dlsweep.plots.base import plots

__all__ = ["plots"]
