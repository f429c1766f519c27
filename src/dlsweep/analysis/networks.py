"""Trained networks of a sweep: their kernels, predictions, mistakes and the outputs of their layers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from annotated_types import Ge

from dlsweep.analysis.facets import Cell, Facets, refuse_mixed
from dlsweep.analysis.predictions import has_predictions
from dlsweep.errors import UsageError
from dlsweep.tasks import CLASSIFICATION
from dlsweep.types import Array, NameOf

if TYPE_CHECKING:
    from pandas import DataFrame

    from dlsweep.datasets.base import Dataset
    from dlsweep.storage.results import Results
    from dlsweep.training.model import Model

_Label = str | float | bool
PartialArm = dict[Annotated[str, NameOf("factor")], _Label | list[_Label]]  # by factor its labels or names
Seed = Annotated[int, Ge(0)]


@dataclass(frozen=True)
class Networks(Facets):
    """Facets of the table `runs/` of a sweep that keeps weights or predictions, and the networks of its rows.

    seed: the one seed to show; None for all.
    """

    results: Results = field(kw_only=True, repr=False)
    seed: int | None = field(kw_only=True, default=None)

    @staticmethod
    def within(
        kind: str,
        results: Results,
        given: Mapping[str, Any],
        places: Collection[str],
        arrange: Callable[..., Facets] = Facets.of,
        *,
        predictions: bool = False,
    ) -> Networks:
        """Select the arms that have some levels (the setting `arm`) and a seed (the setting `seed`).

        A `UsageError` says that a sweep has no networks or kept no weights; predictions: True if these are enough.
        """
        if (task := results.record.tables.of_task) is not CLASSIFICATION:
            raise UsageError(f"{kind} shows networks, and the models of {results.folder} are {task.noun}s")
        if not results.record.tables.kept and not (predictions and has_predictions(results)):
            if predictions:
                results.predicted([])  # raises the error of a missing table
            raise UsageError(f"{results.folder} kept no weights for {kind}; train with evaluate.keep: final, or best")
        seed = given.get("seed")
        found = arrange(results.fitting(given.get("arm"), seed), given, places)
        return Networks(found.frame, found.rows, found.columns, found.lines, found.left, results=results, seed=seed)

    def first(self) -> tuple[Model | None, str, Networks]:
        """Network of the first run, its status, and the facets of it alone."""
        one = self.frame.iloc[:1]
        row = dict(one.iloc[0])
        return self.load(row), str(row["status"]), replace(self, frame=one)

    def load(self, row: Mapping[str, Any]) -> Model | None:
        """Network of a run, with the weights that it kept; None without weights."""
        kept = row.get("kept_iteration", np.nan)
        return self.results.load(row["run_id"]) if kept == kept else None

    def predicted(self, runs: DataFrame) -> dict[str, Array]:
        """Return the predicted classes of the test images, by run: of its final network, or the best if it is kept.

        Runs that diverged or failed have none.
        """
        if has_predictions(self.results) and self.results.config["evaluate"].get("keep") != "best":
            return self.results.predicted(runs["run_id"])
        models = ((str(row["run_id"]), self.load(dict(row))) for _, row in runs.iterrows())
        return {run: model.predict(model.data.arrays.x_test) for run, model in models if model}

    def at_start(self, row: Mapping[str, Any]) -> Model:
        """Network of a run before training."""
        return self.results.load(row["run_id"], at="start")


def image_shape(data: Dataset, kind: str) -> tuple[int, ...]:
    """Return the shape of a sample as an image, `(C, H, W)`. A `UsageError` says that it is no image."""
    if len(data.shape) != 3:
        raise UsageError(f"{kind} needs images, and the samples here have the shape {data.shape}")
    return data.shape


def class_names(data: Dataset) -> list[str]:
    """Return the names of the classes, or their numbers."""
    return list(data.names) or [str(k) for k in range(data.classes)]


@dataclass(frozen=True)
class Confusion:
    """Counts of an arm's runs, `(true, predicted)` each."""

    each: Sequence[Array]

    @staticmethod
    def panels(facets: Networks) -> tuple[dict[Cell, Confusion], list[str]]:
        """Return the counts of each panel, and the names of the classes."""
        panels, names = dict[Cell, Confusion](), list[str]()
        for cell, part in facets:
            refuse_mixed(part, "matrix", ("rows", "columns"))
            found = facets.predicted(part)
            each = [facets.results.data(part[part["run_id"] == run]) for run in found]  # the split may differ by seed
            names = names or (class_names(each[0]) if each else [])
            panels[cell] = Confusion([confusion_counts(*one) for one in zip(each, found.values(), strict=True)])
        return panels, names

    @property
    def counts(self) -> Array:
        """Mean over the runs."""
        return np.asarray(np.mean(self.each, axis=0))

    @property
    def shares(self) -> Array:
        """Share of each true class that is predicted as each class; NaN for a class without images."""
        total = self.counts.sum(axis=1, keepdims=True)
        return np.asarray(np.divide(self.counts, total, out=np.full_like(self.counts, np.nan), where=total > 0))

    def columns(self, names: Sequence[str]) -> dict[str, Any]:
        """Return the columns of `Chart.data`; names: of the classes."""
        true, predicted = np.repeat(names, len(names)), list(names) * len(names)
        return {"true": true, "predicted": predicted, "images": self.counts.ravel(), "share": self.shares.ravel()}


def confusion_counts(data: Dataset, predicted: Array) -> Array:
    """Return the number of test images by true and predicted class, `(true, predicted)`."""
    t, classes = data.arrays.t_test, data.classes
    taken = np.bincount(t * classes + predicted, minlength=classes**2)
    return taken.reshape(classes, classes).astype(float)


@dataclass(frozen=True)
class Filters:
    """Kernels of one run, `(F, C, H, W)` each. after: None if no weights were kept, with the reason."""

    before: Array
    after: Array | None
    reason: str = ""
    iteration: int = 0  # of the kept weights

    MOST, WITHIN = 100, 0.995  # filters shown; the share of their weights within the ends of the colours

    @staticmethod
    def of(facets: Networks, row: Mapping[str, Any]) -> Filters:
        """Filters of the first layer of a run."""
        model, before = facets.load(row), first_kernels(facets.at_start(row), "filters")
        if model is None:
            return Filters(before, None, str(row["status"]))
        return Filters(before, first_kernels(model, "filters"), iteration=model.iteration)

    @property
    def limit(self) -> float:
        """Size of weights at the ends of their colours: nearly all are within it, before and after."""
        both = [self.before] if self.after is None else [self.before, self.after]
        return float(max(np.quantile(np.abs(w[: self.MOST]), self.WITHIN) for w in both)) or 1.0

    @property
    def shown(self) -> dict[str, Array | None]:
        """Kernels that a figure shows, before and after training."""
        return {"before": self.before[: self.MOST], "after": None if self.after is None else self.after[: self.MOST]}

    def images(self, kernels: Array) -> Array:
        """Return kernels as images: numbers `(F, H, W)`, or the brightness of 3 colours `(F, H, W, 3)`."""
        ends = -self.limit, self.limit
        return np.stack([picture(w, *ends) if len(w) == 3 else w.mean(axis=0) for w in kernels])

    def columns(self) -> Iterator[dict[str, Any]]:
        """Yield the columns of `Chart.data`, before and after training."""
        for when, kernels in self.shown.items():
            if kernels is not None:
                numbers = {"mean": [w.mean() for w in kernels], "norm": [np.linalg.norm(w) for w in kernels]}
                yield {"when": when, "filter": np.arange(len(kernels)), **numbers, "limit": self.limit}


def first_kernels(model: Model, kind: str) -> Array:
    """Return the first layer's kernels, `(F, C, H, W)`; of a dense layer, each unit's weights as an image."""
    w = model.parameters[model.kernels[0]]
    return w if w.ndim == 4 else w.reshape(len(w), *image_shape(model.data, kind))


@dataclass(frozen=True)
class Mistakes:
    """Misclassified test images, the most confident mistakes first; without probabilities in the order of the data.

    images: brightness; labels, predicted: names of classes; probability: of the predicted class, none without kept
    weights. wrong, total: how many test images are wrong, and how many there are.
    """

    images: list[Array]
    labels: list[str]
    predicted: list[str]
    probability: list[float]
    wrong: int
    total: int

    @staticmethod
    def of(facets: Networks, count: int) -> Mistakes | None:
        """First `count` mistakes of the first run; None if it has neither weights nor predictions."""
        first = facets.frame.iloc[:1]
        data = facets.results.data(first)
        image_shape(data, "misclassified")
        if model := facets.load(dict(first.iloc[0])):
            p = model.probabilities(data.arrays.x_test)
            return Mistakes.found(data, p.argmax(axis=1), count, p.max(axis=1))
        predicted = [*facets.predicted(first).values()]
        return Mistakes.found(data, predicted[0], count) if predicted else None

    @staticmethod
    def found(data: Dataset, predicted: Array, count: int, probability: Array | None = None) -> Mistakes:
        """First `count` mistakes among some predictions, `(N,)`; probability: of each."""
        t, names, pictures = data.arrays.t_test, class_names(data), Pictures(data)
        wrong = np.flatnonzero(predicted != t)
        if probability is not None:
            wrong = wrong[np.argsort(-probability[wrong], kind="stable")]
        first = wrong[:count]
        return Mistakes(
            images=[pictures[i] for i in first],
            labels=[names[t[i]] for i in first],
            predicted=[names[predicted[i]] for i in first],
            probability=[] if probability is None else [float(probability[i]) for i in first],
            wrong=len(wrong),
            total=len(t),
        )


class Pictures:
    """Test images of a data set, as brightness."""

    def __init__(self, data: Dataset):
        self.x = data.arrays.x_test
        self.ends = brightness(self.x)

    def __getitem__(self, i: int) -> Array:
        return picture(self.x[i].astype(float), *self.ends)


def outputs_for(model: Model, image: int) -> tuple[dict[str, Array], Array, str]:
    """Return the outputs of layers with rows and columns for a test image, by layer; the image, and its title.

    An output is `(channels, H, W)`. A `UsageError` says that there is no such image, or no such layer.
    """
    image_shape(model.data, "feature_maps")
    x, t, names = model.data.arrays.x_test, model.data.arrays.t_test, class_names(model.data)
    if image >= len(x):
        raise UsageError(f"feature_maps: image must be below {len(x)}, the number of test images, got {image}")
    one = x[image : image + 1]
    maps = {name: y[0] for name, y in model.outputs(one).items() if y.ndim == 4 and y[0, 0].size > 1}
    if not maps:
        raise UsageError(
            f"feature_maps shows layers with rows and columns, and {model.run.arm.model.name} has none; "
            "choose convolutional networks, with arm: {model: …}"
        )
    title = f"test image {image}: label {names[t[image]]}, predicted {names[model.predict(one)[0]]}"
    return maps, picture(one[0].astype(float), *brightness(x)), title


def picture(x: Array, low: float = 0.0, high: float = 1.0) -> Array:
    """Return a sample `(C, H, W)` with pixels from low to high as brightness: `(H, W)`, or `(H, W, 3)` of 3 channels.

    Of another number of channels it is their mean.
    """
    x = (x - low) / (high - low or 1.0)
    return np.moveaxis(x, 0, -1) if len(x) == 3 else x.mean(axis=0)


def brightness(x: Array) -> tuple[float, float]:
    """Return the lowest and the highest possible pixel: 0 and 255 of bytes, else the extremes of the samples."""
    return (0.0, 255.0) if x.dtype == np.uint8 else (float(x.min()), float(x.max()))
