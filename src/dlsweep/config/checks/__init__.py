"""Checks of a sweep that has been read. Each yields mistakes; none needs another."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dlsweep.config.checks import claims, data, fairness, plots, seeds, unused
from dlsweep.config.sweep import Sweep
from dlsweep.errors import Mistake

Check = Callable[[Sweep], Iterator[Mistake]]

CHECKS: tuple[Check, ...] = (
    unused.settings,
    unused.stopping,
    unused.factors,
    unused.needless,
    data.readable,
    data.splits,
    data.batches,
    data.monitors,
    data.ensembles,
    data.networks,
    data.regularizers,
    seeds.sources,
    seeds.ensembles,
    seeds.rounds,
    seeds.no_common_test,
    plots.names,
    plots.needs,
    plots.accuracy,
    plots.numeric,
    plots.across,
    claims.possible,
    claims.crossed,
    fairness.tunable,
    fairness.seeds,
    fairness.claims,
)

NOTES: tuple[Check, ...] = (unused.single_lists, claims.refutable, fairness.alike, fairness.schedules)
