"""Ranks of arms over tasks: sweeps with the same arms, such as one for each data set.

Each task counts once, whatever its scale: arms are compared pair by pair, by exact signed-rank tests of their means
over the tasks (Wilcoxon 1945; Demšar 2006), which are sign-flip tests of the ranks of the differences. Pairs are
corrected for together (Holm 1979). A test of mean ranks would depend on the other arms (Benavoli et al. 2016), so ranks
are shown only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from dlsweep.analysis.joint import Joint
from dlsweep.analysis.shown import Asked
from dlsweep.analysis.sign_flips import paired, sign_flip_test
from dlsweep.analysis.statistics import fewest_seeds, holm
from dlsweep.config.claims import ALPHA
from dlsweep.errors import UsageError
from dlsweep.storage.results import Results
from dlsweep.tabular import Column, Form, table_of
from dlsweep.text import p_text, plural
from dlsweep.types import Array

if TYPE_CHECKING:
    from pandas import DataFrame

FEWEST = 5  # tasks of a ranking


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
