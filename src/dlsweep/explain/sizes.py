"""Output size of a sliding window: the formula with its numbers, and the pixels that no window covers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from dlsweep.errors import UsageError
from dlsweep.explain.drawing import Explained, aligned, by, indented, text
from dlsweep.nn.patches import Pad, Pair, Window, window
from dlsweep.tabular import table
from dlsweep.text import plural, shape_text

FORMULA = "output = ⌊(input + padding on both sides − window) / stride⌋ + 1"
MAX_POSITIONS, MAX_PIXELS = 12, 24  # that a drawing shows in one direction

AXES = ("row", "column")


class Step(NamedTuple):
    """Layer of a chain: a square window."""

    size: int
    stride: int
    pad: int | Literal["same"]


def explain(image: Pair, size: Pair, stride: Pair, pad: Pad | Pair) -> Explained:
    """Explain one layer: the formula, the positions of the window, and the pixels that no window covers."""
    over = window("conv-size", image, size, stride, pad)
    told = text(
        "conv-size: the output size of a convolution or of pooling",
        aligned(
            ("input", "(H, W)", shape_text(image), ""),
            *window_rows(over, "the size of the filter"),
            ("output", "(OH, OW)", shape_text(over.output), "the number of positions of the window"),
        ),
        formula(over),
        "The first window begins at the edge. The rest of the input, divided by the stride, is the number of steps "
        "that the window can make. A fractional step does not count, so the number is rounded down.",
        _same_text(over) if pad == "same" else "",
        *_along_both(over),
        _keeping(over),
    )
    return Explained(told, {"input": image, **facts(over), "unseen": [uncovered(over, axis) for axis in (0, 1)]})


def facts(over: Window) -> dict[str, Any]:
    """Return a window and its positions, for JSON."""
    padding = {"before": over.before, "after": over.after}
    return {"window": over.size, "stride": over.stride, "padding": padding, "output": over.output}


def formula(over: Window) -> str:
    """Return the formula, and the formula with the numbers of both directions."""
    return aligned((FORMULA, "⌊ ⌋ rounds down"), (f"OH = {_filled(over, 0)}", ""), (f"OW = {_filled(over, 1)}", ""))


def _filled(over: Window, axis: int) -> str:
    n, k, s = over.image[axis], over.size[axis], over.stride[axis]
    both = over.before[axis] + over.after[axis]
    return f"⌊({n} + {both} − {k}) / {s}⌋ + 1 = ⌊{(n + both - k) / s:.6g}⌋ + 1 = {over.output[axis]}"


def window_rows(over: Window, what: str) -> list[tuple[str, ...]]:
    """Return a window, its stride and its padding in letters, in numbers and in words. what: the window in words."""
    return [
        ("window", "(KH, KW)", shape_text(over.size), what),
        ("stride", "(SH, SW)", shape_text(over.stride), "the step of the window, down and to the right"),
        ("padding", "(PH, PW)", *_padding_text(over)),
    ]


def _padding_text(over: Window) -> tuple[str, str]:
    """Return the padding in numbers and in words."""
    if over.before == over.after:
        words = "zeros above and below, and to the left and the right"
        return shape_text(over.before), words if any(over.before) else "no zeros around the image"
    pairs = zip(over.before, over.after, strict=True)
    return shape_text(f"{b}+{a}" for b, a in pairs), "zeros above + below, and to the left + the right"


def _keeping(over: Window) -> str:
    """Return a sentence with the padding that would keep the size; "" if there is none, or if the size is kept."""
    pad = tuple((k - 1) // 2 for k in over.size)
    if over.output == over.image or over.stride != (1, 1) or not all(k % 2 for k in over.size):
        return ""
    return f"With padding {shape_text(pad)}, (window − 1) / 2, the output would be as large as the input."


def _same_text(over: Window) -> str:
    odd = over.before != over.after
    return (
        "With padding same, zeros are added so that the output is ⌈input / stride⌉, where ⌈ ⌉ rounds up. At stride 1 "
        "this is the size of the input." + " If their number is odd, the extra one is below or to the right." * odd
    )


def _along_both(over: Window) -> list[str]:
    """Describe both directions, or one of them if they are the same."""
    directions = [(over.image[a], over.size[a], over.stride[a], over.before[a], over.after[a]) for a in (0, 1)]
    if directions[0] == directions[1]:
        return _along("Along the width, and likewise along the height:", over, 1)
    return [*_along("Along the height:", over, 0), *_along("Along the width:", over, 1)]


def _along(start: str, over: Window, axis: int) -> list[str]:
    noun = AXES[axis]
    left, skipped, gap = leftover(over, axis), uncovered(over, axis), over.stride[axis] - over.size[axis]
    sentences = []
    if gap > 0 and over.output[axis] > 1:
        between = f"{plural(gap, noun)} between two positions {'is' if gap == 1 else 'are'} skipped."
        sentences.append(f"The stride is larger than the window: {between}")
    if left:
        padded, verb = "padded " * (over.padded != over.image), "remains" if left == 1 else "remain"
        sentences.append(f"After the last position, {plural(left, noun)} of the {padded}input {verb}.")
    none = f"No window covers {plural(skipped, noun)} of the {over.image[axis]:,}."
    sentences.append(none if skipped else f"Every {noun} is covered.")
    drawing = _drawing(over, axis)
    return [start, drawing, " ".join(sentences)] if drawing else [" ".join([start, *sentences])]


def _drawing(over: Window, axis: int) -> str:
    """Draw the positions below the pixels that they cover, in one direction; "" if there are too many."""
    n, k, s, positions = over.padded[axis], over.size[axis], over.stride[axis], over.output[axis]
    before, image = over.before[axis], over.image[axis]
    if n > MAX_PIXELS or positions > MAX_POSITIONS:
        return ""
    head = [str(i - before) if 0 <= i - before < image else "·" for i in range(n)]
    rows = [["■" if o * s <= i < o * s + k else "" for i in range(n)] for o in range(positions)]
    fronts = [AXES[axis], *(f"position {o}" for o in range(positions))]
    pixels = (" ".join(pixel.rjust(2) for pixel in row) for row in [head, *rows])
    return aligned(*zip(fronts, pixels, strict=True))


def leftover(over: Window, axis: int) -> int:
    """Count the pixels of the padded input after the last position."""
    return over.padded[axis] - (over.stride[axis] * (over.output[axis] - 1) + over.size[axis])


def uncovered(over: Window, axis: int) -> int:
    """Count the pixels of the input itself that no window covers, in one direction."""
    n, s, before = over.image[axis], over.stride[axis], over.before[axis]
    end = over.padded[axis] - leftover(over, axis)

    def covered(stop: int) -> int:
        """Count the covered pixels before `stop` in the padded input, if windows continue to its end."""
        k = min(over.size[axis], s)
        return stop // s * k + min(stop % s, k)

    return n - (covered(min(before + n, end)) - covered(before))


def explain_chain(image: Pair, steps: Sequence[Step]) -> Explained:
    """Explain several layers in a row: the sizes of their outputs, and the receptive field."""
    rows, layers = [], []
    size, field, jump = image, 1, 1
    for i, step in enumerate(steps, start=1):
        try:
            over = window("conv-size", size, (step.size, step.size), (step.stride, step.stride), step.pad)
        except UsageError as error:
            raise UsageError(f"layer {i} of {len(steps)}: {error}") from None
        field, jump = field + (step.size - 1) * jump, jump * step.stride
        before, size = size, over.output
        filled = f"⌊({before[1]} + {over.before[1] + over.after[1]} − {step.size}) / {step.stride}⌋ + 1"
        words = (f"{step.size}×{step.size}", step.stride, step.pad, by(before), filled, by(size), f"{field}×{field}")
        rows.append([str(i), *map(str, words)])
        layers.append({"input": before, **facts(over), "sees": field})
    header = ["layer", "window", "stride", "pad", "input", "output width", "output", "receptive field"]
    told = text(
        "conv-size: the output size, layer by layer",
        indented(table(header, rows, [True] * len(header))),
        aligned((FORMULA, "⌊ ⌋ rounds down")),
        "The receptive field is the part of the image that one number of the output depends on. A window of size K "
        "makes it K − 1 steps wider; a step is the product of all preceding strides.",
    )
    return Explained(told, {"layers": layers, "output": size, "sees": field})
