"""`dlsweep explain`: show the arithmetic of a layer on small numbers, for learning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from annotated_types import Ge, Le
from typer import Argument, Option

from dlsweep.cli.init import example
from dlsweep.cli.options import AtLeast1, Json, checked
from dlsweep.cli.terminal import print_json
from dlsweep.errors import UsageError

if TYPE_CHECKING:
    from dlsweep.explain.drawing import Explained
    from dlsweep.explain.example import Example

explain = typer.Typer(
    help="Show the arithmetic of a layer on small numbers, for learning.", no_args_is_help=True, rich_markup_mode=None
)

WINDOW = "Size of the window; or K."
STRIDE = "Step of the window; or SH,SW. Default: "
IMAGE = "Height and width; or one for both. Default: 7; with --layer 28."
LAYER = "One of several layers: window, stride (1), padding (0). Repeatable."
SHAPE = "Shape of a sample. Default: 1,28,28."
WORDS = "Settings such as variant=modern; also activation, normalization, …"
MODEL = "Name from dlsweep list model, or a YAML file (- for standard input)."
CLASSES = Option(parser=checked("--classes", AtLeast1), metavar="K", help="Number of classes. Default: 10.")
UP_TO_Z = Annotated[int, Ge(1), Le(26)]
FILTERS = Option(parser=checked("--filters", UP_TO_Z), metavar="F", help="Number of filters.")

Input = Annotated[str, Option("--input", metavar="N,C,H,W", help="Images, channels, height, width; or H,W.")]
Filter = Annotated[str, Option("--filter", metavar="KH,KW", help=WINDOW)]
Stride = Annotated[str, Option("--stride", metavar="S", help="Step of the window; or SH,SW.")]
Pad = Annotated[str, Option("--pad", metavar="P", help="Zeros on each side; or PH,PW, or same.")]
Size = Annotated[str, Option("--size", "--filter", metavar="KH,KW", help=WINDOW)]


def _explained(explained: Explained, as_json: bool) -> None:
    if as_json:
        print_json(explained.data)
    else:
        print(explained.text)


@explain.command("im2col")
def explain_im2col(
    input_: Input = "1,1,4,4",
    filter_: Filter = "2,2",
    stride: Stride = "1",
    pad: Pad = "0",
    filters: Annotated[int, FILTERS] = 2,
    no_transpose: Annotated[bool, Option("--no-transpose", help="Show the result of axes in the wrong order.")] = False,
    as_json: Json = False,
) -> None:
    """Show a convolution as one product of matrices."""
    from dlsweep.explain import im2col

    example = _example("im2col", input_, filter_, stride, pad)
    _explained((im2col.wrong_order if no_transpose else im2col.forward)(example, filters), as_json)


@explain.command("col2im")
def explain_col2im(
    input_: Input = "1,1,4,4", filter_: Filter = "2,2", stride: Stride = "1", pad: Pad = "0", as_json: Json = False
) -> None:
    """Show the gradient of im2col, which is not its inverse."""
    from dlsweep.explain import im2col

    _explained(im2col.backward(_example("col2im", input_, filter_, stride, pad)), as_json)


@explain.command("pool")
def explain_pool(
    input_: Input = "1,1,4,4",
    size: Size = "2",
    stride: Annotated[str | None, Option(metavar="S", help=STRIDE + "its size.")] = None,
    pad: Pad = "0",
    as_json: Json = False,
) -> None:
    """Show max-pooling and average pooling, and their gradients."""
    from dlsweep.explain import pooling

    _explained(pooling.explain(_example("pool", input_, size, _given(stride, size), pad)), as_json)


def _example(name: str, input_: str, size: str, stride: str, pad: str) -> Example:
    from dlsweep.explain import reading
    from dlsweep.explain.example import Example

    return Example(
        name,
        reading.images("--input", input_),
        reading.pair("--size" if name == "pool" else "--filter", size),
        reading.pair("--stride", stride),
        reading.padding("--pad", pad),
        mixed=name == "pool",
    )


@explain.command("conv-size")
def explain_conv_size(
    input_: Annotated[str | None, Option("--input", metavar="H,W", help=IMAGE)] = None,
    size: Annotated[str | None, Option("--filter", metavar="KH,KW", help=WINDOW + " Default: 3.")] = None,
    stride: Annotated[str | None, Option(metavar="S", help=STRIDE + "1.")] = None,
    pad: Annotated[str | None, Option(metavar="P", help="Zeros on each side; or PH,PW, or same. Default: 0.")] = None,
    layers: Annotated[list[str] | None, Option("--layer", metavar="K,S,P", help=LAYER)] = None,
    as_json: Json = False,
) -> None:
    """Show the size of an output: the formula with its numbers."""
    from dlsweep.explain import reading, sizes

    if layers and (size, stride, pad) != (None, None, None):
        raise UsageError("a --layer has its own window, stride and padding; give either --layer or --filter")
    image = reading.image("--input", _given(input_, "28" if layers else "7"))
    if layers:
        explained = sizes.explain_chain(image, [reading.step("--layer", text) for text in layers])
    else:
        window, step = reading.pair("--filter", _given(size, "3")), reading.pair("--stride", _given(stride, "1"))
        explained = sizes.explain(image, window, step, reading.padding("--pad", _given(pad, "0")))
    _explained(explained, as_json)


def _given(text: str | None, default: str) -> str:
    return default if text is None else text


@explain.command("model")
def explain_model(
    model: Annotated[str, Argument(metavar="MODEL|CONFIG", help=MODEL)],
    words: Annotated[list[str] | None, Argument(metavar="key=value", help=WORDS)] = None,
    shape: Annotated[str | None, Option("--input", metavar="C,H,W", help=SHAPE)] = None,
    classes: Annotated[int | None, CLASSES] = None,
    as_json: Json = False,
) -> None:
    """Show a network's layers, parameters and multiply-adds.

    For a config, show all its networks; key=value changes it as in `dlsweep run`.
    """
    from dlsweep.explain import networks, reading

    model = str(example(model))
    if not networks.is_config(model):
        sample = reading.sample("--input", _given(shape, "1,28,28"))
        _explained(networks.explain_network(model, words or (), sample, classes or 10), as_json)
    elif (shape, classes) != (None, None):
        raise UsageError("--input and --classes are for a model by name; a config's data has its own")
    else:
        _explained(networks.explain_config(model, words or ()), as_json)
