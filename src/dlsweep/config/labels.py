"""Labels of levels, as tables and figures show them, and as the partial arms of `exclude:` and `only:` name them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import reduce
from operator import and_, or_
from pathlib import PurePath
from typing import Any

from dlsweep.config.document import Node, Reading, each, read_list, whole
from dlsweep.config.grid import Axis
from dlsweep.config.levels import Level
from dlsweep.config.rules import PartialArm, Rules
from dlsweep.config.sweep import Sweep
from dlsweep.config.words import Factor, own_settings
from dlsweep.errors import Mistake
from dlsweep.registry import Entry
from dlsweep.text import label_text, nearest, value_text

Words = Mapping[str, Mapping[str, set[str]]]  # for each factor, the labels that a word stands for

_MOST_CHOICES = 50  # that a sentence lists


def label(sweep: Sweep) -> Reading[dict[Level, str]]:
    """Label all levels of all factors."""
    labels: dict[Level, str] = {}
    clashes: list[Mistake] = []
    for f in (f for f in sweep.factors if not f.setting):
        levels = [one for axis in sweep.axes for one in axis.levels(f.field)]
        if any(f not in grid.factors for grid in sweep.grids):
            levels.append(sweep.base[f.field])
        dotted = [d for d in sweep.factors if d.setting and d.field == f.field]
        own = _label_levels(dict.fromkeys(levels), dotted)
        clashes += _clashes(own, dotted)
        labels |= own
    yield from clashes or _repeated(sweep.axes, labels)
    return labels


def _repeated(axes: Iterable[Axis], labels: Mapping[Level, str]) -> Iterator[Mistake]:
    """Report the same point twice on one axis."""
    for axis in axes:
        seen: set[tuple[str, ...]] = set()
        for point in axis:
            texts = tuple(labels[one] if isinstance(one, Level) else one.text for one in point)
            if texts in seen:
                yield point[0].place.mistake(f"{', '.join(f.name for f in axis.factors)} has {', '.join(texts)} twice")
            seen.add(texts)


def _label_levels(levels: Iterable[Level], dotted: Collection[Factor]) -> dict[Level, str]:
    """Label every level of one factor, from all its grids: by its `label:`, or its name.

    Where several levels share a name, the settings in which they differ are added: "sgd lr=0.1". The settings of dotted
    factors have columns of their own and are left out.
    """
    groups: dict[Any, list[Level]] = defaultdict(list)
    for level in levels:
        groups[(level.spec.origin or level.spec) if level.spec.label else level.spec.name].append(level)
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
    return PurePath(value).name if entry.settings[name].is_file else label_text(value)


def words_of(sweep: Sweep) -> dict[str, dict[str, set[str]]]:
    """Return for each factor the labels that a word stands for: itself, and all whose level has that name."""
    words: dict[str, dict[str, set[str]]] = {f.name: {} for f in sweep.factors}
    for combination in sweep.combinations():
        for factor, label in combination.labels.items():
            words[factor][label] = {label}
    named = [(level.spec, label) for level, label in sweep.labels.items() if label in words.get(level.spec.field, ())]
    for spec, label in named:
        words[spec.field].setdefault(spec.name, set()).add(label)
    return words


def read_rules(sweep: Sweep) -> Reading[Rules]:
    """Read `exclude` and `only`."""
    words = words_of(sweep)
    exclude = yield from _read_partial_arms(sweep, "exclude", words)
    only = yield from _read_partial_arms(sweep, "only", words)
    return Rules(exclude, only)


def _read_partial_arms(sweep: Sweep, key: str, words: Words) -> Reading[tuple[PartialArm, ...]]:
    rule = f"{key} must be a list of partial arms such as [{{activation: relu}}]"
    nodes, faulty = (yield from read_list(sweep.top.get(key), rule)), sweep.every_fault
    read = yield from each(read_partial_arm(key, one, words, faulty) for one in nodes)
    good = [(one, partial) for one, partial in zip(nodes, read) if partial]
    rules = Rules((), tuple(partial for _, partial in good))
    # An arm has one combination of each block, so a partial arm fits some arm if one of every block fits it.
    fit = [
        reduce(and_, [reduce(or_, (rules.fitting(one.labels) for one in block)) for block in blocks], -1)
        for blocks in sweep.blocks
    ]
    for i, (one, partial) in enumerate(good):
        known = not any(factor.partition(".")[0] in faulty for factor in partial)
        if known and not reduce(or_, fit, 0) >> i & 1:
            yield one.place.mistake(f"{key} names levels that no arm has together: {arm_text(partial)}")
    return rules.only


@whole
def read_partial_arm(key: str, node: Node, words: Words, faulty: frozenset[str]) -> Reading[PartialArm]:
    """Read a partial arm, with its labels in the order of the grid.

    words: of the sweep; faulty: fields with a mistake, whose factors are left out.
    """
    if not node.is_mapping or not node.value:
        raise node.place.refused(f"{key} gives arms by their levels, such as {{init: he}}, got {node}")
    partial: dict[str, tuple[str, ...]] = {}
    for factor, levels in node.value.items():
        if factor.partition(".")[0] in faulty:
            continue
        if factor not in words:
            yield factor.place.mistake(f"{key} speaks of {str(factor)!r}, no factor here{nearest(factor, words)}")
            continue
        known = words[factor]
        found: set[str] = set()
        # A list may be one value, [40, 20], and so may be another spelling: 1e-1 is 0.1.
        for one in (levels,) if label_text(levels.plain()) in known else levels.items():
            text = one.text if one.text in known else label_text(one.plain())
            if text not in known:
                yield one.place.mistake(f"{factor} has no level {text!r}{nearest(text, _some(known))}")
            found |= known.get(text, set())
        partial[str(factor)] = tuple(label for label in known if label in found) if len(found) > 1 else tuple(found)
    return partial


def arm_text(partial: Mapping[str, Iterable[str]]) -> str:
    """Return a partial arm as a sentence shows it.

    >>> arm_text({"activation": ["relu"], "init": ["he", "xavier"]})
    'activation relu, init he or xavier'
    """
    return ", ".join(f"{factor} {' or '.join(sorted(labels))}" for factor, labels in partial.items())


def _some(known: Mapping[str, set[str]]) -> list[str]:
    """The labels, unless they are too many for a sentence."""
    labels = set().union(*known.values())
    return sorted(labels) if len(labels) <= _MOST_CHOICES else []
