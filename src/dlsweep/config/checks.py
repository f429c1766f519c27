"""Checks that need the data: what is asked of it must be there before the first training step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from dlsweep.config.nodes import Mistakes, Place
from dlsweep.config.points import Part, Point
from dlsweep.config.rules import Rules
from dlsweep.config.runs import Train
from dlsweep.config.words import data_files, entry
from dlsweep.datasets.base import Dataset
from dlsweep.errors import DlsweepError
from dlsweep.registry import Choice
from dlsweep.tasks import DESCENT, task_of
from dlsweep.text import plural, value_text


class Datasets:
    """Opens data sets once, and notes a mistake, once, for those that cannot be used."""

    def __init__(self, mistakes: Mistakes):
        self.mistakes = mistakes
        self.opened: dict[Choice, Dataset | None] = {}

    def open(self, choice: Choice, places: Mapping[str, Place], place: Place) -> Dataset | None:
        """The data set, or None where it cannot be used.

        places: of the settings that were given; place: of the name.
        """
        from dlsweep.datasets import open_dataset

        if choice not in self.opened:
            try:
                self.opened[choice] = open_dataset(choice)
            except DlsweepError as error:
                self.opened[choice] = None
                for sentence in str(error).splitlines():
                    # The place of the setting that the sentence speaks of, and else of the file.
                    spoken = [name for name in places if f"{name}: " in sentence] or [
                        n for n in ("path",) if n in places
                    ]
                    self.mistakes.add(places[spoken[0]] if spoken else place, sentence)
        return self.opened[choice]

    def fingerprints(self) -> dict[str, str]:
        """What each data set holds, by its name and settings, wherever its file lies."""
        files = data_files()
        found: dict[str, list[str]] = {}
        for choice, dataset in self.opened.items():
            settings = (f"{n}={value_text(v)}" for n, v in choice.settings.items() if (choice.name, n) not in files)
            if dataset is not None:
                found.setdefault(" ".join([choice.name, *settings]), []).append(dataset.fingerprint)
        return {data: ", ".join(fingerprints) for data, fingerprints in found.items()}


def check_splits(on: Mapping[str, Place], parts: Sequence[Part], datasets: Datasets, mistakes: Mistakes) -> None:
    """Every split that is to be evaluated has samples. on: the splits, with their places."""
    for point in _points_with("data", parts):
        choice: Choice = point.fields["data"]
        dataset = datasets.opened[choice]
        for split, place in on.items():
            if dataset is not None and split != "batch" and not dataset.sizes[split]:
                hint = f"such as data: {{{choice.name}: {{{split}: 5000}}}}"
                mistakes.add(
                    place,
                    f"evaluate.on has {split}, but {choice.name} has no {split} samples here; set aside some, {hint}",
                )


def check_batches(parts: Sequence[Part], datasets: Datasets, rules: Rules, mistakes: Mistakes) -> None:
    """No minibatch is larger than the training data, in any arm that the rules leave."""
    for points, fields, places in _combinations({"data", "train"}, parts):
        dataset = datasets.opened[fields["data"]]
        asked = fields["train"].batch_size
        if fields["data"].name == "none":  # a landscape's, or told already
            continue
        if dataset is None or asked <= dataset.sizes["train"] or not rules.leave_some(points, parts):
            continue
        there = plural(dataset.sizes["train"], "training sample")
        place = next(
            (places[n] for n in ("train.batch_size", "data.train", "data.validation", "data.path") if n in places), None
        )
        default = "" if "train.batch_size" in places else ", the default"
        mistakes.add(
            place or Place("config"),
            f"train.batch_size must be at most the {there} of {fields['data'].name}, got {asked}{default}",
        )


def check_networks(parts: Sequence[Part], datasets: Datasets, rules: Rules, mistakes: Mistakes) -> None:
    """The layers of the model and of the normalization can be made for the data, in every arm that the rules leave."""
    tried = set()
    for points, fields, places in _combinations({"data", "model", "normalization"}, parts):
        dataset = datasets.opened[fields["data"]]
        if dataset is None or task_of(fields["model"].name) is DESCENT or not rules.leave_some(points, parts):
            continue
        asked = (dataset.shape, dataset.classes, fields["model"], fields["normalization"])
        if asked not in tried:
            tried.add(asked)
            culprit, sentence = _try_layers(*asked)
            if sentence:
                mistakes.add(places.get(culprit) or places["model"], sentence)


def _try_layers(shape: tuple[int, ...], classes: int, model: Choice, normalization: Choice) -> tuple[str, str]:
    """Make a network's layers, which hold no arrays yet. Returns what is wrong, if anything, and the field at fault."""
    import numpy as np

    from dlsweep.nn.normalization import Around, refuse_pointless
    from dlsweep.nn.sequences import LayerError

    normalized = entry("normalization", normalization.name)
    settings = {k: np.array([v]) if normalized.settings[k].stacks else v for k, v in normalization.settings.items()}
    at_fault = "model"

    places: list[Around] = []

    def activated(suffix: str, shape: tuple[int, ...], own: Any = None) -> list[Any]:
        nonlocal at_fault
        at_fault = "normalization"
        around = normalized(f"normalization{suffix}", shape, **settings)
        places.append(around)
        at_fault = "model"
        return [*around.before, *around.after]

    try:
        entry("model", model.name)(shape, classes, activated, **model.settings)
        at_fault = "normalization"
        refuse_pointless(places)
    except LayerError as error:
        return at_fault if at_fault == "normalization" else f"layer {error.number}", str(error)
    except DlsweepError as error:
        return at_fault, str(error)
    except Exception as error:  # somebody's own model or normalization
        name = {"model": model, "normalization": normalization}[at_fault].name
        return at_fault, f"the {at_fault} {name} cannot be built: {type(error).__name__}: {error}"
    return "", ""


def check_regularizers(parts: Sequence[Part], datasets: Datasets, rules: Rules, mistakes: Mistakes) -> None:
    """What the regularizers change in the samples can be changed in them, in every arm that the rules leave."""
    for points, fields, places in _combinations({"data", "regularizer"}, parts):
        dataset = datasets.opened[fields["data"]]
        if dataset is None or fields["data"].name == "none" or not rules.leave_some(points, parts):
            continue
        for choice in fields["regularizer"]:
            if sentence := _try_regularizer(choice, dataset.shape):
                mistakes.add(places["regularizer"], sentence)


def _try_regularizer(choice: Choice, shape: tuple[int, ...]) -> str:
    """What is wrong with a regularizer for samples of a shape, if anything."""
    import numpy as np

    made = entry("regularizer", choice.name)
    settings = {k: np.array([v]) if made.settings[k].stacks else v for k, v in choice.settings.items()}
    try:
        regularizer = made(**settings)
        if regularizer.augmented:
            regularizer.augmented(shape)
    except DlsweepError as error:
        return str(error)
    except Exception:  # somebody's own regularizer: told when a network is built with it
        pass
    return ""


def _combinations(
    fields: set[str], parts: Sequence[Part]
) -> Iterator[tuple[tuple[Point, ...], dict[str, Any], dict[str, Place]]]:
    """The combinations of points that say what these fields are, each with what the fields become and the places."""
    concerned = [part for part in parts if fields & part[0].fields.keys()]
    if fields <= {name for part in concerned for name in part[0].fields}:
        for points in product(*concerned):
            yield (
                points,
                {name: value for point in points for name, value in point.fields.items()},
                {name: place for point in points for name, place in point.places.items()},
            )


def check_monitors(on: Sequence[str], parts: Sequence[Part], rules: Rules, mistakes: Mistakes) -> None:
    """What is to stop a run early is evaluated, in every arm that the rules leave. on: the splits that are."""
    for point in _points_with("train", parts):
        train: Train = point.fields["train"]
        if train.stopping is None or train.stopping.split in on or not rules.leave_some([point], parts):
            continue
        monitor, split = train.stopping.monitor, train.stopping.split
        given = point.places.get("train.monitor")
        mistakes.add(
            given or point.places["train.patience"],
            f"train.monitor is {monitor}{'' if given else ', the default'}, but evaluate.on has {', '.join(on)} only; "
            f"add {split}, or monitor another split",
        )


def check_ensemble(place: Place, on: Sequence[str], parts: Sequence[Part], mistakes: Mistakes) -> None:
    """An ensemble has samples that all its members are asked about, and members that are there to the end."""
    for point in _points_with("data", parts):
        own = point.fields["data"].settings.get("train") is not None
        if not set(on) - ({"batch", "train"} if own else {"batch"}):
            there = f"evaluate.on has {', '.join(on)} only" + (", and each seed trains on samples of its own" * own)
            mistakes.add(place, f"evaluate.ensemble needs a split that all seeds share, such as test; {there}")
    for point in _points_with("train", parts):
        if point.fields["train"].stopping is not None:
            mistakes.add(
                point.places["train.patience"],
                "train.patience does not go with evaluate.ensemble, whose members all train to the end; "
                "take one of them out",
            )


def _points_with(field: str, parts: Sequence[Part]) -> Iterator[Point]:
    return (point for part in parts if field in part[0].fields for point in part)
