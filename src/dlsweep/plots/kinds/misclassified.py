"""Test images that a network classifies wrongly."""

from __future__ import annotations

from collections.abc import Sequence

from dlsweep.analysis.networks import Networks, Pictures, image_shape, mistakes
from dlsweep.plots import captions
from dlsweep.plots.chart import Chart, plots
from dlsweep.plots.images import gallery
from dlsweep.registry import Count
from dlsweep.types import Array, DataFrame


@plots.register(table="predictions", needs=("images",))
def misclassified(facets: Networks, *, count: Count = 24) -> Chart:
    """Misclassified test images, the most confident mistakes first: label, predicted class, probability.

    Without kept weights there is no probability, and the images are in the order of the data.

    arm: levels, such as {activation: relu}; each arm that has them makes a figure. seed: by default the first. count:
    the number of images to show at most.

    >>> list(plots["misclassified"].settings)[:3]
    ['arm', 'seed', 'count']
    """
    model, status, first = facets.first()
    title = captions.headings(first, f"seed {first.frame['seed'].iloc[0]}")["title"]
    data = facets.results.data(first.frame)
    image_shape(data, "misclassified")
    found, pictures = mistakes(first, model, data), Pictures(data)
    images = [] if found is None else [pictures[i] for i in found["image"][:count]]
    return draw(found, images, len(data.arrays.t_test), title, status)


def draw(found: DataFrame | None, images: Sequence[Array], total: int, title: str, status: str = "done") -> Chart:
    """Draw the images of the first mistakes, or the status of a run without predictions. total: of the test images."""
    import pandas as pd

    columns = ["label", "predicted", "probability"]
    shown = pd.DataFrame(columns=columns) if found is None else found[columns].head(len(images))
    wrong = f"{status}: no predictions" if found is None else f"{len(found):,} of {total:,} test images are wrong"
    caption = "" if found is None else _caption(shown, len(found))
    ends = [f" ({p:.2f})" if p == p else "" for p in shown["probability"]]
    figure = gallery(
        images,
        [(label, "") for label in shown["label"]],
        [*zip(shown["predicted"], ends)],
        title=title if found is None else captions.joined(wrong, title),
        foot=caption,
        nothing=wrong if found is None else "every test image is right",
    )
    return Chart(figure, caption, f"{captions.joined(wrong, title)}.", shown)


def _caption(shown: DataFrame, wrong: int) -> str:
    """Return how to read the images, and which of the mistakes they are."""
    if shown.empty:
        return ""
    few, count = len(shown) < wrong, len(shown)
    if shown["probability"].isna().all():
        order = f"the first {count} mistakes" if few else "the mistakes"
        return f"Below each image its label, then the predicted class; {order} in the order of the data."
    order = f"the {count} most confident mistakes." if few else "the most confident mistakes first."
    return f"Below each image its label, then the predicted class with its probability; {order}"
