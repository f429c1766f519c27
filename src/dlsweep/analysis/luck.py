"""Sources of chance: those that the seeds of a sweep vary, and those that all its runs share.

If seeds are crossed, each source has a share of a metric's variance between runs of one arm.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlsweep.analysis.crossed import components, variance_shares
from dlsweep.analysis.decomposition import TIMES, Divided
from dlsweep.analysis.frames import crossing
from dlsweep.analysis.metrics import metric_of, values_to_divide
from dlsweep.analysis.predictions import correctness, has_predictions
from dlsweep.config.seeds import DRAWN_BY
from dlsweep.datasets.division import by_seed
from dlsweep.errors import UsageError
from dlsweep.metrics import Metric
from dlsweep.storage.results import Results
from dlsweep.text import listed, plural
from dlsweep.types import DataFrame

FEW = 10  # seeds of a source; the interval of the share of a source with fewer is very wide
# The sources of `dlsweep.randomness`.
WORDS = {
    "init": "initial weights",
    "batches": "order of the minibatches",
    "dropout": "dropout masks",
    "augmentation": "augmentation",
    "subset": "training subset",
    "split": "split into training and test samples",
}


def sources(config: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Return the sources of chance that seeds vary, and those that all runs share, from a resolved config.

    >>> sources({"data": {"mnist": {"train": 1000}}, "model": {"mlp": {}}, "seeds": [0, 1]})[0]
    ['initial weights', 'order of the minibatches', 'training subset']
    >>> varied, held = sources({"data": {"mnist": {}}, "model": {"mlp": {}}, "seeds": {"init": [0, 1]}})
    >>> varied, held[:2]
    (['initial weights'], ['order of the minibatches', 'training images'])
    """
    if "data" not in config:
        return ["gradient noise"], ["landscape", "start"]
    names = set(_names(config))
    drawn = ["init", "batches", *(source for source, own in DRAWN_BY.items() if not names.isdisjoint(own))]
    data = list(_settings(config["data"], config))
    drawn += ["subset"] * any(settings.get("train") for settings in data)
    drawn += ["split"] * any(map(by_seed, data))
    crossed = config.get("seeds")
    varied = [source for source in drawn if not isinstance(crossed, Mapping) or len(crossed.get(source, ())) > 1]
    held = [WORDS[source] for source in drawn if source not in varied]
    split = "split" in drawn
    held += ["training images"] * (not split and "subset" not in drawn) + ["test images"] * (not split)
    held += ["settings such as the learning rate"]
    return [WORDS[source] for source in varied], held


def source_words(source: str) -> str:
    """Return the words for a source of chance, or for an interaction of several.

    >>> source_words("init × batches")
    'initial weights × order of the minibatches'
    """
    return TIMES.join(WORDS.get(one, one) for one in source.split(TIMES))


def _settings(data: Mapping[str, Any], config: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the settings of every data set, and those that the grid gives to data."""
    yield from (settings for settings in data.values() if isinstance(settings, Mapping))
    for grid in config.get("grid", ()):
        yield from ({name: value} for name in ("train", "split", "folds") for value in grid.get(f"data.{name}", ()))
        for level in grid.get("data", ()):
            yield from (own for own in level.values() if isinstance(own, Mapping))


def _names(value: Any) -> Iterator[str]:
    """Yield the keys with a value, at every depth."""
    if isinstance(value, Mapping):
        for key, own in value.items():
            if own not in (0, None, False):
                yield str(key)
                yield from _names(own)
    elif isinstance(value, (list, tuple)):
        for own in value:
            yield from _names(own)
            if isinstance(own, str):
                yield own


@dataclass(frozen=True)
class Luck(Divided):
    """Shares of the sources of chance in the variance of a metric between runs.

    table: a row per arm and source, or interaction of sources (`source`), with the `variance` and the standard
    deviation `sd` that it gives one run, its `share` of the variance, `low` and `high` of the 95 % interval of this
    share, `remaining`, the standard deviation that would remain on infinitely many test images (NaN if unknown), and
    `negative`, True where the estimate of the variance was below 0 and is taken as 0.
    crossed: the number of seeds of each source.
    """

    crossed: dict[str, int]


def luck(results: Results, metric: str | None = None, where: Mapping[str, Any] | None = None) -> Luck:
    """Return the share of each source of chance in the variance between runs, of crossed seeds.

    metric: such as `test_loss`; by default the one that arms are compared by. where: levels of the arms that take part.
    Of the final test accuracy, kept predictions tell what would remain on infinitely many test images (Jordan 2024).
    Raise a `UsageError` if the seeds are not crossed, or if a run has no finite value.

    >>> import dlsweep
    >>> config = {"name": "luck", "data": {"mnist": {"train": 100, "test": 100}}, "train": {"iterations": 2}}
    >>> results = dlsweep.run({**config, "seeds": {"init": 3, "batches": 2}}, executor="inline")
    >>> luck(results).table["source"].tolist()
    ['init', 'batches', 'init × batches']
    """
    import pandas as pd

    crossed = {source: number for source, number in crossing(results.runs).items() if number > 1}
    if not crossed:
        raise UsageError(
            f"the sources of chance in {results.folder} are not crossed, so they cannot be told apart; train with "
            "seeds such as {init: 10, batches: 10}"
        )
    found = metric_of(results, metric)
    if found.kind == "spread":
        raise UsageError(f"{found.name} belongs to several runs; sources of chance need a metric of single runs")
    frame = values_to_divide(results, found, where)
    tables, missing = [], list[str]()
    for arm, rows in frame.groupby("arm", sort=False, observed=True):
        if (table := shares(rows["value"].to_numpy(), crossed)) is None:
            missing.append(str(arm))
            continue
        levels = {factor: str(rows[factor].iloc[0]) for factor in results.record.levels}
        remaining = _remaining(results, rows, found, tuple(crossed.values()))
        tables.append(table.assign(remaining=remaining, **levels, arm=str(arm)))
    if not tables:
        raise UsageError(f"no arm in {results.folder} has a value for every combination of seeds yet")
    whole = pd.concat(tables, ignore_index=True)
    whole = whole[["arm", *results.record.levels, *_COLUMNS]]
    varied, held = sources(results.config)
    notes = (f"varied: {listed(varied)}; held: {listed(held)}", *_notes(whole, crossed, missing))
    return Luck(found.name, found.words, whole, notes, crossed)


_COLUMNS = ("source", "variance", "sd", "share", "low", "high", "remaining", "negative")


def shares(values: np.ndarray, crossed: Mapping[str, int]) -> DataFrame | None:
    """Return the rows of one arm, without `remaining`; None if a combination of seeds has no value."""
    if np.isfinite(values).sum() < np.prod([*crossed.values()]):
        return None
    return variance_shares(values.reshape(*crossed.values()), [*crossed])


def _remaining(results: Results, rows: DataFrame, metric: Metric, shape: tuple[int, ...]) -> np.ndarray:
    """Return the standard deviation from each source on infinitely many test images, in the order of the shares.

    The images are one more source of chance, crossed with all others: its interactions with them are the part of their
    variance that comes from the choice of images.
    """
    if metric.name != "final_test_accuracy" or not has_predictions(results) or results.overlap:
        return np.full(2 ** len(shape) - 1, np.nan)
    runs = results.runs.set_index("run_id", drop=False).loc[rows["run_id"]].reset_index(drop=True)
    right = correctness(results, runs).reshape(*shape, -1)
    images = len(shape)
    return np.sqrt([max(0.0, found) for axes, found in components(right).items() if images not in axes])


def _notes(table: DataFrame, crossed: dict[str, int], missing: list[str]) -> Iterator[str]:
    """Yield sentences on the unit, on estimates below 0, and on arms that are left out."""
    yield "the share is of the variance of one run"
    if "split" in crossed:
        yield "splits of one data set share samples, so new data would have a larger share than split has here"
    if table["negative"].any():
        below = table.loc[table["negative"], "source"].value_counts()
        counts = (f"{source_words(source)} in {plural(int(n), 'arm')}" for source, n in below.items())
        yield f"a variance that was estimated below 0 is taken as 0: {', '.join(counts)}"
    if table["remaining"].notna().any():
        yield "remaining: standard deviation on infinitely many test images like these, from the kept predictions"
    if few := [source_words(source) for source, number in crossed.items() if number < FEW]:
        yield f"fewer than {FEW} seeds of {listed(few)}: the intervals of their shares are wide"
    if missing:
        yield f"left out, since combinations of seeds have no value: {', '.join(missing)}"
