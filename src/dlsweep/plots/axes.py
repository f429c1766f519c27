"""Axes shared by all panels: limits, scales and ticks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from dlsweep.analysis.scores import Scores
from dlsweep.analysis.series import Series
from dlsweep.plots.layout import text_width
from dlsweep.plots.options import NORMAL
from dlsweep.types import Axes

if TYPE_CHECKING:
    from matplotlib.axis import Axis
    from matplotlib.ticker import Locator

# A loss beyond this multiple of its usual start has exploded. The axis then ends at a smaller multiple, so that one bad
# arm does not flatten the others.
_ABSURD, _ABSURD_LOG = 100.0, 1e4
_CUT, _CUT_LOG = 3.0, 10.0

# Values of a setting that each have a tick; with more, ticks are at round numbers. Fewer, if some are such as 0.00736.
_MOST_TRIED, _MOST_LONG = 24, 8

_EMPTY = 4.0  # a panel whose lines end before this fraction of the axis is nearly empty

# Lower ends of an axis of accuracies on which every line ends well above the bottom; else the axis begins at 0.
_FLOORS = (0.98, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3)


@dataclass(frozen=True)
class XAxis:
    """X axis of all panels. points: True where its values are few settings, each with a dot.

    log: None for a logarithmic axis where some panels would be nearly empty on a linear one, after early stopping.
    """

    name: str
    log: bool | None = False
    points: bool = False

    def suited(self, panels: Iterable[Sequence[Series]]) -> XAxis:
        """Return the axis with its scale chosen."""
        if self.log is not None:
            return self
        full = [panel for panel in panels if panel]
        ends = [max(one.x[-1] for one in panel) for panel in full]
        stopped = any(len(one.stops) for panel in full for one in panel)
        return replace(self, log=bool(stopped and min(ends) < max(ends) / _EMPTY))


@dataclass(frozen=True)
class YAxis:
    """Y axis of all panels. cut: True if values far above are left out; signed: True for a difference, which
    includes 0; floor: the lower end of an accuracy."""

    y: str
    log: bool
    low: float
    high: float
    cut: bool
    signed: bool = False
    floor: float = 0.0

    @staticmethod
    def of(series: Sequence[Series], y: str, *, log: bool = False, signed: bool = False, floor: float = 0.0) -> YAxis:
        """Axis that shows these series. An accuracy runs from a floor to 1."""
        low, high, start = _range(series, positive=log)
        absurd, at = (_ABSURD_LOG, _CUT_LOG) if log else (_ABSURD, _CUT)
        cut = y == "loss" and 0 < start < high / absurd
        if cut:
            low, high = min(low, start), at * start
        if signed:
            low, high = min(low, 0), max(high, 0)
            pad = 0.05 * (high - low or 1)
            return YAxis(y, log, low - pad, high + pad, cut, signed)
        if log:
            return YAxis(y, log, low / 1.2, 1 if y == "accuracy" else 1.2 * high, cut)
        if y == "accuracy":
            pad = 0.02 * (1 - floor)
            return YAxis(y, log, floor - pad, 1 + pad, cut, floor=floor)
        return YAxis(y, log, 0, 1.05 * high, cut)

    def filled_by(self, series: Series) -> np.ndarray:
        """True where the mean is in the panel and its interval covers all of it, or all possible values in it."""
        low, high = series.band(log=self.log)
        bottom, top = max(self.low, series.bounds[0]), min(self.high, series.bounds[1])
        return np.asarray((series.mean <= self.high) & (low <= bottom) & (high >= top))

    def heights(self, values: np.ndarray) -> np.ndarray:
        """Heights of values in a panel that is 1 high; beyond the panel those of its edges."""
        values = np.clip(values, self.low, self.high)
        low, high = self.low, self.high
        if self.log:
            values, low, high = np.log(values), np.log(low), np.log(high)
        return np.asarray((values - low) / (high - low))

    @property
    def locator(self) -> Locator:
        """Positions of the ticks."""
        from matplotlib.ticker import LogLocator, MaxNLocator, MultipleLocator

        if self.log:
            return LogLocator(subs=[1, 2, 5] if self.high < 150 * self.low else [1])
        whole = self.y == "accuracy" and not self.signed and not self.floor
        return MultipleLocator(0.2) if whole else MaxNLocator(5, steps=[1, 2, 2.5, 5, 10])

    @property
    def labels(self) -> list[str]:
        """Labels of the ticks."""
        return [short(t) for t in self.locator.tick_values(self.low, self.high) if self.low <= t <= self.high]


def scale(ax: Axes, series: Sequence[Series], x: XAxis, y: YAxis) -> None:
    """Set the limits, scales and ticks of one panel, and so of all panels."""
    points = np.concatenate([one.x for one in series]) if series else np.array([0.0, 1.0])
    tried = np.unique(points)
    low, high = tried[0], max(tried[-1], tried[0] + 1e-9)
    powers: list[float] = []
    if x.log:  # linear from 0, the start of training, to the first step
        first = min(tried[tried > 0], default=1.0)
        powers = [0.0][: int(low <= 0)] + decades(first, high)
        ax.set_xscale("symlog", linthresh=first)
    ax.set_xlim(low, high)
    if x.points:  # room for the dots at the ends
        ends = ax.transData.transform([(low, 1), (high, 1)])[:, 0]
        room = 0.04 * (ends[1] - ends[0])
        low, high = ax.transData.inverted().transform([(ends[0] - room, 0), (ends[1] + room, 0)])[:, 0]
        ax.set_xlim(low, high)
    if x.points and len(tried) <= (_MOST_LONG if any(map(_long, tried)) else _MOST_TRIED):
        _tick_values(ax, tried)
    elif len(powers) > 1:
        _tick_values(ax, powers)
    else:
        set_ticks(ax.xaxis, whole=x.name == "iteration")
    if y.log:
        ax.set_yscale("log")
    ax.set_ylim(y.low, y.high)
    set_ticks(ax.yaxis, y.locator)


def _long(value: float) -> bool:
    """Return True for a fraction of more than two digits, such as 0.00736."""
    return not float(value).is_integer() and float(f"{value:.1e}") != value


def _tick_values(ax: Axes, values: ArrayLike) -> None:
    """Set a tick at each of these values of the x axis, and a label where there is room."""
    values = np.asarray(values, float)
    at = ax.transData.transform(np.column_stack([values, np.ones_like(values)]))[:, 0] / ax.figure.dpi
    texts = [short(value) for value in values]
    halves = [text_width(text, NORMAL) / 2 for text in texts]
    end, last = -np.inf, at[-1] - halves[-1]
    for i, (place, half) in enumerate(zip(at[:-1], halves)):
        if place - half > end + 0.05 and place + half < last - 0.05:
            end = place + half
        else:
            texts[i] = ""
    ax.set_xticks(values, texts)
    ax.minorticks_off()


def set_ticks(axis: Axis, ticks: Locator | ArrayLike | None = None, *, most: int = 4, whole: bool = False) -> None:
    """Set the ticks with short labels; by default at round numbers, with `most` steps between them."""
    from matplotlib.ticker import FuncFormatter, Locator, MaxNLocator, NullLocator

    if ticks is None:
        ticks = MaxNLocator(most, integer=whole, steps=[1, 2, 2.5, 5, 10])
    if isinstance(ticks, Locator):
        axis.set_major_locator(ticks)
    else:
        axis.set_ticks(ticks)
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))


@dataclass(frozen=True)
class ScoreAxis:
    """X axis of scores; cut: True if some values are far beyond its end."""

    low: float
    high: float
    log: bool
    cut: bool = False

    @staticmethod
    def of(scores: Sequence[Scores], *, log: bool) -> ScoreAxis:
        """Axis that shows all points and intervals."""
        points = drawable([one.values for one in scores], log)
        if not len(points):
            return ScoreAxis(0.1, 1.0, log)
        sizes = np.abs(points)
        usual = np.quantile(sizes[sizes > 0], 0.25) if sizes.any() else 1.0
        seen = points if log else points[sizes <= _ABSURD * usual]
        ends, span = drawable([np.array(one.interval) for one in scores], log), np.ptp(seen)
        ends = ends[(ends >= seen.min() - span) & (ends <= seen.max() + span)]
        low, high = min([*seen, *ends]), max([*seen, *ends])
        if log:
            return ScoreAxis(low / 1.2, 1.2 * high, log)
        room = 0.04 * (high - low) or 0.02
        return ScoreAxis(low - room, high + room, log, len(seen) < len(points))

    def scale(self, ax: Axes) -> None:
        """Set the limits, scale and ticks of all panels."""
        if self.log:
            ax.set_xscale("log")
        set_ticks(ax.xaxis, decades(self.low, self.high) if self.log else None, most=5)
        ax.set_xlim(self.low, self.high)


def decades(low: float, high: float, most: int = 6) -> list[float]:
    """Return at most `most` ticks for a logarithmic axis: powers of ten, and if few also 2 and 5 times them.

    >>> decades(0.01, 1)
    [0.01, 0.1, 1.0]
    """
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    fine = [m * 10.0**power for power in powers for m in (1, 2, 5) if 0.999 * low <= m * 10.0**power <= 1.001 * high]
    tens = [10.0**power for power in powers if 0.999 * low <= 10.0**power <= 1.001 * high]
    return fine if len(fine) <= most else tens[:: -(-len(tens) // most)]


def floor_of(series: Sequence[Series], *, whole: bool) -> float:
    """Return the lower end of an axis of accuracies: well below the last fifth of all lines, or below the whole lines.

    It is 0 if a line is low.
    """
    means = [mean for one in series if len(mean := drawable([one.mean], False))]
    lowest = min((mean.min() if whole else np.median(mean[-max(1, len(mean) // 5) :]) for mean in means), default=0.0)
    return next((floor for floor in _FLOORS if floor <= lowest - (1 - lowest) / 2), 0.0)


def _range(series: Sequence[Series], *, positive: bool) -> tuple[float, float, float]:
    """Return the lowest and the highest value to show, and the usual first value: the median, 0 if unknown.

    Nearly all points and the whole means of the runs that did not diverge are shown, or of all runs if all diverged.
    """
    everything = [one.counted for one in series]
    calm = [each[one.status != "diverged"] for one, each in zip(series, everything)]
    for curves in (calm, everything):
        points = drawable(curves, positive)
        if len(points):
            means = drawable([each.mean(axis=0) for each in calm if len(each)], positive)
            ends = [*np.quantile(points, [0.002, 0.998]), *means]
            starts = sorted(first.max() for each in curves if len(first := drawable([each[:, 0]], positive)))
            start = starts[(len(starts) - 1) // 2] if starts else 0.0  # of two the lower: one of them may be absurd
            return float(min(ends)), float(max(ends)) or 1.0, float(start)
    return 0.1, 1.0, 0.0


def drawable(arrays: Sequence[np.ndarray], positive: bool) -> np.ndarray:
    """Return the values that an axis or a scale can show, `(N,)`: finite ones, above 0 if they must be `positive`."""
    values: np.ndarray = np.concatenate([np.empty(0), *map(np.ravel, arrays)])
    return np.asarray(values[np.isfinite(values) & ((values > 0) | (not positive))])


def short(value: float, digits: int | None = None) -> str:
    """Return a tick label. digits: significant ones, by default all.

    >>> [short(value) for value in (0.2, 1000, 20_000, 1e6, 4.5e30)]
    ['0.2', '1000', '20k', '1M', '4.5e+30']
    """
    if digits:
        value = float(f"{value:.{digits}g}")
    if value < 0:
        return f"\N{MINUS SIGN}{short(-value)}"
    for size, unit, least, below in ((1e6, "M", 1e6, 1e9), (1e3, "k", 1e4, 1e6)):
        if least <= abs(value) < below:
            return f"{value / size:g}{unit}"
    return f"{value:.3g}" if abs(value) >= 1e9 else f"{value:g}"
