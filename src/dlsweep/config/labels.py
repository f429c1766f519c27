"""Labels of levels, as tables and figures show them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from dlsweep.config.document import Reading
from dlsweep.config.expansion import Block
from dlsweep.config.grid import Grid
from dlsweep.config.levels import Level
from dlsweep.config.words import Factor, own_settings
from dlsweep.errors import Mistake
from dlsweep.registry import Entry
from dlsweep.text import value_text


def label(grids: Sequence[Grid], base: Mapping[str, Level], factors: Sequence[Factor]) -> Reading[dict[Level, str]]:
    """Label all levels of all factors; base: the levels of what no factor varies."""
    labels: dict[Level, str] = {}
    clashes: list[Mistake] = []
    for f in (f for f in factors if not f.setting):
        levels = [one for grid in grids for axis in grid.axes for one in axis.levels(f.field)]
        if any(f.name not in {g.name for g in grid.factors} for grid in grids):
            levels.append(base[f.field])
        dotted = [d for d in factors if d.setting and d.field == f.field]
        own = _label_levels(dict.fromkeys(levels), dotted)
        clashes += _clashes(own, dotted)
        labels |= own
    yield from clashes or _repeated(grids, labels)
    return labels


def _repeated(grids: Iterable[Grid], labels: Mapping[Level, str]) -> Iterator[Mistake]:
    """Report the same point twice on one axis."""
    for axis in (axis for grid in grids for axis in grid.axes):
        seen: set[tuple[str, ...]] = set()
        for point in axis:
            texts = tuple(labels[one] if isinstance(one, Level) else one.text for one in point)
            if texts in seen:
                yield point[0].place.mistake(f"{', '.join(f.name for f in axis.factors)} has {', '.join(texts)} twice")
            seen.add(texts)


def called(
    factors: Iterable[Factor], labels: Mapping[Level, str], grids: Iterable[Iterable[Block]]
) -> dict[str, dict[str, set[str]]]:
    """Return for each factor the labels that a word stands for: itself, and all whose level has that name."""
    words: dict[str, dict[str, set[str]]] = {f.name: {} for f in factors}
    for combination in (one for blocks in grids for block in blocks for one in block):
        for factor, label in combination.labels.items():
            words[factor][label] = {label}
    named = [(level.spec, label) for level, label in labels.items() if label in words.get(level.spec.field, ())]
    for spec, label in named:
        words[spec.field].setdefault(spec.name, set()).add(label)
    return words


def _label_levels(levels: Iterable[Level], dotted: Collection[Factor]) -> dict[Level, str]:
    """Label every level of one factor, from all its grids: by its `label:`, or its name.

    Where several levels share a name, the settings in which they differ are added: "sgd lr=0.1". The settings of dotted
    factors have columns of their own and are left out.
    """
    groups: dict[Any, list[Level]] = defaultdict(list)
    for level in levels:
        groups[level.spec if level.spec.label else level.spec.name].append(level)
    found = {level: text for group in groups.values() for level, text in _label_group(group, dotted)}
    return {level: found[level] for level in levels}


def _clashes(labels: Mapping[Level, str], dotted: Collection[Factor]) -> Iterator[Mistake]:
    """Report levels of different meaning with the same label."""
    meanings: dict[str, str] = {}
    for level, text in labels.items():
        meaning = repr([(c.name, own_settings(c, dotted)) for c in level.choices])
        if meanings.setdefault(text, meaning) != meaning:
            told = f"two levels of {level.spec.field} have the label {text!r}; give one of them another `label:`"
            yield level.place.mistake(told)


def _label_group(group: list[Level], dotted: Collection[Factor]) -> Iterator[tuple[Level, str]]:
    own = [[own_settings(c, dotted) for c in level.choices] for level in group]
    differing = [
        [name for name in settings if len({value_text(o[i].get(name)) for o in own}) > 1]
        for i, settings in enumerate(own[0])
    ]
    for level, settings in zip(group, own):
        entries = [entry for entry, _ in level.given]
        pairs = [
            " ".join(f"{name}={_shown(entry, name, values[name])}" for name in names)
            for entry, names, values in zip(entries, differing, settings)
        ]
        if level.spec.label:
            yield level, " ".join([level.spec.label, *filter(None, pairs)])
        else:
            yield level, " + ".join(f"{entry.name} {pair}".rstrip() for entry, pair in zip(entries, pairs))


def _shown(entry: Entry, name: str, value: Any) -> str:
    return PurePath(value).name if entry.settings[name].is_file else value_text(value)
