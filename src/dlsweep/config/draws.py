"""Ranges that candidates of tuning are drawn from: `{uniform: [0.8, 0.99]}` or `{log_uniform: [0.0001, 1]}`.

Draw i of a setting is the same part of every range of this setting. So arms with the same ranges try the same values.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, exp, floor, log, log10
from typing import NamedTuple

from dlsweep.randomness import stream

_DIGITS = 3  # significant ones, of a value; in a linear or narrow range those of its length


def without_choice(name: str) -> str:
    """Return the name of a setting without the choice that has it.

    >>> without_choice("optimizer.sgd.lr"), without_choice("optimizer.lr")
    ('optimizer.lr', 'optimizer.lr')
    """
    return f"{name.partition('.')[0]}.{name.rpartition('.')[2]}"


@dataclass(frozen=True)
class Span:
    """A range of a setting. setting: its name, `optimizer.lr`; log: uniform in the logarithm; whole: numbers."""

    setting: str
    low: float
    high: float
    log: bool = False
    whole: bool = False

    def part(self, value: float) -> float:
        """Return the position of a value: 0 at the low end, 1 at the high end, by the logarithm in a range of it.

        >>> Span("optimizer.lr", 0.001, 1, log=True).part(0.1).__round__(6)
        0.666667
        """
        low, high, at = (log(x) if self.log else x for x in (self.low, self.high, value))
        return (at - low) / (high - low)

    @property
    def whole_numbers(self) -> int:
        """The number of whole numbers in it."""
        return floor(self.high) - ceil(self.low) + 1

    def values(self, number: int) -> list[float]:
        """Return this many different values, drawn from the stream `tuning/<setting>` of seed 0.

        More draws begin with the same ones. A value has three significant digits, more only if it would repeat an
        earlier one. A whole number that repeats is drawn again.

        >>> Span("optimizer.lr", 0.001, 1, log=True).values(4)
        [0.00158, 0.241, 0.00683, 0.139]
        """
        draws, found = stream(0, f"tuning/{self.setting}"), dict[float, None]()
        while len(found) < number:
            exact = self._at(float(draws.random()))
            rounded = [round(exact)] if self.whole else (self._rounded(exact, _DIGITS + more) for more in range(14))
            for value in (one for one in rounded if one not in found):
                found[value] = None
                break
        return list(found)

    def _at(self, part: float) -> float:
        """Return the value at a part of the range; of whole numbers, each has the same share of a linear range."""
        if self.log:
            return exp(log(self.low) + part * (log(self.high) - log(self.low)))
        room = 0.5 if self.whole else 0.0
        return self.low - room + part * (self.high - self.low + 2 * room)

    def _rounded(self, exact: float, digits: int) -> float:
        if self.log and self.high >= 10 * self.low:
            rounded = float(f"{exact:.{digits - 1}e}")
        else:
            rounded = round(exact, digits - 1 - floor(log10(self.high - self.low)))
        return min(max(rounded, self.low), self.high) + 0.0  # and no -0.0


class Draw(NamedTuple):
    """The draw of a range that a value is: its number, from 0."""

    span: Span
    at: int


@dataclass(frozen=True)
class Draws:
    """Settings whose ranges are drawn from. over: as in `tune`; number: of the draws of each range, 0 for none."""

    over: frozenset[str] = frozenset()
    number: int = 0

    def obstacle(self, where: str) -> str:
        """Return the reason why a setting is not drawn; "" if it is.

        >>> Draws(frozenset({"optimizer.lr"}), 30).obstacle("optimizer.sgd.lr")
        ''
        """
        if not {where, without_choice(where), where.partition(".")[0]} & self.over:
            return f"tune.over does not name {without_choice(where)}" if self.over else "nothing is tuned"
        return "" if self.number else "tune.random does not say how many"
