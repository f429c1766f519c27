from __future__ import annotations

import matplotlib as mpl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlsweep.nn.activations import activations
from dlsweep.nn.initializers import initializers
from dlsweep.nn.optimizers import optimizers
from dlsweep.plots import style


@given(st.lists(st.text(max_size=5), unique=True, min_size=1, max_size=40))
def test_levels_have_colours_of_their_own(levels: list[str]) -> None:
    colours = style.colours(levels)
    assert list(colours) == levels
    assert len(set(map(str, colours.values()))) == len(levels)


@pytest.mark.parametrize(
    "names",
    [
        ["sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam"],
        ["identity", "sigmoid", "tanh", "relu"],
        ["normal", "xavier", "he"],
    ],
)
def test_a_level_keeps_its_colour_whatever_it_is_compared_with(names: list[str]) -> None:
    together = style.colours(names)
    for name in names:
        assert style.colours([name]) == {name: together[name]}
        assert style.colours([f"{name} lr=0.1", "zeros"])[f"{name} lr=0.1"] == together[name]


def test_the_names_above_are_registered() -> None:
    assert {"sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam"} <= set(optimizers)
    assert {"identity", "sigmoid", "tanh", "relu"} <= set(activations)
    assert {"normal", "xavier", "he"} <= set(initializers)


def test_settings_of_one_name_are_a_scale_from_dark_to_light() -> None:
    colours = style.colours(["sgd lr=0.001", "sgd lr=0.01", "sgd lr=0.1"])
    light = [sum(colour[:3]) for colour in colours.values()]
    assert light == sorted(light)


@pytest.mark.parametrize(
    ("levels", "found"),
    [
        (["0.1", "1", "1e+38"], ("", [0.1, 1, 1e38])),
        (["l2 strength=0.1", "l2 strength=1"], ("l2 strength", [0.1, 1])),
        (["1", "0.1"], ("", [1, 0.1])),
        (["1", "0.1", "0.5"], ("", [])),
        (["sgd lr=0.1", "adam lr=1"], ("", [])),
        (["sgd lr=0.1", "sgd"], ("", [])),
        (["1..2", "3"], ("", [])),
    ],
)
def test_levels_of_one_number(levels: list[str], found: tuple[str, list[float]]) -> None:
    assert style.numbers(levels) == found


def test_the_look_is_the_same_whatever_a_user_has_configured() -> None:
    with style.look():
        ours = dict(mpl.rcParams)
    with mpl.rc_context({"font.size": 40, "axes.facecolor": "black", "text.parse_math": True}):
        with style.look():
            assert dict(mpl.rcParams) == ours
        assert mpl.rcParams["font.size"] == 40


@pytest.mark.parametrize(
    ("installed", "chosen"),
    [
        (["DejaVu Sans", "IPAexGothic", "Noto Sans CJK JP"], ["Noto Sans CJK JP", "IPAexGothic"]),
        (["DejaVu Sans", "Shippori Mincho", "Noto Serif CJK KR"], ["Noto Serif CJK KR", "Shippori Mincho"]),
        (["DejaVu Sans", "Arial", "Song Myung Sans"], []),
    ],
)
def test_fonts_for_chinese_japanese_and_korean_are_fallbacks(
    monkeypatch: pytest.MonkeyPatch, installed: list[str], chosen: list[str]
) -> None:
    monkeypatch.setattr("matplotlib.font_manager.get_font_names", lambda: installed)
    style.cjk_fonts.cache_clear()
    try:
        with style.look():
            assert mpl.rcParams["font.family"] == ["DejaVu Sans", *chosen]
    finally:
        style.cjk_fonts.cache_clear()
