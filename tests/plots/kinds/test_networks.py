"""The plots that look into networks, on real sweeps that keep weights: what is drawn is what the networks have."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from tests.support import commands
from tests.support.combinations import all_pairs
from tests.support.figures import drawn, panels, said, texts

import dlsweep
from dlsweep.analysis.networks import Confusion, Filters, class_names
from dlsweep.datasets import datasets
from dlsweep.errors import ConfigError, UsageError
from dlsweep.plots.figures import draw
from dlsweep.plots.kinds import confusion, feature_maps, filters, misclassified
from dlsweep.registry import Choice
from dlsweep.storage.results import Results

KINDS = ["churn", "confusion", "feature_maps", "filters", "hardest", "misclassified"]
CONFIG: dict[str, Any] = {
    "name": "looked-into",
    "data": {"mnist": {"train": 300, "test": 200}},
    "model": {"simple_cnn": {"filters": 4, "hidden": 6}},
    "train": {"iterations": 20, "batch_size": 20},
    "evaluate": {"every": 20, "on": ["test"], "keep": "final"},
    "seeds": 2,
    "grid": {"activation": ["relu", "tanh"], "optimizer": {"adam": {"lr": 0.01}}},
}
HEADINGS: dict[str, Any] = {"rows": [""], "columns": [""], "row_factor": "", "column_factor": "", "title": ""}


def run(output: Path, **changes: Any) -> Results:
    return dlsweep.run({**CONFIG, **changes}, output=output, executor="inline")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """A convolutional network with ReLU and with tanh."""
    return run(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def dense(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """A dense network of 120 units; with ReLU, one of the two learning rates diverges."""
    grid = {"activation": ["relu", "tanh"], "optimizer": {"sgd": {"lr": [0.1, 1e38]}}}
    return run(tmp_path_factory.mktemp("dense"), model={"mlp": {"hidden": [120]}}, grid=grid)


def images(ax: Axes) -> list[np.ndarray]:
    return [np.asarray(image.get_array()) for image in ax.images]


def test_filters_of_a_convolution_before_and_after(results: Results) -> None:
    figure = drawn(results, "filters", seed=1)
    axes = np.array(panels(figure), object).reshape(2, 2)
    for column, activation in enumerate(["relu", "tanh"]):
        start = results.load(arm={"activation": activation}, seed=1, at="start").parameters["conv1/W"]
        end = results.load(arm={"activation": activation}, seed=1).parameters["conv1/W"]
        for row, kernels in enumerate([start, end]):
            np.testing.assert_array_equal(images(axes[row, column]), kernels[:, 0])
        assert not np.array_equal(start, end)
        ends = {image.get_clim() for ax in axes[:, column] for image in ax.images}
        ((low, high),) = ends  # one scale before and after, and 0 in its middle
        assert low == -high
        assert 0.9 * np.abs([start, end]).max() < high <= np.abs([start, end]).max()
        assert said(figure, f"m = {high:.2g}")
    assert {"relu", "tanh", "before training", "after training", "activation"} <= set(texts(figure))
    assert said(figure, "the first layer's filters, seed 1")


def test_filters_of_one_network_stand_side_by_side(results: Results) -> None:
    figure = drawn(results, "filters", arm={"activation": "tanh"})
    assert {"before training", "after 20 iterations"} <= set(texts(figure))
    assert said(figure, "activation: tanh, seed 0")
    before, after = panels(figure)
    assert len(before.images) == len(after.images) == 4
    (bar,) = (ax for ax in figure.axes if ax.get_label() == "colour bar")
    low, zero, high = (tick.get_text() for tick in bar.get_yticklabels())
    assert (low, zero) == (f"−{high}", "0")


def test_filters_of_a_dense_layer_are_its_weights_in_the_place_of_the_pixels(dense: Results) -> None:
    arm = {"activation": "tanh", "optimizer": "sgd lr=0.1"}
    figure = drawn(dense, "filters", arm=arm)
    _, after = panels(figure)
    W = dense.load(arm=arm).parameters["dense1/W"]
    np.testing.assert_array_equal(images(after), W[:100].reshape(100, 28, 28))
    assert said(figure, "The first 100 of 120 filters.")
    boxes = [image.get_extent() for image in after.images]
    for (_, right, bottom, _), (left, _, _, top) in pairwise(boxes):
        assert right <= left or top <= bottom


def test_a_diverged_run_has_filters_before_training_only(dense: Results) -> None:
    figure = drawn(dense, "filters", arm={"activation": "relu"})
    axes = np.array(panels(figure), object).reshape(2, 2)
    assert [len(ax.images) for ax in axes.flat] == [100, 100, 100, 0]
    assert said(figure, "diverged: no weights")


@pytest.mark.parametrize("kind", ["feature_maps", "misclassified"])
def test_a_diverged_run_is_told_in_its_figure(tmp_path: Path, kind: str) -> None:
    results = run(tmp_path, grid={"activation": "relu", "optimizer": {"sgd": {"lr": 1e38}}}, seeds=1)
    figure = drawn(results, kind)
    assert said(figure, f"diverged: no {'weights' if kind == 'feature_maps' else 'predictions'}")
    assert not panels(figure)[0].images


@pytest.fixture(scope="module")
def coloured(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Small images with three channels."""
    folder = tmp_path_factory.mktemp("coloured")
    draw = np.random.default_rng(0)
    x = draw.integers(0, 256, (60, 3, 8, 8), dtype=np.uint8)
    t = np.arange(60) % 3
    np.savez(folder / "coloured.npz", x_train=x, t_train=t, x_test=x[:30], t_test=t[:30])
    data = {"npz": {"path": str(folder / "coloured.npz")}}
    return run(folder, data=data, seeds=1, grid={}, model={"simple_cnn": {"filters": 5, "kernel": 3}})


def test_filters_of_coloured_images_have_colours(coloured: Results) -> None:
    figure = drawn(coloured, "filters")
    _, after = panels(figure)
    assert not [ax for ax in figure.axes if ax.get_label() == "colour bar"]
    assert said(figure, "grey is 0")
    W = coloured.load().parameters["conv1/W"]
    shown = images(after)
    assert {image.shape for image in shown} == {(3, 3, 3)}
    for w, image in zip(W, shown):
        inner = (image > 0) & (image < 1)
        assert ((image > 0.5) == (np.moveaxis(w, 0, -1) > 0))[inner].all()


def test_coloured_images_are_drawn_as_they_are(coloured: Results) -> None:
    model = coloured.load()
    x, t = model.data.arrays.x_test, model.data.arrays.t_test
    first = drawn(coloured, "feature_maps", image=2).axes[0].images[0]
    np.testing.assert_allclose(np.asarray(first.get_array()), np.moveaxis(x[2], 0, -1) / 255)
    wrong = np.flatnonzero(model.predict(x) != t)
    assert len(images(drawn(coloured, "misclassified").axes[0])) == min(24, len(wrong)) > 0


def test_feature_maps_are_what_the_layers_make_of_the_image(results: Results) -> None:
    figure = drawn(results, "feature_maps", arm={"activation": "relu"}, image=7, seed=1)
    (ax,) = panels(figure)
    model = results.load(arm={"activation": "relu"}, seed=1)
    x, t = model.data.arrays.x_test[7:8], model.data.arrays.t_test[7]
    outputs = model.outputs(x)
    named = {
        name: [im for im in ax.images if im.get_label() == name] for name in ["image", "conv1", "activation1", "pool1"]
    }
    assert sum(map(len, named.values())) == len(ax.images) == 1 + 3 * 4
    np.testing.assert_allclose(np.asarray(named["image"][0].get_array()), x[0, 0] / 255)
    for name in ("conv1", "activation1", "pool1"):
        np.testing.assert_array_equal([np.asarray(im.get_array()) for im in named[name]], outputs[name][0])
        ((low, high),) = {im.get_clim() for im in named[name]}
        assert (low, high) == (-np.abs(outputs[name]).max(), np.abs(outputs[name]).max())
        assert said(figure, f"±{high:.2g}")
    ticks = [tick.get_text() for tick in ax.get_yticklabels()]
    assert ticks == ["image 7", "conv1  4 × 24 × 24", "activation1  4 × 24 × 24", "pool1  4 × 12 × 12"]
    assert said(figure, f"test image 7: label {t}, predicted {model.predict(x)[0]}")


def test_of_many_maps_and_layers_some_are_shown() -> None:
    draw_ = np.random.default_rng(0)
    maps = {f"conv{i}": draw_.normal(size=(20, 5, 5)) for i in range(30)}
    figure = feature_maps.draw(maps, np.zeros((5, 5)), "image 0", "").figure
    figure.canvas.draw()
    labels = [image.get_label() for image in figure.axes[0].images]
    assert labels[1:] == [f"conv{i}" for i in range(0, 30, 3) for _ in range(16)]
    assert said(figure, "Of each layer the first 16 maps. 10 of 30 layers.")
    assert max(figure.get_size_inches()) < 14


@pytest.mark.parametrize("image", [200, 10**9])
def test_an_image_that_is_not_there(results: Results, image: int) -> None:
    with pytest.raises(UsageError, match=f"image must be below 200, the number of test images, got {image}"):
        drawn(results, "feature_maps", arm={"activation": "relu"}, image=image)


def test_a_dense_network_has_no_feature_maps(dense: Results) -> None:
    with pytest.raises(
        UsageError, match="layers with rows and columns, and mlp has none; choose convolutional networks"
    ):
        drawn(dense, "feature_maps", arm={"activation": "tanh", "optimizer": "sgd lr=0.1"})


def test_misclassified_images_with_their_labels(results: Results) -> None:
    figure = drawn(results, "misclassified", arm={"activation": "relu"}, seed=1, count=5)
    model = results.load(arm={"activation": "relu"}, seed=1)
    x, t = model.data.arrays.x_test, model.data.arrays.t_test
    p = model.probabilities(x)
    wrong = sorted(np.flatnonzero(p.argmax(axis=1) != t), key=lambda i: -p[i].max())
    row = results.runs[results.runs["run_id"] == model.run.id].iloc[0]
    assert len(wrong) == round(200 * (1 - row["final_test_accuracy"]))
    assert said(figure, f"{len(wrong)} of 200 test images are wrong, activation: relu, seed 1")
    assert said(figure, "the 5 most confident mistakes.")
    np.testing.assert_allclose(images(figure.axes[0]), x[wrong[:5], 0] / 255)
    below = [text.get_text() for text in figure.axes[0].texts]
    expected = [(str(t[i]), f"→ {p[i].argmax()} ({p[i].max():.2f})") for i in wrong[:5]]
    assert below == [text for pair in expected for text in pair]


def test_nothing_misclassified_is_told() -> None:
    found = pd.DataFrame(columns=["image", "label", "predicted", "probability"])
    figure = misclassified.draw(found, [], 1000, "seed 0").figure
    assert said(figure, "every test image is right")
    assert said(figure, "0 of 1,000 test images are wrong, seed 0")


def test_long_class_names_stay_below_their_image() -> None:
    name = "a class with a name that is far too long"
    found = pd.DataFrame({"label": [name] * 2, "predicted": [name] * 2, "probability": [0.5, 0.4]})
    figure = misclassified.draw(found, [np.zeros((4, 4))] * 2, 9, "").figure
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_the_confusion_matrix_counts_what_is_taken_for_what(results: Results) -> None:
    figure = drawn(results, "confusion")
    for ax, activation in zip(panels(figure), ["relu", "tanh"]):
        expected = np.zeros((10, 10))
        for seed in (0, 1):
            model = results.load(arm={"activation": activation}, seed=seed)
            x, t = model.data.arrays.x_test, model.data.arrays.t_test
            np.add.at(expected, (t, model.predict(x)), 0.5)
        (mesh,) = (artist for artist in ax.collections if isinstance(artist, QuadMesh))
        shares: np.ndarray = np.ma.filled(np.ma.asarray(mesh.get_array()), 0).reshape(10, 10)
        np.testing.assert_allclose(shares, expected / expected.sum(axis=1, keepdims=True))
        accuracy = results.runs.loc[results.runs["activation"] == activation, "final_test_accuracy"].mean()
        assert np.trace(expected) / 200 == pytest.approx(accuracy)
        assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first class above
    assert {"predicted", "true", "relu", "tanh"} <= set(texts(figure))
    assert said(figure, "Mean of 2 seeds. In a cell: percent of its row")


def test_the_numbers_in_the_cells(results: Results) -> None:
    figure = drawn(results, "confusion", arm={"activation": "relu"}, seed=0)
    model = results.load(arm={"activation": "relu"}, seed=0)
    x, t = model.data.arrays.x_test, model.data.arrays.t_test
    predicted = model.predict(x)
    found: dict[tuple[int, int], list[str]] = {}
    for text in panels(figure)[0].texts:
        column, row = np.floor(text.get_position()).astype(int)
        found.setdefault((int(row), int(column)), []).append(text.get_text())
    for (row, column), words in found.items():
        count = np.count_nonzero((t == row) & (predicted == column))
        share = 100 * count / np.count_nonzero(t == row)
        assert words == [f"{share:.0f} %" if share > 9.95 else f"{share:.1f} %", str(count)]
    assert len(found) == len({*zip(t, predicted)})
    assert said(figure, "activation: relu, seed 0")
    assert said(figure, "and the number of images.")


def test_runs_without_weights_in_a_confusion_matrix(dense: Results) -> None:
    figure = drawn(dense, "confusion")
    relu_bad = panels(figure)[1]
    assert [text.get_text() for text in relu_bad.texts if "no " in text.get_text()] == [
        "2 of 2 diverged:\nno predictions"
    ]


def test_a_confusion_matrix_without_any_weights(dense: Results) -> None:
    figure = drawn(dense, "confusion", arm={"activation": "relu", "optimizer": "sgd lr=1e+38"})
    assert said(figure, "2 of 2 diverged: no predictions")


def test_a_confusion_matrix_of_many_classes_and_of_a_class_that_is_never_tested() -> None:
    counts = np.eye(100) * 7
    counts[3] = 0
    figure, _ = confusion.draw({(0, 0): Confusion([counts])}, [f"class {k}" for k in range(100)], HEADINGS)
    figure.canvas.draw()
    (ax,) = panels(figure)
    assert not ax.texts
    ticks = [tick for tick in ax.get_yticklabels() if tick.get_text()]
    assert 10 <= len(ticks) <= 34
    boxes = [tick.get_window_extent() for tick in ticks]
    assert not any(a.overlaps(b) for a, b in pairwise(boxes))


@pytest.mark.parametrize(
    ("columns", "shape", "count"), all_pairs((1, 2, 6), ((1, 5, 5), (3, 3, 3), (2, 4, 6)), (1, 2, 6, 30, 100))
)
def test_any_number_of_filters_fits_into_its_panel(columns: int, shape: tuple[int, int, int], count: int) -> None:
    draw_ = np.random.default_rng(0)
    both = Filters(draw_.normal(size=(count, *shape)), draw_.normal(size=(count, *shape)))
    figure, _ = filters.draw([both] * columns, [f"level {i}" for i in range(columns)], "factor", "")
    figure.canvas.draw()
    assert max(figure.get_size_inches()) < 14
    for ax in panels(figure):
        assert len(ax.images) == count
        for left, right, bottom, top in (image.get_extent() for image in ax.images):
            assert -1e-9 <= left < right <= ax.get_xlim()[1] + 1e-9
            assert -1e-9 <= bottom < top <= ax.get_ylim()[1] + 1e-9
            assert (right - left) / (top - bottom) == pytest.approx(shape[2] / shape[1])


@pytest.mark.parametrize("kind", ["feature_maps", "filters"])
def test_without_weights_a_sentence_says_what_to_add(tmp_path: Path, kind: str) -> None:
    results = run(tmp_path, evaluate={"every": 20, "on": ["test"]}, seeds=1)
    with pytest.raises(UsageError, match=rf"kept no weights for {kind}; train with evaluate\.keep: final, or best"):
        draw(results, [Choice(kind, {})])
    with pytest.raises(ConfigError, match=rf"{kind} needs the weights; add evaluate: {{keep: final}}, or best"):
        dlsweep.load({**CONFIG, "evaluate": {"every": 20}, "plots": [kind]})


@pytest.mark.parametrize("kind", KINDS)
def test_landscapes_have_no_networks_to_look_into(tmp_path: Path, kind: str) -> None:
    config = {"name": "valley", "model": "narrow_valley", "train": {"iterations": 3}}
    with pytest.raises(ConfigError, match=f"{kind} shows networks, and the models here are landscapes"):
        dlsweep.load({**config, "plots": [kind]})
    results = dlsweep.run(config, output=tmp_path, executor="inline")
    with pytest.raises(UsageError, match=rf"{kind} shows networks, and the models of .*valley are landscapes"):
        draw(results, [Choice(kind, {})])


def test_samples_that_are_no_images(tmp_path: Path) -> None:
    x, t = np.random.default_rng(0).normal(size=(30, 6)), np.arange(30) % 3
    np.savez(tmp_path / "flat.npz", x_train=x, t_train=t, x_test=x, t_test=t)
    data = {"npz": {"path": str(tmp_path / "flat.npz")}}
    results = run(tmp_path, data=data, model="mlp", grid={}, seeds=1)
    for kind in ("filters", "feature_maps", "misclassified", "hardest"):
        with pytest.raises(UsageError, match=rf"{kind} needs images, and the samples here have the shape \(6,\)"):
            drawn(results, kind)
    assert drawn(results, "confusion")


@pytest.mark.parametrize(
    ("arm", "mistake"),
    [
        (
            "{activaton: relu}",
            "9:21: plots.filters.arm must name factors of this sweep, got 'activaton'; did you mean 'activation'? "
            "(choices: activation, init, normalization, optimizer, regularizer, schedule)",
        ),
        ("relu", "9:20: plots.filters.arm must be a mapping, got 'relu'"),
        (
            "{activation: {relu: 1}}",
            "9:20: plots.filters.arm must be text or a number or true or false or a list, got {activation: …}",
        ),
        (
            "{activation: [[relu]]}",
            "9:20: plots.filters.arm must be text or a number or true or false, got {activation: …}",
        ),
    ],
)
def test_a_wrong_arm_is_told_with_its_place(tmp_path: Path, arm: str, mistake: str) -> None:
    lines = [f"{key}: {value}" for key, value in CONFIG.items()]
    file = tmp_path / "wrong.yaml"
    file.write_text("\n".join([*lines, "plots:", f"  - filters: {{arm: {arm}}}"]))
    with pytest.raises(ConfigError) as told:
        dlsweep.load(file)
    first, *shown = str(told.value).splitlines()
    assert first == f"{file}:{mistake}"
    assert len(shown) == 2  # the line with a caret; no other mistake


@pytest.mark.parametrize("kind", KINDS)
def test_every_page_in_all_formats(results: Results, kind: str) -> None:
    paths = draw(results, [Choice(kind, {})], formats=["png", "svg", "pdf"])
    pages_ = [""] if kind not in ("feature_maps", "misclassified") else ["-activation-relu", "-activation-tanh"]
    assert [path.name for path in paths] == [
        f"{kind}{page}.{suffix}" for page in pages_ for suffix in ("png", "svg", "pdf")
    ]
    assert all(path.stat().st_size > 1000 for path in paths)


def test_the_command_says_which_network(results: Results) -> None:
    def command(*arguments: str) -> commands.Done:
        return commands.dlsweep("plot", results.folder, "-k", "misclassified", *arguments, folder=results.folder)

    done = command("--arm", "activation=tanh", "--seed", "1")
    assert (done.returncode, done.stderr) == (0, "")
    (path,) = map(Path, done.stdout.splitlines())
    assert path.name == "misclassified.png"
    for both in (["--arm", "activation=relu,tanh"], ["--arm", "activation=relu", "--arm", "activation=tanh"]):
        assert [Path(path).name for path in command(*both).stdout.splitlines()] == [
            "misclassified-activation-relu.png",
            "misclassified-activation-tanh.png",
        ]
    assert Path(command("activation=tanh").stdout.strip()).name == "misclassified-activation-tanh.png"
    for wrong, sentence in {
        "activation": "--arm must have levels such as activation=relu,init=he, got 'activation'",
        "activation=tnh": "activation has no level 'tnh'",
    }.items():
        done = command("--arm", wrong)
        assert (done.returncode, done.stdout) == (2, "")
        assert sentence in done.stderr
    done = command("--rows", "activation")
    assert done.returncode == 2
    assert "misclassified has no setting 'rows'" in done.stderr


def test_classes_have_the_names_of_the_data_set() -> None:
    assert class_names(datasets["fashion_mnist"]())[-2:] == ["bag", "ankle boot"]
    assert class_names(datasets["mnist"]())[-2:] == ["8", "9"]
    assert [len(class_names(datasets["cifar100"](labels=labels))) for labels in ("fine", "coarse")] == [100, 20]
