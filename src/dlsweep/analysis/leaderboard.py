"""What a sweep's arms came to: the closing table as text, and the same as values for JSON."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from typing import Any

from dlsweep.analysis.summary import metric_columns, summary
from dlsweep.errors import UsageError
from dlsweep.storage.results import Results
from dlsweep.text import nearest, number, plural, table

# Arms that `run` shows.
MOST = 50


def closing_table(results: Results, metric: str | None = None, *, most: int | None = None) -> str:
    """A row per arm: the mean of a metric with its 95 % interval, and how many runs it stands on; beside it that of the
    averaged predictions, where the sweep has ensembles.

    Of more than `most` arms these are the best, best first.
    """
    metric = checked(results, metric)
    arms = summary(results.runs, [metric])
    left = len(arms) - (most or len(arms))
    if left > 0:
        arms = arms.sort_values(metric, ascending=not metric.endswith("accuracy"), kind="stable")[:most]
    varying = [factor for factor, levels in results.record.levels.items() if len(levels) > 1]
    ended = ["diverged", "stopped", "failed"] if arms["stopped"].any() else ["diverged", "failed"]
    together = ensembles(results, metric)
    header = [*(varying or ["arm"]), metric, "95 % interval", *(["ensemble"] if together else []), "n", *ended]
    rows = []
    for _, arm in arms.iterrows():
        low, high = number(arm[f"{metric}_low"]), number(arm[f"{metric}_high"])
        interval = "–" if low == "–" else f"{low} … {high}"
        counts = [number(together.get(str(arm["arm"]), math.nan))] if together else []
        counts += [str(arm[column]) for column in ("n", *ended)]
        rows.append([*(str(arm[name]) for name in varying or ["arm"]), number(arm[metric]), interval, *counts])
    text = table(header, rows, [False] * len(varying or ["arm"]) + [True] * (len(header) - len(varying or ["arm"])))
    return text + f"\n… and {plural(left, 'arm')} more: dlsweep show {shlex.quote(str(results.folder))}" * (left > 0)


def ensembles(results: Results, metric: str) -> dict[str, float]:
    """By arm, a metric such as `final_test_accuracy` of the averaged predictions of its runs; nothing for a metric or a
    sweep without ensembles, nor for an arm that has none to the end because all its runs diverged or failed."""
    if "ensembles" not in results.record.tables.schemas:
        return {}
    moment, split, name = metric.split("_")
    rows = results.ensembles[results.ensembles["split"] == split]
    if rows.empty or name not in rows:
        return {}
    if moment == "final":
        done = results.runs.loc[results.runs["status"] == "done", "arm"]
        rows = rows[rows["arm"].isin(done)]
    found = rows.groupby("arm", observed=True)[name]
    values = found.last() if moment != "best" else found.max() if name == "accuracy" else found.min()
    return {str(arm): float(value) for arm, value in values.items()}


def checked(results: Results, metric: str | None) -> str:
    """The metric that was asked for, if there is one of that name; `test_accuracy` stands for `final_test_accuracy`."""
    if metric is None:  # an arm is judged by the split that is furthest from training
        tables = results.record.tables
        return f"final_{tables.splits[-1]}_{tables.metrics[0]}"
    known = metric_columns(results.runs)
    for name in (metric, f"final_{metric}"):
        if name in known:
            return name
    raise UsageError(f"there is no metric {metric!r} in {results.folder}{nearest(metric, known)}")


def closing_data(results: Results) -> dict[str, Any]:
    """The whole summary, every metric of every arm with its interval."""
    arms = summary(results.runs)
    factors = list(results.record.levels)
    together = {metric: ensembles(results, metric) for metric in metric_columns(results.runs)}
    return {
        "name": results.name,
        "folder": str(results.folder),
        "runs": {"total": len(results.runs), **results.counts},
        "arms": [
            {
                "arm": str(arm["arm"]),
                "factors": {factor: str(arm[factor]) for factor in factors},
                **{column: int(arm[column]) for column in ("n", "diverged", "stopped", "failed")},
                "metrics": {
                    m: {"mean": _value(arm[m]), "low": _value(arm[f"{m}_low"]), "high": _value(arm[f"{m}_high"])}
                    for m in metric_columns(results.runs)
                },
                **_ensemble(str(arm["arm"]), together),
            }
            for _, arm in arms.iterrows()
        ],
    }


def _ensemble(arm: str, together: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """The metrics of an arm's averaged predictions, where the sweep has ensembles."""
    metrics = {metric: values.get(arm) for metric, values in together.items() if values}
    return {"ensemble": metrics} if metrics else {}


def _value(x: float) -> float | None:
    """JSON has no NaN."""
    return None if x != x else float(x)
