"""Pooling: the greatest and the average of what each window sees, and where their gradients go."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from dlsweep.explain.base import Explained
from dlsweep.explain.drawing import TALL, aligned, beside, grid, indented, notes, numbers, paragraph, text
from dlsweep.explain.example import Example
from dlsweep.explain.sizes import facts, formula, padding_text
from dlsweep.nn.layers import Context, Layer
from dlsweep.nn.pooling import pool
from dlsweep.text import shape_text, table
from dlsweep.training.random_draws import Draws
from dlsweep.types import Array

LONGEST = 9  # numbers of a window that a row shows


def explain(example: Example) -> Explained:
    """Both kinds of pooling on the first channel of the first image."""
    over, n, c = example.over, example.n, example.c
    (greatest, to_greatest), (average, to_average) = _pooled(example, "max"), _pooled(example, "average")
    places = min(2, example.rows)
    windows = beside((example.label(r), grid(example.placed[0, 0], marked=example.under(r))) for r in range(places))
    results = beside([("max", grid(greatest)), ("average", grid(average))])
    gradients = beside([("of max", grid(to_greatest)), ("of average", grid(to_average))])
    seen = _seen(example, greatest, average)
    overlap = any(s < k for s, k in zip(over.stride, over.size, strict=True))
    kh, kw = over.size
    return Explained(
        text(
            "pool: one number in place of many",
            aligned(
                [
                    ("images", "(N, C, H, W)", shape_text(example.shape), "each channel is pooled by itself"),
                    ("window", "(KH, KW)", shape_text(over.size), "what one number is made of"),
                    ("stride", "(SH, SW)", shape_text(over.stride), "how far the window moves, down and to the right"),
                    ("padding", "(PH, PW)", *padding_text(over)),
                    ("output", "(N, C, OH, OW)", shape_text((n, c, *over.output)), "nothing is learned: 0 parameters"),
                ]
            ),
            formula(over),
            "1. A channel of an image, the numbers mixed, and in brackets what the window sees",
            windows,
            "2. What it makes of it",
            seen,
            paragraph("Padding is never the greatest; in an average it counts as 0." * any(over.before + over.after)),
            "3. The output",
            results,
            "4. The way back, if each number of the output brings a gradient of 1",
            gradients,
            paragraph(
                "Of max it goes to the pixel that was the greatest, since a small change of the others changes "
                "nothing. (Of equal ones, the first in reading order gets it.)",
                f"Of average, each pixel gets its share, 1/{kh * kw} = {1 / (kh * kw):.3g}.",
                "Where windows overlap, shares add up." * overlap,
            ),
            notes(windows, seen, results, gradients),
        ),
        {
            "input": example.shape,
            **facts(over),
            "image": example.x[0, 0].tolist(),
            "max": greatest.tolist(),
            "average": average.tolist(),
            "gradient": {"max": to_greatest.tolist(), "average": to_average.tolist()},
        },
    )


def _pooled(example: Example, kind: Literal["max", "average"]) -> tuple[Array, Array]:
    """What the layer makes of the first channel, `(OH, OW)`, and how a gradient of ones comes back, `(H, W)`."""
    over, x = example.over, example.x[:1, :1, :, :, None].astype(np.float64)
    size, stride, pad = example.how
    how: dict[str, Any] = {"size": size, "stride": stride, "pad": pad, "kind": kind}
    layer: Layer = pool("pool", x.shape[1:4], **how)
    y, back, *_ = layer.apply({}, x, Context(True, Draws({}, 0)))
    assert y.shape == (1, 1, *over.output, 1)
    dx, _ = back(np.ones_like(y))
    assert dx is not None
    return y[0, 0, :, :, 0], dx[0, 0, :, :, 0]


def _seen(example: Example, greatest: Array, average: Array) -> str:
    """A row for each place: what the window sees there, and what comes of it."""
    seen = example.seen[:, : example.over.size[0] * example.over.size[1]]
    places = greatest.size
    shown = range(min(places, TALL))
    results = [map(numbers(a), a.ravel()) for a in (greatest, average)]
    rows = [[example.label(row), _row(seen[row], len(str(seen.max()))), *words] for row, *words in zip(shown, *results)]
    rows += [["…"] * 4] * (places > TALL)
    lines = table(["", "sees", "max", "average"], rows, [False, False, True, True])
    return indented(lines)


def _row(seen: Array, width: int) -> str:
    words = [*map(numbers(seen), seen)]
    if len(words) > LONGEST:
        words = [*words[: LONGEST - 2], "…", words[-1]]
    return " ".join(word.rjust(width) for word in words)
