"""A grid: its axes, and how many arms they make, before anything is expanded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, combinations, product
from math import prod
from typing import Any, NamedTuple

from dlsweep.config.document import Key, Node, Place, Reading, each, whole
from dlsweep.config.draws import Draw, Draws
from dlsweep.config.levels import Level, LevelSpec, SettingLevel, read_level, read_setting_levels
from dlsweep.config.words import Factor, factor
from dlsweep.registry import Entry
from dlsweep.text import nearest

# The content of one row of an axis for one factor: a spec, which expands to levels, or levels of a dotted factor.
Cell = LevelSpec | tuple[SettingLevel, ...]


@dataclass(frozen=True, eq=False)
class Axis:
    """Factors that move together, mostly one. A row has a cell for each factor, and stands for their product."""

    place: Place
    factors: tuple[Factor, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def __len__(self) -> int:
        return sum(prod(len(cell) for cell in row) for row in self.rows)

    def __iter__(self) -> Iterator[tuple[Level | SettingLevel, ...]]:
        """Yield the points of the axis: for each factor a level."""
        return chain.from_iterable(product(*row) for row in self.rows)

    def specs(self, field: str) -> Iterator[LevelSpec]:
        """Yield the levels of a field, as written."""
        return (cell for row in self.rows for cell in row if isinstance(cell, LevelSpec) and cell.field == field)

    def levels(self, field: str) -> Iterator[Level]:
        """Yield the levels of a field."""
        return (level for spec in self.specs(field) for level in spec)

    @property
    def draws(self) -> Iterator[Draw]:
        """The draws among its levels."""
        return (draw for row in self.rows for cell in row for draw in _draws(cell))

    def setting_levels(self, field: str, setting: str) -> Iterator[SettingLevel]:
        """Yield the levels of the dotted factors that set a setting."""
        cells = (cell for row in self.rows for cell in row if not isinstance(cell, LevelSpec))
        return (one for cell in cells for one in cell if (one.factor.field, one.factor.setting) == (field, setting))


@dataclass(frozen=True, eq=False)
class Grid:
    """One grid of the config's union of grids. faulty: the fields whose axes could not be read without a mistake."""

    place: Place
    axes: tuple[Axis, ...]
    faulty: frozenset[str]

    @property
    def count(self) -> int:
        """The number of arms that the grid makes, without expanding it."""
        return prod(len(axis) for axis in self.axes)

    @property
    def factors(self) -> tuple[Factor, ...]:
        return tuple(f for axis in self.axes for f in axis.factors)


def read_grids(node: Node | None, base: Mapping[str, Level], draws: Draws) -> Reading[list[Grid]]:
    """Read the grids of the config: one, or the list of them.

    base: the levels of what no factor varies. draws: of ranges.
    """
    if node is None:
        return [Grid(Place("config"), (), frozenset())]
    if node.is_list and not node.value:
        yield node.place.mistake("grid must have at least one grid, got an empty list")
    grids = []
    for one in node.items():
        if one.is_mapping:
            grids.append((yield from _read_grid(one, base, draws)))
        else:
            yield one.place.mistake(f"a grid is a mapping from factors to levels, got {one}")
    return grids


class _Draft(NamedTuple):
    """An axis that is being read. rows: a node for each factor, then a cell in its place, or None after a mistake."""

    key: Key
    factors: tuple[Factor, ...]
    rows: list[list[Any]]

    @property
    def complete(self) -> bool:
        return bool(self.rows) and not any(cell is None for row in self.rows for cell in row)


def _read_grid(node: Node, base: Mapping[str, Level], draws: Draws) -> Reading[Grid]:
    faulty: set[str] = set()
    drafts = []
    for key, value in node.value.items():
        factors = yield from each(factor(part.strip(), key.place) for part in key.split(","))
        known = tuple(f for f in factors if f is not None)
        if len(known) < len(factors):
            faulty |= {part.strip().partition(".")[0] for part in key.split(",")}
        else:
            drafts.append(_Draft(key, known, (yield from _rows(key, known, value))))
    yield from _repeated(drafts)

    # Names come first: they tell which settings the values of the dotted factors have to fit.
    for draft, column, f in _columns(drafts, dotted=False):
        for row in draft.rows:
            row[column] = yield from read_level(f.field, row[column], draws)
    for draft, column, f in _columns(drafts, dotted=True):
        entries = _entries(f.field, drafts, base)
        owners = (yield from _owners(f, entries, draft.key.place)) if entries else []
        for row in draft.rows:
            alone = len(draft.factors) == 1
            row[column] = (yield from _read_values(f, row[column], owners, draws, alone=alone)) if owners else None

    faulty |= {f.field for draft in drafts if not draft.complete for f in draft.factors}
    axes = tuple(Axis(d.key.place, d.factors, tuple(map(tuple, d.rows))) for d in drafts if d.complete)
    yield from _contradictions(axes)
    return Grid(node.place, _drawn_together(axes), frozenset(faulty))


def _drawn_together(axes: tuple[Axis, ...]) -> tuple[Axis, ...]:
    """Return axes of which those with draws are one: each of its rows has the same draw of every range."""
    drawn = [axis for axis in axes if next(axis.draws, None)]
    if not drawn:
        return axes
    rows = []
    for parts in product(*(axis.rows for axis in drawn)):
        cells = tuple(chain.from_iterable(parts))
        number = max((draw.at + 1 for cell in cells for draw in _draws(cell)), default=1)
        rows += [tuple(_at(cell, i) for cell in cells) for i in range(number)]
    joint = Axis(drawn[0].place, tuple(chain.from_iterable(axis.factors for axis in drawn)), tuple(rows))
    return tuple(joint if axis is drawn[0] else axis for axis in axes if axis not in drawn[1:])


def _draws(cell: Cell) -> Iterator[Draw]:
    return cell.draws if isinstance(cell, LevelSpec) else (level.draw for level in cell if level.draw)


def _at(cell: Cell, draw: int) -> Cell:
    """Return a cell with one draw of each of its ranges."""
    if not any(_draws(cell)):
        return cell
    return cell.at(draw) if isinstance(cell, LevelSpec) else (cell[draw],)


def _rows(key: Key, factors: tuple[Factor, ...], node: Node) -> Reading[list[list[Node]]]:
    """Read the nodes of an axis: a list of levels; or for factors that move together, a list of rows of levels."""
    if node.is_list and not node.value:
        yield node.place.mistake(f"{key} must have at least one level, got an empty list")
        return []
    if len(factors) == 1:
        return [[node]] if factors[0].setting else [[one] for one in node.items()]
    example = "[" + ", ".join(f"a level of {f.name}" for f in factors) + "]"
    if not node.is_list:
        yield node.place.mistake(f"{key} move together in a list of rows such as {example}, got {node}")
        return []
    rows = []
    for row in node.value:
        if row.is_list and len(row.value) == len(factors):
            rows.append(list(row.value))
        else:
            yield row.place.mistake(f"a row of {key} is {example}, got {row}")
    return rows


def _columns(drafts: list[_Draft], dotted: bool) -> Iterator[tuple[_Draft, int, Factor]]:
    for draft in drafts:
        for column, f in enumerate(draft.factors):
            if bool(f.setting) is dotted:
                yield draft, column, f


def _entries(field: str, drafts: list[_Draft], base: Mapping[str, Level]) -> list[Entry]:
    """The names of a field in this grid; none where they could not be read."""
    columns = [(draft, column) for draft, column, f in _columns(drafts, dotted=False) if f.field == field]
    specs = [row[column] for draft, column in columns for row in draft.rows]
    if None in specs or any(not draft.rows for draft, _ in columns):
        return []
    return list(dict.fromkeys(entry for spec in specs or [base[field].spec] for entry, _ in spec.choices))


def _owners(f: Factor, entries: list[Entry], place: Place) -> Reading[list[Entry]]:
    """Return the entries that have the setting of a dotted factor."""
    owners = f.owners(entries)
    if not owners:
        names = ", ".join(e.name for e in entries)
        there = [f"{f.field}.{e.name}.{name}" for e in entries for name in e.settings]
        alike = [name for name in there if name.endswith(f".{f.setting}")]
        hint = nearest(f.name, alike) if alike else nearest("", there)
        yield place.mistake(f"{f.name} applies to no {f.field} of this grid, which has {names}{hint}")
    return owners


@whole
def _read_values(
    f: Factor, node: Node, owners: list[Entry], draws: Draws, *, alone: bool
) -> Reading[tuple[SettingLevel, ...] | None]:
    values = yield from read_setting_levels(f, node, owners, draws)
    if values and len(values) > 1 and not (alone or values[0].draw):
        yield node.place.mistake(f"a row has one value of {f.name}, got {node}")
    return values or None


def _repeated(drafts: list[_Draft]) -> Reading[None]:
    seen: set[str] = set()
    for place, f in [(draft.key.place, f) for draft in drafts for f in draft.factors]:
        if f.name in seen:
            yield place.mistake(f"{f.name} is a factor of this grid already; give all its levels in one place")
        seen.add(f.name)


def _contradictions(axes: tuple[Axis, ...]) -> Reading[None]:
    """Report two factors, or a factor and a level, that set the same setting of the same choice."""
    dotted = [(axis.place, f) for axis in axes for f in axis.factors if f.setting]
    for (_, a), (place, b) in combinations(dotted, 2):
        same = a.field == b.field and a.quantity == b.quantity and a.name != b.name
        if same and (a.choice == b.choice or None in (a.choice, b.choice)):
            yield place.mistake(f"{a.name} and {b.name} contradict each other in one grid; keep one of them")
    for field in dict.fromkeys(f.field for _, f in dotted):
        for spec in (spec for axis in axes for spec in axis.specs(field)):
            for entry, given in spec.choices:
                for name, values in given.items():
                    for f in (f for _, f in dotted if f.field == field and f.concerns(entry.name, name)):
                        told = f"{f.name} is a factor of this grid; take {name} out of this level"
                        yield values[0].place.mistake(told)
