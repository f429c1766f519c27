from __future__ import annotations

import warnings
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from matplotlib.legend import Legend
from matplotlib.lines import Line2D

from dlsweep.plots import style
from dlsweep.plots.layout import fit, text_width
from dlsweep.plots.panels import Words, panels

LONG = "a very long label, longer than any panel is wide, with (brackets) and " + "x" * 100


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1), (2, 3), (6, 4), (9, 2)])
@pytest.mark.parametrize("label", ["short", LONG, "日本語のラベル" * 9], ids=["short", "long", "wide"])
def test_no_text_lies_on_a_panel_on_another_text_or_outside(shape: tuple[int, int], label: str) -> None:
    words = Words(
        x="iteration",
        y="accuracy",
        row_factor="activation",
        rows=[f"{i} {label}" for i in range(shape[0])],
        column_factor="init",
        columns=[f"{i} {label}" for i in range(shape[1])],
        title=f"optimizer: {label}",
        legend=[("normalization", [Line2D([], [], label=f"{i} {label}") for i in range(7)])],
        notes={(i, j): "2 of 5 diverged" for i in range(shape[0]) for j in range(shape[1])},
        foot=f"Mean of 5 seeds. {label}",
    )
    with panels(words) as (figure, axes), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")
        assert axes.shape == shape
        figure.canvas.draw()
        boxes = [ax.get_window_extent() for ax in axes.flat]
        texts = [text for ax in axes.flat for text in ax.texts] + list(figure.texts)
        legends = [artist for artist in figure.artists if isinstance(artist, Legend)]
        boxes += [artist.get_window_extent() for artist in (*texts, *legends)]
    for i, one in enumerate(boxes):
        assert figure.bbox.x0 <= one.x0 < one.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= one.y0 < one.y1 <= figure.bbox.y1
        for other in boxes[:i]:
            slim = other.padded(-2)  # two pixels of room for a border, a descender
            assert not slim.overlaps(one)


def test_tick_labels_of_neighbours_keep_apart() -> None:
    with panels(Words(x="iteration", y="accuracy", columns=["a", "b", "c"])) as (figure, axes):
        axes[0, 0].set_xlim(0, 1000)
        axes[0, 0].set_xticks([0, 500, 1000])
        figure.canvas.draw()
        ends = [[ax.get_xticklabels()[i].get_window_extent() for i in (0, -1)] for ax in axes[0]]
    for (_, left), (right, _) in pairwise(ends):
        assert right.x0 - left.x1 > 1.5 * right.width  # the width of a digit


@example("." * 80, 0.5, 3)
@given(st.text(max_size=80), st.floats(0.5, 4), st.integers(1, 3))
def test_a_text_is_cut_to_fit_and_loses_nothing_else(text: str, width: float, lines: int) -> None:
    fitted = fit(text, width, 10, lines)
    assert len(fitted.splitlines()) <= lines
    assert all(text_width(line, 10) <= width or len(line) < 3 for line in fitted.splitlines())
    kept, whole = "".join(fitted.split()), "".join(style.plain(text).split())
    assert kept == whole or (kept.endswith("…") and whole.startswith(kept[:-1]))


@example(["show", "show", "show", "a, b;", "chance."], 0.65625)  # a word fills a line, and its full stop is left
@given(st.lists(st.sampled_from(["show", "(dlsweep show)", "a, b;", "[1]", "chance."]), min_size=5), st.floats(0.6, 3))
def test_no_line_begins_with_the_end_of_a_sentence_or_a_bracket(words: list[str], width: float) -> None:
    lines = fit(" ".join(words), width, 8.0, lines=99).splitlines()
    assert not [line for line in lines if line[0] in ".,;:!?)]}"]
