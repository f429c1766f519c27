"""Words and numbers for people: counts, sizes, durations, values as YAML writes them, the nearest name."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from math import floor, inf, isfinite, log10, nan
from typing import Any

_ROUNDING = 1e-9  # share of a value: a smaller half-width is a rounding error of equal values
_DECIMALS = 6  # more of them are written as a power of ten

# A number as YAML 1.2 writes it.
NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")

_JOINERS = "\u200c\u200d"  # of Persian and Indic scripts, and of emoji
_WINDOW = 100  # characters of a long line


def plural(count: int, noun: str) -> str:
    """Return a count with its noun.

    >>> plural(1, "run"), plural(1000, "run")
    ('1 run', '1,000 runs')
    """
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def plural_range(counts: Iterable[int], noun: str) -> str:
    """Return the smallest and the largest of some counts with their noun; one of them if they are equal.

    >>> plural_range([5, 4, 5], "seed"), plural_range([1], "seed")
    ('4 to 5 seeds', '1 seed')
    """
    found = sorted(counts)
    fewest, most = found[0], found[-1]
    return plural(most, noun) if fewest == most else f"{fewest:,} to {plural(most, noun)}"


def listed(words: Sequence[str]) -> str:
    """Return words as a sentence lists them.

    >>> listed(["a", "b", "c"]), listed(["a"])
    ('a, b and c', 'a')
    """
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def number(value: float, digits: int = 4) -> str:
    """Return a metric as tables show it: a small one by its power of ten, a missing one as a dash.

    >>> number(0.97), number(0.00001), number(float("nan"))
    ('0.9700', '1.0e-05', '–')
    """
    if value != value:
        return "–"
    return f"{value:.{digits}f}" if value == 0 or abs(value) >= 10 ** (1 - digits) else f"{value:.1e}"


def significant(value: float, digits: int = 6) -> str:
    """Return a number with some significant digits, a missing one as a dash.

    >>> significant(2.0), significant(0.12345, 2), significant(float("nan"))
    ('2', '0.12', '–')
    """
    return f"{value:.{digits}g}" if value == value else "–"


def p_text(p: float) -> str:
    """Return a p-value; a small one by its power of ten, a missing one as a dash.

    >>> p_text(0.03125), p_text(1.0), p_text(0.00002), p_text(float("nan"))
    ('0.031', '1', '2e-05', '–')
    """
    return significant(p, 2)


def measured(value: float, half: float, *, sign: bool = False) -> str:
    """Return a value with as many digits as an interval supports: two significant ones of its half-width.

    sign: True for the sign of a difference. Without an interval (NaN), as `number` has it.

    >>> measured(0.87931, 0.0081), measured(123.456, 30), measured(0.00512, 0.002, sign=True), measured(2.5e-7, 3e-9)
    ('0.8793', '123', '+0.0051', '2.500e-07')
    >>> measured(-0.004, 0.16), measured(-0.0004, 0.16)
    ('-0.004', '0.000')
    """
    plus = "+" if sign else ""
    if value != value:
        return "–"
    if not _ROUNDING * abs(value) < half < inf:
        return plus * (value >= 0) + number(value + 0.0)
    decimals = max(0, 1 - floor(log10(half)))
    if value and abs(value) < 0.5 * 10.0**-decimals:  # one more, so that no zero has a sign
        decimals += 1
    if decimals <= _DECIMALS:
        return f"{round(value, decimals) + 0.0:{plus}.{decimals}f}"
    return f"{value:{plus}.{max(0, decimals + floor(log10(abs(value) or half)))}e}"


def half_width(low: float, high: float) -> float:
    """Return the half-width of an interval, by which its numbers are rounded; NaN if it has no ends."""
    half = (high - low) / 2
    return half if isfinite(half) else nan


def interval_text(low: float, high: float, *, sign: bool = False) -> str:
    """Return an interval in brackets, with the digits that its half-width supports; a dash if there is none.

    >>> interval_text(-0.25, 0.5, sign=True), interval_text(-inf, inf), interval_text(nan, nan)
    ('[-0.25, +0.50]', 'unbounded', '–')
    """
    if low != low or high != high:
        return "–"
    half = half_width(low, high)
    return bracketed(*(measured(end, half, sign=sign) for end in (low, high))) if half == half else "unbounded"


def bracketed(low: str, high: str) -> str:
    """Return the two ends of an interval in brackets; a dash if both are missing."""
    return "–" if low == high == "–" else f"[{low}, {high}]"


def duration(seconds: float) -> str:
    """Return a duration.

    >>> duration(0.4), duration(12), duration(200), duration(7500)
    ('0.4 s', '12 s', '3 min 20 s', '2 h 05 min')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def size(n: float) -> str:
    """Return a number of bytes.

    >>> size(512), size(1_500_000), size(31_000_000)
    ('512 B', '1.5 MB', '31 MB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if n < 1000:
            return f"{n:.0f} {unit}" if unit == "B" or n >= 10 else f"{n:.1f} {unit}"
        n /= 1000
    return f"{n:.1f} TB"


def shape_text(shape: Iterable[object]) -> str:
    """Return a shape in parentheses.

    >>> shape_text((1, 28, 28)), shape_text((784,))
    ('(1, 28, 28)', '(784)')
    """
    return f"({', '.join(map(str, shape))})"


def value_text(value: Any) -> str:
    """Return a setting's value in YAML's words.

    >>> [value_text(value) for value in (0.1, 1.0, [40, 20], None, True)]
    ['0.1', '1', '[40, 20]', 'null', 'true']
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(value_text(item) for item in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {value_text(item)}" for key, item in value.items()) + "}"
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)


def sentence(words: str) -> str:
    """Return words as a sentence.

    >>> sentence("seeds overlap")
    'Seeds overlap.'
    """
    return f"{words[0].upper()}{words[1:]}."


def label_text(value: Any) -> str:
    """Return a setting's value as labels show it, without the rounding error of a computed number.

    >>> label_text(0.1 + 0.2), label_text(1 / 3), label_text([0.7 + 0.1, 2])
    ('0.3', '0.3333333333333333', '[0.8, 2]')
    """
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(label_text, value)) + "]"
    if isinstance(value, float) and len(rounded := value_text(float(f"{value:.15g}"))) < len(value_text(value)) - 3:
        return rounded
    return value_text(value)


def without_setting(label: str, setting: str) -> str:
    """Return the label of a level without a setting that it names.

    >>> without_setting("sgd lr=0.1", "lr")
    'sgd'
    """
    return re.sub(rf" {re.escape(setting)}=\S+", "", label)


def plain_number(text: str) -> str:
    """Return the end of a sentence about a text that is a number with separators: its plain form; "" for other texts.

    >>> plain_number("1_000"), plain_number("10,000.5"), plain_number("1,0")
    ('; write 1000', '; write 10000.5', '')
    """
    plain = re.sub(r"(?<=[0-9])[_,' ](?=[0-9]{3}(?![0-9]))", "", text)
    return f"; write {plain}" if plain != text and NUMBER.fullmatch(plain) else ""


def similar(word: str, names: Iterable[str]) -> str | None:
    """Return the name that is most like a word; None if none is near.

    >>> similar("Rleu", ["relu", "tanh"])
    'relu'
    """
    return next(iter(difflib.get_close_matches(word.lower(), list(names), n=1, cutoff=0.6)), None)


def did_you_mean(*names: str | None) -> str:
    """Return the part of a message that suggests names; "" without one.

    >>> did_you_mean("relu", "tanh"), did_you_mean(None)
    ("; did you mean 'relu' or 'tanh'?", '')
    """
    shown = " or ".join(repr(name) for name in names if name)
    return f"; did you mean {shown}?" if shown else ""


def nearest(word: str, names: Iterable[str], meant: Sequence[str] = ()) -> str:
    """Return the end of a message about an unknown name: the nearest one, if there is one, and all.

    meant: what the word can mean, in place of the nearest name.

    >>> nearest("rleu", ["tanh", "relu"])
    "; did you mean 'relu'? (choices: relu, tanh)"
    """
    choices = sorted(names)
    hint = did_you_mean(*meant) or did_you_mean(similar(word, choices))
    return f"{hint} (choices: {', '.join(choices)})" if choices else hint


def excerpt(line: str, column: int) -> str:
    """Return a line of a file, with a caret under a column, from 1; of a long line the part around it.

    >>> print(excerpt("seeds: 0", 8))
        seeds: 0
               ^
    """
    shown = printable(line.replace("\t", " "))
    begin = max(0, min(column - 1 - _WINDOW // 2, len(shown) - _WINDOW)) if len(shown) > _WINDOW else 0
    before, after = "…" * (begin > 0), "…" * (len(shown) > begin + _WINDOW)
    margin = " " * (4 + terminal_width(before + shown[begin : column - 1]))
    return f"    {before}{shown[begin : begin + _WINDOW].rstrip()}{after}\n{margin}^"


def steering(text: str) -> str:
    """Return the characters of a text that break its line, reorder it, or cannot be seen, except joiners of words.

    >>> steering("日本 ×"), [hex(ord(c)) for c in steering("a" + chr(0x202E) + "b" + chr(27))]
    ('', ['0x202e', '0x1b'])
    """
    return "".join(c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") and c not in _JOINERS)


def printable(text: str) -> str:
    """Return the text without control characters, which would steer a terminal: labels come from anybody's files."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def terminal_width(text: str) -> int:
    """Return the terminal columns of a text: East Asian wide characters take two, combining marks none."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def identifier(text: str) -> str:
    """Return a hash that identifies a text: 16 hexadecimal digits.

    >>> identifier("relu")
    'b1cf0d0536bfde0c'
    """
    return blake2b(text.encode(errors="backslashreplace"), digest_size=8).hexdigest()
