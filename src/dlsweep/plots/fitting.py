"""Sizes of texts in inches, and texts cut to fit."""

from __future__ import annotations

import warnings
from bisect import bisect_right
from collections.abc import Sequence
from functools import cache

from dlsweep.plots import options, style

HEAD, LABEL, NAME, NOTE, FOOT = 13.0, 11.0, 9.5, 8.5, 8.0  # sizes of text in points, at the normal font size

_CLOSING = (*".,;:!?)]}", "")  # what no line begins with


def block_height(texts: Sequence[str], size: float) -> float:
    """Return the height in inches of the tallest text, with a little room; 0 for empty texts."""
    lines = max((len(text.splitlines()) for text in texts), default=0)
    return lines * 1.25 * points(size) / 72 + 0.06 if lines else 0.0


def fit(text: str, width: float, size: float, lines: int = 1) -> str:
    """Break a text into lines of at most `width` inches, after a space, comma or bracket if possible.

    A text that needs more than `lines` lines ends in an ellipsis.
    """
    done: list[str] = []
    rest = style.plain(text).strip()
    while rest:
        end = len(rest)
        if text_width(rest, size) > width:
            end = max(1, bisect_right(range(1, end + 1), width, key=lambda n: text_width(rest[:n], size)))
            if len(done) == lines - 1:
                while end > 1 and text_width(rest[:end] + "…", size) > width:
                    end -= 1
                return "\n".join([*done, rest[:end].rstrip() + "…"])
            breaks = [i for i in range(end // 3, end) if rest[i] in " ,;/|)]}" and rest[i + 1 : i + 2] not in _CLOSING]
            end = breaks[-1] + 1 if breaks else end
        done.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return "\n".join(done)


def balanced(text: str, width: float, size: float, lines: int) -> str:
    """Break a text as `fit` does, but into lines that are about as long as each other."""
    found = fit(text, width, size, lines)
    narrower = (fit(text, share * width, size, found.count("\n") + 1) for share in (0.6, 0.7, 0.8, 0.9))
    return next((one for one in narrower if one.split() == found.split()), found)


def under(labels: Sequence[str], width: float) -> tuple[list[str], float, float]:
    """Fit words under marks that are `width` inches apart; return them, their rotation, and their height in inches."""
    level = [fit(label, width - 0.1, NAME, lines=2) for label in labels]
    if all(" ".join(a.split()) == " ".join(b.split()) for a, b in zip(level, labels)):
        return level, 0.0, 0.08 + block_height(level, NAME)
    turned = [fit(label, 2.4, NAME) for label in labels]
    return turned, 90.0, 0.12 + max(text_width(label, NAME) for label in turned)


def points(size: float) -> float:
    """Return the size of a text in points, with the font size that the figure was given."""
    return size * options.current().scale


def text_width(text: str, size: float) -> float:
    """Return the width of a bold text in inches."""
    return _width(text, points(size))


@cache
def _width(text: str, size: float) -> float:
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a missing character is reported when the figure is saved
        width, _, _ = text_to_path.get_text_width_height_descent(text, FontProperties(size=size, weight="bold"), False)
    return 1.04 * float(width) / 72  # hinting to whole pixels can make the drawn text a little wider
