"""Names of the files of figures, without their folder and their format."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from hashlib import blake2b
from itertools import chain, count
from typing import Any, get_args

from dlsweep.plots import plots
from dlsweep.plots.options import EVERY_PLOT
from dlsweep.registry import Choice
from dlsweep.text import value_text


def safe(name: str) -> str:
    """Return a name that is valid in every file system and shell: letters of any script, digits and `-_.`, at most 60.

    A name that lost more than spaces, commas and `=` ends in a hash, so that different names stay different.

    >>> safe("curves, optimizer=sgd lr=1e+38")
    'curves-optimizer-sgd-lr-1e38'
    """
    name = re.sub(r"(?<=\de)\+(?=\d)", "", name)  # 1e+38 is 1e38, and not 1e-38
    plain = re.sub(r"[ ,=]+", "-", name)
    slug = re.sub(r"[^\w.-]+", "-", plain)[:60].rstrip(".-_")
    return slug if slug == plain else f"{slug[:50]}-{blake2b(name.encode(errors='replace'), digest_size=4).hexdigest()}"


def stems_of(asked: Sequence[Choice], of_config: Sequence[Choice]) -> list[str]:
    """Name each plot: `curves-accuracy`, or `final-accuracy-split-train` where others differ in the split.

    The config's plots keep their names, whatever else is asked for. Titles, sizes and other options are in no name.
    """
    names: dict[Choice, str] = {}
    whole = [[_without_options(choice) for choice in some] for some in (of_config, asked)]
    for group in (whole[0], [*whole[0], *whole[1]]):
        for choice in group:
            if choice not in names:
                names[choice] = free(_differing(choice, group), names.values())
    taken: list[str] = []
    for choice in whole[1]:
        taken.append(free(names[choice], taken))
    return taken


def _without_options(choice: Choice) -> Choice:
    """Return a plot with all its settings, without its options, which do not change its content."""
    settings = plots[choice.name].complete(choice.settings)
    return Choice(choice.name, {name: value for name, value in settings.items() if name not in EVERY_PLOT.settings})


def _differing(choice: Choice, group: Sequence[Choice]) -> str:
    """Name a plot after its kind, its quantity, and the settings in which it differs from its like in a group."""
    title = _title(choice.name, choice.settings)
    like = [other.settings for other in group if _title(other.name, other.settings) == title]
    words = [title]
    for name, value in choice.settings.items():
        if value != plots[choice.name].settings[name].usual and any(other[name] != value for other in like):
            words += [name] if value is True else [name, value_text(value).strip("[]{}")]
    return "-".join(words)


def free(name: str, taken: Collection[str]) -> str:
    """Return the name, with the first number that makes it unique if it is taken."""
    return next(n for n in chain([name], (f"{name}-{i}" for i in count(2))) if n not in taken)


def _title(kind: str, settings: Mapping[str, Any]) -> str:
    """Name a plot after its kind and its quantity."""
    return "-".join(filter(None, [kind, plots[kind].complete(settings).get("y")]))


def titles() -> Iterator[str]:
    """Yield every title that a plot can have."""
    for kind in plots:
        y = plots[kind].settings.get("y")
        yield from (_title(kind, {"y": word}) for word in get_args(y.annotation)) if y else [kind]
