"""The closing table of a sweep, a row per arm, as text and as values for JSON."""

from __future__ import annotations

import math
import shlex
from typing import Any

from dlsweep.analysis.frames import metric_columns, nearest_metric, summary
from dlsweep.errors import UsageError
from dlsweep.storage.results import Results
from dlsweep.text import number, plural, table

MOST = 50  # arms that `run` shows


def closing_table(results: Results, metric: str | None = None, *, most: int | None = None) -> str:
    """Return a table of arms: the mean of a metric, its 95 % interval, the ensemble's value if any, numbers of runs.

    Of more than `most` arms, the table has the best, best first.
    """
    metric = checked(results, metric)
    arms = summary(results.runs, [metric])
    left = len(arms) - (most or len(arms))
    if left > 0:
        arms = arms.sort_values(metric, ascending=not metric.endswith("accuracy"), kind="stable")[:most]
    names = [factor for factor, levels in results.record.levels.items() if len(levels) > 1] or ["arm"]
    ended = ["diverged", "stopped", "failed"] if arms["stopped"].any() else ["diverged", "failed"]
    together = ensembles(results, metric)
    header = [*names, metric, "95 % interval", *(["ensemble"] if together else []), "n", *ended]
    rows = []
    for _, arm in arms.iterrows():
        low, high = number(arm[f"{metric}_low"]), number(arm[f"{metric}_high"])
        interval = "–" if low == "–" else f"{low} … {high}"
        counts = [number(together.get(str(arm["arm"]), math.nan))] if together else []
        counts += [str(arm[column]) for column in ("n", *ended)]
        rows.append([*(str(arm[name]) for name in names), number(arm[metric]), interval, *counts])
    text = table(header, rows, [column >= len(names) for column in range(len(header))])
    return text + f"\n… and {plural(left, 'arm')} more: dlsweep show {shlex.quote(str(results.folder))}" * (left > 0)


def ensembles(results: Results, metric: str) -> dict[str, float]:
    """Return a metric, such as `final_test_accuracy`, of the averaged predictions of each arm's runs.

    An arm without an ensemble at the end, because all its runs diverged or failed, is left out.
    """
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
    """Return the full name of a metric: `final_test_accuracy` for `test_accuracy`.

    None is the metric that arms are compared by. A `UsageError` names an unknown metric.
    """
    if metric is None:  # on the split furthest from training
        tables = results.record.tables
        return f"final_{tables.splits[-1]}_{tables.metrics[0]}"
    known = metric_columns(results.runs)
    for name in (metric, f"final_{metric}"):
        if name in known:
            return name
    raise UsageError(f"there is no metric {metric!r} in {results.folder}{nearest_metric(metric, known)}")


def closing_data(results: Results) -> dict[str, Any]:
    """Return every metric of every arm with its interval, as values for JSON."""
    arms = summary(results.runs)
    factors = list(results.record.levels)
    together = {m: values for m in metric_columns(results.runs) if (values := ensembles(results, m))}
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
                **({"ensemble": {m: of.get(str(arm["arm"])) for m, of in together.items()}} if together else {}),
            }
            for _, arm in arms.iterrows()
        ],
    }


def _value(x: float) -> float | None:
    """Return a number for JSON, which has no NaN."""
    return None if x != x else float(x)
