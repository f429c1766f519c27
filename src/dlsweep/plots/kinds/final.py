"""The final metric of each arm: a row an arm, a dot a seed, with mean and interval."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dlsweep.analysis.facets import Cell, Facets, FactorName, SplitName, all_levels, arms, labels, levels, refuse_mixed
from dlsweep.analysis.scores import Metric, Moment, Scores, chance
from dlsweep.plots import captions, style
from dlsweep.plots.axes import decades, short
from dlsweep.plots.chart import Chart, plots
from dlsweep.plots.fitting import LABEL, NOTE, fit
from dlsweep.plots.layout import Words
from dlsweep.plots.panels import panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from pandas import DataFrame

MEAN: dict[str, Any] = {"linestyle": "none", "marker": "|", "markersize": 12, "markeredgewidth": 2.2}
_ABSURD = 100.0  # times the lower quartile: a loss beyond that would flatten the others


@dataclass(frozen=True)
class _Dots:
    """The scores of one arm, and their position: the row, and the level of `lines`."""

    row: str
    level: str
    scores: Scores


@plots.register(table="runs", places=("rows", "columns", "lines"))
def final(
    facets: Facets,
    *,
    rows: FactorName = "arm",
    y: Literal["accuracy", "loss"] = "accuracy",
    split: SplitName | None = None,
    moment: Moment = "final",
    order: Literal["config", "value"] = "config",
    log_y: bool = False,
) -> Chart:
    """The final metric of every arm, in rows: a point a seed, the mean and its 95 % interval.

    rows: arm, or a factor whose levels are the rows; columns: a factor whose levels are panels; lines: a factor whose
    levels are colours within a row. split: by default the split furthest from training. moment: final, best or last.
    order: of the rows, as in the config, or by value, the best above.

    A diverged run is a cross at chance accuracy, where it counts. Its loss has no value: its cross is at the edge, and
    its arm has no mean. The number of such runs is written beside.

    >>> import pandas as pd
    >>> runs = pd.DataFrame({"run_id": ["a", "b"], "arm": ["all"] * 2, "seed": [0, 1], "status": ["done"] * 2})
    >>> plots["final"](runs.assign(final_test_accuracy=[0.5, 0.75])).data["final_test_accuracy"].tolist()
    [0.625]
    """
    runs, grid = facets.frame, replace(facets, rows=None)
    metric = Metric.of(runs, y, split, moment)
    row, name = arms(runs, (facets.columns, facets.lines)) if rows == "arm" else (labels(runs, rows), rows)
    frame = runs.assign(row=row, level=labels(runs, facets.lines) if facets.lines else "")
    parts = dict(grid.parts(frame))
    dots = {cell: list(_dots(part, metric)) for cell, part in parts.items()}
    every = [one for part in dots.values() for one in part]
    names = list(dict.fromkeys(row)) if rows == "arm" else levels(runs, rows)
    if order == "value":
        names = _sorted(names, every, y)
    reach, guess = _Reach.of([one.scores for one in every], log=log_y), chance(runs, metric)
    beside = [captions.how_ended(frame[frame["row"] == n]) for n in names] if len(parts) == 1 else []
    words = Words(
        x=metric.name,
        y="" if name == "arm" else name,
        **captions.around(grid),
        legend=_legend(facets, every),
        notes={} if beside else captions.notes(parts),
        foot=_caption([one.scores for one in every], metric, guess, reach),
        ticks=[fit(n, 4, LABEL) for n in names],
        beside=beside,
    )
    figure = _draw(words, dots, names, _colours(facets), reach, guess, log=log_y)
    data = _data(grid, dots, name, metric)
    alt = captions.alt(f"Dots of {metric.name}, a row for each {name}", grid, captions.extremes(data, metric.column))
    return Chart(figure, words.foot, alt, data)


def _data(grid: Facets, dots: Mapping[Cell, Sequence[_Dots]], name: str, metric: Metric) -> DataFrame:
    import pandas as pd

    records = [
        {name: one.row, **grid.levels_at(cell, one.level), **one.scores.record()}
        for cell, part in dots.items()
        for one in part
    ]
    return pd.DataFrame(records, columns=None if records else [name, metric.column])


def _colours(facets: Facets) -> dict[str, Any]:
    """Return the colour of each level of `lines`."""
    if not facets.lines:
        return {"": style.PALETTE[0]}
    of_all = style.colours(all_levels(facets.frame, facets.lines))
    return {level: of_all[level] for level in levels(facets.frame, facets.lines)}


def _dots(part: DataFrame, metric: Metric) -> Iterator[_Dots]:
    for (row, level), group in part.groupby(["row", "level"], sort=False, observed=True):
        refuse_mixed(group, "row")
        yield _Dots(str(row), str(level), Scores.of(group, metric))


def _sorted(names: Sequence[str], dots: Sequence[_Dots], y: str) -> list[str]:
    """Sort the rows from the best mean to the worst; rows without one come last."""
    sign = -1 if y == "accuracy" else 1
    means: dict[str, list[float]] = {name: [] for name in names}
    for one in dots:
        means[one.row] += [sign * one.scores.mean] if np.isfinite(one.scores.mean) else []
    return sorted(names, key=lambda n: float(np.mean(means[n])) if means[n] else np.inf)


@dataclass(frozen=True)
class _Reach:
    """The ends of the metric's axis; cut: True if some values are far beyond the upper end."""

    low: float
    high: float
    cut: bool

    @staticmethod
    def of(scores: Sequence[Scores], *, log: bool) -> _Reach:
        """The axis that shows all points and intervals."""
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


def _draw(
    words: Words,
    dots: Mapping[Cell, Sequence[_Dots]],
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
                axes[cell].axvline(guess, label="chance", **style.DOTTED)
            for one in part:
                at = names.index(one.row) + offsets[one.level]
                _draw_arm(axes[cell], one, at, 0.3 / len(colours), colours[one.level], reach.high)
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


def _draw_arm(ax: Axes, dots: _Dots, at: float, width: float, colour: Any, top: float) -> None:
    """Draw one arm: its seeds in their order from above, and their mean with its interval."""
    scores, name = dots.scores, captions.joined(dots.row, dots.level)
    y = at + width * np.linspace(-1, 1, scores.n + 2)[1:-1]
    far = scores.values > top
    x = np.where(np.isfinite(scores.values) & ~far, scores.values, top)
    if scores.n > 1 and scores.mean <= top:
        wide: dict[str, Any] = {"linewidth": 7, "alpha": 0.25, "solid_capstyle": "butt"}
        ax.plot(scores.interval, (at, at), color=colour, label=f"interval: {name}", **wide)
        ax.plot([scores.mean], [at], **MEAN, color=colour, label=f"mean: {name}")
    look: dict[str, Any] = {"linestyle": "none", "color": colour, "clip_on": False}
    dot: dict[str, Any] = {"markeredgewidth": 0, "alpha": 0.7}
    for label, mask, own in (
        ("seeds", ~scores.diverged & ~far, {**dot, "marker": "o", "markersize": 3.5}),
        ("beyond", ~scores.diverged & far, {**dot, "marker": ">", "markersize": 4.5}),
        ("diverged", scores.diverged, {**style.CROSS, "markersize": 5, "markeredgewidth": 1.4}),
    ):
        if mask.any():
            ax.plot(x[mask], y[mask], label=f"{label}: {name}", **{**look, **own})


def _legend(facets: Facets, dots: Sequence[_Dots]) -> list[tuple[str, list[Line2D]]]:
    from matplotlib.lines import Line2D

    groups = []
    if facets.lines:
        named = [Line2D([], [], label=level, color=c, **MEAN) for level, c in _colours(facets).items()]
        groups.append((facets.lines, named))
    if any(one.scores.diverged.any() for one in dots):
        groups.append(("", [Line2D([], [], label="diverged", color=style.INK, **style.CROSS)]))
    return groups


def _caption(scores: Sequence[Scores], metric: Metric, guess: float, reach: _Reach) -> str:
    """Explain how to read the figure."""
    words = [captions.mean_of([max(s.n, 1) for s in scores], "; a dot is one seed")]
    known = metric.y == "accuracy" and bool(np.isfinite(guess))
    words += captions.divergence(any(s.diverged.any() for s in scores), known=known)
    words += ["Triangles: far beyond the edge."] * reach.cut
    words += ["Thin dotted: chance."] * bool(reach.low <= guess <= reach.high)
    return " ".join(words)
