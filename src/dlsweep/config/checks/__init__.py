"""Checks of a sweep that has been read. Each yields mistakes; none needs another."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dlsweep.config.checks import claims, data, fairness, plots, unused
from dlsweep.config.sweep import Sweep
from dlsweep.errors import Mistake

Check = Callable[[Sweep], Iterator[Mistake]]

_MODULES = (unused, data, plots, claims, fairness)
CHECKS: tuple[Check, ...] = tuple(check for module in _MODULES for check in module.CHECKS)
NOTES: tuple[Check, ...] = (unused.single_lists, claims.refutable, fairness.alike, fairness.schedules)
