"""Test images that a network classifies wrongly."""

from __future__ import annotations

from math import ceil

from dlsweep.analysis.networks import Mistakes, Networks
from dlsweep.plots import captions, style
from dlsweep.plots.chart import Chart, plots
from dlsweep.plots.fitting import NOTE, fit, text_width
from dlsweep.plots.images import picture, show
from dlsweep.plots.panels import empty
from dlsweep.registry import Count

_COLUMNS, _TILE, _TEXT = 8, 1.15, 0.36  # images in a row; inches of an image and of the words below it


@plots.register(table="predictions", needs=("images",))
def misclassified(facets: Networks, *, count: Count = 24) -> Chart:
    """Misclassified test images, the most confident mistakes first: label, predicted class, probability.

    Without kept weights there is no probability, and the images are in the order of the data.

    arm: levels, such as {activation: relu}; each arm that has them makes a figure. seed: by default the first. count:
    the number of images to show at most.

    >>> list(plots["misclassified"].settings)[:3]
    ['arm', 'seed', 'count']
    """
    first = facets.on(facets.frame.iloc[:1])
    title = captions.headings(first, f"seed {first.frame['seed'].iloc[0]}")["title"]
    return draw(Mistakes.of(facets, count), title, str(first.frame["status"].iloc[0]))


def draw(found: Mistakes | None, title: str, status: str = "done") -> Chart:
    """Draw the mistakes, or the status of a run without predictions."""
    import pandas as pd

    shown = found.images if found else []
    columns = max(1, min(_COLUMNS, len(shown)))
    step = _TILE + 0.14
    wide, high = max(columns * step - 0.14, 4.0), max(1, ceil(len(shown) / columns)) * (_TILE + _TEXT)
    wrong = f"{found.wrong:,} of {found.total:,} test images are wrong" if found else f"{status}: no predictions"
    caption = _caption(found) if found and shown else ""
    with picture(captions.joined(wrong * bool(found), title), caption, (wide, high)) as (figure, ax):
        if not found or not shown:
            empty(ax, "every test image is right" if found else wrong)
        for i, image in enumerate(shown):
            assert found is not None
            left, top = (i % columns) * step, high - (i // columns) * (_TILE + _TEXT)
            show(ax, image, (left, top - _TILE, _TILE, _TILE))
            label, end = (
                fit(found.labels[i], _TILE, NOTE),
                f" ({found.probability[i]:.2f})" if found.probability else "",
            )
            taken = "→ " + fit(found.predicted[i], _TILE + 0.1 - text_width("→ " + end, NOTE), NOTE) + end
            for below, text, colour in ((0.03, label, style.INK), (0.17, taken, style.ALARM)):
                place = left + _TILE / 2, top - _TILE - below
                ax.text(*place, text, size=NOTE, ha="center", va="top", color=colour)
    columns_of = ("labels", "predicted", "probability")
    data = pd.DataFrame({name: pd.Series(getattr(found, name) if found else []) for name in columns_of})
    return Chart(figure, caption, f"{captions.joined(wrong, title)}.", data.rename(columns={"labels": "label"}))


def _caption(found: Mistakes) -> str:
    """Return how to read the images, and which of the mistakes they are."""
    few, count = len(found.images) < found.wrong, len(found.images)
    if not found.probability:
        order = f"the first {count} mistakes" if few else "the mistakes"
        return f"Below each image its label, then the predicted class; {order} in the order of the data."
    order = f"the {count} most confident mistakes." if few else "the most confident mistakes first."
    return f"Below each image its label, then the predicted class with its probability; {order}"
