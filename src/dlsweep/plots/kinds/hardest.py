"""Test images that most runs get wrong."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING

from dlsweep.analysis.facets import Facets
from dlsweep.analysis.networks import Networks, Pictures, class_names, image_shape
from dlsweep.analysis.predictions import hard_images
from dlsweep.plots import captions, style
from dlsweep.plots.chart import Chart, plots
from dlsweep.plots.fitting import NOTE, fit, text_width
from dlsweep.plots.images import picture, show
from dlsweep.plots.panels import empty
from dlsweep.registry import Count
from dlsweep.text import plural
from dlsweep.types import Array

if TYPE_CHECKING:
    from pandas import DataFrame

_COLUMNS, _TILE, _TEXT = 8, 1.15, 0.36  # images in a row; inches of an image and of the words below it


@plots.register(table="predictions", arrange=Facets.whole, needs=("images",))
def hardest(facets: Networks, *, count: Count = 24) -> Chart:
    """The test images that most runs get wrong: label, and the class that they predict instead.

    arm: levels, such as {activation: relu}, of the arms that count, by default all; seed: by default all. count: the
    number of images to show at most. Each arm counts the same; runs that diverged do not count.

    Images that all arms get wrong may have a wrong label, or show what no network of the sweep can tell apart.

    >>> list(plots["hardest"].settings)[:3]
    ['arm', 'seed', 'count']
    """
    data, predicted = facets.results.data(facets.frame), facets.predicted(facets.frame)
    image_shape(data, "hardest")
    names, pictures = class_names(data), Pictures(data)
    found = hard_images(facets.frame, predicted, facets.results.labels(runs=facets.frame), data.classes)
    shown = found[found["wrong"] > 0].head(count)
    shown = shown.assign(label=[names[k] for k in shown["label"]], taken=[names[k] for k in shown["taken"]])
    arms = facets.frame[facets.frame["run_id"].isin(predicted)]["arm"].nunique()
    always = int((found["wrong"] > 1 - 1e-9).sum())
    of = f"all {plural(len(predicted), 'run')} of {plural(arms, 'arm')}"
    title = f"wrong in {of}: {always:,} of {len(found):,} test images"
    seed = "" if facets.seed is None else f"seed {facets.seed}"
    title = captions.headings(facets, captions.joined(seed, title if predicted else ""))["title"]
    return draw(shown, [pictures[i] for i in shown["image"]], title, captions.how_ended(facets.frame))


def draw(shown: DataFrame, images: Sequence[Array], title: str, ended: str = "") -> Chart:
    """Draw the images, or say that there are none. ended: how many runs have no predictions."""
    columns = max(1, min(_COLUMNS, len(shown)))
    step = _TILE + 0.14
    wide, high = max(columns * step - 0.14, 4.0), max(1, ceil(len(shown) / columns)) * (_TILE + _TEXT)
    caption = (
        "Below each image its label with the share of all runs that are wrong, then the wrong class that most runs "
        "predict with their share of all. The most often wrong first; each arm counts the same."
    )
    caption = caption * bool(len(shown)) + f" {ended}: not counted." * bool(ended)
    with picture(title, caption.strip(), (wide, high)) as (figure, ax):
        if not len(shown):
            empty(ax, f"{ended}:\nno predictions" if ended else "every test image is right in every run")
        named = (shown[name].tolist() for name in ("label", "wrong", "taken", "share"))
        for i, (image, label, wrong, taken, share) in enumerate(zip(images, *named, strict=True)):
            left, top = (i % columns) * step, high - (i // columns) * (_TILE + _TEXT)
            show(ax, image, (left, top - _TILE, _TILE, _TILE))
            for below, start, name, of, colour in (
                (0.03, "", label, wrong, style.INK),
                (0.17, "→ ", taken, share, style.ALARM),
            ):
                end = f" ({100 * of:.0f} %)"
                text = start + fit(name, _TILE + 0.1 - text_width(start + end, NOTE), NOTE) + end
                place = left + _TILE / 2, top - _TILE - below
                ax.text(*place, text, size=NOTE, ha="center", va="top", color=colour)
    return Chart(figure, caption.strip(), f"Test images that most runs get wrong. {title}.", shown)
