"""Choose runs of some results: by levels of their arm, by their seed, or by their id."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from dlsweep.errors import UsageError
from dlsweep.text import did_you_mean, label_text, nearest, similar
from dlsweep.types import DataFrame

if TYPE_CHECKING:
    from dlsweep.storage.results import Results

_COMMAS = re.compile(r",(?![^\[]*\])")  # outside brackets
SeedNumber = int | Mapping[str, int]  # of a replicate, or of each source of chance


def partial_arm(known: Mapping[str, Sequence[str]], arm: Mapping[str, Any], where: str) -> dict[str, tuple[str, ...]]:
    """Return the labels that fit a partial arm, by factor. A level is a label, a name with several, or a list.

    known: the labels of each factor. A `UsageError` names an unknown factor or level; where: the end of its sentence.

    >>> partial_arm({"init": ["he", "normal std=1", "normal std=2"]}, {"init": "normal"}, "here")
    {'init': ('normal std=1', 'normal std=2')}
    """
    if not isinstance(arm, Mapping):
        raise UsageError(f"an arm is written with its factors, such as {{'init': 'he'}}, got {arm!r}")
    found: dict[str, list[str]] = {}
    for factor, level in arm.items():
        if factor not in known:
            raise UsageError(f"there is no factor {factor!r} {where}{nearest(factor, known)}")
        one, found[factor] = not isinstance(level, (list, tuple)) or label_text(level) in known[factor], []
        for text in map(label_text, [level] if one else level):
            if not (fitting := _labels_of(text, known[factor])):
                unknown = next((one for one in _parts(text) if not _labels_of(one, known[factor])), text)
                raise UsageError(f"{factor} has no level {unknown!r} {where}{nearest(unknown, known[factor])}")
            found[factor] += fitting
    return {factor: tuple(dict.fromkeys(labels)) for factor, labels in found.items()}


def _labels_of(level: str, labels: Iterable[str]) -> list[str]:
    """Return the labels that a level names: its own label, or all labels of a name; of several, with commas, all.

    >>> _labels_of("sgd", ["sgd lr=0.1", "sgd lr=0.01", "adam"])
    ['sgd lr=0.1', 'sgd lr=0.01']
    >>> _labels_of("adam,[40, 20]", ["adam", "[40, 20]"]), _labels_of("adam,adm", ["adam"])
    (['adam', '[40, 20]'], [])
    """
    known = list(labels)
    found = [one for one in known if one == level] or [one for one in known if one.partition(" ")[0] == level]
    words = _parts(level)
    if found or len(words) == 1:
        return found
    each = [_labels_of(word, known) for word in words]
    return list(dict.fromkeys(chain(*each))) if all(each) else []


def _parts(level: str) -> list[str]:
    """Return the parts of a text with commas outside brackets.

    >>> _parts("adam, [40, 20]")
    ['adam', '[40, 20]']
    """
    return [word.strip() for word in _COMMAS.split(level)]


def words_of(arm: Mapping[str, Any]) -> str:
    """Return a partial arm in words."""
    return ", ".join(f"{factor}: {label_text(level)}" for factor, level in arm.items())


def fitting(results: Results, arm: Mapping[str, Any], seed: SeedNumber | None = None) -> DataFrame:
    """Return the rows of `runs` of the arms with some levels, given by labels or names, and of a seed, if given."""
    rows = results.runs
    for factor, labels in results.partial_arm(arm).items():
        rows = rows[rows[factor].isin(labels)]
    if rows.empty:
        raise UsageError(f"no arm in {results.folder} is {words_of(arm)}")
    sources = results.record.tables.sources
    for source, number in seed.items() if isinstance(seed, Mapping) else [] if seed is None else [("", seed)]:
        if source and source not in sources:
            raise UsageError(f"the seeds of {source} do not vary in {results.folder}{nearest(source, sources)}")
        column = f"seed_{source}" if source else "seed"
        if str(number) not in (seeds := set(map(str, rows[column]))):
            raise UsageError(
                f"there is no {f'{source} seed'.strip()} {number} in {results.folder}{nearest(str(number), seeds)}"
            )
        rows = rows[rows[column] == number]
    return rows


def unknown_run(folder: object, run: str, known: Iterable[str]) -> UsageError:
    """Return the error of an id that no run has."""
    near = did_you_mean(similar(str(run), known))
    return UsageError(f"there is no run {run!r} in {folder}{near or '; its table of runs has their ids'}")


def row_of(
    results: Results, run: str | None, arm: Mapping[str, Any] | None, seed: SeedNumber | None
) -> Mapping[str, Any]:
    """Return the row of `runs` of one run."""
    if run is None:
        rows = fitting(results, arm or {}, seed)
        if (count := rows["arm"].nunique()) > 1:
            apart = ", ".join(f for f in results.record.levels if rows[f].nunique() > 1)
            raise UsageError(f"{count} arms fit; give arm the level of {apart} as well")
    elif arm is not None or seed is not None:
        raise UsageError("load takes the id of a run, or an arm and a seed, and not both")
    else:
        rows = results.runs[results.runs["run_id"] == run]
        if rows.empty:
            raise unknown_run(results.folder, run, results.runs["run_id"])
    return {str(column): value for column, value in rows.iloc[0].items()}
