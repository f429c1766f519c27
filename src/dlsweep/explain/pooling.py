"""Pooling: the maximum and the average of each window, and their gradients."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from dlsweep.explain.drawing import TALL, Explained, aligned, grid, indented, notes, numbers, side_by_side, text
from dlsweep.explain.example import Example
from dlsweep.explain.sizes import facts, formula, window_rows
from dlsweep.nn.layers import Context, Layer
from dlsweep.nn.pooling import pool
from dlsweep.tabular import table
from dlsweep.text import shape_text
from dlsweep.training.random_draws import Draws
from dlsweep.types import Array

LONGEST = 9  # numbers of a window that a row shows


def explain(example: Example) -> Explained:
    """Explain both kinds of pooling on the first channel of the first image."""
    over, n, c = example.over, example.n, example.c
    (maximum, d_maximum), (average, d_average) = _pooled(example, "max"), _pooled(example, "average")
    shown = range(min(2, example.rows))
    windows = side_by_side(*((example.label(r), grid(example.padded[0, 0], marked=example.under(r))) for r in shown))
    results = side_by_side(("max", grid(maximum)), ("average", grid(average)))
    gradients = side_by_side(("of max", grid(d_maximum)), ("of average", grid(d_average)))
    by_position = _by_position(example, maximum, average)
    overlap = any(s < k for s, k in zip(over.stride, over.size, strict=True))
    kh, kw = over.size
    told = text(
        "pool: one number for each window",
        aligned(
            ("images", "(N, C, H, W)", shape_text(example.shape), "each channel is pooled separately"),
            *window_rows(over, "the numbers that become one"),
            ("output", "(N, C, OH, OW)", shape_text((n, c, *over.output)), "nothing is learned: 0 parameters"),
        ),
        formula(over),
        "1. A channel of an image, with the numbers 0, 1, 2, … in mixed order; brackets mark the window",
        windows,
        "2. The maximum and the average of each window",
        by_position,
        "Padding is never the maximum; in an average it counts as 0." * any(over.before + over.after),
        "3. The output",
        results,
        "4. The gradient of the input, if each number of the output has the gradient 1",
        gradients,
        "With max, it goes to the pixel that is the maximum, since a small change of the others does not change the "
        "output. (Of several equal maxima, the first in reading order gets it.) "
        f"With average, each pixel gets an equal share, 1/{kh * kw} = {1 / (kh * kw):.3g}."
        f"{' Where windows overlap, their gradients add up.' * overlap}",
        notes(windows, by_position, results, gradients),
    )
    arrays = {
        "image": example.x[0, 0].tolist(),
        "max": maximum.tolist(),
        "average": average.tolist(),
        "gradient": {"max": d_maximum.tolist(), "average": d_average.tolist()},
    }
    return Explained(told, {"input": example.shape, **facts(over), **arrays})


def _pooled(example: Example, kind: Literal["max", "average"]) -> tuple[Array, Array]:
    """Return the layer's output for the first channel, `(OH, OW)`, and the gradient of its sum, `(H, W)`."""
    over, x = example.over, example.x[:1, :1, :, :, None].astype(np.float64)
    size, stride, pad = example.how
    how: dict[str, Any] = {"size": size, "stride": stride, "pad": pad, "kind": kind}
    layer: Layer = pool("pool", x.shape[1:4], **how)
    y, back, *_ = layer.apply({}, x, Context(True, Draws({}, 0)))
    assert y.shape == (1, 1, *over.output, 1)
    dx, _ = back(np.ones_like(y))
    assert dx is not None
    return y[0, 0, :, :, 0], dx[0, 0, :, :, 0]


def _by_position(example: Example, maximum: Array, average: Array) -> str:
    """Tabulate the numbers of the window at each position, their maximum and their average."""
    window = example.covered[:, : example.over.size[0] * example.over.size[1]]
    width = len(str(window.max()))
    shown = range(min(maximum.size, TALL))
    results = [map(numbers(a), a.ravel()) for a in (maximum, average)]
    rows = [[example.label(row), _row(window[row], width), *words] for row, *words in zip(shown, *results)]
    rows += [["…"] * 4] * (maximum.size > TALL)
    lines = table(["", "window", "max", "average"], rows, [False, False, True, True])
    return indented(lines)


def _row(window: Array, width: int) -> str:
    words = [*map(numbers(window), window)]
    if len(words) > LONGEST:
        words = [*words[: LONGEST - 2], "…", words[-1]]
    return " ".join(word.rjust(width) for word in words)
