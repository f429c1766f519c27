"""The test images that a network got wrong."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np

from dlsweep.plots import style
from dlsweep.plots.base import Figure, plots
from dlsweep.plots.drawing import empty
from dlsweep.plots.images import Array, brightness, canvas, picture, show
from dlsweep.plots.kept import PartialArm, Results, Seed, class_names, image_shape, one_network
from dlsweep.plots.panels import NOTE, Words, fit, panels, text_width
from dlsweep.registry import Count

_COLUMNS, _TILE, _TEXT = 8, 1.15, 0.36  # images in a row; inches of an image and for the words below it


@dataclass(frozen=True)
class Mistakes:
    """Test images with their labels, what was predicted and with which probability; of how many, and how many wrong."""

    images: list[Array]
    labels: list[str]
    predicted: list[str]
    probability: list[float]
    wrong: int
    total: int


@plots.register
def misclassified(
    results: Results, *, arm: PartialArm | None = None, seed: Seed | None = None, count: Count = 24
) -> Figure:
    """Test images that a network got wrong, the most confident mistakes first: label, predicted class, probability.

    results: of a sweep that keeps weights. arm: levels, such as {activation: relu}; each arm that has them makes a
    figure. seed: if not given, the first. count: how many to show at most.
    """
    row, model, title = one_network(results, "misclassified", arm, seed)
    if model is None:
        return draw(None, title, str(row["status"]))
    image_shape(model.data, "misclassified")
    x, t = model.data.arrays.x_test, model.data.arrays.t_test
    names = class_names(model.data)
    p = model.probabilities(x)
    predicted = p.argmax(axis=1)
    wrong = np.flatnonzero(predicted != t)
    first = wrong[np.argsort(-p[wrong, predicted[wrong]], kind="stable")][:count]
    low, high = brightness(x)
    found = Mistakes(
        images=[picture(x[i].astype(float), low, high) for i in first],
        labels=[names[t[i]] for i in first],
        predicted=[names[predicted[i]] for i in first],
        probability=[float(p[i, predicted[i]]) for i in first],
        wrong=len(wrong),
        total=len(t),
    )
    return draw(found, title)


def draw(found: Mistakes | None, title: str, reason: str = "") -> Figure:
    """The figure of mistakes, or of the reason why there are none."""
    shown = found.images if found else []
    columns = max(1, min(_COLUMNS, len(shown)))
    rows = max(1, ceil(len(shown) / columns))
    step = _TILE + 0.14
    wide, high = max(columns * step - 0.14, 4.0), rows * (_TILE + _TEXT)
    says = f"{found.wrong:,} of {found.total:,} test images are wrong" if found else ""
    foot = "Below each image its label, and the class that it is taken for with its probability; "
    few = found and len(shown) < found.wrong
    foot += f"the {len(shown)} most confident mistakes." if few else "the most confident mistakes first."
    words = Words(
        x="",
        y="",
        title=", ".join(filter(None, [says, title])),
        foot=foot if shown else "",
        below=0.0,
    )
    with style.look():
        figure, axes = panels(words, (wide, high))
        ax = axes[0, 0]
        canvas(ax, wide, high)
        ax.set_yticks([])
        if not found or not shown:
            empty(ax, "every test image is right" if found else f"{reason}: no weights")
            return figure
        for i, image in enumerate(shown):
            left, top = (i % columns) * step, high - (i // columns) * (_TILE + _TEXT)
            show(ax, image, (left, top - _TILE, _TILE, _TILE))
            label, says = fit(found.labels[i], _TILE, NOTE), f" ({found.probability[i]:.2f})"
            wrong = "→ " + fit(found.predicted[i], _TILE + 0.1 - text_width("→ " + says, NOTE), NOTE) + says
            for below, text, colour in ((0.03, label, style.INK), (0.17, wrong, style.ALARM)):
                place = left + _TILE / 2, top - _TILE - below
                ax.text(*place, text, size=NOTE, ha="center", va="top", color=colour)
    return figure
