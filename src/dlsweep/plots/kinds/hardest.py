"""Test images that most runs get wrong."""

from __future__ import annotations

from dlsweep.analysis.facets import Facets
from dlsweep.analysis.networks import Networks, Pictures, class_names, image_shape
from dlsweep.analysis.predictions import hard_images
from dlsweep.plots import captions
from dlsweep.plots.chart import Chart, plots
from dlsweep.plots.images import gallery
from dlsweep.registry import Count
from dlsweep.text import plural

_CAPTION = (
    "Below each image its label with the share of all runs that are wrong, then the wrong class that most runs "
    "predict with their share of all. Those that are wrong most often come first; each arm counts the same."
)


@plots.register(table="predictions", arrange=Facets.whole, needs=("images",))
def hardest(facets: Networks, *, count: Count = 24) -> Chart:
    """Test images that most runs get wrong: label, and the class that they predict instead.

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
    ended = captions.how_ended(facets.frame)
    foot = (_CAPTION * bool(len(shown)) + f" {ended}: not counted." * bool(ended)).strip()
    labels, taken = (
        [(name, f" ({100 * share:.0f} %)") for name, share in zip(shown[names], shown[shares])]
        for names, shares in (("label", "wrong"), ("taken", "share"))
    )
    nothing = f"{ended}:\nno predictions" if ended else "every test image is right in every run"
    images = [pictures[i] for i in shown["image"]]
    figure = gallery(images, labels, taken, title=title, foot=foot, nothing=nothing)
    return Chart(figure, foot, f"Test images that most runs get wrong. {title}.", shown)
