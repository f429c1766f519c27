"""Test images that a network classifies wrongly."""

from __future__ import annotations

from dlsweep.analysis.networks import Mistakes, Networks
from dlsweep.plots import captions
from dlsweep.plots.chart import Chart, plots
from dlsweep.plots.images import gallery
from dlsweep.registry import Count


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

    wrong = f"{found.wrong:,} of {found.total:,} test images are wrong" if found else f"{status}: no predictions"
    caption = _caption(found) if found and found.images else ""
    labels, predicted = (found.labels, found.predicted) if found else ([], [])
    ends = [f" ({p:.2f})" for p in found.probability] if found and found.probability else [""] * len(labels)
    figure = gallery(
        found.images if found else [],
        [(label, "") for label in labels],
        [*zip(predicted, ends)],
        title=captions.joined(wrong * bool(found), title),
        foot=caption,
        nothing="every test image is right" if found else wrong,
    )
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
