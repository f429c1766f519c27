"""How well each arm has learned in the end: a row of points an arm, a point a seed, with mean and interval."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dlsweep.config.runs import Split
from dlsweep.plots import style
from dlsweep.plots.base import DataFrame, Figure, plots
from dlsweep.plots.factors import all_levels, arms, labels, levels, panel, panel_levels, place, refuse_mixed
from dlsweep.plots.key import CROSS
from dlsweep.plots.panels import LABEL, NOTE, Words, fit, panels
from dlsweep.plots.scales import decades, short
from dlsweep.plots.scores import Metric, Moment, Scores, chance
from dlsweep.plots.wording import around, how_ended, mean_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

MEAN: dict[str, Any] = {"linestyle": "none", "marker": "|", "markersize": 12, "markeredgewidth": 2.2}
KINDS = {"o": "seeds", ">": "beyond"}
_ABSURD = 100.0  # times the lower quartile: a loss beyond that would flatten the others


@dataclass(frozen=True)
class _Dots:
    """The scores of one arm, and where they stand: the row, and the level of `lines`."""

    row: str
    level: str
    scores: Scores


@plots.register
def final(
    runs: DataFrame,
    *,
    rows: str = "arm",
    columns: str | None = None,
    lines: str | None = None,
    y: Literal["accuracy", "loss"] = "accuracy",
    split: Split | None = None,
    moment: Moment = "final",
    order: Literal["config", "value"] = "config",
    log_y: bool = False,
) -> Figure:
    """The final metric of every arm, in rows: a point a seed, the mean and its 95 % interval.

    runs: the table `runs/`. rows: arm, or a factor whose levels are the rows; columns: one whose levels are panels;
    lines: one whose levels are colours within a row. split: if not given, the one furthest from training. moment:
    final, best or last. order: of the rows, as in the config, or by value, the best above.

    A diverged run is a cross at chance accuracy, where it counts; as a loss it has no value, its cross stands at the
    edge, and its arm has no mean. How many there are is written beside.
    """
    metric = Metric.of(runs, y, split, moment)
    placed = place(runs, {"rows": rows, "columns": columns, "lines": lines})
    row, name = arms(runs, (placed.columns, placed.lines)) if rows == "arm" else (labels(runs, rows), rows)
    frame = runs.assign(row=row, level=labels(runs, placed.lines) if placed.lines else "")
    grid = replace(placed, rows=None)
    parts = {cell: panel(frame, grid, *names) for cell, names in panel_levels(frame, grid).items()}
    dots = {cell: list(_dots(part, metric)) for cell, part in parts.items()}
    names = list(dict.fromkeys(row)) if rows == "arm" else levels(runs, rows)
    if order == "value":
        names = _sorted(names, [one for part in dots.values() for one in part], y)
    every = [one.scores for part in dots.values() for one in part]
    reach, guess = _Reach.of(every, log=log_y), chance(runs, metric)
    colours: dict[str, Any] = {"": style.PALETTE[0]}
    if placed.lines:
        of_all = style.colours(all_levels(runs, placed.lines))
        colours = {level: of_all[level] for level in levels(runs, placed.lines)}
    beside = [how_ended(frame[frame["row"] == n]) for n in names] if len(parts) == 1 else []
    words = Words(
        x=metric.name,
        y="" if name == "arm" else name,
        **around(runs, grid),
        legend=_legend(placed.lines, colours, every),
        notes={} if beside else {cell: note for cell, part in parts.items() if (note := how_ended(part))},
        foot=_foot(every, metric, guess, reach),
        ticks=[fit(n, 4, LABEL) for n in names],
        beside=beside,
    )
    return _figure(words, dots, names, colours, reach, guess, log=log_y)


def _figure(
    words: Words,
    dots: Mapping[tuple[int, int], Sequence[_Dots]],
    names: Sequence[str],
    colours: Mapping[str, Any],
    reach: _Reach,
    guess: float,
    *,
    log: bool,
) -> Figure:
    height = float(np.clip(5.6 / len(names), 0.17, 0.19 + 0.13 * len(colours)))
    size = float(np.clip(8.4 / len(dots), 2.2, 6.0)), max(1.0, height * len(names))
    offsets = dict(zip(colours, np.linspace(-0.3, 0.3, len(colours)) if len(colours) > 1 else [0.0]))
    with style.look():
        figure, axes = panels(words, size)
        _scale(axes[0, 0], reach, log=log)
        axes[0, 0].set_ylim(len(names) - 0.5, -0.5)
        axes[0, 0].set_yticks(range(len(names)), words.ticks)
        for cell, part in dots.items():
            axes[cell].grid(False, axis="y")
            if reach.low <= guess <= reach.high:
                axes[cell].axvline(guess, color=style.FAINT, linewidth=0.9, linestyle=(0, (1, 2)), label="chance")
            for one in part:
                at = names.index(one.row) + offsets[one.level]
                _draw(axes[cell], one, at, 0.3 / len(colours), colours[one.level], reach.high)
        for row, text in enumerate(words.beside):
            where: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
            axes[0, 0].annotate(text, (1, row), (6, 0), va="center", size=NOTE, color=style.ALARM, **where)
    return figure


def _scale(ax: Axes, reach: _Reach, *, log: bool) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

    if log:
        ax.set_xscale("log")
        ax.set_xticks(decades(reach.low, reach.high))
        ax.xaxis.set_minor_locator(NullLocator())
    else:
        ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    ax.set_xlim(reach.low, reach.high)


def _dots(part: DataFrame, metric: Metric) -> Iterator[_Dots]:
    for (row, level), group in part.groupby(["row", "level"], sort=False, observed=True):
        refuse_mixed(group, "row")
        yield _Dots(str(row), str(level), Scores.of(group, metric))


def _sorted(names: Sequence[str], dots: Sequence[_Dots], y: str) -> list[str]:
    """The rows from the best mean to the worst; those without one last."""
    sign = -1 if y == "accuracy" else 1
    means: dict[str, list[float]] = {name: [] for name in names}
    for one in dots:
        means[one.row] += [sign * one.scores.mean] if np.isfinite(one.scores.mean) else []
    return sorted(names, key=lambda n: float(np.mean(means[n])) if means[n] else np.inf)


@dataclass(frozen=True)
class _Reach:
    """The ends of the metric's axis, and whether some values lie far beyond the upper one."""

    low: float
    high: float
    cut: bool

    @staticmethod
    def of(scores: Sequence[Scores], *, log: bool) -> _Reach:
        """The axis on which all points and intervals are seen."""
        points = np.concatenate([np.empty(0), *(s.values for s in scores)])
        points = points[np.isfinite(points) & ((points > 0) | (not log))]
        if not len(points):
            return _Reach(0.1, 1.0, False)
        seen = points if log else points[points <= _ABSURD * np.quantile(points, 0.25)]
        ends, span = np.array([s.interval for s in scores]).ravel(), np.ptp(seen)
        ends = ends[(ends >= seen.min() - span) & (ends <= seen.max() + span) & ((ends > 0) | (not log))]
        low, high = min([*seen, *ends]), max([*seen, *ends])
        if log:
            return _Reach(low / 1.2, 1.2 * high, False)
        room = 0.04 * (high - low) or 0.02
        return _Reach(low - room, high + room, len(seen) < len(points))


def _draw(ax: Axes, dots: _Dots, at: float, spread: float, colour: Any, top: float) -> None:
    """One arm: its seeds, in their order from above, and their mean with its interval."""
    scores, name = dots.scores, f"{dots.row}, {dots.level}" if dots.level else dots.row
    y = at + spread * np.linspace(-1, 1, scores.n + 2)[1:-1]
    far = scores.values > top
    x = np.where(np.isfinite(scores.values) & ~far, scores.values, top)
    if scores.n > 1 and scores.mean <= top:
        wide: dict[str, Any] = {"linewidth": 7, "alpha": 0.25, "solid_capstyle": "butt"}
        ax.plot(scores.interval, (at, at), color=colour, label=f"interval: {name}", **wide)
        ax.plot([scores.mean], [at], **MEAN, color=colour, label=f"mean: {name}")
    look: dict[str, Any] = {"linestyle": "none", "color": colour, "clip_on": False}
    for mask, marker in ((~scores.diverged & ~far, "o"), (~scores.diverged & far, ">")):
        if mask.any():
            size: dict[str, Any] = {"markersize": 3.5 if marker == "o" else 4.5, "markeredgewidth": 0, "alpha": 0.7}
            ax.plot(x[mask], y[mask], marker=marker, label=f"{KINDS[marker]}: {name}", **size, **look)
    if scores.diverged.any():
        cross = {**look, **CROSS, "markersize": 5, "markeredgewidth": 1.4}
        ax.plot(x[scores.diverged], y[scores.diverged], label=f"diverged: {name}", **cross)


def _legend(factor: str | None, colours: Mapping[str, Any], scores: Sequence[Scores]) -> list[tuple[str, list[Line2D]]]:
    from matplotlib.lines import Line2D

    groups = (
        [(factor, [Line2D([], [], label=level, color=c, **MEAN) for level, c in colours.items()])] if factor else []
    )
    if any(s.diverged.any() for s in scores):
        groups.append(("", [Line2D([], [], label="diverged", color=style.INK, **CROSS)]))
    return groups


def _foot(scores: Sequence[Scores], metric: Metric, guess: float, reach: _Reach) -> str:
    """How to read the figure."""
    words = [mean_of([max(s.n, 1) for s in scores], "; a dot is one seed")]
    if any(s.diverged.any() for s in scores):
        known = metric.y == "accuracy" and np.isfinite(guess)
        words.append("Diverged runs count at chance." if known else "No mean where a run has diverged.")
    words += ["Triangles: far beyond the edge."] * reach.cut
    words += ["Thin dotted: chance."] * bool(reach.low <= guess <= reach.high)
    return " ".join(words)
