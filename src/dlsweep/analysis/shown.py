"""Rows of a leaderboard that are asked for."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from dlsweep.analysis.board import Board
from dlsweep.analysis.leaderboard import rows_of
from dlsweep.analysis.metrics import metric_of
from dlsweep.analysis.new_images import with_new_images
from dlsweep.errors import UsageError
from dlsweep.storage.results import Results
from dlsweep.text import nearest

if TYPE_CHECKING:
    from pandas import DataFrame

SHORT = ("low", "high", "difference", "pairing", "iteration", "not_reached", "ensemble")  # names of columns to sort by


@dataclass(frozen=True)
class Asked:
    """Options of `show`. sort_by: a column; top: the number of rows, None for all."""

    metrics: Sequence[str] = ()
    reference: Mapping[str, Any] = field(default_factory=dict)
    where: Mapping[str, Any] = field(default_factory=dict)
    at: int | None = None
    rows: str = "arms"
    sort_by: str | None = None
    top: int | None = None

    def board(self, results: Results) -> Board:
        """Return the leaderboard of a sweep."""
        metrics = [metric_of(results, name) for name in self.metrics] or [metric_of(results)]
        return Board(results, metrics, self.reference, self.where, self.at)

    def command(self, results: Results) -> str:
        """Return the command that shows all rows."""
        options = {"--reference": ",".join(_levels(self.reference)), "--sort-by": self.sort_by, "--at": self.at}
        options |= {"--rows": self.rows.replace("arms", "")}
        given = [(name, str(value)) for name, value in options.items() if value not in (None, "")]
        words = [*_levels(self.where), *chain(*(("-y", name) for name in self.metrics), *given)]
        return shlex.join(["dlsweep", "show", str(results.folder), *words])


def _levels(arm: Mapping[str, Any]) -> list[str]:
    """Return a partial arm as the command line has it."""
    return [f"{factor}={level}" for factor, own in arm.items() for level in (own if isinstance(own, list) else [own])]


class Shown(NamedTuple):
    """Rows of a leaderboard that are shown. names: columns that tell rows apart; left: the number of other rows."""

    asked: Asked
    board: Board
    frame: DataFrame
    names: list[str]
    left: int

    @staticmethod
    def of(results: Results, asked: Asked) -> Shown:
        """Rows that are asked for, in their order."""
        board = asked.board(results)
        frame = rows_of(board, asked.rows)
        if asked.sort_by is not None:
            frame = _sorted(frame, asked.sort_by, board)
        varying = [factor for factor in board.factors if asked.rows != "factors" and frame[factor].nunique() > 1]
        names = {"arms": varying or ["arm"], "factors": ["factor", "level"], "runs": [*varying, "seed", *board.sources]}
        shown = frame if asked.top is None else frame.head(asked.top)
        shown = with_new_images(board, shown) if asked.rows == "arms" else shown
        return Shown(asked, board, shown, names[asked.rows], len(frame) - len(shown))

    @property
    def rows(self) -> str:
        """Kind of rows: arms, factors or runs."""
        return self.asked.rows

    @property
    def numbers(self) -> DataFrame:
        """Frame with the iteration in the names of its metrics, if one is given."""
        frame = self.frame
        for metric in self.board.metrics:
            new = self.board.label(metric).replace(" ", "_")
            frame = frame.set_axis(frame.columns.str.replace(f"^{re.escape(metric.name)}", new, regex=True), axis=1)
        return frame

    @property
    def minus(self) -> str:
        """Name of the reference in the head of a column of differences."""
        given = ", ".join(map(str, self.board.reference.values()))
        return f"{given} or the best" if given and self.rows == "factors" else given or "the best"

    @property
    def several(self) -> bool:
        """True if there is an arm to compare with."""
        return len(self.board.arms[2]) > 1 and any(one.reference is not None for one in self.board.compared)

    @property
    def seeds(self) -> tuple[int, int]:
        """Fewest and the most runs of an arm that count."""
        n = self.frame["n"] if self.rows != "runs" else [1]
        return min(n, default=0), max(n, default=0)


def _sorted(frame: DataFrame, column: str, board: Board) -> DataFrame:
    """Sort by a column: metrics and differences with the better ones first, others from small to large."""
    name = board.metrics[0].name
    short = {end: f"{name}_{end}" for end in SHORT if f"{name}_{end}" in frame}
    try:
        found = column if column in frame else short.get(column) or metric_of(board.results, column).name
    except UsageError:
        found = ""
    if found not in frame:
        raise UsageError(f"there is no column {column!r} to sort by{nearest(column, {*map(str, frame), *short})}")
    metric = next((one for one in board.metrics if found in (one.name, f"{one.name}_difference")), None)
    return frame.sort_values(found, ascending=metric is None or metric.less_is_better is not False, kind="stable")
