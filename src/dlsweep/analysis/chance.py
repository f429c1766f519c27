"""Sources of chance: those that the seeds of a sweep vary, and those that all its runs share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dlsweep.analysis.decomposition import TIMES
from dlsweep.config.seeds import DRAWN_BY
from dlsweep.datasets.division import by_seed

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
