"""Values of a metric: one number for each run, from the tables `runs/`, `curves/` and `layers/`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from dlsweep.analysis.layers import layer_names
from dlsweep.analysis.measured import Measured
from dlsweep.analysis.sides import fitting as rows_with
from dlsweep.config.sides import ABSENT
from dlsweep.errors import UsageError
from dlsweep.metric_names import parse_metric
from dlsweep.metrics import Metric
from dlsweep.storage.choosing import words_of
from dlsweep.storage.results import Results
from dlsweep.text import nearest, plural
from dlsweep.types import Array, DataFrame

UNDEFINED = ("gap", "rise", "probe", "turning_angle")  # kinds without a value for a run that diverged


def metric_of(results: Results, name: str | None = None) -> Metric:
    """Return the metric of a name; of None the one that arms are compared by: on the split furthest from training.

    A `UsageError` names an unknown or unrecorded metric.
    """
    tables = results.record.tables
    return parse_metric(
        name or f"final_{tables.splits[-1]}_{tables.metrics[0]}",
        splits=tables.splits,
        factors=tables.factors,
        task=tables.of_task,
        layers="layers" in tables.optional,
    )


def metric_values(results: Results, metric: Metric, at: int | None = None) -> DataFrame:
    """Return one row per run, in the order of `results.runs`: `run_id`, `arm`, `seed`, factors, `status`, `value`.

    at: the iteration after which training counts as ended; of a run that stopped before it, the restored network.
    The column `reason` says why a value is NaN. A best value has the column `iteration` too.

    A failed run has no value. A diverged run counts: each of its accuracies is chance, 1 / `classes`; each of its
    losses is infinite, and so are its iterations and seconds, and the iterations to a level that a run never reaches. A
    gap, a rise, a probe or a turning angle of a diverged run is not defined. A spread over a factor has one row for
    each seed and combination of the other factors.

    >>> import dlsweep
    >>> config = {"name": "one", "data": {"mnist": {"train": 100, "test": 100}}, "train": {"iterations": 2}, "seeds": 1}
    >>> results = dlsweep.run(config, executor="inline")
    >>> found = metric_values(results, metric_of(results, "test_accuracy"))["value"]
    >>> found.tolist() == results.runs["final_test_accuracy"].tolist()
    True
    """
    if at is not None and not metric.timed:
        raise UsageError(f"{metric.name} cannot be taken at another iteration; a final metric, a gap or a probe can")
    if metric.kind == "spread" and metric.inner is not None:
        return _spreads(results, metric_values(results, metric.inner, at), metric.factor)
    runs = results.runs
    found = _KINDS[metric.kind](results, metric, at)
    status = runs["status"].to_numpy(dtype=str)
    values = found.values.copy()
    reason = np.where(np.isnan(values), found.lacking, "").astype(object)
    if metric.ends_well:
        diverged = status == "diverged"
        values[diverged] = _as_it_counts(results, metric)[diverged]
        reason[diverged] = np.where(np.isnan(values[diverged]), "diverged", "")
        values[status == "failed"] = np.nan
    reason[np.isnan(values) & (status == "failed")] = "failed"
    frame = runs[["run_id", "arm", "seed", *results.record.tables.factors, "status"]].assign(value=values)
    if found.iteration is not None:
        frame["iteration"] = np.where(np.isin(status, ["done", "stopped"]), found.iteration, np.nan)
    return frame.assign(reason=reason)


def fitting(results: Results, values: DataFrame, metric: Metric, arm: Mapping[str, Any]) -> Array:
    """Return a mask of the values of the arms with some levels. A `UsageError` says that there are none."""
    levels = results.partial_arm(arm)
    for factor in (factor for factor in levels if factor not in values):
        raise UsageError(f"{metric.name} has no arms of one {factor}; take {factor} out")
    mask = rows_with(values, levels)
    if arm and not mask.any():
        raise UsageError(f"no arm in {results.folder} is {words_of(arm)}")
    return mask


def values_to_divide(results: Results, metric: Metric, where: Mapping[str, Any] | None = None) -> DataFrame:
    """Return the values of a metric whose variance can be divided: all are finite, or NaN for a failed run.

    where: levels of the arms that take part. Raise a `UsageError` if another run has no finite value, or if no run has
    any.
    """
    values = metric_values(results, metric)
    values = values[fitting(results, values, metric, where or {})]
    lost = values[~np.isfinite(values["value"]) & (values["reason"] != "failed")]
    if len(lost):
        why = ", ".join(dict.fromkeys(filter(None, lost["reason"]))) or "diverged, or never got there"
        arms = ", ".join(dict.fromkeys(lost["arm"].astype(str)[:3])) + ", …" * (len(lost) > 3)
        raise UsageError(
            f"{len(lost)} of {plural(len(values), 'run')} in {results.folder} have no finite {metric.words} ({why}: "
            f"{arms}), and sums of squares need one of every run; an accuracy counts diverged runs at chance"
        )
    if not values["value"].notna().any():
        raise UsageError(f"there is nothing to compare in {results.folder}: no run is done yet")
    return values


def _as_it_counts(results: Results, metric: Metric) -> Array:
    """Return the value at which each run would count if it diverged."""
    runs = results.runs
    if metric.kind in UNDEFINED:
        return np.full(len(runs), np.nan)
    if metric.y == "accuracy" and metric.kind != "iterations_to":
        return 1 / _column(results, "classes")
    return np.full(len(runs), np.inf)


class Found(NamedTuple):
    """Values of a metric as recorded, `(runs,)`; why a value is NaN; the iteration that a value is from."""

    values: Array
    lacking: str = "no value"
    iteration: Array | None = None


def _curve(results: Results, metric: Metric) -> Measured:
    return results.measured(metric.y, split=metric.split)


def _column(results: Results, name: str) -> Array:
    return np.asarray(results.runs[name].to_numpy(dtype=np.float64, na_value=np.nan))


def _last_iterations(results: Results, split: str) -> Array:
    """Return the iteration of each run's final network; with patience, training may take it from before its end.

    It is the last one whose loss is the final one.
    """
    runs, ends, final = results.runs, _column(results, "iterations"), f"final_{split}_loss"
    if final not in runs:
        return ends
    loss = results.measured("loss", split=split)
    found = loss.last(loss.value == _column(results, final)[loss.run])
    return np.where(found < 0, ends, found)


def _final(results: Results, metric: Metric, at: int | None) -> Found:
    column = f"final_{metric.split}_{metric.y}"
    if at is None and column in results.runs:
        return Found(_column(results, column))
    return _network(results, _curve(results, metric), metric.split, at)


def _network(results: Results, measured: Measured, split: str, at: int | None) -> Found:
    """Return the measurements of each run's final network, or of its network at an iteration."""
    if at is None:
        return Found(measured.at(_last_iterations(results, split)), "not measured at the end")
    if measured.runs and at not in (there := np.unique(measured.iteration)):
        near = sorted(there[np.argsort(abs(there - at), kind="stable")[:2]])
        raise UsageError(f"iteration {at} was not evaluated; the nearest are {' and '.join(map(str, near))}")
    over = (results.runs["status"].to_numpy(dtype=str) == "stopped") & (_column(results, "iterations") <= at)
    iterations = np.where(over, _last_iterations(results, split), at) if over.any() else np.full(measured.runs, at)
    return Found(measured.at(iterations), f"not measured at iteration {at}")


def _best(results: Results, metric: Metric, at: int | None) -> Found:
    curve = _curve(results, metric)
    best = curve.reduced(np.fmax if metric.y == "accuracy" else np.fmin, curve.value)
    return Found(best, iteration=curve.first(curve.value == best[curve.run]))


def _mean_last(results: Results, metric: Metric, at: int | None) -> Found:
    """Return the mean of the last k values; of the kind `last`, the last one."""
    k = int(metric.number or 1)
    return Found(_curve(results, metric).mean_of_last(k), f"fewer than {k} evaluations" if k > 1 else "no value")


def _auc(results: Results, metric: Metric, at: int | None) -> Found:
    return Found(_curve(results, metric).area())


def _iterations_to(results: Results, metric: Metric, at: int | None) -> Found:
    curve, level = _curve(results, metric), metric.number or 0.0
    return Found(curve.first(curve.value >= level if metric.y == "accuracy" else curve.value <= level))


def _gap(results: Results, metric: Metric, at: int | None) -> Found:
    """Return train minus held-out accuracy, or held-out minus train loss."""
    train, other = (_final(results, replace(metric, kind="final", split=s), at) for s in ("train", metric.split))
    difference = train.values - other.values
    return Found(difference if metric.y == "accuracy" else -difference, other.lacking)


def _rise(results: Results, metric: Metric, at: int | None) -> Found:
    final = _final(results, metric, at)
    return Found(final.values - _best(results, metric, at).values, final.lacking)


def _probe(results: Results, metric: Metric, at: int | None) -> Found:
    measured = results.measured(metric.y, table="layers", layer=metric.layer)
    if not len(measured.run):
        raise UsageError(f"there is no layer {metric.layer!r}{nearest(metric.layer, layer_names(results.layers))}")
    return _network(results, measured, results.record.tables.splits[-1], at)


def _turning_angle(results: Results, metric: Metric, at: int | None) -> Found:
    """Return the mean angle between successive steps of a descent, in degrees; steps of length 0 have no direction."""
    x, y = (results.measured(name, split="train") for name in "xy")
    step = np.diff(x.value) + 1j * np.diff(y.value)
    of = x.run[1:-1]
    with np.errstate(all="ignore"):
        angle = np.degrees(np.abs(np.angle(step[1:] / step[:-1])))
        turns = (x.run[2:] == x.run[:-2]) & np.isfinite(angle)
        total, count = (np.bincount(of[turns], w, x.runs) for w in (angle[turns], np.ones(turns.sum())))
        return Found(total / count, "no turn")


def _of_run(results: Results, metric: Metric, at: int | None) -> Found:
    return Found(_column(results, metric.y))


_KINDS = {
    "final": _final,
    "best": _best,
    "last": _mean_last,
    "mean_last": _mean_last,
    "auc": _auc,
    "iterations_to": _iterations_to,
    "gap": _gap,
    "rise": _rise,
    "probe": _probe,
    "turning_angle": _turning_angle,
    "column": _of_run,
}


def _spreads(results: Results, values: DataFrame, factor: str) -> DataFrame:
    """Return the maximum minus the minimum over the levels of a factor, for each seed and combination of the others.

    A combination that lacks a level, or has a run without a finite value of its own, has no spread. Settings that were
    tuned for each arm differ between the levels, and are not among the others.
    """
    levels = [label for label in results.record.levels[factor] if label != ABSENT]
    values = values[values[factor] != ABSENT].reset_index(drop=True)
    values[factor] = values[factor].cat.set_categories(levels)
    others = [name for name in results.record.aligning if name != factor]
    group = values.groupby(["seed", *others], sort=False, observed=True).ngroup().to_numpy()
    first = np.unique(group, return_index=True)[1]
    level = values[factor].cat.codes.to_numpy()
    status, each = values["status"].to_numpy(dtype=str), values["value"].to_numpy()
    why = np.where(np.isinf(each), "not reached", values["reason"].to_numpy(dtype=object))
    why[status == "diverged"] = "diverged"
    matrix, reasons = np.full((len(first), len(levels)), np.nan), np.full((len(first), len(levels)), "", object)
    reasons[:] = [f"without {label}" for label in levels]
    matrix[group, level], reasons[group, level] = np.where(why == "", each, np.nan), why
    frame = values.iloc[first].drop(columns=[factor, "iteration"], errors="ignore").reset_index(drop=True)
    ended = frame["status"].to_numpy(dtype=object)
    for own in ("stopped", "diverged", "failed"):  # at any level
        ended[np.bincount(group, status == own) > 0] = own
    varying = [name for name in others if frame[name].nunique() > 1]
    labels = zip(*(frame[one].astype(str).tolist() for one in varying))
    names = [", ".join(words) for words in labels] if varying else "all"
    return frame.assign(
        arm=names,
        status=ended,
        value=matrix.max(axis=1, initial=-np.inf) - matrix.min(axis=1, initial=np.inf),
        reason=[", ".join(dict.fromkeys(filter(None, row))) for row in reasons],
    )
