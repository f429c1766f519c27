"""Plots by name: each registered function takes a tidy frame and its settings and returns a matplotlib `Figure`."""

from __future__ import annotations

from dlsweep.plots import curves as _curves  # noqa: F401  registers itself
from dlsweep.plots.base import plots

__all__ = ["plots"]
