"""One metric of the arms that several sweeps have in common, such as the same comparison on several data sets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from dlsweep.analysis.board import Board
from dlsweep.analysis.metrics import metric_of
from dlsweep.analysis.ranking import Compared
from dlsweep.analysis.shown import Asked
from dlsweep.errors import UsageError
from dlsweep.metrics import Metric
from dlsweep.storage.results import Results
from dlsweep.tabular import Column, Form, measured_each, table_of
from dlsweep.text import half_width, interval_text, measured, plural
from dlsweep.types import Array

if TYPE_CHECKING:
    from pandas import DataFrame

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
        boards = [Board(one, [metric_of(one, first.name)], asked.reference, asked.where, asked.at) for one in sweeps]
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
        return np.column_stack([one.mean[at] for one, at in zip(self._compared(), self._rows)])

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

    def _compared(self, reference: str | None = None) -> list[Compared]:
        """Return the arms of each sweep, as they are compared with a reference."""
        at = [None if reference is None else _names(board).index(reference) for board in self.boards]
        return [
            Compared(self.metric, board.matrices[0], _shown(board), given, board.replication)
            for board, given in zip(self.boards, at)
        ]

    def frame(self) -> DataFrame:
        """Return a row for each arm and, for each sweep, columns that begin with its name.

        They are the mean, under the name, with `_low` and `_high`, the ends of its 95 % interval; `_difference` to the
        reference, paired by seed, with `_difference_low` and `_difference_high`; and `_pairs`, the number of seeds.
        """
        import pandas as pd

        columns: dict[str, Any] = {"arm": self.arms}
        for sweep, one, rows in zip(self.sweeps, self._compared(self.reference), self._rows):
            own = one.columns()
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
