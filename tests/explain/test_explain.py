"""`dlsweep explain`: what it tells is true of the real layers, for whatever shapes, and fits a terminal."""

from __future__ import annotations

import io
import json
import re
import shlex
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import pytest
import typer
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.support.combinations import all_pairs

import dlsweep
from dlsweep.cli import app as cli
from dlsweep.cli.app import app
from dlsweep.explain.drawing import WIDTH
from dlsweep.tasks import DESCENT

ROOT = Path(__file__).parents[2]


class Said(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


few = settings(max_examples=40)  # an example is a command, from its arguments to its last line
COMMAND = typer.main.get_command(app)  # put together once, and not for every example


def explain(*arguments: str) -> Said:
    """The command line in this process, from its arguments to its exit code."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2))
    code: Any = 0
    argv = ["dlsweep", "explain", *arguments]
    with (
        mock.patch.object(sys, "argv", argv),
        mock.patch.object(cli, "_called", return_value=COMMAND),
        warnings.catch_warnings(),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            cli.main()
        except SystemExit as end:
            code = end.code or 0
    texts = []
    for stream in (out, err):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode())
    return Said(code, *texts)


def good(*arguments: str) -> Said:
    said = explain(*arguments)
    assert said.code == 0, said.err
    assert said.err == ""
    return said


def comma(*numbers: int) -> str:
    return ",".join(map(str, numbers))


def section(text: str, start: str) -> list[str]:
    """The lines of the drawing that follows a heading."""
    return text.split(start, 1)[1].split("\n\n")[1].splitlines()


# The real program, in a process of its own.


def program(*arguments: str) -> str:
    done = subprocess.run([sys.executable, "-m", "dlsweep", "explain", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_im2col_of_the_4x4_image() -> None:
    text = program("im2col", "--input", "1,1,4,4", "--filter", "2,2", "--stride", "1", "--pad", "0")
    rows = section(text, "3. The matrix")
    assert len(rows) == 9
    assert rows[0].split() == ["row", "0", "position", "(0,", "0)", "0", "1", "4", "5"]
    assert rows[-1].split()[-4:] == ["10", "11", "14", "15"]
    counts = [line.split() for line in section(text, "4. How many windows")]
    assert counts == [list("1221"), list("2442"), list("2442"), list("1221")]
    assert "OH = ⌊(4 + 0 − 2) / 1⌋ + 1 = ⌊2⌋ + 1 = 3" in text
    assert "(9, 4)" in text
    assert "0·w0 + 1·w1 + 4·w2 + 5·w3" in text


def test_a_6x6_image_with_padding_gives_7x7() -> None:
    text = program("conv-size", "--input", "6", "--filter", "2", "--stride", "1", "--pad", "1")
    assert "OH = ⌊(6 + 2 − 2) / 1⌋ + 1 = ⌊6⌋ + 1 = 7" in text
    assert "(7, 7)" in text


def test_help_imports_nothing_heavy() -> None:
    code = """
import sys
sys.argv = ["dlsweep", "explain", *sys.argv[1:], "--help"]
from dlsweep.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code
print("imported:", *{"numpy", "pandas", "matplotlib", "pyarrow", "yaml", "scipy"} & set(sys.modules))
"""
    for command in ([], ["im2col"], ["model"]):
        done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1] == "imported:"


def test_the_readme_shows_what_is_printed() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    shown = re.findall(r"^\$ dlsweep explain (.*)\n((?:[^$`].*\n|\n)+)", readme, re.MULTILINE)
    assert len(shown) == 2
    for command, lines in shown:
        printed = good(*shlex.split(command)).out
        for part in lines.split("[…]\n"):
            assert part.strip("\n") in printed


# Whatever is asked for.

small = st.integers(1, 9)
pads = st.one_of(st.just("same"), st.integers(0, 3).map(str), st.builds(comma, st.integers(0, 3), st.integers(0, 3)))


class Asked(NamedTuple):
    """Images, a window on them, and the words that ask for it."""

    shape: tuple[int, int, int, int]
    size: tuple[int, int]
    stride: tuple[int, int]
    pad: str

    def words(self, filter_: str = "--filter") -> list[str]:
        return [
            "--input",
            comma(*self.shape),
            filter_,
            comma(*self.size),
            "--stride",
            comma(*self.stride),
            "--pad",
            self.pad,
        ]

    @property
    def around(self) -> list[tuple[int, int]]:
        """The zeros before and after, down and across."""
        if self.pad != "same":
            both = [int(word) for word in self.pad.split(",")]
            return [(both[0], both[0]), (both[-1], both[-1])]
        totals = [max(0, (-(-n // s) - 1) * s + k - n) for n, k, s in zip(self.shape[2:], self.size, self.stride)]
        return [(total // 2, total - total // 2) for total in totals]

    @property
    def output(self) -> list[int]:
        """Count the positions with a plain loop."""
        found = []
        for n, k, s, (before, after) in zip(self.shape[2:], self.size, self.stride, self.around):
            found.append(len([at for at in range(0, n + before + after, s) if at + k <= n + before + after]))
        return found


asked = st.builds(
    Asked, st.tuples(st.integers(1, 3), st.integers(1, 4), small, small), *2 * [st.tuples(small, small)], pads
)
fitting = asked.filter(
    lambda a: min(a.output) > 0 and all(max(around) < k for around, k in zip(a.around, a.size, strict=True))
)


def check(said: Said) -> None:
    """An explanation, or one sentence and exit code 2."""
    if said.code:
        assert said.code == 2
        assert said.out == ""
        assert len(said.err.splitlines()) == 1
    else:
        assert said.err == ""
        assert "\x1b" not in said.out
        assert max(map(len, said.out.splitlines())) <= WIDTH
        assert said.out == "\n".join(line.rstrip() for line in said.out.splitlines()) + "\n"


COMMANDS = [["im2col"], ["im2col", "--no-transpose"], ["col2im"], ["pool"], ["conv-size"]]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@few
@given(asked=asked)
def test_whatever_the_shapes_the_printed_size_is_the_real_one(command: list[str], asked: Asked) -> None:
    said = explain(*command, *asked.words())
    check(said)
    fits = min(asked.output) > 0 and all(max(a) < k for a, k in zip(asked.around, asked.size, strict=True))
    assert (said.code == 0) == fits
    if fits and command[-1] != "--no-transpose":
        oh, ow = asked.output
        assert re.search(rf"^  OH = .* = {oh}$", said.out, re.MULTILINE)
        assert re.search(rf"^  OW = .* = {ow}$", said.out, re.MULTILINE)
    if fits:
        assert good(*command, *asked.words(), "--json").data["output"] == asked.output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "shape", "filter_"),
    all_pairs(COMMANDS, ["1,1,300,300", "4,64,9,9", "2,3,1000,7", "1,1,1,2000"], ["1", "7", "1,7"]),
)
def test_large_ones_fit_the_terminal_and_say_what_is_left_out(command: list[str], shape: str, filter_: str) -> None:
    said = explain(*command, "--input", shape, "--filter", filter_, "--stride", "1")
    check(said)
    if said.code == 0 and command != ["conv-size"]:
        assert "A … stands for rows or columns that are left out here." in " ".join(said.out.split())


def by_hand(asked: Asked) -> Iterator[np.ndarray]:
    """Yield the numbers of the window at each position, image by image, `(C, KH, KW)`."""
    x = np.arange(np.prod(asked.shape)).reshape(asked.shape)
    x = np.pad(x, [(0, 0), (0, 0), *asked.around])
    for n, i, j in product(range(len(x)), *map(range, asked.output)):
        (kh, kw), top, left = asked.size, i * asked.stride[0], j * asked.stride[1]
        yield x[n, :, top : top + kh, left : left + kw]


@few
@given(asked=fitting)
def test_the_matrix_is_what_a_plain_loop_sees(asked: Asked) -> None:
    data = good("im2col", *asked.words(), "--json").data
    assert data["matrix"] == [seen.ravel().tolist() for seen in by_hand(asked)]
    assert data["matrix_shape"] == list(np.shape(data["matrix"]))


@few
@given(asked=fitting)
def test_col2im_gives_the_image_times_the_counts(asked: Asked) -> None:
    data = good("col2im", *asked.words(), "--json").data
    assert np.array_equal(data["added"], np.multiply(data["image"], data["counts"]))
    first, second = re.findall(
        r"^  (?:im2col\(x\) · m|x · col2im\(m\)) = (.*)$", good("col2im", *asked.words()).out, re.M
    )
    assert first == second


@few
@given(asked=fitting, filters=st.integers(1, 5))
def test_without_the_transpose_the_shapes_are_right_and_the_numbers_wrong(asked: Asked, filters: int) -> None:
    words = ["im2col", *asked.words(), "--no-transpose", "--filters", str(filters)]
    data, text = good(*words, "--json").data, " ".join(good(*words).out.split())
    output, matrix = data["output_order"], data["matrix_order"]
    (n, c, *_), (oh, ow), (kh, kw) = asked.shape, asked.output, asked.size
    positions = oh * ow
    for order in (output, matrix):
        assert np.shape(order["right"]) == np.shape(order["wrong"])
        assert sorted(np.ravel(order["right"])) == sorted(np.ravel(order["wrong"]))
    assert matrix["right"] == data["matrix"]
    for image, f, i, j in product(range(n), range(filters), range(oh), range(ow)):
        assert output["right"][image][f][i][j] == (image * positions + i * ow + j) * filters + f
    assert (output["right"] != output["wrong"]) == (filters > 1 and positions > 1)
    if not np.any(asked.around):  # the first pixel is a 0 as well
        assert (matrix["right"] != matrix["wrong"]) == (positions > 1 and c * kh * kw > 1)
        same = sum(order["right"] == order["wrong"] for order in (output, matrix))
        assert text.count("Here both are the same") == same


@few
@given(asked=fitting)
def test_pooling_is_that_of_a_plain_loop(asked: Asked) -> None:
    data = good("pool", *asked.words("--size"), "--json").data
    image = np.array(data["image"], float)
    padded = np.pad(image, asked.around, constant_values=np.nan)
    gradients = {"max": np.zeros_like(padded), "average": np.zeros_like(padded)}
    (kh, kw), (top, _), (left, _) = asked.size, *asked.around
    for i, j in product(*map(range, asked.output)):
        y, x = i * asked.stride[0], j * asked.stride[1]
        seen = padded[y : y + kh, x : x + kw]
        assert data["max"][i][j] == np.nanmax(seen)
        assert data["average"][i][j] == pytest.approx(np.nansum(seen) / (kh * kw))
        dy, dx = np.argwhere(seen == np.nanmax(seen))[0]
        gradients["max"][y + dy, x + dx] += 1
        gradients["average"][y : y + kh, x : x + kw] += 1 / (kh * kw)
    for kind, gradient in gradients.items():
        inner = gradient[top : top + len(image), left : left + image.shape[1]]
        assert np.allclose(data["gradient"][kind], inner)


@few
@given(asked=fitting)
def test_conv_size_knows_what_no_window_sees(asked: Asked) -> None:
    data = good("conv-size", *asked.words(), "--json").data
    for axis, unseen in enumerate(data["unseen"]):
        n, k, s, before = asked.shape[2 + axis], asked.size[axis], asked.stride[axis], asked.around[axis][0]
        seen = {o * s + i - before for o in range(asked.output[axis]) for i in range(k)}
        assert unseen == len(set(range(n)) - seen)
    rows, columns = data["unseen"]
    assert ("is covered." in good("conv-size", *asked.words()).out) == (0 in (rows, columns))


def test_conv_size_of_a_very_large_input_is_arithmetic() -> None:
    data = good("conv-size", "--input", "999999999", "--filter", "2", "--stride", "3", "--json").data
    assert data["output"] == [333_333_333] * 2
    assert data["unseen"] == [333_333_333] * 2


@few
@given(n=st.integers(1, 60), layers=st.lists(st.tuples(st.integers(1, 5), st.integers(1, 3)), min_size=1, max_size=5))
def test_conv_size_follows_several_layers(n: int, layers: list[tuple[int, int]]) -> None:
    words = [word for k, s in layers for word in ("--layer", f"{k},{s}")]
    sees = [{i} for i in range(n)]
    for k, s in layers:
        sees = [set().union(*sees[at : at + k]) for at in range(0, len(sees) - k + 1, s)]
    said = explain("conv-size", "--input", str(n), *words)
    check(said)
    assert (said.code == 0) == bool(sees)
    assume(sees)
    data = good("conv-size", "--input", str(n), *words, "--json").data
    assert data["output"] == [len(sees)] * 2
    assert data["sees"] == len(range(min(sees[0]), max(sees[0]) + 1))


# Networks.


@pytest.mark.parametrize(
    ("words", "parameters"),
    [
        (["simple_cnn"], 433_890),
        (["lenet"], 61_706),
        (["lenet", "variant=modern"], 61_706),
        (["alexnet", "scale=original", "--input", "3,227,227", "--classes", "1000"], 60_965_224),
        (["mlp", "hidden=[40, 20]"], 784 * 40 + 40 + 40 * 20 + 20 + 20 * 10 + 10),
        (["mlp", "hidden=[40, 20]", "--input", "784"], 784 * 40 + 40 + 40 * 20 + 20 + 20 * 10 + 10),
        (["mlp", "hidden=[40, 20]", "normalization=batch"], 784 * 40 + 40 + 40 * 20 + 20 + 20 * 10 + 10 + 2 * 60),
        (["mlp", "hidden=[40, 20]", "activation=prelu"], 784 * 40 + 40 + 40 * 20 + 20 + 20 * 10 + 10 + 60),
        (["layers", "of=[{conv: {filters: 4, bias: false}}, relu, {pool: 2}]"], 4 * 9 + 4 * 13 * 13 * 10 + 10),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else "",
)
def test_the_totals_of_known_networks(words: list[str], parameters: int) -> None:
    (network,) = good("model", *words, "--json").data["networks"]
    assert network["parameters"] == parameters == sum(layer["parameters"] for layer in network["layers"])
    said = good("model", *words)
    check(said)
    (total,) = re.findall(r"^  total +([\d,]+) +([\d,]+)$", said.out, re.MULTILINE)
    assert total == (f"{parameters:,}", f"{network['multiply_adds']:,}")


def test_multiply_adds_and_shapes_by_hand() -> None:
    (network,) = good("model", "simple_cnn", "--json").data["networks"]
    layers = {layer["name"]: layer for layer in network["layers"]}
    assert layers["conv1"]["multiply_adds"] == 30 * 24 * 24 * 25
    assert layers["dense1"]["multiply_adds"] == 30 * 12 * 12 * 100
    assert network["multiply_adds"] == 30 * 24 * 24 * 25 + 30 * 12 * 12 * 100 + 100 * 10
    assert layers["conv1"]["kernels"] == [[30, 1, 5, 5]]
    assert [layers[name]["output"] for name in ("conv1", "pool1", "dense2")] == [[30, 24, 24], [30, 12, 12], [10]]
    text = " ".join(good("model", "simple_cnn").out.split())
    assert "conv1: 30 filters, each with 1×5×5 = 25 weights and a bias, are 30 · (25 + 1) = 780 parameters." in text
    assert "100 units, each with 4,320 weights and a bias, are 100 · (4,320 + 1) = 432,100 parameters." in text
    assert "The convolutions have 0.18 % of the parameters and 50 % of the multiply-adds" in text


def test_groups_halve_the_work_of_a_convolution() -> None:
    words = ["layers", "--input", "4,9,9", "--json"]
    whole, halves = (
        good("model", *words, f"of=[{{conv: {{filters: 6, groups: {groups}}}}}]").data["networks"][0]["layers"][0]
        for groups in (1, 2)
    )
    assert whole["multiply_adds"] == 6 * 7 * 7 * 4 * 9 == 2 * halves["multiply_adds"]
    assert halves["kernels"] == [[6, 2, 3, 3]]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["simple_cnn"], True),
        (["simple_cnn", "activation=gelu"], False),  # it falls a little, left of 0
        (["lenet"], False),  # with average pooling, which has no such short cut
        (["lenet", "variant=modern"], True),
    ],
)
def test_that_pooling_comes_first_is_told_where_it_does(words: list[str], told: bool) -> None:
    assert ("before the non-decreasing activation" in good("model", *words).out) == told


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_config_is_told_as_it_is_planned(path: Path) -> None:
    config = dlsweep.load(path)
    if config.task is DESCENT:
        said = explain("model", str(path))
        check(said)
        assert "they have no layers" in said.err
        return
    networks = good("model", str(path), "--json").data["networks"]
    assert {n["parameters"] for n in networks} == {cohort.parameters for cohort in dlsweep.plan(config).cohorts}
    assert sorted(name for n in networks for name in n["arms"]) == sorted(arm.name for arm in config.arms())
    check(good("model", str(path)))


def test_overrides_change_a_config() -> None:
    words = [str(ROOT / "configs/batch_norm.yaml"), "model=simple_cnn"]
    networks = good("model", *words, "--json").data["networks"]
    assert [n["parameters"] for n in networks] == [433_890, 433_890 + 2 * (30 + 100)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("im2col --filter 5", "im2col: a window of 5×5 does not fit on 4×4 with padding 0: output height = "),
        ("im2col --stride -1", "--stride must be a number such as 2, or height and width such as 2,3, "),
        ("im2col --stride 0", "none below 1, got '0'"),
        ("im2col --input a,b", "--input must be N,C,H,W (images, channels, height, width) such as 1,1,4,4, "),
        ("im2col --input 1,2,3,4,5", "--input must be N,C,H,W"),
        ("im2col --input 1e3,4", "got '1e3,4'"),
        ("im2col --input ٣,٣", "--input must be N,C,H,W"),
        ("im2col --filter 2,2,2", "got '2,2,2'"),
        ("im2col --pad -1", "--pad must be the zeros on each side such as 1, or 1,2, or same, "),
        ("im2col --pad sane", "got 'sane'"),
        ("im2col --pad 2", "padding must be smaller than the window, got 2 for a window of 2"),
        ("im2col --input 1000,1000,1000,1000", "1,000,000,000,000 numbers, and an explanation has at most 1,000,000"),
        ("im2col --input 1,1,900,900 --filter 9", "im2col: the matrix would be "),
        ("im2col --input 900,900 --filter 1 --filters 9 --no-transpose", "im2col: the output would be "),
        ("col2im --input 99999999999,1", "--input must be N,C,H,W"),
        ("pool --size 5", "pool: a window of 5×5 does not fit on 4×4"),
        ("pool --size x", "--size must be a number such as 2"),
        ("conv-size --layer 3,1,0,1", "--layer must be window, stride and padding such as 5,1,2 or 3,1,same, "),
        ("conv-size --layer 0", "got '0'"),
        ("conv-size --layer 3,00", "got '3,00'"),
        ("conv-size --input 6 --layer 5 --layer 5", "layer 2 of 2: conv-size: a window of 5×5 does not fit on 2×2"),
        ("conv-size --layer 3 --pad 1", "give either --layer or --filter"),
        ("model lenett", "there is no model 'lenett'; did you mean 'lenet'?"),
        ("model narrow_valley", "narrow_valley is a landscape, a function of two variables; it has no layers"),
        ("model lenet varian=modern", "model.lenet has no setting 'varian'; did you mean 'variant'?"),
        ("model lenet modern", "a setting is key=value, such as variant=modern, got 'modern'"),
        ("model lenet activation=rellu", "there is no activation 'rellu'; did you mean 'relu'?"),
        ("model lenet --input 784", "conv1 needs samples with channels, height and width"),
        ("model lenet --input 1,8,8", "does not fit on"),
        ("model lenet --input 1,28", "--input must be C,H,W"),
        ("model mlp normalization=instance", "instance normalization takes each channel of a sample minus"),
        ("model layers", "model.layers needs the setting 'of'"),
        ("model missing.yaml", "missing.yaml: there is no such file"),
        ("model missing.yaml --classes 3", "a config's data has its own"),
    ],
)
def test_a_mistake_is_one_sentence(words: str, said: str) -> None:
    told = explain(*words.split())
    check(told)
    assert told.code == 2
    assert said in told.err


def test_im2col_and_col2im_are_there_in_python() -> None:
    x = np.arange(16.0).reshape(1, 1, 4, 4)
    columns = dlsweep.im2col(x, 2)
    assert columns[0].tolist() == [0, 1, 4, 5]
    counts = dlsweep.col2im(np.ones_like(columns), x.shape, 2)
    assert counts[0, 0].tolist() == [[1, 2, 2, 1], [2, 4, 4, 2], [2, 4, 4, 2], [1, 2, 2, 1]]
