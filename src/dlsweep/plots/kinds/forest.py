"""Forest plot: the effects of a sweep's claims with their intervals, beside the margins that they are tested at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, NamedTuple

import numpy as np

from dlsweep.analysis.facets import Facets
from dlsweep.plots import captions, style
from dlsweep.plots.chart import Chart, plots
from dlsweep.plots.layout import NAME, NOTE, balanced, block_height, fit
from dlsweep.plots.options import NORMAL
from dlsweep.plots.panels import Words, bare, panels
from dlsweep.text import half_width, interval_text, measured, plural
from dlsweep.types import Axes

_WIDTH, _LEFT, _RIGHT = 4.2, 3.8, 2.8  # inches: of the effects, of the claims, of the verdicts
_HEADER, _LEAST, _GAP = 0.26, 0.34, 0.05  # inches: height of the header, least height of a row, between two rows
_EDGE = 1.12  # end of the x axis; the interval's end that is furthest from the margin is at 1
_INSIDE = 0.6  # at most, of the half-width: a margin of `equals`

_COLOURS = {"supported": style.PALETTE[0], "refuted": style.PALETTE[1], "undecided": style.PALETTE[6]}
_MARKS: dict[str, dict[str, Any]] = {
    "supported": {"marker": "o"},
    "refuted": {"marker": "s"},
    "undecided": {"marker": "o", "markerfacecolor": "white", "markeredgewidth": 1.6},
}
_ZONES = {"supported": "#e2eef6", "refuted": "#fae8dc"}


@plots.register(table="claims", arrange=Facets.whole)
def forest(facets: Facets) -> Chart:
    """Claims of one or more sweeps: each effect with its interval, the margin that it is tested at, and the verdict.

    A vertical line is the margin. Each row has its own scale, turned so that effects on the right support the claim;
    `equals` has two margins, and effects between them support it. A claim of `order` or `monotone` has a row for each
    pair. A claim without numbers has the reason instead.

    >>> from dlsweep.analysis.frames import frame_of
    >>> import dlsweep
    >>> config = {"name": "forest", "data": {"mnist": {"train": 100, "test": 100}}, "train": {"iterations": 2}}
    >>> claim = {"learns": {"arm": {"init": "he"}, "above": 0.99}}
    >>> results = dlsweep.run({**config, "seeds": 2, "grid": {"init": ["he"]}, "claims": [claim]}, executor="inline")
    >>> plots["forest"](frame_of(results, "claims")).data["verdict"].tolist()
    ['undecided']
    """
    frame = facets.frame
    claims = [_Claim(part.to_dict("records")) for _, part in frame.groupby(["results", "claim"], sort=False)]
    rows = list(_rows(claims))
    words = Words(
        foot=_caption(claims),
        ticks=[line for row in rows for line in (row.name + "\n" + row.about).split("\n")],
        beside=[line for row in rows for line in (f"{row.verdict}xxx", *row.numbers.split("\n"))],
        below=0.0,
    )
    with panels(words, (_WIDTH, _HEADER + sum(row.height for row in rows))) as (figure, axes):
        ax = axes[0, 0]
        bottom = _HEADER + sum(row.height for row in rows)
        ax.set(xlim=(-_EDGE, _EDGE), ylim=(bottom, 0), xticks=[], yticks=[])
        bare(ax)
        for text, x, side in _header({between(claim.first) for claim in claims}):
            colour = _COLOURS[text.strip("← →■")]
            ax.text(x, _HEADER - 0.08, text, size=NAME, weight="bold", color=colour, ha=side)
        top = _HEADER
        for row in rows:
            _draw(ax, row, top)
            top += row.height
    counts = frame.drop_duplicates(["results", "claim"])["verdict"].value_counts(sort=False)
    told = captions.joined(*(f"{count} {verdict}" for verdict, count in counts.items()))
    each = [f"{claim.first['verdict'].capitalize()}: {claim.first['claim']}." for claim in claims[: captions.MANY]]
    alt = " ".join([f"Forest plot of {plural(len(claims), 'claim')}: {told}.", *each])
    return Chart(figure, words.foot, alt, frame)


def _rows(claims: Sequence[_Claim]) -> Iterator[_Row]:
    """Yield the rows of all claims; those of several sweeps below the name of each."""
    several = len({claim.first["results"] for claim in claims}) > 1
    before = None
    for claim in claims:
        if several and claim.first["results"] != before:
            before = claim.first["results"]
            yield _Row(fit(claim.first["sweep"], _LEFT, NAME, 2), fit(before, _LEFT, NOTE, 2), "", "", "undecided")
        yield from claim.rows()


def _header(equal: set[bool]) -> list[tuple[str, float, str]]:
    """Return the words over the zones, with their places.

    equal: True for claims of `equals`, which both sides of their zone refute. Of both kinds, the words are a key of the
    colours, since no place suits the zones of all rows.
    """
    if equal == {True, False}:
        return [("■ refuted", -0.04, "right"), ("■ supported", 0.04, "left")]
    if equal == {True}:
        return [("refuted", -_EDGE, "left"), ("supported", 0.0, "center"), ("refuted", _EDGE, "right")]
    return [("← refuted", -_EDGE, "left"), ("supported →", _EDGE, "right")]


class _Row(NamedTuple):
    """Row with its texts, cut into lines. at: the contrast that it draws, and the scale; None for a header.

    reason: words in place of a contrast.
    """

    name: str
    about: str
    verdict: str
    numbers: str
    word: str
    at: tuple[Any, float] | None = None
    reason: str = ""

    @property
    def height(self) -> float:
        """Height in inches that its texts need."""
        left = block_height([self.name], NORMAL) + block_height([self.about], NOTE)
        right = block_height([self.verdict], NAME) + block_height([self.numbers], NOTE)
        return max(left, right, block_height([self.reason], NOTE), _LEAST) + 2 * _GAP


@dataclass(frozen=True)
class _Claim:
    """Claim, with a row of the table for each of its contrasts."""

    steps: Sequence[Mapping[Any, Any]]

    @property
    def first(self) -> Mapping[Any, Any]:
        """Values that all its contrasts share, and those of the first one."""
        return self.steps[0]

    @property
    def told(self) -> bool:
        """True if it has numbers."""
        return any(isfinite(step["effect"]) for step in self.steps)

    @property
    def scale(self) -> float:
        """Distance from the margin that is 1 on the x axis; of `equals`, from 0."""
        one = self.first
        numbers = [step[name] for step in self.steps for name in ("effect", "low", "high")]
        known = [abs(place(one, x)) for x in numbers if isfinite(x)]
        return max([*known, one["margin_high"] / _INSIDE if between(one) else 0.0]) or 1.0

    def rows(self) -> Iterator[_Row]:
        """Yield its row; of several contrasts, a header and a row for each."""
        one = self.first
        verdict = f"{one['verdict']}, n = {one['n']}" if one["n"] else one["verdict"]
        verdict += {"refuted": ", as expected"}.get(one["verdict"], "") * bool(one["as_expected"])
        name = one["claim"] + " †" * bool(one["late"]) + " ‡" * bool(one["unplanned"])
        about = ": ".join(filter(None, (one["words"], one["contrast"] * (len(self.steps) == 1))))
        texts = balanced(name, _LEFT, NORMAL, 5), balanced(about, _LEFT, NOTE, 3), verdict
        notes = [fit(note, _RIGHT, NOTE, 4) for note in self.notes()]
        if not self.told:
            reason = one["reason"] or "not finite in any seed"
            yield _Row(
                *texts,
                "\n".join(notes[bool(one["reason"]) :]),
                one["verdict"],
                reason=fit(reason, _WIDTH - 0.3, NOTE, 6),
            )
        elif len(self.steps) == 1:
            yield _Row(*texts, "\n".join([_numbers(one), *notes]), one["verdict"], (one, self.scale))
        else:
            yield _Row(*texts, "\n".join(notes), one["verdict"])
            for step in self.steps:
                pair = fit(step["contrast"], _LEFT, NOTE, 2)
                yield _Row("", pair, "", _numbers(step), one["verdict"], (step, self.scale))

    def notes(self) -> Iterator[str]:
        """Yield what limits its verdict."""
        one = self.first
        if one["reason"]:
            yield one["reason"]
        if one["infinite"]:
            yield f"{plural(one['infinite'], 'run')} counted as infinite" + ", not in these numbers" * self.told
        elif one["diverged"]:
            yield f"{plural(one['diverged'], 'run')} diverged"
        if one["stopped"]:
            yield f"{plural(one['stopped'], 'run')} stopped early"
        if not one["as_expected"]:
            yield f"expected: {one['expect']}"


def between(one: Mapping[Any, Any]) -> bool:
    """True if effects between two margins support the claim."""
    return bool(one["margin_low"] < one["margin_high"])


def place(one: Mapping[Any, Any], x: float) -> float:
    """Return the distance of an effect from the margin, above 0 if it supports the claim; of `equals` from 0."""
    return float(x) if between(one) else float(one["sign"] * (x - one["margin_low"]))


def _numbers(one: Mapping[Any, Any]) -> str:
    """Return the effect and its interval in words."""
    interval, sign = (one["low"], one["high"]), one["relation"] not in ("above", "below")
    told = measured(one["effect"], half_width(*interval), sign=sign)
    if one["exact"]:
        told += ", the same for every seed"
    elif isfinite(half_width(*interval)):
        told += f" {interval_text(*interval, sign=sign)}"
    return told.replace("-", "\N{MINUS SIGN}")


def _caption(claims: list[_Claim]) -> str:
    """Explain how to read the rows, and what their numbers do not say."""
    every = [claim.first for claim in claims]
    told = ["Each row has its own scale; its vertical line is the margin, and an interval across it decides nothing."]
    told += ["An interval between two margins shows that arms are equal."] * any(map(between, every))
    if any(not one["exact"] and claim.told for one, claim in zip(every, claims)):
        levels = sorted({f"{100 * one['level']:g} %" for one in every if not one["exact"]}, reverse=True)
        told += [f"Lines: {' (equality: '.join(levels)}{')' * (len(levels) > 1)} intervals of the mean over n seeds."]
    if any(one["p_holm"] > one["p"] for one in every):
        told.append("Verdicts are corrected for the number of claims (Holm), intervals are not.")
    told += ["†: stated after the results."] * any(one["late"] for one in every)
    told += ["‡: not among the claims of the planned looks, tested once."] * any(one["unplanned"] for one in every)
    return " ".join(told)


def _draw(ax: Axes, row: _Row, top: float) -> None:
    """Draw a row below a height in inches: its texts, and its effect within the zones."""
    middle, colour = top + row.height / 2, _COLOURS[row.word]
    for x, away, side, (upper, size, own), (lower, small) in (
        (0, -8, "right", (row.name, NORMAL, {}), (row.about, NOTE)),
        (1, 8, "left", (row.verdict, NAME, {"color": colour, "weight": "bold"}), (row.numbers, NOTE)),
    ):
        high, low = block_height([upper], size), block_height([lower], small)
        common: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "va": "top"}
        common |= {"ha": side, "linespacing": 1.2}
        start = middle - (high + low) / 2
        ax.annotate(upper, (x, start), (away, 0), size=size, **{**common, **own})
        ax.annotate(lower, (x, start + high), (away, 0), size=small, color=style.FAINT, **common)
    if row.reason:
        ax.text(0, middle, row.reason, size=NOTE, color=style.FAINT, ha="center", va="center", linespacing=1.2)
    if row.at:
        _draw_effect(ax, *row.at, row.word, middle, row.height / 2 - _GAP / 2)


def _draw_effect(ax: Axes, one: Mapping[Any, Any], scale: float, word: str, middle: float, half: float) -> None:
    """Draw the zones of a row, and the effect with its interval. half: half the height of a row."""
    turns = [one["margin_low"], one["margin_high"]] if between(one) else [one["margin_low"]]
    at = [place(one, turn) / scale for turn in turns]
    names = ("refuted", "supported", "refuted") if between(one) else ("refuted", "supported")
    for low, high, zone in zip([-_EDGE, *at], [*at, _EDGE], names):
        ax.fill_between([low, high], middle - half, middle + half, color=_ZONES[zone], linewidth=0, zorder=0)
    sign = "+" if one["relation"] not in ("above", "below") else ""
    for x, turn, side in zip(at, turns, ("right", "left") if between(one) else ("left",)):
        ax.plot([x, x], [middle - half, middle + half], color=style.INK, linewidth=1, label=f"margin: {one['claim']}")
        text = f"{turn:{sign}g}".replace("-", "\N{MINUS SIGN}") if turn else "0"
        away = (2, 2) if side == "left" else (-2, 2)
        small: dict[str, Any] = {"size": 6.5, "color": style.FAINT, "ha": side, "textcoords": "offset points"}
        ax.annotate(text, (x, middle + half), away, **small)
    name = captions.joined(one["claim"], one["contrast"])
    common: dict[str, Any] = {"color": _COLOURS[word], "clip_on": False}
    if not one["exact"] and not np.isnan([one["low"], one["high"]]).any():
        interval = np.clip([place(one, x) / scale for x in (one["low"], one["high"])], -_EDGE, _EDGE)
        ax.plot(interval, [middle, middle], linewidth=2.4, label=f"interval: {name}", **common)
    effect = place(one, one["effect"]) / scale
    ax.plot([effect], [middle], linestyle="none", markersize=7, label=f"effect: {name}", **common, **_MARKS[word])
