"""What the field says of its techniques holds in the committed configs, on real MNIST with smaller budgets.

Every claim is one of means over a few seeds, with a margin that more seeds were seen to keep. What a claim is not about
is small: test sets of 2000 images, evaluations at the end only.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import dlsweep

pytestmark = pytest.mark.slow

SMALL = ("seeds=3", "data.mnist.test=2000")
CONFIGS = Path(__file__).parents[1] / "configs"


def sweep(name: str, folder: Path, *overrides: str) -> dlsweep.storage.results.Results:
    """Train a part of a config, without its own claims and plots, which are about the whole."""
    config = dlsweep.load(CONFIGS / f"{name}.yaml", ["claims=[]", "plots=[]", *overrides])
    return dlsweep.run(config, output=folder, executor="inline")


def means(runs: pd.DataFrame, metric: str, *factors: str) -> pd.Series:
    return runs.groupby([*factors], observed=True)[metric].mean()


def test_batch_norm_lets_a_sigmoid_learn_from_small_weights_and_narrows_the_spread_over_initializations(
    tmp_path: Path,
) -> None:
    arms = "only=[{activation: relu}, {init: normal}]"
    small = ("seeds=3", "data={mnist: {test: 2000}}", "train.iterations=300", "evaluate.every=300")
    runs = sweep("batch_norm", tmp_path, arms, *small).runs
    test = means(runs, "final_test_accuracy", "activation", "normalization", "init")
    assert test["sigmoid", "none", "normal"] < 0.12  # the share of the most frequent class
    assert test["sigmoid", "batch", "normal"] > 0.3
    spread = test.groupby(level=["activation", "normalization"], observed=True).agg(lambda x: x.max() - x.min())
    assert spread["relu", "batch"] < 0.5 * spread["relu", "none"]


def test_thirty_layers_learn_with_he_and_stall_with_xavier(tmp_path: Path) -> None:
    runs = sweep(
        "thirty_layers", tmp_path, "seeds=2", "data={mnist: {test: 1000}}", "train.iterations=500", "evaluate.every=500"
    ).runs
    test = means(runs, "final_test_accuracy", "init")
    assert test["xavier"] < 0.2
    assert test["he"] > test["xavier"] + 0.15


def test_regularizers_shrink_the_gap_at_300_images_and_lower_train_accuracy(tmp_path: Path) -> None:
    """The gap is all that is claimed: test accuracy is not, for it falls with some of them."""
    arms = "only=[{regularizer: [none, l2 strength=0.1, dropout ratio=0.2, dropconnect]}]"
    runs = sweep("overfitting", tmp_path, *SMALL, arms, "train.epochs=120", "evaluate.every=360").runs
    train, test = (means(runs, f"final_{split}_accuracy", "regularizer") for split in ("train", "test"))
    gap = train - test
    assert gap["none"] > 0.15
    for regularizer in set(gap.index) - {"none"}:
        assert gap[regularizer] < gap["none"] - 0.01, regularizer
        assert train[regularizer] < train["none"], regularizer


def test_l1_leaves_more_weights_near_zero_than_l2(tmp_path: Path) -> None:
    layers = sweep("sparsity", tmp_path, *SMALL, "train.epochs=100", "evaluate.every=300").layers
    last = layers[(layers["iteration"] == 300) & (layers["layer"] == "dense1")]
    near_zero = means(last, "sparsity", "regularizer")
    assert near_zero["l1"] > near_zero["elastic_net"] > 3 * near_zero["l2"]
    assert near_zero["l2"] == pytest.approx(near_zero["none"], abs=0.05)


def test_momentum_adagrad_and_adam_reach_a_loss_before_sgd_at_a_hundredth(tmp_path: Path) -> None:
    arms = "only=[{optimizer: [sgd lr=0.01, momentum, adagrad, adam]}]"
    small = (*SMALL, "data.mnist.train=1000", "train.iterations=200", "evaluate={every: 20, on: [train]}")
    curves = sweep("optimizers", tmp_path, arms, *small).curves.query("split == 'train' and loss < 0.6")
    first = curves.groupby(["optimizer", "seed"], observed=True)["iteration"].min().unstack("seed").max(axis=1)
    sgd = first.get("sgd lr=0.01", 201)
    for optimizer in ("momentum", "adagrad", "adam"):
        assert first[optimizer] < sgd, optimizer


def test_equal_units_stay_equal(tmp_path: Path) -> None:
    arms = "only=[{activation: tanh, init: [zeros, constant, xavier]}]"
    small = ("seeds=3", "data={mnist: {test: 2000}}", "train.iterations=200", "evaluate.every=200")
    runs = sweep("zero_init", tmp_path, arms, *small).runs
    test = means(runs, "final_test_accuracy", "init")
    assert test["zeros"] < 0.12
    assert test["constant"] < 0.5 < test["xavier"]


def test_an_ensemble_beats_the_mean_of_its_members(tmp_path: Path) -> None:
    results = sweep("ensemble", tmp_path, "seeds=5", "train.epochs=60", "evaluate.every=180", "grid.regularizer=none")
    last = results.ensembles.query("iteration == 180 and split == 'test'")
    assert last["members"].tolist() == [5]
    assert last["accuracy"].item() > results.runs["final_test_accuracy"].mean() + 0.01
    assert last["loss"].item() < results.runs["final_test_loss"].mean()


def test_simple_cnn_reaches_96_percent_of_mnist_in_600_iterations(tmp_path: Path) -> None:
    """The textbook's point of comparison: 0.960 ± 0.010, here of one run over all test images."""
    arm = "only=[{model: simple_cnn, init: normal}]"
    runs = sweep("cnn_dense", tmp_path, arm, "seeds=1", "evaluate.every=600").runs
    assert runs["final_test_accuracy"].item() == pytest.approx(0.960, abs=0.010)


def test_a_convolutional_network_beats_a_dense_one_of_as_many_parameters(tmp_path: Path) -> None:
    arms = ["only=[{init: he}]", "seeds=2", "data.mnist.test=1000", "train.iterations=120", "evaluate.every=120"]
    runs = sweep("cnn_dense", tmp_path, *arms).runs
    parameters = means(runs, "parameters", "model")
    assert parameters["simple_cnn"] == pytest.approx(parameters["dense"], rel=1e-3)
    test = means(runs, "final_test_accuracy", "model")
    assert test["simple_cnn"] > test["dense"] + 0.01


def test_batch_norm_needs_a_minibatch_and_group_norm_does_not(tmp_path: Path) -> None:
    sizes = "only=[{train.batch_size: [1, 2, 32]}]"
    small = ["seeds=2", "data={mnist: {train: 500, test: 500}}", "model={simple_cnn: {filters: 10, hidden: 50}}"]
    runs = sweep("batch_norm_batch_size", tmp_path, sizes, *small).runs
    test = means(runs, "final_test_accuracy", "normalization", "train.batch_size")
    assert test["batch", "1"] < 0.2  # a dense layer's output minus its mean over one image is 0
    assert test["batch", "1"] + 0.2 < test["batch", "2"] < test["batch", "32"] - 0.1
    for size in ("1", "2"):
        assert test["group", size] > test["batch", size] + 0.1
        assert test["none", size] > test["batch", size] + 0.1


def test_the_claims_on_paths_through_a_valley_are_as_their_config_expects(tmp_path: Path) -> None:
    """SGD zigzags; AdaGrad, and not Adam, takes the quickest and the smoothest way. Nothing here depends on a seed."""
    config = CONFIGS / "course/4_optimizer_paths.yaml"
    verdicts = dlsweep.run(config, output=tmp_path, executor="inline").check()
    assert [verdict.verdict for verdict in verdicts] == ["supported", "refuted", "refuted"]
    assert verdicts.code == 0
