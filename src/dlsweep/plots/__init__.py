"""Plots by name: each registered function takes facets and its settings and returns a `Chart`.

`dlsweep.plots.chart` is the contract for plots of your own; `dlsweep.plots.kinds.gap` is the shortest example.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from dlsweep.plots import kinds
from dlsweep.plots.chart import Chart, plots

register = plots.register

for module in iter_modules(kinds.__path__, f"{kinds.__name__}."):
    import_module(module.name)  # registers itself

__all__ = ["Chart", "plots", "register"]
