"""Plots by name: each registered function takes facets and its settings and returns a `Chart`.

`dlsweep.plots.chart` is the contract for plots of your own; `dlsweep.plots.kinds.gap` is the shortest example.
"""

from __future__ import annotations

from dlsweep.plots.chart import Chart, plots
from dlsweep.plots.kinds import (  # noqa: F401  each registers itself
    confusion,
    curves,
    feature_maps,
    filters,
    final,
    gap,
    heatmap,
    histograms,
    layers,
    misclassified,
    paths,
    response,
)

register = plots.register

__all__ = ["Chart", "plots", "register"]
