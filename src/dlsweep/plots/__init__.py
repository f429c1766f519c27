"""Plots by name: each registered function takes a tidy frame and its settings and returns a matplotlib `Figure`."""

from __future__ import annotations

from dlsweep.plots import (  # noqa: F401  each registers itself
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
from dlsweep.plots.base import plots

__all__ = ["plots"]
