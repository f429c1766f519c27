"""How large the output of a sliding window is: the formula with the numbers in it, and what it rounds away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from dlsweep.config.nodes import plural
from dlsweep.errors import UsageError
from dlsweep.explaining.base import Explained
from dlsweep.explaining.drawing import aligned, paragraph, shape_text, text
from dlsweep.nn.patches import Pad, Pair, Window, window
from dlsweep.terminal import table

FORMULA = "output = ⌊(input + padding on both sides − window) / stride⌋ + 1"
MOST_PLACES, MOST_PIXELS = 12, 24  # that a drawing of one direction shows

AXES = (("height", "row", "H"), ("width", "column", "W"))


class Step(NamedTuple):
    """A layer of a chain: a square window."""

    size: int
    stride: int
    pad: int | str


def explain(image: Pair, size: Pair, stride: Pair, pad: Pad | Pair) -> Explained:
    """One layer: the formula, the places one under the other, and what no window sees."""
    over = window("conv-size", image, size, stride, pad)
    keeps = [k - 1 for k in size]
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
                "The first window begins at the edge. What is then left of the input, divided by the stride, is how many "
                "times the window can still move. A part of a step is no step, so it is rounded down."
            ),
            paragraph(_same_text(over) if pad == "same" else ""),
            *_along_both(over),
            paragraph(
                f"Padding of {shape_text(k / 2 if k % 2 else k // 2 for k in keeps)} on each side would keep the size at "
                "stride 1: (window − 1) / 2."
            )
            if pad != "same" and not any(k % 2 for k in keeps) and over.before != tuple(k // 2 for k in keeps)
            else "",
        ),
        {"input": image, **_facts(over), "unseen": [unseen(over, axis) for axis in (0, 1)]},
    )


def _facts(over: Window) -> dict[str, object]:
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
        words = "zeros on each side: above and below, left and right" if any(over.before) else "no zeros around the image"
        return shape_text(over.before), words
    pairs = zip(over.before, over.after, strict=True)
    return shape_text(f"{b}+{a}" for b, a in pairs), "zeros above + below, and to the left + to the right"


def _same_text(over: Window) -> str:
    odd = over.before != over.after
    return (
        "same: as many zeros as make the output ⌈input / stride⌉ (rounded up); at stride 1 the output is as large as the "
        "input." + " An odd one is added below and to the right." * odd
    )


def _along_both(over: Window) -> list[str]:
    """What happens along the height and along the width; once, if it is the same."""
    told = [_along(over, axis) for axis in (0, 1)]
    alike = len({(over.image[a], over.size[a], over.stride[a], over.before[a], over.after[a]) for a in (0, 1)}) == 1
    if alike:
        return ["Along the width, and just so along the height:", *told[1]]
    return ["Along the height:", *told[0], "Along the width:", *told[1]]


def _along(over: Window, axis: int) -> list[str]:
    noun = AXES[axis][1]
    left, skipped = leftover(over, axis), unseen(over, axis)
    gap = over.stride[axis] - over.size[axis]
    sentences = []
    if gap > 0 and over.output[axis] > 1:
        sentences.append(f"The stride is larger than the window, so between two places {plural(gap, noun)} are skipped.")
    if left:
        sentences.append(f"Behind the last place {plural(left, noun)} of the padded input {'is' if left == 1 else 'are'} left.")
    sentences.append(
        f"No window ever sees {plural(skipped, noun)} of the {over.image[axis]}."
        if skipped
        else f"Every {noun} is seen."
    )
    drawing = _drawing(over, axis)
    return [*([drawing] if drawing else []), paragraph(*sentences)]


def _drawing(over: Window, axis: int) -> str:
    """The places under the pixels that they see, in one direction; "" if they are too many."""
    n, k, s, places = over.padded[axis], over.size[axis], over.stride[axis], over.output[axis]
    before, image = over.before[axis], over.image[axis]
    if n > MOST_PIXELS or places > MOST_PLACES:
        return ""
    head = [str(i - before) if 0 <= i - before < image else "·" for i in range(n)]
    rows = [["■" if o * s <= i < o * s + k else "" for i in range(n)] for o in range(places)]
    fronts = [AXES[axis][1], *(f"place {o}" for o in range(places))]
    width = max(map(len, fronts))
    lines = [f"  {f:{width}}  " + " ".join(c.rjust(2) for c in row) for f, row in zip(fronts, [head, *rows], strict=True)]
    return "\n".join(line.rstrip() for line in lines)


def leftover(over: Window, axis: int) -> int:
    """Pixels of the padded input behind the last place."""
    return over.padded[axis] - (over.stride[axis] * (over.output[axis] - 1) + over.size[axis])


def unseen(over: Window, axis: int) -> int:
    """Pixels of the input itself that no window sees, in one direction."""
    n, k, s, places = over.image[axis], over.size[axis], over.stride[axis], over.output[axis]
    before = over.before[axis]
    end = max(0, min(n, before + n) - max(0, s * (places - 1) + k - before))  # behind the last place
    if s <= k:
        return end
    gaps = ((o * s + k - before, (o + 1) * s - before) for o in range(places - 1))
    return end + sum(max(0, min(n, stop) - max(0, start)) for start, stop in gaps)


def explain_chain(image: Pair, steps: Sequence[Step]) -> Explained:
    """Several layers: each one's output is the next one's input, and a number sees more and more of the image."""
    rows, facts = [], []
    size, field, jump = image, 1, 1
    for i, step in enumerate(steps, start=1):
        over = _window(i, len(steps), size, step)
        field, jump = field + (step.size - 1) * jump, jump * step.stride
        before, size = size, over.output
        filled = f"⌊({before[1]} + {over.before[1] + over.after[1]} − {step.size}) / {step.stride}⌋ + 1"
        words = (f"{step.size}×{step.size}", step.stride, step.pad, _by(before), filled, _by(size), f"{field}×{field}")
        rows.append([str(i), *map(str, words)])
        facts.append({"input": before, **_facts(over), "sees": field})
    header = ["layer", "window", "stride", "pad", "input", "output width", "output", "sees"]
    return Explained(
        text(
            "conv-size: what becomes of the size, layer by layer",
            table(header, rows, [True] * len(header)),
            aligned([(FORMULA, "⌊ ⌋ rounds down")]),
            paragraph(
                "Sees is the receptive field: the part of the image that one number of the output depends on. A window of "
                "K adds K − 1 steps, and a step is as wide as all strides before it multiplied: field + (K − 1) · strides."
            ),
        ),
        {"layers": facts, "output": size, "sees": field},
    )


def _window(i: int, count: int, image: Pair, step: Step) -> Window:
    try:
        return window("conv-size", image, (step.size, step.size), (step.stride, step.stride), step.pad)  # type: ignore[arg-type]
    except UsageError as error:
        raise UsageError(f"layer {i} of {count}: {error}") from None


def _by(size: Pair) -> str:
    return f"{size[0]}×{size[1]}"
