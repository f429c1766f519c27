"""Levels by a range: `{logspace: [0.0001, 1, 9]}`, `{linspace: [0, 0.5, 6]}` or `{range: [10, 60, 10]}`.

The values between the ends have as few digits as a person would write: 0.3, not 0.30000000000000004 or 0.316227766.
Levels of a tuned setting may be drawn at random: `{log_uniform: [0.0001, 1]}`, see `dlsweep.config.draws`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Context, Decimal
from typing import Any

from dlsweep.config.document import Node, Reading, Refused, whole
from dlsweep.config.draws import Draw, Draws, Span, without_choice
from dlsweep.text import nearest, plural, similar, value_text

# The words, each with the meaning of its list and an example.
RANGES = {
    "logspace": ("[first, last, number of values]", "[0.0001, 1, 9]"),
    "linspace": ("[first, last, number of values]", "[0, 0.5, 6]"),
    "range": ("[start, stop, step], without the stop", "[10, 60, 10]"),
}
# The words of ranges that are drawn from, with an example; and the range of written values to use in place of each.
DRAWN = {"uniform": ("[0.8, 0.99]", "linspace"), "log_uniform": ("[0.0001, 1]", "logspace")}
MOST_VALUES = 10_000
_NEAREST = 1e-6  # least length of a range that is drawn from, as a part of its ends

# How far rounding may move a value, as a part of the distance to the next one; and the most digits that are tried.
_LOG_TOLERANCE, _TOLERANCE, _DIGITS = 0.1, Decimal("0.02"), 15

_EXACT = Context(prec=700)  # enough for any float


def is_range(node: Node) -> bool:
    """Return True for a mapping that is meant as a range; its word may be misspelt."""
    if not node.is_mapping or not node.value:
        return False
    first = next(iter(node.value))
    words = (*RANGES, *DRAWN)
    return any(key in words for key in node.value) or (len(node.value) == 1 and similar(first, words) is not None)


@whole
def read_range(node: Node, where: str, draws: Draws, *, integers: bool) -> Reading[tuple[Node, ...]]:
    """Read the values of a range; None if there is a mistake. integers: round the values to whole numbers."""
    word, given = next(iter(node.value.items()))
    if len(node.value) > 1:
        raise node.place.refused(f"{where} has one range, such as {_example('logspace')}, got {node}")
    if word in DRAWN:
        return (yield from _read_draws(node, where, draws, integers))
    if word not in RANGES:
        known = {**RANGES, **(DRAWN if not draws.obstacle(where) else {})}
        told = f"{where} is a number or a range; there is no range {str(word)!r}{nearest(word, known)}"
        raise word.place.refused(told)
    if not given.is_list or len(given.value) not in ((2, 3) if word == "range" else (3,)):
        raise given.place.refused(f"{word} in {where} is {RANGES[word][0]}, such as {_example(word)}, got {given}")
    values = _SPACES[word](*(yield from _read_numbers(word, where, given)))
    if integers and word != "range":
        values = [Decimal(round(value)) for value in values]
        if len(set(values)) < len(values):
            different = plural(len(set(values)), "different whole number")
            raise given.place.refused(f"{word} in {where} gives {different} only; ask for fewer values")
    return tuple(_node(value, node, integers) for value in values)


def _read_draws(node: Node, where: str, draws: Draws, integers: bool) -> Reading[tuple[Node, ...]]:
    """Read the draws of a range."""
    word, given = next(iter(node.value.items()))
    if obstacle := draws.obstacle(where):
        fixed = _example(DRAWN[word][1])
        told = f"{word} in {where} is drawn at random for tuning, and {obstacle}; write {fixed}, or tune: "
        raise word.place.refused(f"{told}{{over: {without_choice(where)}, random: 30}}")
    numbers = (yield from _read_numbers(word, where, given)) if given.is_list else ()
    low, high = [one.value for one in numbers] if len(numbers) == 2 else (1, 0)
    if not low < high:
        told = f"{word} in {where} is [lowest, highest], such as {{{word}: {DRAWN[word][0]}}}, got {given}"
        raise given.place.refused(told)
    if word == "log_uniform" and low <= 0:
        raise given.place.refused(f"log_uniform goes between numbers above 0, got {given}")
    span = Span(without_choice(where), low, high, word == "log_uniform", integers)
    if integers and span.whole_numbers < draws.number:
        told = f"{word} in {where} has {plural(span.whole_numbers, 'whole number')}, and tune.random asks for "
        raise given.place.refused(f"{told}{draws.number}; write {{range: [{low}, {math.floor(high) + 1}]}}")
    if high - low <= _NEAREST * max(abs(low), abs(high)):
        raise given.place.refused(f"the ends of {word} in {where} are too near to each other, got {given}")
    drawn = enumerate(span.values(min(draws.number, MOST_VALUES)))
    return tuple(Node(value, node.place, value_text(value), draw=Draw(span, i)) for i, value in drawn)


def _read_numbers(word: str, where: str, given: Node) -> Reading[tuple[Node, ...]]:
    """Read the finite numbers of a range."""
    wrong = [one for one in given.items() if not _is_finite(one.value)]
    mistakes = [one.place.mistake(f"{word} in {where} has finite numbers, got {one}") for one in wrong]
    yield from mistakes
    if mistakes:
        raise Refused(mistakes[-1])
    return given.items()


def _example(word: str) -> str:
    return f"{{{word}: {RANGES[word][1]}}}"


def _is_finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _node(value: Decimal, node: Node, integers: bool) -> Node:
    number = int(value) if integers and value == int(value) else float(value)
    return Node(number, node.place, value_text(number))


def _logspace(first: Node, last: Node, number: Node) -> list[Decimal]:
    """Return equal ratios: the fewest significant digits that keep each value near its place."""
    for end in (first, last):
        if end.value <= 0:
            raise end.place.refused(f"logspace goes between numbers above 0, got {end}")
    steps = _steps("logspace", first, last, number)
    begin, ratio = math.log(first.value), math.log(last.value) - math.log(first.value)
    exact = [math.exp(begin + ratio * i / steps) for i in range(1, steps)]
    for digits in range(1, _DIGITS):
        inner = [float(f"{value:.{digits - 1}e}") for value in exact]
        if all(abs(math.log(a / b)) <= _LOG_TOLERANCE * abs(ratio) / steps for a, b in zip(inner, exact)):
            break
    return [_decimal(first), *(Decimal(str(value)) for value in inner), _decimal(last)]


def _linspace(first: Node, last: Node, number: Node) -> list[Decimal]:
    """Return equal distances: the fewest decimals that keep each value near its place."""
    steps = _steps("linspace", first, last, number)
    step = (_decimal(last) - _decimal(first)) / steps
    exact = [_decimal(first) + step * i for i in range(1, steps)]
    start = max(0, -step.adjusted() - 1)
    for decimals in range(start, start + _DIGITS):
        inner = [value.quantize(Decimal(1).scaleb(-decimals), context=_EXACT) for value in exact]
        if all(abs(a - b) <= _TOLERANCE * abs(step) for a, b in zip(inner, exact)):
            break
    return [_decimal(first), *inner, _decimal(last)]


def _steps(word: str, first: Node, last: Node, number: Node) -> int:
    """Return the number of steps between the ends."""
    count: float = number.value
    if count != int(count) or not 2 <= count <= MOST_VALUES:
        told = f"the number of values of {word} must be a whole number from 2 to {MOST_VALUES:,}, got {number}"
        raise number.place.refused(told)
    if first.value == last.value:
        raise last.place.refused(f"{word} goes from one number to another, got {first} twice")
    return int(count) - 1


def _range(start: Node, stop: Node, step: Node | None = None) -> list[Decimal]:
    """Return the values from the start, without the stop, as in Python."""
    begin, end, by = _decimal(start), _decimal(stop), _decimal(step) if step else Decimal(1)
    if by == 0:
        raise (step or stop).place.refused(f"the step of range must not be 0, got {step}")
    count = math.ceil((end - begin) / by)
    if not 1 <= count <= MOST_VALUES:
        found = "no values" if count < 1 else f"more than {plural(MOST_VALUES, 'value')}"
        raise stop.place.refused(f"range from {start} to {stop} with the step {value_text(float(by))} has {found}")
    return [begin + by * i for i in range(count)]


def _decimal(node: Node) -> Decimal:
    return Decimal(str(node.value))


_SPACES: dict[str, Callable[..., list[Decimal]]] = {"logspace": _logspace, "linspace": _linspace, "range": _range}
