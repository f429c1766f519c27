"""Trained networks of a sweep: their kernels, predictions, mistakes and the outputs of their layers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge

from dlsweep.analysis.facets import Cell, Facets, refuse_mixed
from dlsweep.analysis.predictions import has_predictions
from dlsweep.datasets.base import Dataset
from dlsweep.errors import UsageError
from dlsweep.storage.results import Results
from dlsweep.tasks import CLASSIFICATION
from dlsweep.training.model import Model
from dlsweep.types import Array, DataFrame, NameOf

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
        model = facets.load(row)
        before = first_kernels(facets.results.load(row["run_id"], at="start"), "filters")
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


def mistakes(run: Networks, model: Model | None, data: Dataset) -> DataFrame | None:
    """Return a row for each test image that a run misclassifies; None without weights and predictions.

    Columns: `image`, its position; `label` and `predicted`, names of classes; `probability` of the predicted class. The
    most confident mistakes are first. Without weights there is no probability, and they are in the order of the data.
    """
    import pandas as pd

    if model:
        p = model.probabilities(data.arrays.x_test)
        predicted, probability = p.argmax(axis=1), p.max(axis=1).astype(float)
    elif own := [*run.predicted(run.frame).values()]:
        predicted, probability = own[0], np.full(len(own[0]), np.nan)
    else:
        return None
    t, names = data.arrays.t_test, np.array(class_names(data), object)
    wrong = np.flatnonzero(predicted != t)
    columns = {"image": wrong, "label": names[t[wrong]], "predicted": names[predicted[wrong]]}
    found = pd.DataFrame({**columns, "probability": probability[wrong]})
    return found.sort_values("probability", ascending=False, kind="stable", ignore_index=True)


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
