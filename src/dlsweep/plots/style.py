"""Look of all figures: fonts, colours, line styles. Texts are drawn literally, never as formulas.

A level keeps its colour in every figure of every sweep: the colour follows from the level's name alone, unless two
levels of a factor prefer the same colour.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from hashlib import blake2b
from typing import Any, get_args

from dlsweep.types import Split

INK, FAINT, GRID, ALARM = "#1a1a1a", "#6b6b6b", "#e6e6e6", "#a3123a"
_AXES = "#9a9a9a"

# In font sizes: a legend's artist, the gap to its text, and the gap to the next column.
LEGEND = {"handlelength": 2.2, "handletextpad": 0.6, "columnspacing": 1.8}

# Okabe & Ito (2008) without their yellow, which is too light for a line on white, with a grey and a dark red:
# distinguishable with every kind of colour blindness, and mostly in grey.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#5F5F5F", "#7A1F45")

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?"

# Chosen so that names that are often compared (optimizers, activations, initializers) get different colours.
_SALT = 56276

# The readable names of the splits, in drawing order: the noisy minibatch below, the test above.
SPLITS = {split: split for split in get_args(Split)} | {"batch": "train (minibatch)"}
SPLIT_COLOURS = dict(zip(SPLITS, (PALETTE[0], PALETTE[5], PALETTE[2], PALETTE[1])))
SPLIT_DASHES: dict[str, Any] = {
    "batch": (0, (1, 1)),
    "train": (0, (4, 1.5)),
    "validation": (0, (6, 1.5, 1, 1.5)),
    "test": "-",
}

# Marks and lines that mean the same in every figure.
ENSEMBLE: dict[str, Any] = {"linewidth": 1.1, "marker": "D", "markersize": 4, "markerfacecolor": "white"}
ENSEMBLE |= {"markevery": 0.1}  # the averaged predictions of an arm's runs
STOP: dict[str, Any] = {"marker": "o", "markersize": 4.5, "linestyle": "none"}  # a run stopped early
RING: dict[str, Any] = {"marker": "o", "markersize": 6.5, "markerfacecolor": "white", "markeredgewidth": 1.6}
RING |= {"linestyle": "none", "zorder": 3}  # the evaluation that a stopped run was restored to
CROSS: dict[str, Any] = {"marker": "x", "markersize": 7, "markeredgewidth": 2, "linestyle": "none"}  # a run diverged
INTERVAL: dict[str, Any] = {"linewidth": 7, "alpha": 0.25, "solid_capstyle": "butt"}  # of the mean of a row
DOTTED: dict[str, Any] = {"color": FAINT, "linewidth": 0.9, "linestyle": (0, (1, 2))}  # chance, or zero

# Fonts with Chinese, Japanese and Korean characters, as fallbacks; without any, fonts whose names promise them.
_CJK_FONTS = (
    "Noto Sans CJK JP", "Noto Sans JP", "Source Han Sans JP", "IPAexGothic", "IPAGothic", "TakaoGothic",
    "BIZ UDGothic", "VL Gothic", "Hiragino Sans", "Hiragino Kaku Gothic ProN", "Yu Gothic", "Meiryo", "MS Gothic",
    "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei",
    "Noto Sans CJK KR", "Apple SD Gothic Neo", "Malgun Gothic", "NanumGothic", "Arial Unicode MS", "Noto Emoji",
    "Symbola",
)  # fmt: skip
_SAYS_CJK = re.compile(r"CJK|Gothic|Mincho|Hei\b|Song$|Ming$|Kai$|Nanum|(Noto|Source Han) \w+ (JP|SC|TC|HK|KR)")


@contextmanager
def look() -> Iterator[None]:
    """Draw and save figures in this context: Matplotlib's defaults and the look below, not a user's configuration."""
    import matplotlib as mpl

    # A fallback font without a bold face is no reason for a message.
    log = logging.getLogger("matplotlib.font_manager")
    level = log.level
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rc("font", family=["DejaVu Sans", *cjk_fonts()], size=10)
        mpl.rc("text", color=INK, parse_math=False)  # a label with $ or \frac is a label
        mpl.rc("axes", edgecolor=_AXES, labelcolor=INK, linewidth=0.8, grid=True, axisbelow=True)
        mpl.rc("axes.spines", top=False, right=False)
        mpl.rc("grid", color=GRID, linewidth=0.8)
        mpl.rc("xtick", color=_AXES, labelcolor=INK)
        mpl.rc("ytick", color=_AXES, labelcolor=INK)
        mpl.rc("xtick.major", size=3)
        mpl.rc("xtick.minor", size=0)
        mpl.rc("ytick.major", size=0)
        mpl.rc("ytick.minor", size=0)
        mpl.rc("legend", frameon=False, borderpad=0, borderaxespad=0, labelspacing=0.3, **LEGEND)
        mpl.rc("lines", solid_capstyle="round")
        mpl.rc("agg.path", chunksize=10_000)  # lines of a million points
        mpl.rc("svg", fonttype="none", hashsalt="dlsweep")  # text stays text; without a salt, identifiers are random
        mpl.rc("pdf", fonttype=42)
        log.setLevel(logging.ERROR)
        try:
            yield
        finally:
            log.setLevel(level)


@cache
def cjk_fonts() -> list[str]:
    """Return the installed fonts with Chinese, Japanese and Korean characters, at most three."""
    from matplotlib import font_manager

    found = font_manager.get_font_names()
    known = [font for font in _CJK_FONTS if font in found]
    return (known or sorted(font for font in found if _SAYS_CJK.search(font)))[:3]


def colours(levels: Sequence[str]) -> dict[str, Any]:
    """Return a colour for each level of a factor. levels: all levels of the factor, not only those of one figure.

    Numbers, or one name with different settings, make a scale from dark to light. Another level gets the colour that
    its name prefers, or the next free one.
    """
    if len(levels) > len(PALETTE) or (len(levels) > 2 and _is_scale(levels)):
        import matplotlib as mpl

        scale = mpl.colormaps["viridis" if _is_scale(levels) else "turbo"]
        return {level: scale(0.05 + 0.85 * i / (len(levels) - 1)) for i, level in enumerate(levels)}
    taken: dict[int, str] = {}
    for level in levels:
        taken.setdefault(_preferred(level), level)
    free = [slot for slot in range(len(PALETTE)) if slot not in taken]
    served = set(taken.values())
    taken |= dict(zip(free, [level for level in levels if level not in served]))
    of_level = {level: PALETTE[slot] for slot, level in taken.items()}
    return {level: of_level[level] for level in levels}


def _preferred(level: str) -> int:
    return blake2b(f"{_SALT} {_name(level)}".encode(errors="replace"), digest_size=1).digest()[0] % len(PALETTE)


def _name(level: str) -> str:
    """Return the registered name at the start of a label ("sgd" of "sgd lr=0.1"), or the whole label."""
    found = re.match(r"[a-z]\w*", level, re.ASCII)
    return found[0] if found else level


def _is_scale(levels: Sequence[str]) -> bool:
    """True if the levels are numbers, or one registered name with different settings."""
    return all(re.fullmatch(_NUMBER, level) for level in levels) or len({_name(level) for level in levels}) == 1


def numbers(levels: Sequence[str]) -> tuple[str, list[float]]:
    """Return the words before the number in each level, and the numbers; no numbers unless they rise or fall.

    >>> numbers(["sgd lr=0.1", "sgd lr=1"])
    ('sgd lr', [0.1, 1.0])
    """
    found = [match for level in levels if (match := re.fullmatch(rf"(.*?[ =]|)({_NUMBER})", level))]
    prefixes, values = {match[1] for match in found}, [float(match[2]) for match in found]
    if len(prefixes) != 1 or len(found) < len(levels) or sorted(set(values)) not in (values, values[::-1]):
        return "", []
    return prefixes.pop().rstrip(" ="), values


def plain(text: str) -> str:
    """Return the text on one line and without unprintable characters."""
    return "".join(c if c.isprintable() else " " if c.isspace() else "" for c in text)
