"""Outputs of a convolutional network's layers for one image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from annotated_types import Ge

from dlsweep.analysis.networks import Networks, outputs_for
from dlsweep.plots import captions, style
from dlsweep.plots.axes import short
from dlsweep.plots.chart import Chart, plots
from dlsweep.plots.images import CENTRED, Colours, picture, show
from dlsweep.plots.layout import NOTE
from dlsweep.plots.panels import empty
from dlsweep.types import Array

_MAPS = 16  # of a layer
_LAYERS = 12
_WIDE, _HIGH = 10.4, 5.9  # inches for all maps
_LARGEST = 1.1  # inches of a map
_GAP = 0.06


@plots.register(table="networks", needs=("images",))
def feature_maps(facets: Networks, *, image: Annotated[int, Ge(0)] = 0) -> Chart:
    """Outputs of every layer of a convolutional network for one test image: a row of maps each, the image above.

    arm: levels, such as {activation: relu}; each arm that has them makes a figure. seed: by default the first. image:
    its number in the test set, from 0.

    Layers without rows and columns are left out. Each layer has its own scale of colours, written beside it: white is
    0. Of many maps the first are shown.

    >>> list(plots["feature_maps"].settings)[:3]
    ['arm', 'seed', 'image']
    """
    model, status, first = facets.first()
    title = captions.headings(first, f"seed {first.frame['seed'].iloc[0]}")["title"]
    if model is None:
        return draw({}, None, "", captions.joined("feature maps", title), status)
    maps, seen, label = outputs_for(model, image)
    return draw(maps, seen, f"image {image}", captions.joined(label, title))


def draw(maps: Mapping[str, Array], image: Array | None, name: str, title: str, reason: str = "") -> Chart:
    """Draw some layers' maps, `(channels, H, W)` each, below the image; or the reason if there are none."""
    import pandas as pd

    thinned = dict(list(maps.items())[:: -(-len(maps) // _LAYERS) or 1])
    most = min(_MAPS, max((len(y) for y in maps.values()), default=1))
    step = min(_WIDE / most, _HIGH / (len(thinned) + 1), _LARGEST)
    size = step - _GAP
    wide, high = max(most * step - _GAP, 3.0), (len(thinned) + 1) * step - _GAP
    scales = {layer: Colours.of([y[:_MAPS]], CENTRED) for layer, y in thinned.items()}
    ends = [f"±{short(scale.high, 2)}" for scale in scales.values()]
    shapes = [" × ".join(map(str, y.shape)) for y in thinned.values()]
    names = [name, *(f"{layer}  {shape}" for layer, shape in zip(thinned, shapes))]
    caption = _caption(maps, len(thinned))
    with picture(title, caption, (wide, high), ticks=names, beside=["", *ends]) as (figure, ax):
        if image is None:
            empty(ax, f"{reason}: no weights")
        else:
            bottoms = [high - size - i * step for i in range(len(names))]
            ax.set_yticks([bottom + size / 2 for bottom in bottoms], names)
            show(ax, image, (0, bottoms[0], size, size)).set_label("image")
            for bottom, (layer, y), end in zip(bottoms[1:], thinned.items(), ends):
                for i, one in enumerate(y[:_MAPS]):
                    show(ax, one, (i * step, bottom, size, size), scales[layer]).set_label(layer)
                place = min(len(y), _MAPS) * step + 0.01, bottom + size / 2
                ax.text(*place, end, size=NOTE, va="center", color=style.FAINT)
    what = f"{reason}: no weights" if image is None else f"Maps of {', '.join(map(' '.join, zip(thinned, shapes)))}"
    each = ((layer, i, one) for layer, y in thinned.items() for i, one in enumerate(y[:_MAPS]))
    numbers = [(layer, i, one.min(), one.mean(), one.max()) for layer, i, one in each]
    data = pd.DataFrame(numbers, columns=["layer", "map", "low", "mean", "high"])
    return Chart(figure, caption, f"Feature maps: {title}. {what}.", data)


def _caption(maps: Mapping[str, Array], shown: int) -> str:
    """Explain how to read the figure."""
    if not maps:
        return ""
    words = ["White is 0, red is positive, blue negative; right of each layer the ends of its scale."]
    words += [f"Of each layer the first {_MAPS} maps."] * any(len(y) > _MAPS for y in maps.values())
    words += [f"{shown} of {len(maps)} layers."] * (shown < len(maps))
    return " ".join(words)
