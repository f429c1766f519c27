"""Final metric of each arm: a row per arm, a dot per seed, with mean and interval."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from dlsweep.analysis.facets import Cell, Facets, FactorName, SplitName
from dlsweep.analysis.networks import PartialArm
from dlsweep.analysis.scores import Rows, Scores, chance, metric_in
from dlsweep.errors import UsageError
from dlsweep.plots import captions, style
from dlsweep.plots.axes import ScoreAxis
from dlsweep.plots.chart import Chart, plots
from dlsweep.plots.layout import LABEL, fit
from dlsweep.plots.legend import level_colours, level_group, mark
from dlsweep.plots.names import factor_name, named
from dlsweep.plots.panels import Words, beside, name_rows, panels
from dlsweep.storage.tables import Moment
from dlsweep.types import Axes, Figure

MEAN: dict[str, Any] = {"linestyle": "none", "marker": "|", "markersize": 12, "markeredgewidth": 2.2}


@plots.register(table="runs", places=("rows", "columns", "lines"))
def final(
    facets: Facets,
    *,
    rows: FactorName = "arm",
    y: Literal["accuracy", "loss"] = "accuracy",
    split: SplitName | None = None,
    splits: list[SplitName] | None = None,
    minus: str | PartialArm | None = None,
    moment: Moment = "final",
    order: Literal["config", "value"] = "config",
    log_y: bool = False,
) -> Chart:
    """Final metric of every arm, in rows: a dot per seed, the mean and its 95 % interval.

    y: the metric; log_y: a logarithmic axis of the metric. rows: arm, or a factor whose levels are the rows; columns: a
    factor whose levels are panels; lines: a factor whose levels are colours within a row. split: by default the split
    furthest from training; splits: several, such as train and test, joined by a line within each row. minus: the
    reference, a row such as none, levels such as {activation: relu, init: he}, or best; the other rows show their
    differences to it, paired by seed. moment: final, best or last. order: of the
    rows, as in the config, or by value, the best above.

    A diverged run is a cross at chance accuracy, where it counts. Its loss has no value: its cross is at the edge, and
    its arm has no mean. The figure has the number of such runs.

    >>> import pandas as pd
    >>> runs = pd.DataFrame({"run_id": ["a", "b"], "arm": ["all"] * 2, "seed": [0, 1], "status": ["done"] * 2})
    >>> plots["final"](runs.assign(final_test_accuracy=[0.5, 0.75])).data["final_test_accuracy"].tolist()
    [0.625]
    """
    if splits and facets.lines:
        raise UsageError(f"splits are the colours within a row, and so are lines: {facets.lines}; give one of them")
    metrics = [metric_in(facets.frame, y, one, moment) for one in (splits or (split,))]
    shown = Rows.of(facets, rows, metrics, best_first=order == "value")
    name = metrics[0].words if len(metrics) == 1 else f"{moment} {y}"
    level = chance(facets.frame, y)
    if minus is not None:
        reference = shown.named(minus)
        shown, name, level = shown.minus(reference), f"{name}: difference to {reference}", 0.0
    axis = ScoreAxis.of(shown.every, log=log_y and minus is None)
    words = _words(shown, name, axis, level, joined=bool(splits))
    figure = _draw(shown, words, axis, level, joined=bool(splits))
    data = shown.table()
    extremes = captions.extremes(data, shown.every[0].metric) if shown.every else ""
    alt = captions.alt(f"Dots of {name}, a row for each {factor_name(shown.name)}", shown.facets, extremes)
    return Chart(figure, words.foot, alt, data)


def _draw(shown: Rows, words: Words, axis: ScoreAxis, level: float, *, joined: bool) -> Figure:
    """Draw the rows of all panels. level: of the dotted line; joined: True if a line joins the means of a row."""
    grey = _greys(shown, joined=joined)
    colours = level_colours(shown.facets, shown.facets.lines)
    apart = 1 if joined else len(colours)  # levels that have a height of their own within a row
    offsets = dict(zip(colours, np.linspace(-0.3, 0.3, apart) if apart > 1 else [0.0] * len(colours)))
    height = float(np.clip(5.6 / max(len(shown.names), 1), 0.17, 0.19 + 0.13 * apart))
    size = float(np.clip(8.4 / len(shown.dots), 2.2, 6.0)), max(1.0, height * len(shown.names))
    with panels(words, size) as (figure, axes):
        axis.scale(axes[0, 0])
        for cell, part in shown.dots.items():
            name_rows(axes[cell], words.ticks)
            if axis.low <= level <= axis.high:
                axes[cell].axvline(level, label="chance" if level else "zero", **style.DOTTED)
            for i, name in enumerate(shown.names if joined else ()):
                ends = [one.mean for (row, _), one in part.items() if row == name]
                axes[cell].plot(ends, [i] * len(ends), color=style.FAINT, linewidth=1.2, label=f"joined: {name}")
            for (row, one), scores in part.items():
                at, text = shown.names.index(row) + offsets[one], captions.joined(row, one)
                colour = style.FAINT if (row, one) in grey.get(cell, ()) else colours[one]
                _draw_arm(axes[cell], text, scores, at, 0.3 / apart, colour, axis.high)
        for i, text in enumerate(words.beside):
            beside(axes[0, 0], i, text, color=style.ALARM)
    return figure


def _greys(shown: Rows, *, joined: bool) -> dict[Cell, set[tuple[str, str]]]:
    """Return the rows of each panel that are grey, since they cannot be distinguished from its best row.

    There are none where colours have another meaning, or rows are differences.
    """
    if joined or shown.facets.lines or any(one.metric.endswith("difference") for one in shown.every):
        return {}
    return {cell: shown.alike(cell) for cell in shown.dots}


def _words(shown: Rows, name: str, axis: ScoreAxis, level: float, *, joined: bool) -> Words:
    """Return the texts around the panels. level: of the dotted line, chance or 0."""
    diverged = any(one.diverged.any() for one in shown.every)
    caption = captions.of_scores(shown.every, "; a dot is one seed", level, paired=level == 0)
    caption += ["Triangles: far beyond the edge."] * axis.cut
    caption += ["Thin dotted: chance."] * bool(level and axis.low <= level <= axis.high)
    if any(_greys(shown, joined=joined).values()):
        of = "the best of its panel" if len(shown.dots) > 1 else "the best"
        caption.append(f"Grey: cannot be distinguished from {of} (one-sided paired t tests).")
    caption += ["Differences are paired by seed, so their intervals compare arms."] * (level == 0)
    runs = shown.facets.frame
    names = named(runs, shown.name if shown.name != "arm" else None, shown.names)
    single = len(shown.dots) == 1
    return Words(
        x=name,
        y="" if shown.name == "arm" else factor_name(shown.name),
        **captions.headings(shown.facets),
        legend=level_group(shown.facets, **MEAN) + [("", [mark("diverged", **style.CROSS)])] * diverged,
        notes={} if single else captions.notes(dict(shown.facets)),
        foot=" ".join(caption),
        ticks=[fit(name, 4, LABEL) for name in names],
        beside=[captions.how_ended(runs[shown.row == row]) for row in shown.names] if single else [],
    )


def _draw_arm(ax: Axes, name: str, scores: Scores, at: float, width: float, colour: Any, top: float) -> None:
    """Draw one arm: its seeds in their order from above, and their mean with its interval."""
    y = at + width * np.linspace(-1, 1, scores.n + 2)[1:-1]
    far = scores.values > top
    x = np.where(np.isfinite(scores.values) & ~far, scores.values, top)
    if scores.n >= captions.INTERVAL_FROM and scores.mean <= top:
        ax.plot(scores.interval, (at, at), color=colour, label=f"interval: {name}", **style.INTERVAL)
    if scores.n > 1 and scores.mean <= top:
        ax.plot([scores.mean], [at], **MEAN, color=colour, label=f"mean: {name}")
    common: dict[str, Any] = {"linestyle": "none", "color": colour, "clip_on": False}
    dot: dict[str, Any] = {"markeredgewidth": 0, "alpha": 0.7}
    for label, mask, own in (
        ("seeds", ~scores.diverged & ~far, {**dot, "marker": "o", "markersize": 3.5}),
        ("beyond", ~scores.diverged & far, {**dot, "marker": ">", "markersize": 4.5}),
        ("diverged", scores.diverged, {**style.CROSS, "markersize": 5, "markeredgewidth": 1.4}),
    ):
        if mask.any():
            ax.plot(x[mask], y[mask], label=f"{label}: {name}", **{**common, **own})
