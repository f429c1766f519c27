"""What a sweep's arms came to: the closing table as text, and the same as values for JSON."""

from __future__ import annotations

import shlex
from typing import Any

from dlsweep.analysis.summary import metric_columns, summary
from dlsweep.config.nodes import plural
from dlsweep.errors import UsageError
from dlsweep.registry import nearest
from dlsweep.running.results import Results
from dlsweep.terminal import number, table

# Arms that `run` shows.
MOST = 50


def closing_table(results: Results, metric: str | None = None, *, most: int | None = None) -> str:
    """A row per arm: the mean of a metric with its 95 % interval, and how many runs it stands on.

    Of more than `most` arms these are the best, best first.
    """
    metric = checked(results, metric)
    arms = summary(results.runs, [metric])
    left = len(arms) - (most or len(arms))
    if left > 0:
        arms = arms.sort_values(metric, ascending=metric.endswith("loss"), kind="stable")[:most]
    varying = [factor for factor, levels in results.record.levels.items() if len(levels) > 1]
    ended = ["diverged", "stopped", "failed"] if arms["stopped"].any() else ["diverged", "failed"]
    header = [*(varying or ["arm"]), metric, "95 % interval", "n", *ended]
    rows = []
    for _, arm in arms.iterrows():
        low, high = number(arm[f"{metric}_low"]), number(arm[f"{metric}_high"])
        interval = "–" if low == "–" else f"{low} … {high}"
        counts = [str(arm[column]) for column in ("n", *ended)]
        rows.append([*(str(arm[name]) for name in varying or ["arm"]), number(arm[metric]), interval, *counts])
    text = table(header, rows, [False] * len(varying or ["arm"]) + [True] * (3 + len(ended)))
    return text + f"\n… and {plural(left, 'arm')} more: dlsweep show {shlex.quote(str(results.folder))}" * (left > 0)


def checked(results: Results, metric: str | None) -> str:
    """The metric that was asked for, if there is one of that name; `test_accuracy` stands for `final_test_accuracy`."""
    if metric is None:  # an arm is judged by the split that is furthest from training
        return f"final_{results.record.tables.splits[-1]}_accuracy"
    known = metric_columns(results.runs)
    for name in (metric, f"final_{metric}"):
        if name in known:
            return name
    raise UsageError(f"there is no metric {metric!r} in {results.folder}{nearest(metric, known)}")


def counts(results: Results) -> dict[str, int]:
    """How many runs there are, by how they ended."""
    status = results.runs["status"].astype(str)
    return {name: int((status == name).sum()) for name in ("done", "diverged", "stopped", "failed")}


def closing_data(results: Results) -> dict[str, Any]:
    """The whole summary, every metric of every arm with its interval."""
    arms = summary(results.runs)
    factors = list(results.record.levels)
    return {
        "name": results.name,
        "folder": str(results.folder),
        "runs": {"total": len(results.runs), **counts(results)},
        "arms": [
            {
                "arm": str(arm["arm"]),
                "factors": {factor: str(arm[factor]) for factor in factors},
                **{column: int(arm[column]) for column in ("n", "diverged", "stopped", "failed")},
                "metrics": {
                    m: {"mean": _value(arm[m]), "low": _value(arm[f"{m}_low"]), "high": _value(arm[f"{m}_high"])}
                    for m in metric_columns(results.runs)
                },
            }
            for _, arm in arms.iterrows()
        ],
    }


def _value(x: float) -> float | None:
    """JSON has no NaN."""
    return None if x != x else float(x)
