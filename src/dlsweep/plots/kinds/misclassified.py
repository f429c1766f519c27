"""Test images that a network classifies wrongly."""

from __future__ import annotations

from math import ceil

from dlsweep.analysis.networks import Mistakes, Networks, image_shape
from dlsweep.plots import captions, style
from dlsweep.plots.chart import Chart, plots
from dlsweep.plots.fitting import NOTE, fit, text_width
from dlsweep.plots.images import canvas, show
from dlsweep.plots.layout import Words
from dlsweep.plots.panels import empty, panels
from dlsweep.registry import Count

_COLUMNS, _TILE, _TEXT = 8, 1.15, 0.36  # images in a row; inches of an image and of the words below it


@plots.register(table="networks")
def misclassified(facets: Networks, *, count: Count = 24) -> Chart:
    """Test images that a network got wrong, the most confident mistakes first: label, predicted class, probability.

    arm: levels, such as {activation: relu}; each arm that has them makes a figure. seed: by default the first. count:
    the number of images to show at most.

    >>> list(plots["misclassified"].settings)
    ['arm', 'seed', 'count']
    """
    row, first = facets.first()
    model, title = facets.load(row), captions.around(first, f"seed {row['seed']}")["title"]
    if model is None:
        return draw(None, title, str(row["status"]))
    image_shape(model.data, "misclassified")
    return draw(Mistakes.of(model, count), title)


def draw(found: Mistakes | None, title: str, reason: str = "") -> Chart:
    """Draw the mistakes, or the reason for having none."""
    import pandas as pd

    shown = found.images if found else []
    columns = max(1, min(_COLUMNS, len(shown)))
    rows = max(1, ceil(len(shown) / columns))
    step = _TILE + 0.14
    wide, high = max(columns * step - 0.14, 4.0), rows * (_TILE + _TEXT)
    wrong = f"{found.wrong:,} of {found.total:,} test images are wrong" if found else ""
    caption = "Below each image its label, and the class that it is taken for with its probability; "
    few = found and len(shown) < found.wrong
    caption += f"the {len(shown)} most confident mistakes." if few else "the most confident mistakes first."
    caption = caption if shown else ""
    words = Words(x="", y="", title=captions.joined(wrong, title), foot=caption, below=0.0)
    with style.look():
        figure, axes = panels(words, (wide, high))
        ax = axes[0, 0]
        canvas(ax, wide, high)
        if not found or not shown:
            empty(ax, "every test image is right" if found else f"{reason}: no weights")
        for i, image in enumerate(shown):
            assert found is not None
            left, top = (i % columns) * step, high - (i // columns) * (_TILE + _TEXT)
            show(ax, image, (left, top - _TILE, _TILE, _TILE))
            label, end = fit(found.labels[i], _TILE, NOTE), f" ({found.probability[i]:.2f})"
            taken = "→ " + fit(found.predicted[i], _TILE + 0.1 - text_width("→ " + end, NOTE), NOTE) + end
            for below, text, colour in ((0.03, label, style.INK), (0.17, taken, style.ALARM)):
                place = left + _TILE / 2, top - _TILE - below
                ax.text(*place, text, size=NOTE, ha="center", va="top", color=colour)
    columns_of = ("labels", "predicted", "probability")
    data = pd.DataFrame({name: getattr(found, name) if found else [] for name in columns_of})
    alt = f"{captions.joined(wrong or f'{reason}: no weights', title)}."
    return Chart(figure, caption, alt, data.rename(columns={"labels": "label"}))
