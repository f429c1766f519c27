"""Effects of the factors of a sweep: the share of a metric's variance that each of them has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np

from dlsweep.analysis.crossed import CITED
from dlsweep.analysis.decomposition import TIMES, Decomposition, Divided, Term, flip_whole_seeds
from dlsweep.analysis.facets import follows, varying
from dlsweep.analysis.frames import counted, crossing
from dlsweep.analysis.luck import Luck, luck
from dlsweep.analysis.metrics import metric_of, values_to_divide
from dlsweep.analysis.sign_flips import MOST_EXACT
from dlsweep.analysis.statistics import Replication, fewest_seeds, holm, interval
from dlsweep.config.claims import ALPHA
from dlsweep.errors import UsageError
from dlsweep.metrics import SHARED, Metric
from dlsweep.storage.results import Results, overlap_of
from dlsweep.text import plural
from dlsweep.types import DataFrame


@dataclass(frozen=True)
class Effects(Divided):
    """Effects of factors on a metric.

    table: a row per effect with `effect` ("activation", "activation × init"), `df`, `squares`, `share` of the variance,
    `omega` squared, `p`, and `adjusted`, the p-value after Holm over all rows. After the effects, a complete grid has
    rows for the seed and for the rest, without a p-value. Of a grid with missing cells, each row is the effect of
    one factor, and the column `where` has the levels of the others.
    levels: of a complete grid, a row per level of each factor with the `mean` over all other factors and seeds, its
    `difference` to the mean of all levels, and `low` and `high` of the 95 % interval of this difference within seeds.
    means: of a complete grid, the mean over the seeds of each combination of two factors, for each interaction; widths:
    half the 95 % interval of its difference to the mean of all combinations, within seeds.
    n: seeds. complete: True if every combination of levels has values.
    """

    levels: DataFrame
    n: int
    complete: bool
    means: Mapping[tuple[str, str], DataFrame] = field(default_factory=dict, repr=False)
    widths: Mapping[tuple[str, str], DataFrame] = field(default_factory=dict, repr=False)


def effects(
    results: Results, metric: str | None = None, *, order: int = 2, where: Mapping[str, Any] | None = None
) -> Effects | Luck:
    """Return main effects and interactions of up to `order` factors, the seed as block; of crossed seeds, `luck`.

    metric: such as `test_loss`; by default the one that arms are compared by. where: levels of the arms that take part.
    The p-value comes from flipping the contrasts of whole seeds. A diverged run counts at chance accuracy. Raise a
    `UsageError` if a run diverged and the metric then has no finite value, or if no factor varies.

    >>> import dlsweep
    >>> config = {"name": "two", "data": {"mnist": {"train": 100, "test": 100}}, "train": {"iterations": 2}, "seeds": 3}
    >>> results = dlsweep.run({**config, "grid": {"activation": ["relu", "tanh"]}}, executor="inline")
    >>> effects(results).table["effect"].tolist()
    ['activation', 'seed', 'effects × seed']
    """
    if results.record.tables.sources:
        return luck(results, metric, where)
    found = metric_of(results, metric)
    frame = values_to_divide(results, found, where)
    analysed = effects_in(frame.drop(columns="reason"), order, results.overlap)
    analysed = analysed if found.repeated else _untested(analysed)
    counted = analysed.table["p"].notna()
    table = analysed.table.assign(adjusted=np.nan)
    table.loc[counted, "adjusted"] = holm(table.loc[counted, "p"].to_numpy())
    notes = (*analysed.notes, *_notes(frame, found, analysed.n, int(counted.sum()), results.overlap))
    return replace(analysed, metric=found.name, words=found.words, table=table, notes=notes)


def effects_in(frame: DataFrame, order: int = 2, overlap: float = 0.0) -> Effects:
    """Return the effects of the factors in a frame with a row per run and the columns `seed` and `value`.

    Factors that move together are one, since nothing tells their effects apart. The p-values are not adjusted yet.
    overlap: where seeds draw splits of one data set, see `Replication`; then there are none.
    """
    grid = _Grid.of(frame, _axes(frame))
    if not grid.factors:
        raise UsageError("there is nothing to compare: no factor varies")
    found = _of_grid(grid, order, overlap) if grid.complete else _simple(frame, grid)
    return replace(found, table=found.table.assign(p=np.nan)) if overlap else found


def _untested(found: Effects) -> Effects:
    """Return effects without p-values and intervals: of values that seeds do not repeat."""
    levels = found.levels if found.levels.empty else found.levels.assign(low=np.nan, high=np.nan)
    widths = {pair: own * np.nan for pair, own in found.widths.items()}
    return replace(found, table=found.table.assign(p=np.nan, omega=np.nan), levels=levels, widths=widths)


def effects_of_runs(runs: DataFrame, column: str) -> Effects:
    """Return the effects on a column of the table of runs, for a figure.

    Raise a `UsageError` if combinations of levels are missing, if a diverged run has no value, or if seeds are crossed.
    """
    if max(crossing(runs).values(), default=1) > 1:
        told = "runs of crossed seeds are not independent, as effects need"
        raise UsageError(f"{told}; the plot luck shows their sources")
    values = counted(runs, [column])[:, 0]
    status = runs["status"].to_numpy(dtype=str)
    if np.isnan(values[status == "diverged"]).any():
        raise UsageError("a run diverged, and its loss has no value: effects can be shown of an accuracy only")
    frame = runs.assign(value=np.where(status == "failed", np.nan, values))
    found = effects_in(frame, overlap=overlap_of(runs))
    if not found.complete:
        raise UsageError(f"effects of a whole grid are not known: {found.notes[0]}")
    return found


def _axes(frame: DataFrame) -> dict[str, list[str]]:
    """Return the columns of each factor that varies, by its name."""
    found: list[list[str]] = []
    for factor in varying(frame):
        near = [own for own in found if any(follows(frame, factor, [f]) or follows(frame, f, [factor]) for f in own)]
        found = [own for own in found if own not in near] + [[f for own in near for f in own] + [factor]]
    return {", ".join(own): own for own in found}


@dataclass(frozen=True)
class _Grid:
    """Values of a grid, `(seeds, levels of the first factor, …)`, NaN without a run; empty if cells are missing."""

    factors: Sequence[str]
    levels: Sequence[Sequence[str]]
    labels: DataFrame  # of each row of the frame, a column per factor
    values: np.ndarray
    seeds: np.ndarray
    cells: int

    @property
    def complete(self) -> bool:
        return bool(self.values.size)

    @staticmethod
    def of(frame: DataFrame, axes: Mapping[str, Sequence[str]]) -> _Grid:
        import pandas as pd

        words = {name: map(", ".join, frame[[*own]].astype(str).to_numpy()) for name, own in axes.items()}
        labels = pd.DataFrame({name: [*own] for name, own in words.items()}, frame.index)
        ordered = (frame[[*own]].drop_duplicates().sort_values([*own], kind="stable") for own in axes.values())
        levels = [[", ".join(map(str, row)) for row in rows.to_numpy()] for rows in ordered]
        valued = frame["value"].notna()
        cells = len(labels[valued].drop_duplicates())
        seeds = np.unique(frame["seed"])
        if cells < prod(map(len, levels)):
            return _Grid([*axes], levels, labels, np.empty(0), seeds, cells)
        codes = [pd.Index(own).get_indexer(pd.Index(labels[name])) for name, own in zip(axes, levels, strict=True)]
        values = np.full((len(seeds), *map(len, levels)), np.nan)
        values[(np.searchsorted(seeds, frame["seed"]), *codes)] = frame["value"]
        return _Grid([*axes], levels, labels, values, seeds, cells)


def _whole(values: np.ndarray, seeds: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Return the seeds that have a value in every cell, and a note on the others."""
    whole = np.isfinite(values).reshape(len(values), -1).all(axis=1)
    left = ", ".join(map(str, seeds[~whole]))
    noun = "seed" if (~whole).sum() == 1 else "seeds"
    return values[whole], [f"left out: {noun} {left}, with no value in some arm"] * bool(left)


def _of_grid(grid: _Grid, order: int, overlap: float) -> Effects:
    """Return the effects in a complete grid."""
    import pandas as pd

    values, notes = _whole(grid.values, grid.seeds)
    if not len(values):
        raise UsageError("no seed has a value in every arm, so there is nothing to compare within seeds")
    parts = Decomposition.of(values, order)
    effects = [TIMES.join(grid.factors[axis] for axis in term.axes) for term in parts.terms]
    rows = [_row(name, term, parts) for name, term in zip(effects, parts.terms, strict=True)]
    rest = {"interactions of more factors": parts.higher} if len(grid.factors) > order else {}
    rest |= {"seed": parts.seeds, f"effects{TIMES}seed": parts.residual} if len(values) > 1 else {}
    rows += [{"effect": name, "squares": squares, "share": _share(squares, parts)} for name, squares in rest.items()]
    main = zip(grid.factors, grid.levels, parts.terms, strict=False)
    levels = pd.concat([_levels(factor, own, term, values, overlap) for factor, own, term in main], ignore_index=True)
    pairs = [term.axes for term in parts.terms if len(term.axes) == 2]
    names = [(grid.factors[a], grid.factors[b]) for a, b in pairs]
    cells = [_cells(grid, values, a, b, overlap) for a, b in pairs]
    means, widths = (dict(zip(names, own, strict=True)) for own in zip(*cells)) if cells else ({}, {})
    table = pd.DataFrame(rows).astype({"df": "Int64"})
    return Effects("", "", table, tuple(notes), levels, len(values), True, means, widths)


def _cells(grid: _Grid, values: np.ndarray, a: int, b: int, overlap: float) -> tuple[DataFrame, DataFrame]:
    """Return the means of each combination of two factors, and half the intervals of their differences to all."""
    import pandas as pd

    each = values.mean(axis=tuple(axis for axis in range(1, values.ndim) if axis not in (a + 1, b + 1)))
    differences = np.moveaxis(each - each.mean(axis=(1, 2), keepdims=True), 0, -1)
    low, high = interval(differences, replication=Replication(overlap=overlap))
    index, columns = (pd.Index(grid.levels[axis], name=grid.factors[axis]) for axis in (a, b))
    return pd.DataFrame(each.mean(axis=0), index, columns), pd.DataFrame((high - low) / 2, index, columns)


def _row(name: str, term: Term, parts: Decomposition) -> dict[str, Any]:
    p = flip_whole_seeds(term.contrasts, key=name)
    omega = max(0.0, parts.omega(term)) if len(parts.values) > 1 else float("nan")
    share = _share(term.squares, parts)
    return {"effect": name, "df": term.df, "squares": term.squares, "share": share, "omega": omega, "p": p}


def _share(squares: float, parts: Decomposition) -> float:
    return squares / parts.total if parts.total else float("nan")


def _levels(factor: str, levels: Sequence[str], term: Term, values: np.ndarray, overlap: float) -> DataFrame:
    """Return the rows of a factor's levels."""
    import pandas as pd

    others = tuple(axis for axis in range(values.ndim) if axis != term.axes[0] + 1)
    low, high = interval(term.contrasts.T, replication=Replication(overlap=overlap))
    numbers = {"mean": values.mean(axis=others), "difference": term.contrasts.mean(axis=0), "low": low, "high": high}
    return pd.DataFrame({"factor": factor, "level": levels, **numbers})


def _simple(frame: DataFrame, grid: _Grid) -> Effects:
    """Return the effect of each factor at each combination of the others that has several of its levels."""
    import pandas as pd

    rows, counts = [], []
    for where, factor, values in _slices(frame, grid):
        parts = Decomposition.of(values)
        row = _row(factor, parts.terms[0], parts)
        counts.append(len(values))
        rows.append({"effect": factor, "where": where, **row, "n": len(values)})
    if not rows:
        raise UsageError("no two arms differ in one factor only and share a seed, so effects cannot be told apart")
    there = f"the grid has {grid.cells} of {prod(map(len, grid.levels))} combinations with values"
    note = f"{there}: only the effect of each factor at fixed levels of the others is shown"
    return Effects("", "", pd.DataFrame(rows), (note,), pd.DataFrame(), min(counts), False)


def _slices(frame: DataFrame, grid: _Grid) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yield the levels of the other factors, the factor, and its values `(seeds, levels)`."""
    labelled = grid.labels.assign(seed=frame["seed"], value=frame["value"])
    several = {name: len(levels) for name, levels in zip(grid.factors, grid.levels, strict=True)}
    for factor, levels in zip(grid.factors, grid.levels, strict=True):
        others = [name for name in several if name != factor]
        for at, part in labelled.groupby(others, sort=False) if others else [((), labelled)]:
            table = part.pivot(index="seed", columns=factor, values="value").dropna(axis=1, how="all").dropna()
            if table.shape[1] > 1 and len(table):
                own = table[[level for level in levels if level in table.columns]]
                yield ", ".join(f"{name}={level}" for name, level in zip(others, at)), factor, own.to_numpy()


def _notes(frame: DataFrame, metric: Metric, n: int, rows: int, overlap: float) -> Iterator[str]:
    """Yield sentences on diverged runs, on p-values, and on what the seeds can decide."""
    diverged = int((frame["status"].astype(str) == "diverged").sum())
    if diverged:
        yield f"{diverged} of {plural(len(frame), 'run')} diverged and count at chance"
    if n < 2:
        yield "one seed: no p-values, since nothing tells an effect from chance"
        return
    if not metric.repeated:
        yield f"no p-values: {SHARED}"
        return
    if overlap:
        yield (
            "no p-values: they need independent seeds, and these draw splits of one data set that share samples; "
            f"intervals are corrected for overlap ({CITED})"
        )
        return
    how = "all sign patterns" if n <= MOST_EXACT else "random sign patterns"
    yield f"p: whole seeds are flipped ({how} of {plural(n, 'seed')}), adjusted after Holm over {plural(rows, 'row')}"
    if n < (needed := fewest_seeds(rows, ALPHA)):
        least = f"with {plural(n, 'seed')} no p-value is below {2 / 2**n:.2g}"
        yield f"{least}; {needed} seeds can decide all rows at {ALPHA}"
