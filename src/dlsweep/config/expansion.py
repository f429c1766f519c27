"""The arms of a sweep: combinations of levels, of which the rules leave some, and those of the same meaning fold.

Axes that concern the same field of an arm (`optimizer` and `optimizer.lr`) belong to one block; all their combinations
are worked out once. Blocks are independent of each other, so arms are walked lazily as a product of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from hashlib import blake2b
from itertools import chain, product
from operator import and_, xor
from typing import Any

from dlsweep.config.document import Place
from dlsweep.config.grid import Axis, Grid
from dlsweep.config.levels import Level, SettingLevel
from dlsweep.config.rules import Rules
from dlsweep.config.sweep import Block, Combination, Combined, Grids, Sweep
from dlsweep.config.words import FIELDS, TRAIN, entry
from dlsweep.factors import BY_NAME
from dlsweep.registry import Choice


def arms(grids: Grids, rules: Rules) -> Iterator[tuple[Combined, Combined]]:
    """Yield the arms that the rules leave, each with the first of the same meaning: itself, unless it is folded."""
    blocks = [block for blocks in grids for block in blocks]
    may_fold = len(grids) > 1 or any(len({one.key for one in block}) < len(block) for block in blocks)
    first: dict[int, Combined] = {}
    for arm in _walk(grids, rules):
        yield arm, first.setdefault(reduce(xor, (one.key for one in arm.combinations)), arm) if may_fold else arm


def _walk(grids: Grids, rules: Rules) -> Iterator[Combined]:
    for blocks in grids:
        if not rules:
            yield from map(Combined, product(*blocks))
            continue
        fitted = [[(one, rules.fitting(one.labels)) for one in block] for block in blocks]
        for combinations in product(*fitted):
            if rules.leave(reduce(and_, (fitting for _, fitting in combinations))):
                yield Combined([one for one, _ in combinations])


def expand(sweep: Sweep) -> Grids:
    """Return the blocks of every grid, in the order of their first axis; without those that have a mistake."""
    pool: dict[str, Choice] = {}
    return [_blocks(sweep, grid, pool) for grid in sweep.grids]


def _blocks(sweep: Sweep, grid: Grid, pool: dict[str, Choice]) -> list[Block]:
    groups = [group for group in _together(grid.axes) if not _fields(group) & grid.faulty]
    rest = [field for field in FIELDS if field not in _fields(grid.axes) | grid.faulty]
    parts = [*((group, sorted(_fields(group))) for group in groups), ([], rest)]
    blocks = [
        tuple(_combination(sweep, pool, [*chain(*levels)], fields) for levels in product(*axes))
        for axes, fields in parts
    ]
    return [block for block in blocks if block]


def _combination(
    sweep: Sweep, pool: dict[str, Choice], levels: list[Level | SettingLevel], fields: list[str]
) -> Combination:
    """Combine some levels with those outside the grid. pool: of equal choices one."""
    chosen = {name: sweep.base[name] for name in fields}
    chosen |= {level.spec.field: level for level in levels if isinstance(level, Level)}
    choices = {name: level.choices for name, level in chosen.items()}
    values = [level for level in levels if isinstance(level, SettingLevel)]
    for value in values:
        choices[value.factor.field] = value.put_into(choices[value.factor.field])

    factors = [f for f in sweep.factors if f.field in fields]
    labels = {f.name: f.value_in(choices[f.field]) if f.setting else sweep.labels[chosen[f.field]] for f in factors}
    asked = {v.factor.name: v.text for v in values if labels[v.factor.name] == "-"}
    checked = [name for name in ("data", "train") if name in fields]
    places = {f"{name}.{setting}": p for name in checked for setting, p in chosen[name].places.items()}
    places |= {f"{v.factor.field}.{v.factor.setting}": v.place for v in values}
    places |= {name: chosen[name].place for name in fields}
    if "model" in fields:
        places |= {f"layer {i}": place for i, place in enumerate(chosen["model"].item_places, start=1)}
    resolved: dict[str, Any] = {}
    key = 0
    for name, several in choices.items():
        shared = tuple(pool.setdefault(c.canonical, c) for c in several)
        found, meaning = _resolve(sweep, name, shared, places)
        resolved |= found
        key ^= int.from_bytes(blake2b(f"{name}\n{meaning}".encode(), digest_size=16).digest(), "big")
    return Combination(resolved, labels, asked, key, places)


def _resolve(
    sweep: Sweep, name: str, choices: tuple[Choice, ...], places: Mapping[str, Place]
) -> tuple[dict[str, Any], str]:
    """Return the values of a field of an arm, and a text that is the same for the same meaning."""
    if name == "data":
        own = {setting.removeprefix("data."): p for setting, p in places.items() if setting.startswith("data.")}
        dataset = sweep.datasets.open(choices[0], own, places["data"])
        fingerprint = dataset.fingerprint if dataset is not None else ""
        return {"data": choices[0], "fingerprint": fingerprint}, fingerprint
    if name in BY_NAME and BY_NAME[name].combines:
        effective = tuple(c for c in choices if c.name != "none" and not entry(name, c.name).is_off(c.settings))
        return {name: effective}, "\n".join(c.canonical for c in effective)
    if name == "train":
        train = TRAIN(**choices[0].settings)
        return {name: train}, repr(train)
    return {name: choices[0]}, choices[0].canonical


def _fields(axes: Iterable[Axis]) -> frozenset[str]:
    return frozenset(f.field for axis in axes for f in axis.factors)


def _together(axes: Sequence[Axis]) -> list[list[Axis]]:
    """The axes in groups that share no field, in the order of their first axes."""
    groups: list[list[Axis]] = []
    for axis in axes:
        sharing = [group for group in groups if _fields(group) & _fields([axis])]
        others = [group for group in groups if group not in sharing]
        groups = [*others, [*chain.from_iterable(sharing), axis]]
    return sorted(groups, key=lambda group: axes.index(group[0]))
