"""A grid: its axes, and how many arms they make, before anything is expanded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, combinations, product
from math import prod
from typing import Any

from dlsweep.config.document import Key, Node, Place, Reading, each
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


def _read_grid(node: Node, base: Mapping[str, Level], draws: Draws) -> Reading[Grid]:
    faulty: set[str] = set()
    written: dict[Key, tuple[Factor, ...]] = {}
    nodes: dict[Factor, list[Node]] = {}  # one for each row
    for key, value in node.value.items():
        factors = yield from each(factor(part.strip(), key.place) for part in key.split(","))
        known = tuple(f for f in factors if f is not None)
        if len(known) < len(factors):
            faulty |= {part.strip().partition(".")[0] for part in key.split(",")}
            continue
        written[key], rows = known, (yield from _rows(key, known, value))
        for column, f in enumerate(known):
            if f in nodes:
                told = f"{f.name} is a factor of this grid already; give all its levels in one place"
                yield key.place.mistake(told)
            nodes.setdefault(f, [row[column] for row in rows])

    # Names come first: they tell which settings the values of the dotted factors have to fit.
    cells: dict[Factor, list[Any]] = {}  # None after a mistake
    for f in (f for f in nodes if not f.setting):
        cells[f] = yield from each(read_level(f.field, one, draws) for one in nodes[f])
    for key, f in ((key, f) for key, factors in written.items() for f in factors if f.setting):
        entries, alone = _entries(f.field, cells, base), len(written[key]) == 1
        owners = (yield from _owners(f, entries, key.place)) if entries else []
        levels = (read_setting_levels(f, one, owners, draws, alone=alone) for one in nodes[f] if owners)
        cells[f] = yield from each(levels)

    complete = {key: own for key, own in written.items() if all(cells[f] and None not in cells[f] for f in own)}
    faulty |= {f.field for key, factors in written.items() if key not in complete for f in factors}
    axes = tuple(Axis(key.place, own, tuple(zip(*(cells[f] for f in own)))) for key, own in complete.items())
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


def _entries(field: str, cells: Mapping[Factor, list[Any]], base: Mapping[str, Level]) -> list[Entry]:
    """The names of a field in this grid; none where they could not be read."""
    specs = cells.get(Factor.of(field), [base[field].spec])
    if None in specs:
        return []
    return list(dict.fromkeys(entry for spec in specs for entry, _ in spec.choices))


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
