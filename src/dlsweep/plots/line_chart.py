"""Line charts in a grid of panels: curves, the train-test gap, and the response to a setting."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np

from dlsweep.analysis.facets import Facets
from dlsweep.analysis.series import Placed, Series, coinciding, panels_of, series_frame
from dlsweep.plots import captions, style
from dlsweep.plots.axes import XAxis, YAxis, floor_of, scale
from dlsweep.plots.chart import Chart
from dlsweep.plots.legend import Legend
from dlsweep.plots.names import factor_name
from dlsweep.plots.panels import Words, empty, panels
from dlsweep.text import listed
from dlsweep.types import Axes, DataFrame

_WIDER = 3.0  # points: a line behind another one that coincides with it


def line_chart(
    facets: Facets,
    series: Iterable[Placed],
    x: XAxis,
    y: str,
    *,
    splits: Sequence[str],
    name: str,
    log: bool = False,
    signed: bool = False,
    floor: float | None = None,
    notes: Sequence[str] = (),
) -> Chart:
    """Draw series in the panels of some facets.

    y: the quantity; name: of its axis; signed: True for a difference; floor: the lower end of an axis of accuracies, by
    default one that shows the ends of all lines; splits: those of the series; notes: further sentences of the caption.
    """
    legend = Legend(facets, splits)
    grid = {cell: sorted(panel, key=legend.order) for cell, panel in panels_of(facets, series).items()}
    every, x = list(chain(*grid.values())), x.suited(grid.values())
    floor = floor_of(every, whole=x.points) if floor is None else floor
    axis = YAxis.of(every, y, log=log, signed=signed, floor=floor)
    same = [group for panel in grid.values() for group in coinciding(panel, axis.heights)] if legend.group else []
    most = max((len(one.each) for one in every), default=0)
    words = Words(
        x=factor_name(x.name),
        y=name,
        **captions.headings(facets),
        legend=legend.groups(every),
        notes={cell: note for cell, part in facets if (note := _note(grid[cell], part, most))},
        foot=" ".join([_caption(every, axis, legend), *_told(same, legend), *notes]) if every else "",
        ticks=axis.labels,
        bar=legend.bar,
    )
    behind = {id(one): len(group) - i for group in same for i, one in enumerate(group, 1)}
    level = 0.0 if signed else _chance(every)
    with panels(words) as (figure, axes):
        scale(axes[0, 0], every, x, axis)
        for cell, part in facets:
            panel = grid[cell]
            for one in panel:
                _draw(axes[cell], one, legend, axis, many=len(panel) > 2, points=x.points, behind=behind.get(id(one)))
            if not panel:
                empty(axes[cell], "no curve" if len(part) else "no runs")
            elif level is not None:
                axes[cell].axhline(level, label="zero" if signed else "chance", **style.DOTTED)
    data = series_frame(facets, grid, x.name, y)
    alt = captions.alt(f"Lines of {name} by {words.x}", facets, _extremes(data, x, y, splits))
    return Chart(figure, words.foot, alt, data)


def _extremes(data: DataFrame, x: XAxis, y: str, splits: Sequence[str]) -> str:
    """Name the highest and the lowest point of an axis of settings, or end of a line, on the last split."""
    if data.empty:
        return ""
    data = data[data["split"] == splits[-1]]
    if x.points:
        return captions.extremes(data, y, also=x.name)
    when = " at the right end" + f" ({style.SPLITS[splits[-1]]})" * (len(splits) > 1)
    return captions.extremes(data.groupby(captions.words_of(data), sort=False).tail(1), y, when)


def _draw(ax: Axes, series: Series, legend: Legend, y: YAxis, *, many: bool, points: bool, behind: int | None) -> None:
    """Draw band, seeds and mean, and marks at the ends of runs. Each artist has a label for tests.

    behind: the number of lines in front of this one that coincide with it; it is wider, so that all are seen.
    """
    from matplotlib.patheffects import withStroke

    line = legend.style(series)
    line["linewidth"] += _WIDER * min(behind or 0, 2)
    name = f"{series.level}, {series.split}" if series.level != series.split else series.split
    runs, colour = len(series.each), line["color"]
    far = np.inf if y.log else 1000 * y.high  # a renderer cannot draw arbitrarily large numbers
    dots: dict[str, Any] = {"marker": "o", "markeredgewidth": 0} if points else {}
    if runs >= captions.INTERVAL_FROM and legend.band(series):
        # The band ends where the mean leaves the panel, and is left out where it would fill the panel.
        seen = (series.mean <= y.high) & ~y.filled_by(series)
        low, high = (np.clip(np.where(seen, end, np.nan), -far, far) for end in series.band(log=y.log))
        alpha = 0.12 if many else 0.2
        ax.fill_between(series.x, low, high, color=colour, alpha=alpha, linewidth=0, label=f"band: {name}")
    if runs > 1 and legend.seeds(series):
        # All seeds are one artist with gaps: light, and simplified where there are more points than pixels.
        x = np.tile(np.append(series.x, np.nan), runs)
        each = np.column_stack([series.each, np.full(runs, np.nan)]).ravel()
        faint: dict[str, Any] = {"linewidth": 0.6, "alpha": float(min(0.4, max(0.1, 0.8 / np.sqrt(runs)))), **dots}
        ax.plot(x, np.minimum(each, far), color=colour, label=f"seeds: {name}", markersize=2.5, **faint)
    casing = [withStroke(linewidth=line["linewidth"] + 1.6, foreground="white")]
    cased = legend.band(series) and not points and behind is None
    line |= {"path_effects": casing} if cased else {"markersize": 5, **dots}
    ax.plot(series.x, np.minimum(series.mean, far), label=f"mean: {name}", zorder=2.5, **line)
    if series.ensemble is not None and legend.band(series):
        ensemble = np.minimum(series.ensemble, far)
        ax.plot(series.x, ensemble, color=colour, label=f"ensemble: {name}", zorder=2.6, **style.ENSEMBLE)
    stops, rings = (marks if legend.band(series) else marks[:0] for marks in (series.stops, series.rings))
    for how, marks, mark in (
        ("stopped", stops, style.STOP),
        ("restored", rings, style.RING),
        ("diverged", series.ends, style.CROSS),
    ):
        if len(marks):  # beyond the panel, such as an exploding loss: at its edge
            at = np.clip(marks, [-np.inf, y.low], [np.inf, y.high]).T
            ax.plot(*at, color=colour, clip_on=False, label=f"{how}: {name}", **mark)


def _note(panel: Sequence[Series], part: DataFrame, most: int) -> str:
    """Describe a panel's runs: fewer seeds than elsewhere, how many diverged or failed."""
    fewest = min((len(one.each) for one in panel), default=most)
    return captions.joined(f"n = {fewest}" * (fewest < most), captions.how_ended(part))


def _caption(every: Sequence[Series], y: YAxis, legend: Legend) -> str:
    """Explain how to read the figure: the number of seeds, the band, the effect of diverged and stopped runs."""
    n = [len(one.each) for one in every]
    words = [captions.mean_of(n, replication=every[0].replication), *captions.comparison(n)]
    if max(n) > 1 and legend.numbers:
        words.append(f"Bands and thin lines: {legend.levels[0]} and {legend.levels[-1]}.")
    elif max(n) > 1 and not all(map(legend.band, every)):
        which = "Bands and thin lines" if legend.dashed else "Bands"
        seen = max(n) >= captions.INTERVAL_FROM or legend.dashed
        words += [f"{which}: {style.SPLITS[legend.shown[-1]]}."] * seen
    known = y.y == "accuracy" and all(np.isfinite(one.chance) for one in every)
    words += captions.divergence(any(len(one.ends) for one in every), known=known)
    if any(one.ensemble is not None for one in every):
        words.append("Diamonds: the seeds' averaged predictions.")
    if any(len(one.stops) for one in every):
        restored = any(len(one.rings) for one in every)
        kept = "the value of its restored weights (the ring), as tables do" if restored else "its last value"
        words.append(f"A dot is a run that stopped early; the mean keeps {kept}.")
    if any(y.filled_by(one).any() for one in every if legend.band(one) and len(one.each) >= captions.INTERVAL_FROM):
        words.append("No band where it would fill the panel.")
    if y.cut:
        words.append("Lines leave the panel at the top: their loss is far above.")
    if y.floor:
        words.append(f"The axis begins at {y.floor:g}.")
    if not y.signed and (_chance(every) or 0) > y.low:
        words.append("Thin dotted: chance.")
    if y.y == "accuracy" and (guess := _chance(every)):
        ends = [curve[np.isfinite(curve)][-1:] for one in every if one.split != "batch" for curve in one.each]
        words += captions.one_class(np.concatenate([np.empty(0), *ends]), guess)
    return " ".join(filter(None, words))


def _told(same: Sequence[Sequence[Series]], legend: Legend) -> list[str]:
    """Explain which lines coincide, each group once."""
    groups = dict.fromkeys(tuple(dict.fromkeys(legend.names.get(one.level, one.level) for one in g)) for g in same)
    texts = [listed(group) for group in groups if len(group) > 1]
    return [f"Lines that coincide are drawn on each other: {'; '.join(texts)}."] * bool(texts)


def _chance(every: Sequence[Series]) -> float | None:
    """Return the accuracy of guessing, if it is the same for all series."""
    chances = {one.chance for one in every}
    return chances.pop() if len(chances) == 1 and np.isfinite([*chances]).all() else None
