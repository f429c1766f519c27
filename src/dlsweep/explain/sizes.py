"""How large the output of a sliding window is: the formula with the numbers in it, and what it rounds away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from dlsweep.errors import UsageError
from dlsweep.explain.base import Explained
from dlsweep.explain.drawing import aligned, indented, paragraph, text
from dlsweep.nn.patches import Pad, Pair, Window, window
from dlsweep.text import plural, shape_text, table

FORMULA = "output = ⌊(input + padding on both sides − window) / stride⌋ + 1"
MOST_PLACES, MOST_PIXELS = 12, 24  # that a drawing of one direction shows

AXES = ("row", "column")


class Step(NamedTuple):
    """A layer of a chain: a square window."""

    size: int
    stride: int
    pad: int | Literal["same"]


def explain(image: Pair, size: Pair, stride: Pair, pad: Pad | Pair) -> Explained:
    """One layer: the formula, the places one under the other, and what no window sees."""
    over = window("conv-size", image, size, stride, pad)
    return Explained(
        text(
            "conv-size: how large the output of a convolution or of pooling is",
            aligned(
                [
                    ("input", "(H, W)", shape_text(image), ""),
                    ("window", "(KH, KW)", shape_text(size), "the size of the filter"),
                    ("stride", "(SH, SW)", shape_text(stride), "how far the window moves, down and to the right"),
                    ("padding", "(PH, PW)", *padding_text(over)),
                    ("output", "(OH, OW)", shape_text(over.output), "how many places the window has"),
                ]
            ),
            formula(over),
            paragraph(
                "The first window begins at the edge. What is then left of the input, divided by the stride, is how "
                "many times the window can still move. A part of a step is no step, so it is rounded down."
            ),
            paragraph(_same_text(over) if pad == "same" else ""),
            *_along_both(over),
            paragraph(_keeping(over)),
        ),
        {"input": image, **facts(over), "unseen": [unseen(over, axis) for axis in (0, 1)]},
    )


def facts(over: Window) -> dict[str, Any]:
    """A window and its places, for JSON."""
    padding = {"before": over.before, "after": over.after}
    return {"window": over.size, "stride": over.stride, "padding": padding, "output": over.output}


def formula(over: Window) -> str:
    """The formula, and the same with the numbers of both directions."""
    return aligned(
        [
            (FORMULA, "⌊ ⌋ rounds down"),
            (f"OH = {_filled(over, 0)}", ""),
            (f"OW = {_filled(over, 1)}", ""),
        ]
    )


def _filled(over: Window, axis: int) -> str:
    n, k, s = over.image[axis], over.size[axis], over.stride[axis]
    both = over.before[axis] + over.after[axis]
    return f"⌊({n} + {both} − {k}) / {s}⌋ + 1 = ⌊{(n + both - k) / s:.6g}⌋ + 1 = {over.output[axis]}"


def padding_text(over: Window) -> tuple[str, str]:
    """The padding as numbers, and in words."""
    if over.before == over.after:
        words = "zeros above and below, and to the left and the right"
        return shape_text(over.before), words if any(over.before) else "no zeros around the image"
    pairs = zip(over.before, over.after, strict=True)
    return shape_text(f"{b}+{a}" for b, a in pairs), "zeros above + below, and to the left + the right"


def _keeping(over: Window) -> str:
    """The padding that would keep the size, where there is one and it is not there yet."""
    pad = tuple((k - 1) // 2 for k in over.size)
    if over.output == over.image or over.stride != (1, 1) or not all(k % 2 for k in over.size):
        return ""
    return f"With padding {shape_text(pad)}, (window − 1) / 2, the output would be as large as the input."


def _same_text(over: Window) -> str:
    odd = over.before != over.after
    return (
        "Padding is same: as many zeros as make the output ⌈input / stride⌉, which ⌈ ⌉ rounds up. At stride 1 that is "
        "the size of the input." + " Of an odd number, one more is below or to the right." * odd
    )


def _along_both(over: Window) -> list[str]:
    """What happens along the height and along the width; once, if it is the same."""
    directions = [(over.image[a], over.size[a], over.stride[a], over.before[a], over.after[a]) for a in (0, 1)]
    if directions[0] == directions[1]:
        return _along("Along the width, and just so along the height:", over, 1)
    return [*_along("Along the height:", over, 0), *_along("Along the width:", over, 1)]


def _along(start: str, over: Window, axis: int) -> list[str]:
    noun = AXES[axis]
    left, skipped, gap = leftover(over, axis), unseen(over, axis), over.stride[axis] - over.size[axis]
    sentences = [f"No window ever sees {plural(skipped, noun)} of the {over.image[axis]:,}."]
    if not skipped:
        sentences = [f"Every {noun} is seen."]
    if left:
        padded = "padded " * (over.padded != over.image)
        sentences[:0] = [f"Behind the last place {plural(left, noun)} of the {padded}input {_is(left)} left."]
    if gap > 0 and over.output[axis] > 1:
        between = f"between two places {plural(gap, noun)} {_is(gap)} skipped."
        sentences[:0] = [f"The stride is larger than the window: {between}"]
    drawing = _drawing(over, axis)
    return [start, drawing, paragraph(*sentences)] if drawing else [paragraph(start, *sentences)]


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def _drawing(over: Window, axis: int) -> str:
    """The places under the pixels that they see, in one direction; "" if they are too many."""
    n, k, s, places = over.padded[axis], over.size[axis], over.stride[axis], over.output[axis]
    before, image = over.before[axis], over.image[axis]
    if n > MOST_PIXELS or places > MOST_PLACES:
        return ""
    head = [str(i - before) if 0 <= i - before < image else "·" for i in range(n)]
    rows = [["■" if o * s <= i < o * s + k else "" for i in range(n)] for o in range(places)]
    fronts = [AXES[axis], *(f"place {o}" for o in range(places))]
    width = max(map(len, fronts))
    lines = [
        f"  {f:{width}}  " + " ".join(c.rjust(2) for c in row) for f, row in zip(fronts, [head, *rows], strict=True)
    ]
    return "\n".join(line.rstrip() for line in lines)


def leftover(over: Window, axis: int) -> int:
    """Pixels of the padded input behind the last place."""
    return over.padded[axis] - (over.stride[axis] * (over.output[axis] - 1) + over.size[axis])


def unseen(over: Window, axis: int) -> int:
    """Pixels of the input itself that no window sees, in one direction."""
    n, s, before = over.image[axis], over.stride[axis], over.before[axis]
    end = over.padded[axis] - leftover(over, axis)

    def seen(stop: int) -> int:
        """How many of the first pixels of the padded input lie under a window, if there are windows to the end."""
        k = min(over.size[axis], s)
        return stop // s * k + min(stop % s, k)

    return n - (seen(min(before + n, end)) - seen(before))


def explain_chain(image: Pair, steps: Sequence[Step]) -> Explained:
    """Several layers: each one's output is the next one's input, and a number sees more and more of the image."""
    rows, layers = [], []
    size, field, jump = image, 1, 1
    for i, step in enumerate(steps, start=1):
        over = _window(i, len(steps), size, step)
        field, jump = field + (step.size - 1) * jump, jump * step.stride
        before, size = size, over.output
        filled = f"⌊({before[1]} + {over.before[1] + over.after[1]} − {step.size}) / {step.stride}⌋ + 1"
        words = (f"{step.size}×{step.size}", step.stride, step.pad, _by(before), filled, _by(size), f"{field}×{field}")
        rows.append([str(i), *map(str, words)])
        layers.append({"input": before, **facts(over), "sees": field})
    header = ["layer", "window", "stride", "pad", "input", "output width", "output", "sees"]
    return Explained(
        text(
            "conv-size: what becomes of the size, layer by layer",
            indented(table(header, rows, [True] * len(header))),
            aligned([(FORMULA, "⌊ ⌋ rounds down")]),
            paragraph(
                "The last column is the receptive field: how much of the image one number of the output depends on. A "
                "window of K makes it K − 1 steps wider, and a step is as wide as the product of all strides before."
            ),
        ),
        {"layers": layers, "output": size, "sees": field},
    )


def _window(i: int, count: int, image: Pair, step: Step) -> Window:
    try:
        return window("conv-size", image, (step.size, step.size), (step.stride, step.stride), step.pad)
    except UsageError as error:
        raise UsageError(f"layer {i} of {count}: {error}") from None


def _by(size: Pair) -> str:
    return f"{size[0]}×{size[1]}"
