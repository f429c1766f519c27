"""Leaderboard: the mean of a metric of each arm, and its difference to a reference arm, paired by seed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dlsweep.analysis.board import Asked, Board, Compared
from dlsweep.analysis.predictions import with_new_images
from dlsweep.errors import UsageError
from dlsweep.metrics import Metric
from dlsweep.storage.results import Results
from dlsweep.text import nearest
from dlsweep.types import Array, DataFrame

_HEAD = re.compile(r"(  \+ Exception Group )?Traceback.*:$")


def leaderboard(
    results: Results,
    metric: str | Sequence[str] | None = None,
    *,
    reference: Mapping[str, Any] | None = None,
    where: Mapping[str, Any] | None = None,
    at: int | None = None,
    rows: str = "arms",
) -> DataFrame:
    """Return a row for each arm, the best one first, with differences to a reference arm that are paired by seed.

    metric: a name such as `test_loss` or `auc_test_accuracy`, or several; by default the final accuracy on the split
    furthest from training. reference: levels that only one arm has; by default the best arm. where: levels of the arms
    that are compared. at: an iteration, by default the metric's own. rows: "arms"; "factors", with a row for each level
    of each factor, averaged seed by seed over the combinations of the other factors that all its levels have; or
    "runs".

    Columns of arms: `arm`, the factors, `n` (runs that count), `diverged`, `stopped`, `failed` and `seconds` of a run.
    For each metric, under its name, the mean; with `_low` and `_high` the ends of its 95 % interval; with
    `_difference`, `_difference_low` and `_difference_high` the difference to the reference and its 95 % interval;
    `_pairs`, the number of seeds that both have; `_pairing`, the variance of these differences over the one of unpaired
    ones; `_reference` and `_best`, True for these arms; `_marked`, True for an arm that cannot be distinguished from
    the best, by one-sided paired t tests at level 0.05 / (arms - 1). Of a best value `_iteration`, the median over the
    seeds, of `iterations_to` `_not_reached`, the number of runs, and of ensembles `_ensemble`, the value of the
    averaged predictions. Of the final test accuracy, where predictions are kept, of at most 50 arms,
    `_new_images_low`, `_difference_new_images_low` and their `_high`: intervals on new images like the test images.

    Diverged runs count at chance accuracy. A loss has no mean as soon as one run diverged. `iterations_to` is the mean
    over the runs that reach the level.

    >>> import dlsweep
    >>> config = {"name": "one", "data": {"mnist": {"train": 100, "test": 100}}, "train": {"iterations": 20}}
    >>> grid = {"init": ["he", {"normal": {"std": 1e-9}}]}
    >>> results = dlsweep.run({**config, "seeds": 3, "grid": grid}, executor="inline")
    >>> board = leaderboard(results, "test_loss")
    >>> board[["init", "n", "final_test_loss_best"]].values.tolist()
    [['he', 3, True], ['normal', 3, False]]
    """
    names = [metric] if isinstance(metric, str) else metric or ()
    board = Board(results, Asked(names, reference or {}, where or {}, at, rows))
    return with_new_images(board, rows_of(board))


def rows_of(board: Board) -> DataFrame:
    """Return the frame of `leaderboard`, without intervals on new images."""
    by = {"arms": _arms, "factors": _factors, "runs": _runs}
    if (rows := board.asked.rows) not in by:
        raise UsageError(f"there are no rows {rows!r}{nearest(rows, by)}")
    return by[rows](board)


def _arms(board: Board) -> DataFrame:
    first = board.arms[2]
    table = board.values[0].iloc[first][["arm", *board.factors]].reset_index(drop=True)
    table = table.assign(**board.counts(board.arms[0]))
    for one, frame in zip(board.compared, board.values):
        name = one.metric.name
        table = table.assign(**{f"{name}{end}": column for end, column in one.columns().items()})
        if "iteration" in frame:
            table[f"{name}_iteration"] = frame["iteration"].groupby(board.arms[0]).median().to_numpy()
        if together := ensembles(board.results, one.metric, board.asked.at):
            table[f"{name}_ensemble"] = table["arm"].astype(str).map(together)
    return table.iloc[board.compared[0].order].reset_index(drop=True)


def _runs(board: Board) -> DataFrame:
    arm, seed, _ = board.arms
    runs = board.values[0][["run_id", "arm", *board.factors, "seed", "status"]]
    own = board.results.runs.set_index("run_id").reindex(runs["run_id"])
    table = runs.assign(**{name: own[name].to_numpy() for name in (*board.sources, "seconds")})
    for one, frame in zip(board.compared, board.values):
        values = one.values[arm, seed]
        recorded = own[one.metric.y].to_numpy() if one.metric.kind == "column" else values
        table[one.metric.name] = np.where(np.isinf(recorded), np.nan, recorded)
        if one.reference is not None:
            with np.errstate(invalid="ignore"):
                differences = values - one.values[one.reference, seed]
            table[f"{one.metric.name}_difference"] = np.where(np.isfinite(differences), differences, np.nan)
        if "iteration" in frame:
            table[f"{one.metric.name}_iteration"] = frame["iteration"]
    table["error"] = own["error"].map(error_line, na_action="ignore").to_numpy()
    rank = np.empty(len(board.arms[2]), int)
    rank[board.compared[0].order] = np.arange(len(board.compared[0].order))
    kept = np.flatnonzero(board.fitting(board.asked.where))
    return table.iloc[kept[np.lexsort((seed[kept], rank[arm[kept]]))]].reset_index(drop=True)


def _factors(board: Board) -> DataFrame:
    """Row for each level of each factor that varies, in the order of the config."""
    import pandas as pd

    frame = board.values[0]
    shown = board.fitting(board.asked.where)
    aligning = [factor for factor in board.results.record.aligning if factor in board.factors]
    varying = [factor for factor in aligning if frame.loc[shown, factor].nunique() > 1]
    tables = [_levels(board, factor, [one for one in varying if one != factor], shown) for factor in varying]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=["factor", "level", "n"])


def _levels(board: Board, factor: str, others: Sequence[str], shown: Array) -> DataFrame:
    """Row for each level of a factor: means, seed by seed, over combinations of the others that all levels have."""
    import pandas as pd

    frame = board.values[0]
    level = frame[factor].cat.codes.to_numpy()
    used = np.unique(level[shown])
    names = frame[factor].cat.categories[used].astype(str).tolist()
    combination = np.zeros(len(frame), int)
    if others:
        combination = frame.groupby([*others], sort=False, observed=True).ngroup().to_numpy()
    at = np.searchsorted(used, np.where(shown, level, used[0]))[shown], combination[shown], board.arms[1][shown]
    shape = len(used), combination.max() + 1, board.arms[1].max() + 1
    there = np.zeros(shape, bool)
    there[at] = True
    common = there.any(axis=2).all(axis=0)
    table = pd.DataFrame({"factor": factor, "level": names})
    asked = board.results.partial_arm(board.asked.reference).get(factor, ())
    given = [i for i, name in enumerate(names) if name in asked]
    counts = board.counts(np.where(shown, np.searchsorted(used, level), len(used)), len(used) + 1)
    table = table.assign(**{name: column[: len(used)] for name, column in counts.items()})
    for metric, matrix in zip(board.metrics, board.matrices):
        values = np.full(shape, np.nan)
        values[at] = matrix[board.arms[0], board.arms[1]][shown]
        with np.errstate(invalid="ignore"):
            means = values[:, common].mean(axis=1) if common.any() else np.full((len(used), shape[2]), np.nan)
        every, reference = np.ones(len(used), bool), given[0] if given else None
        columns = Compared(metric, means, every, reference, board.replication).columns()
        table = table.assign(**{f"{metric.name}{end}": column for end, column in columns.items()})
        table["n"] = (~np.isnan(means)).sum(axis=1)
    return table


def error_line(error: str) -> str:
    r"""Return the type of an error and the first line of its message, from its last traceback.

    >>> error_line("Traceback:\n  …\nValueError: too small\n")
    'ValueError: too small'
    """
    lines = error.splitlines()
    start = max((row for row, line in enumerate(lines) if _HEAD.match(line)), default=-1)
    margin = "  | " if lines[start].startswith(" ") else ""  # of an exception group
    texts = (line.removeprefix(margin) for line in lines[start + 1 :])
    return next((text for text in texts if text and not text.startswith(" ")), error.strip())


def ensembles(results: Results, metric: Metric, at: int | None = None) -> dict[str, float]:
    """Return a final or best metric of the averaged predictions of each arm's runs; at: an iteration for a final one.

    An arm without an ensemble at the end, because all its runs diverged or failed, is left out.
    """
    if "ensembles" not in results.record.tables.optional or metric.kind not in ("final", "best", "last"):
        return {}
    rows = results.ensembles[results.ensembles["split"] == metric.split]
    if rows.empty or metric.y not in rows:
        return {}
    if at is not None:
        rows = rows[rows["iteration"] == at]
    elif metric.kind == "final":
        done = results.runs.loc[results.runs["status"] == "done", "arm"]
        rows = rows[rows["arm"].isin(done)]
    found = rows.groupby("arm", observed=True)[metric.y]
    values = found.last() if metric.kind != "best" else found.max() if metric.y == "accuracy" else found.min()
    return {str(arm): float(value) for arm, value in values.items()}
