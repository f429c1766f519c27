"""What a convolutional network makes of one image, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from annotated_types import Ge

from dlsweep.errors import UsageError
from dlsweep.plots import style
from dlsweep.plots.base import Figure, plots
from dlsweep.plots.drawing import empty
from dlsweep.plots.images import Array, brightness, canvas, picture, show
from dlsweep.plots.kept import PartialArm, Results, Seed, class_names, image_shape, one_network
from dlsweep.plots.maps import Colours
from dlsweep.plots.panels import NOTE, Words, panels
from dlsweep.plots.scales import short

_MAPS = 16  # of a layer
_LAYERS = 12
_WIDE, _HIGH = 10.4, 5.9  # inches for all maps
_LARGEST = 1.1  # inches of a map
_GAP = 0.06


@plots.register
def feature_maps(
    results: Results,
    *,
    arm: PartialArm | None = None,
    seed: Seed | None = None,
    image: Annotated[int, Ge(0)] = 0,
) -> Figure:
    """What every layer of a convolutional network makes of one test image: a row of maps for each, the image above.

    results: of a sweep that keeps weights. arm: levels, such as {activation: relu}; each arm that has them makes a
    figure. seed: if not given, the first. image: which one of the test set, from 0.

    Layers without rows and columns are left out. Each layer has its own scale of colours, written beside it: white is
    0. Of many maps the first are shown.
    """
    row, model, title = one_network(results, "feature_maps", arm, seed)
    if model is None:
        return draw({}, None, "", ", ".join(filter(None, ["feature maps", title])), str(row["status"]))
    image_shape(model.data, "feature_maps")
    x, t = model.data.arrays.x_test, model.data.arrays.t_test
    if image >= len(x):
        raise UsageError(f"feature_maps: image must be below {len(x)}, the number of test images, got {image}")
    one = x[image : image + 1]
    maps = {name: y[0] for name, y in model.outputs(one).items() if y.ndim == 4 and y[0, 0].size > 1}
    if not maps:
        raise UsageError(
            f"feature_maps shows layers with rows and columns, and {model.run.arm.model.name} has none; "
            "choose convolutional networks, with arm: {model: …}"
        )
    names = class_names(model.data)
    says = f"label {names[t[image]]}, predicted {names[model.predict(one)[0]]}"
    seen = picture(one[0].astype(float), *brightness(x))
    return draw(maps, seen, f"image {image}", ", ".join(filter(None, [f"test image {image}: {says}", title])))


def draw(maps: Mapping[str, Array], image: Array | None, name: str, title: str, reason: str = "") -> Figure:
    """The figure of some layers' maps, `(channels, H, W)` each, below the image; or of why there are none."""
    thinned = dict(list(maps.items())[:: -(-len(maps) // _LAYERS) or 1])
    most = min(_MAPS, max((len(y) for y in maps.values()), default=1))
    step = min(_WIDE / most, _HIGH / (len(thinned) + 1), _LARGEST)
    size = step - _GAP
    wide, high = max(most * step - _GAP, 3.0), (len(thinned) + 1) * step - _GAP
    scales = {layer: Colours.of([y[:_MAPS]], centred=True) for layer, y in thinned.items()}
    ends = [f"±{short(float(f'{scale.high:.2g}'))}" for scale in scales.values()]
    foot = ["White is 0, red is positive, blue negative; right of each layer the ends of its scale."]
    foot += [f"Of each layer the first {_MAPS} maps."] if any(len(y) > _MAPS for y in maps.values()) else []
    foot += [f"{len(thinned)} of {len(maps)} layers."] if len(thinned) < len(maps) else []
    shapes = [" × ".join(map(str, y.shape)) for y in thinned.values()]
    names = [name, *(f"{layer}  {shape}" for layer, shape in zip(thinned, shapes))]
    words = Words(
        x="", y="", title=title, foot=" ".join(foot) if maps else "", ticks=names, beside=["", *ends], below=0.0
    )
    with style.look():
        figure, axes = panels(words, (wide, high))
        ax = axes[0, 0]
        canvas(ax, wide, high)
        if image is None:
            ax.set_yticks([])
            empty(ax, f"{reason}: no weights")
            return figure
        bottoms = [high - size - i * step for i in range(len(names))]
        ax.set_yticks([bottom + size / 2 for bottom in bottoms], names)
        show(ax, image, (0, bottoms[0], size, size)).set_label("image")
        for bottom, (layer, y), end in zip(bottoms[1:], thinned.items(), ends):
            for i, one in enumerate(y[:_MAPS]):
                show(ax, one, (i * step, bottom, size, size), scales[layer]).set_label(layer)
            place = min(len(y), _MAPS) * step + 0.01, bottom + size / 2
            ax.text(*place, end, size=NOTE, va="center", color=style.FAINT)
    return figure
