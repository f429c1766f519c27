"""The blocks of a grid, independent of each other, so that arms can be walked lazily as a product of them.

Axes that concern the same field of an arm (`optimizer` and `optimizer.lr`) belong to one block; all their combinations
are worked out once, here. Combinations of the same meaning fold within a block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import chain, product
from typing import Any

from dlsweep.config.document import Place
from dlsweep.config.grid import Axis, Grid
from dlsweep.config.levels import Level, SettingLevel
from dlsweep.config.words import FIELDS, TRAIN, Factor, entry
from dlsweep.datasets.base import Dataset
from dlsweep.factors import BY_NAME
from dlsweep.registry import Choice


@dataclass(frozen=True, slots=True)
class Combination:
    """One combination of levels of some factors.

    fields: the values of an arm's fields; labels: by factor; asked: the labels asked for where an arm has no such
    setting ("0.9" for "-"); key: a hash of what the fields mean, to be combined by exclusive or (Zobrist
    1970), so that arms that mean the same have the same key.
    """

    fields: Mapping[str, Any]
    labels: Mapping[str, str]
    asked: Mapping[str, str]
    key: int
    places: Mapping[str, Place] = field(default_factory=dict)  # of levels ("model") and settings ("train.batch_size")


Block = tuple[Combination, ...]


@dataclass(frozen=True)
class Expander:
    """Makes the combinations of grids.

    factors: of the whole sweep; base: the level of each field where no axis concerns it; labels: of all levels;
    open_dataset: None where the data cannot be used.
    """

    factors: tuple[Factor, ...]
    base: Mapping[str, Level]
    labels: Mapping[Level, str]
    open_dataset: Callable[[Choice, Mapping[str, Place], Place], Dataset | None]
    _pool: dict[str, Choice] = field(default_factory=dict)

    def blocks(self, grid: Grid) -> list[Block]:
        """Return the blocks of a grid, in the order of their first axis; without those that have a mistake."""
        groups = [group for group in _together(grid.axes) if not _fields(group) & grid.faulty]
        touched = _fields(grid.axes) | grid.faulty
        rest = [f for f in FIELDS if f not in touched]
        blocks = [tuple(self._combinations(group, sorted(_fields(group)))) for group in groups]
        return [block for block in [*blocks, tuple(self._combinations([], rest))] if block]

    def _combinations(self, axes: list[Axis], fields: list[str]) -> Iterator[Combination]:
        factors = [f for f in self.factors if f.field in fields]
        for combination in product(*axes):
            yield self._combination([level for levels in combination for level in levels], fields, factors)

    def _combination(self, levels: list[Level | SettingLevel], fields: list[str], factors: list[Factor]) -> Combination:
        chosen = {name: self.base[name] for name in fields}
        chosen |= {level.spec.field: level for level in levels if isinstance(level, Level)}
        choices = {name: level.choices for name, level in chosen.items()}
        values = [level for level in levels if isinstance(level, SettingLevel)]
        for value in values:
            choices[value.factor.field] = value.put_into(choices[value.factor.field])

        labels = {f.name: f.value_in(choices[f.field]) if f.setting else self.labels[chosen[f.field]] for f in factors}
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
            shared = tuple(self._pool.setdefault(c.canonical, c) for c in several)
            found, meaning = self._resolve(name, shared, places, chosen[name].place)
            resolved |= found
            key ^= int.from_bytes(blake2b(f"{name}\n{meaning}".encode(), digest_size=16).digest(), "big")
        return Combination(resolved, labels, asked, key, places)

    def _resolve(
        self, name: str, choices: tuple[Choice, ...], places: Mapping[str, Place], place: Place
    ) -> tuple[dict[str, Any], str]:
        """Return the values of a field of an arm, and a text that is the same for the same meaning."""
        if name == "data":
            own = {setting.removeprefix("data."): p for setting, p in places.items() if setting.startswith("data.")}
            dataset = self.open_dataset(choices[0], own, place)
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
