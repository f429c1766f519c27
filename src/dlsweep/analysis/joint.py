"""One metric of the arms that several sweeps share, such as one sweep for each data set; and the arms ranked over them.

In a ranking each sweep is a task, and counts once, whatever its scale: arms are compared pair by pair, by exact
signed-rank tests of their means over the tasks (Wilcoxon 1945; Demšar 2006), which are sign-flip tests of the ranks of
the differences. Pairs are corrected for together (Holm 1979). A test of mean ranks would depend on the other arms
(Benavoli et al. 2016), so ranks are shown only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dlsweep.analysis.board import Asked, Board
from dlsweep.analysis.metrics import metric_of
from dlsweep.analysis.sign_flips import paired, sign_flip_test
from dlsweep.analysis.statistics import fewest_seeds, holm
from dlsweep.config.claims import ALPHA
from dlsweep.errors import UsageError
from dlsweep.metrics import Metric
from dlsweep.storage.results import Results
from dlsweep.tabular import Column, Form, measured_each, table_of
from dlsweep.text import half_width, interval_text, measured, p_text, plural
from dlsweep.types import Array, DataFrame

FEWEST = 5  # tasks of a ranking
_ENDS = ("", "_low", "_high", "_difference", "_difference_low", "_difference_high", "_pairs")


@dataclass(frozen=True, eq=False)
class Joint:
    """Arms that some sweeps share. boards: of each sweep; arms: their names, without settings that were tuned."""

    boards: Sequence[Board]
    arms: Sequence[str]

    @staticmethod
    def of(sweeps: Sequence[Results], asked: Asked) -> Joint:
        """Return the shared arms of two or more sweeps. A `UsageError` says that they share fewer than two.

        asked: the options of `show`; only its first metric counts.
        """
        first = metric_of(sweeps[0], asked.metrics[0] if asked.metrics else None)
        boards = [Board(one, replace(asked, metrics=[first.name])) for one in sweeps]
        names = [[name for name, shown in zip(_names(board), _shown(board)) if shown] for board in boards]
        arms = [name for name in names[0] if all(name in other for other in names[1:])]
        if len(boards) < 2 or len(arms) < 2:
            told = ", ".join(str(one.folder) for one in sweeps)
            share = f"share {plural(len(arms), 'arm')}" if len(boards) > 1 else "is one sweep"
            raise UsageError(f"a joint table needs two sweeps that share two arms; {told} {share}")
        return Joint(boards, arms)

    @property
    def metric(self) -> Metric:
        """Metric."""
        return self.boards[0].metrics[0]

    @cached_property
    def sweeps(self) -> list[str]:
        """Names of the sweeps; their folders, if two have one name."""
        names = [board.results.name for board in self.boards]
        return names if len(set(names)) == len(names) else [str(board.results.folder) for board in self.boards]

    @cached_property
    def means(self) -> Array:
        """Mean of each arm in each sweep, `(arms, sweeps)`; NaN as in the leaderboard."""
        return np.column_stack([board.compared[0].mean[rows] for board, rows in zip(self.boards, self._rows)])

    @cached_property
    def ranks(self) -> Array:
        """Rank of each arm in each sweep, `(arms, sweeps)`: 1 for the best, the last without a mean."""
        from scipy.stats import rankdata

        return np.asarray(rankdata(self.costs, axis=0))

    @property
    def costs(self) -> Array:
        """Means, of which less is better; infinite without a mean."""
        return np.where(np.isnan(self.means), np.inf, self.means if self.metric.less_is_better else -self.means)

    @cached_property
    def order(self) -> Array:
        """Arms by their mean rank, the best one first."""
        return np.argsort(self.ranks.mean(axis=1), kind="stable")

    @cached_property
    def reference(self) -> str:
        """Arm that others are compared with: the one that is given, or the one with the best mean rank."""
        given = self.boards[0].given
        name = self.arms[self.order[0]] if given is None else _names(self.boards[0])[given]
        if name not in self.arms:
            raise UsageError(f"the reference {name} is no arm of all sweeps; choose one of {', '.join(self.arms)}")
        return name

    @cached_property
    def _rows(self) -> list[list[int]]:
        """Row of each arm in each board."""
        return [[_names(board).index(arm) for arm in self.arms] for board in self.boards]

    def frame(self) -> DataFrame:
        """Return a row for each arm and, for each sweep, columns that begin with its name.

        They are the mean, under the name, with `_low` and `_high`, the ends of its 95 % interval; `_difference` to the
        reference, paired by seed, with `_difference_low` and `_difference_high`; and `_pairs`, the number of seeds.
        """
        import pandas as pd

        columns: dict[str, Any] = {"arm": self.arms}
        for sweep, board, rows in zip(self.sweeps, self.boards, self._rows):
            own = replace(board.compared[0], given=_names(board).index(self.reference)).columns()
            columns |= {f"{sweep}{end}": own[end][rows] for end in _ENDS}
        return pd.DataFrame(columns).iloc[self.order].reset_index(drop=True)

    def table(self, form: Form = "plain") -> str:
        """Return a row for each arm: in each sweep its mean, and its difference to the reference with its interval."""
        frame = self.frame()
        columns = [Column("arm", frame["arm"], right=False)]
        for sweep in self.sweeps:
            columns.append(Column(sweep, measured_each(*(frame[f"{sweep}{end}"] for end in ("", "_low", "_high")))))
            columns.append(Column(f"minus {self.reference}", self._differences(frame, sweep)))
        return table_of(columns, form)

    def _differences(self, frame: DataFrame, sweep: str) -> Iterator[str]:
        own = (frame[f"{sweep}_difference{end}"] for end in ("", "_low", "_high"))
        for arm, difference, *ends in zip(frame["arm"], *own):
            told = measured(difference, half_width(*ends), sign=True)
            told += f" {interval_text(*ends, sign=True)}" * isfinite(half_width(*ends))
            yield "–" if arm == self.reference else told

    def notes(self) -> list[str]:
        """Return sentences on the table."""
        found = [
            f"{self.metric.name} of the arms that {plural(len(self.sweeps), 'sweep')} share: means over their seeds.",
            f"Differences to {self.reference} are paired by seed within each sweep, with 95 % t intervals.",
        ]
        for sweep, board in zip(self.sweeps, self.boards):
            left = [name for name, shown in zip(_names(board), _shown(board)) if shown and name not in self.arms]
            some = ", ".join(left[:5]) + f" and {len(left) - 5} more" * (len(left) > 5)
            found += [f"Left out of {sweep}: {some}."] if left else []
        return found

    def data(self) -> dict[str, Any]:
        """Return the table as values for JSON."""
        return {
            "metric": self.metric.name,
            "reference": self.reference,
            "sweeps": [{"name": one.results.name, "folder": str(one.results.folder)} for one in self.boards],
            "arms": [
                {
                    "arm": row["arm"],
                    "sweeps": [
                        {end.lstrip("_") or "mean": row[f"{sweep}{end}"] for end in _ENDS} for sweep in self.sweeps
                    ],
                }
                for row in self.frame().to_dict("records")
            ],
            "notes": self.notes(),
        }


def _names(board: Board) -> list[str]:
    """Return the names of the arms of a sweep, without settings that were tuned for each."""
    record = board.results.record
    if record.tuning is None:
        return board.names
    levels = board.values[0].iloc[board.arms[2]]
    varying = [factor for factor in board.factors if len(record.levels[factor]) > 1]
    named = [record.tuning.name((factor, str(row[factor])) for factor in varying) for _, row in levels.iterrows()]
    return [name or arm for name, arm in zip(named, board.names)]


def _shown(board: Board) -> Array:
    """Return a mask of the arms that are asked for."""
    return board.compared[0].shown


def signed_ranks(differences: ArrayLike) -> Array:
    """Return the ranks of the absolute differences with their signs; 0 for 0, which has a rank of its own (Pratt 1959).

    >>> signed_ranks([0.3, -0.1, 0.0, 12.0])
    array([ 3., -2.,  0.,  4.])
    """
    from scipy.stats import rankdata

    d = np.asarray(differences, np.float64)
    return np.asarray(np.sign(d) * rankdata(np.abs(d)))


@dataclass(frozen=True, eq=False)
class Ranking:
    """Ranks of arms over tasks, and the tests of all pairs."""

    joint: Joint

    @staticmethod
    def of(sweeps: Sequence[Results], asked: Asked | None = None) -> Ranking:
        """Return the ranking of the arms that sweeps share. A `UsageError` says that the sweeps are too few."""
        if len(sweeps) < FEWEST:
            told = f"a ranking needs {FEWEST} sweeps with the same arms, one for each task, got {len(sweeps)}"
            raise UsageError(f"{told}; `dlsweep show --joint` compares the arms within each")
        joint = Joint.of(sweeps, asked or Asked())
        if joint.metric.less_is_better is None:
            raise UsageError(f"{joint.metric.name} has no better direction, so it gives no ranks")
        return Ranking(joint)

    @property
    def arms(self) -> list[str]:
        """Arms, the best mean rank first."""
        return [self.joint.arms[i] for i in self.joint.order]

    @property
    def ranks(self) -> Array:
        """Rank of each arm in each task, `(arms, tasks)`."""
        return np.asarray(self.joint.ranks[self.joint.order])

    @cached_property
    def pairs(self) -> DataFrame:
        """Row for each pair of arms: their mean ranks, and p before and after Holm's correction."""
        import pandas as pd

        costs, mean, arms = self.joint.costs[self.joint.order], self.ranks.mean(axis=1), self.arms
        there = list(combinations(range(len(arms)), 2))
        p = [sign_flip_test(signed_ranks(paired(costs[a], costs[b])), key="ranks").two_sided for a, b in there]
        frame = pd.DataFrame({"first": [arms[a] for a, _ in there], "second": [arms[b] for _, b in there]})
        frame = frame.assign(rank_first=[mean[a] for a, _ in there], rank_second=[mean[b] for _, b in there])
        return frame.assign(p=p, p_holm=holm(p), tasks=len(self.joint.sweeps), metric=self.joint.metric.name)

    def frame(self) -> DataFrame:
        """Return a row for each arm: `mean_rank`, its rank in each task, and p of its test against the best arm."""
        import pandas as pd

        frame = pd.DataFrame({"arm": self.arms, "mean_rank": self.ranks.mean(axis=1)})
        for task, ranks in zip(self.joint.sweeps, self.ranks.T):
            frame[task] = ranks
        best = self.pairs.iloc[: len(self.arms) - 1]
        return frame.assign(p=[np.nan, *best["p"]], p_holm=[np.nan, *best["p_holm"]])

    def table(self, form: Form = "plain") -> str:
        """Return a row for each arm: its mean rank, its rank in each task, and p of its test against the best one."""
        frame = self.frame()
        columns = [
            Column("arm", frame["arm"], right=False),
            Column("mean rank", map("{:.2f}".format, frame["mean_rank"])),
        ]
        columns += [Column(task, map("{:g}".format, frame[task])) for task in self.joint.sweeps]
        columns += [Column(name, map(p_text, frame[of])) for name, of in (("p", "p"), ("p (Holm)", "p_holm"))]
        return table_of(columns, form)

    def notes(self) -> list[str]:
        """Return sentences on the ranks and their tests."""
        tasks, pairs = len(self.joint.sweeps), len(self.pairs)
        found = [
            f"Ranks of {self.joint.metric.name} over {plural(tasks, 'task')}, 1 for the best; the task is the unit.",
            f"p: exact signed-rank tests against {self.arms[0]}; Holm's correction is over {plural(pairs, 'pair')}.",
        ]
        apart = self.pairs[self.pairs["p_holm"] <= ALPHA]
        told = ", ".join(f"{a} from {b}" for a, b in zip(apart["first"], apart["second"]))
        found.append(f"At the level {ALPHA:g} these are distinguished: {told or 'none'}.")
        if (needed := fewest_seeds(pairs, ALPHA)) > tasks:
            smallest = f"the smallest p of {plural(tasks, 'task')} is {2.0 ** (1 - tasks):.2g}"
            they = f"{plural(pairs, 'pair')} need{'s' * (pairs == 1)}"
            found.append(f"No pair can be distinguished: {smallest}; {they} {needed} tasks.")
        return [*found, *self.joint.notes()[2:]]

    def data(self) -> dict[str, Any]:
        """Return ranks and tests as values for JSON."""
        frame = self.frame()
        return {
            "metric": self.joint.metric.name,
            "tasks": self.joint.data()["sweeps"],
            "arms": [
                {"arm": row[0], "mean_rank": row[1], "ranks": list(row[2:-2])} for row in frame.itertuples(index=False)
            ],
            "pairs": self.pairs.drop(columns=["tasks", "metric"]).to_dict("records"),
            "notes": self.notes(),
        }
