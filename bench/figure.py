"""The measurements as one figure: horizontal bars, the fastest on top."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.common import Job
from bench.contenders import DLSWEEP, LIMIT, Contender
from bench.summary import Line

COLOURS = {DLSWEEP: "#0072b2", LIMIT: "#ffffff"}
OTHERS = "#b8bec6"
INK = "#22272e"


def draw(tables: dict[Job, list[Line]]) -> Figure:
    """Draw a panel per job: training times of the sweep with several seeds, process times of the one with one seed."""
    figure = Figure(figsize=(12.8, 4.8), layout="constrained")
    panels = figure.subplots(1, len(tables), squeeze=False)[0]
    for axes, (job, table) in zip(panels, tables.items(), strict=True):
        whole = job.seeds == 1
        _panel(axes, table, whole)
        kind = "start-up included" if whole else "training and evaluation"
        axes.set_title(f"{job.runs} networks", loc="left", fontsize=15, fontweight="bold", color=INK, pad=24)
        axes.text(0, 1.02, f"seconds, {kind}; × dlsweep", transform=axes.transAxes, fontsize=11, color=INK, va="bottom")
    return figure


def _panel(axes: Axes, table: list[Line], whole: bool) -> None:
    rows: dict[str, tuple[float, float | None, Contender]] = {}  # the best contender of each group
    for line in table:
        seconds, ratio = (line.whole, line.whole_ratio) if whole else (line.median, line.ratio)
        if seconds:
            row = seconds, ratio, line.contender
            rows[line.contender.group] = min(rows.get(line.contender.group, row), row, key=lambda r: r[0])

    longest = max(seconds for seconds, *_ in rows.values())
    for y, (seconds, ratio, contender) in enumerate(sorted(rows.values(), key=lambda r: r[0])):
        edge, dash = (INK, "--") if contender == LIMIT else ("none", "-")
        weight = "bold" if contender == DLSWEEP else "normal"
        axes.barh(y, seconds, 0.68, color=COLOURS.get(contender, OTHERS), edgecolor=edge, linestyle=dash)
        text: dict[str, Any] = {"va": "center", "fontsize": 12, "fontweight": weight, "color": INK}
        axes.text(-0.015 * longest, y, contender.name, ha="right", **text)
        compared = ratio and contender not in (DLSWEEP, LIMIT)
        axes.text(seconds + 0.015 * longest, y, f"{seconds:.1f}" + (f"   {ratio:.1f}×" if compared else ""), **text)

    absent = {line.contender.group: None for line in table if line.contender.group not in rows}
    if absent:
        axes.set_xlabel(f"absent: {', '.join(absent)}", fontsize=10, color=INK, loc="left")
    axes.set(xlim=(0, longest * 1.16), ylim=(len(rows) - 0.4, -0.6), xticks=[], yticks=[])
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.spines["left"].set_color(INK)
