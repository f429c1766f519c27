"""What a config may ask of normalizations, regularizers and clipping, and the sentences where it may not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.commands import dlsweep
from tests.support.configs import Load, Refused

from dlsweep.nn.networks import networks
from dlsweep.nn.normalization import Around, normalizations
from dlsweep.nn.regularizers import regularizers

INSTANCE = (
    "instance normalization takes each channel of a sample minus its mean over height and width, and here a channel is"
    " a single number, so the output would always be 0; use batch or layer, or none"
)


@pytest.mark.parametrize(
    ("level", "sentence"),
    [
        ("regularizer: {dropout: {ratio: ▲1}}", "regularizer.dropout.ratio must be below 1, got 1"),
        ("regularizer: {dropout: {ratio: ▲1.5}}", "regularizer.dropout.ratio must be below 1, got 1.5"),
        ("regularizer: {dropout: {ratio: ▲-0.1}}", "regularizer.dropout.ratio must be at least 0, got -0.1"),
        ("regularizer: {dropconnect: {ratio: [0.1, ▲1]}}", "regularizer.dropconnect.ratio must be below 1, got 1"),
        (
            "regularizer: {dropout: {mode: ▲clasic}}",
            "regularizer.dropout.mode must be one of inverted, classic, got 'clasic'; did you mean 'classic'?",
        ),
        (
            "regularizer: {dropconnect: {inference: ▲median}}",
            "regularizer.dropconnect.inference must be one of mean, gaussian, got 'median'; did you mean 'mean'?",
        ),
        ("regularizer: {dropconnect: {samples: ▲0}}", "regularizer.dropconnect.samples must be at least 1, got 0"),
        ("regularizer: {l1: {strength: ▲-1}}", "regularizer.l1.strength must be at least 0, got -1"),
        ("regularizer: {l2: {strength: ▲yes}}", "regularizer.l2.strength must be a number, got 'yes'"),
        (
            "regularizer: {l2: {on: ▲weights}}",
            "regularizer.l2.on must be one of kernel, activity, got 'weights'",
        ),
        ("regularizer: {elastic_net: {l1: ▲-0.1}}", "regularizer.elastic_net.l1 must be at least 0, got -0.1"),
        (
            "regularizer: {elastic_net: {▲strength: 0.1}}",
            "regularizer.elastic_net has no setting 'strength' (choices: l1, l2, on)",
        ),
        ("regularizer: {max_norm: {limit: ▲0}}", "regularizer.max_norm.limit must be above 0, got 0"),
        ("regularizer: {label_smoothing: {epsilon: ▲1}}", "regularizer.label_smoothing.epsilon must be below 1, got 1"),
        ("regularizer: {input_noise: {std: ▲-1}}", "regularizer.input_noise.std must be at least 0, got -1"),
        ("regularizer: {l1: {}, ▲drpout: {}}", "there is no regularizer 'drpout'; did you mean 'dropout'?"),
        ("regularizer: ▲{l1: {}, none: }", "none does not combine with another regularizer"),
        ("normalization: {batch: {momentum: ▲1}}", "normalization.batch.momentum must be below 1, got 1"),
        ("normalization: {batch: {eps: ▲0}}", "normalization.batch.eps must be above 0, got 0"),
        (
            "normalization: {layer: {position: ▲behind}}",
            "normalization.layer.position must be one of before, after, got 'behind'",
        ),
        (
            "normalization: {layer: {▲momentum: 0.9}}",
            "normalization.layer has no setting 'momentum' (choices: eps, position)",
        ),
        (
            "normalization: ▲{batch: {}, layer: {}}",
            "a level of normalization is one name, got batch and layer; to compare, list them: [batch, layer]",
        ),
        ("train.clip_norm: [1, ▲0]", "train.clip_norm must be above 0, got 0"),
        ("activation: {prelu: {start: ▲a}}", "activation.prelu.start must be a number, got 'a'"),
        (
            "activation: {prelu: {start: ▲-1e39}}",
            "activation.prelu.start must be a finite number, got -1e39, which single precision rounds to -infinity",
        ),
        (
            "optimizer: {sgd: {lr: [0.1, ▲1e-60]}}",
            "optimizer.sgd.lr must be above 0, got 1e-60, which single precision rounds to 0",
        ),
        (
            "optimizer: {adam: {beta1: ▲0.99999999}}",
            "optimizer.adam.beta1 must be below 1, got 0.99999999, which single precision rounds to 1",
        ),
        (
            "optimizer: {adam: {eps: ▲1e-60}}",
            "optimizer.adam.eps must be 0 or a larger number, got 1e-60, which single precision rounds to 0",
        ),
        (
            "train.clip_norm: [1, ▲1e39]",
            "train.clip_norm must be a finite number, got 1e39, which single precision rounds to infinity",
        ),
        (
            "model: {layers: [{dense: {units: 3, bias: ▲1e39}}]}",
            "model.layers.of.dense.bias must be a finite number, got 1e39, which single precision rounds to infinity",
        ),
    ],
)
def test_bad_settings(refused: Refused, level: str, sentence: str) -> None:
    if "drpout" in level:
        sentence += f" (choices: {', '.join(regularizers)})"
    refused(f"grid: {{{level}}}", sentence)


@pytest.mark.parametrize("name", ["dropout", "label_smoothing", "l1"])
def test_a_regularizer_twice_in_one_level(refused: Refused, name: str) -> None:
    refused(
        f"grid:\n  regularizer:\n    - {name}: {{}}\n      ▲{name}: {{}}\n",
        f"the key '{name}' is given twice, first on line 3",
    )


@pytest.mark.parametrize(
    "off",
    [
        "{l1: {strength: 0}}",
        "{l2: {strength: 0.0, on: activity}}",
        "{elastic_net: {l1: 0, l2: 0}}",
        "{dropout: {ratio: 0, mode: classic}}",
        "{dropconnect: {ratio: 0}}",
        "{label_smoothing: {epsilon: 0}}",
        "{input_noise: {std: 0}}",
        "{dropout: {ratio: 0}, l2: {strength: 0}}",
    ],
)
def test_what_does_nothing_folds_into_none(sweep: Load, off: str) -> None:
    config = sweep(f"grid: {{regularizer: [none, {off}]}}")
    assert [arm.regularizer for arm in config.arms()] == [()]
    assert [first for _, first in config.folds()] == ["none"]


def test_a_part_that_does_nothing_is_left_out_of_a_combined_level(sweep: Load) -> None:
    config = sweep("grid: {regularizer: [{l2: {strength: 0.1}}, {dropout: {ratio: [0, 0.2]}, l2: {strength: 0.1}}]}")
    assert [[c.name for c in arm.regularizer] for arm in config.arms()] == [["l2"], ["dropout", "l2"]]
    assert config.folds() == [("dropout ratio=0 + l2", "l2")]


def test_half_an_elastic_net_is_one(sweep: Load) -> None:
    config = sweep("grid: {regularizer: [none, {elastic_net: {l1: 0, l2: 0.1}}]}")
    assert len(list(config.arms())) == 2


@pytest.mark.slow
@pytest.mark.parametrize("off", ["{dropout: {ratio: 0}}", "{l2: {strength: 0}}"])
def test_the_plan_says_what_folds(tmp_path: Path, off: str) -> None:
    (tmp_path / "sweep.yaml").write_text(
        f"data: {{mnist: {{train: 50}}}}\ntrain: {{iterations: 2, batch_size: 5}}\nseeds: 1\n"
        f"grid: {{regularizer: [none, {off}, {{max_norm: {{}}}}]}}\n"
    )
    done = dlsweep("run", "sweep.yaml", "--dry-run", "-o", "out", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "sweep: 2 runs" in done.stdout + done.stderr
    assert "1 arm folded, because another trains the same network" in done.stdout


def test_instance_norm_on_a_dense_network(refused: Refused) -> None:
    refused("grid: {normalization: [none, ▲instance]}", INSTANCE)
    refused('grid: {"activation, normalization": [[relu, none], [tanh, ▲instance]]}', INSTANCE)
    refused(
        """
        grid:
          - activation: tanh
          - model.mlp.hidden: [[], [5]]
            normalization:
              - ▲{instance: {eps: 0.1}}
        train: {batch_size: ▲100000}
        """,
        INSTANCE,
        "train.batch_size must be at most the 60,000 training samples of mnist, got 100000",
    )


def test_instance_norm_that_no_arm_has(sweep: Load) -> None:
    """A network without hidden layers normalizes nothing, and the rules may leave such arms only."""
    assert list(sweep("{model: {mlp: {hidden: []}}, grid: {normalization: instance}}").arms())
    grid = "grid: {model.mlp.hidden: [[], [5]], normalization: [none, instance]}"
    assert len(list(sweep(f"{grid}\nexclude: [{{normalization: instance, model.mlp.hidden: [[5]]}}]").arms())) == 3


@pytest.fixture
def broken() -> Iterator[None]:
    """Somebody's own model and normalization, with mistakes in them."""

    @networks.register
    def crooked(shape: Any, classes: int, activated: Any) -> list[Any]:
        """Registered by a test."""
        raise ValueError("no such thing")

    @normalizations.register
    def askew(name: str, shape: tuple[int, ...]) -> Around:
        """Registered by a test."""
        return Around(missing=())  # type: ignore[call-arg]

    yield
    del networks._entries["crooked"], normalizations._entries["askew"]


def test_what_cannot_be_built_is_told_with_its_place(broken: None, refused: Refused) -> None:
    refused("model: ▲crooked", "the model crooked cannot be built: ValueError: no such thing")
    refused("grid: {model: [mlp, ▲crooked]}", "the model crooked cannot be built: ValueError: no such thing")
    refused(
        "grid: {normalization: [none, ▲askew]}",
        "the normalization askew cannot be built: TypeError: Around.__new__() got an unexpected keyword argument"
        " 'missing'",
    )


def test_clipping_and_slopes_are_factors(sweep: Load) -> None:
    config = sweep("grid: {train.clip_norm: [null, 0.5], activation: {prelu: {start: [0, 0.25]}}}")
    assert [(arm.train.clip_norm, arm.activation.settings["start"]) for arm in config.arms()] == [
        (None, 0.0),
        (None, 0.25),
        (0.5, 0.0),
        (0.5, 0.25),
    ]


def test_a_setting_at_its_default_keeps_the_ids_of_results(sweep: Load) -> None:
    plain, clipped = sweep("name: x"), sweep("{name: x, train: {clip_norm: 1}}")
    unlimited = sweep("{name: x, train: {clip_norm: null}}")
    ids = [next(config.runs()).id for config in (plain, clipped, unlimited)]
    assert ids[0] == ids[2] != ids[1]


@pytest.fixture
def rows(tmp_path: Path) -> None:
    """Data without height and width."""
    x, t = np.random.default_rng(0).normal(size=(200, 4)), np.arange(200) % 2
    np.savez(tmp_path / "rows.npz", x_train=x, t_train=t, x_test=x, t_test=t)


@pytest.mark.parametrize("name", ["crop", "flip"])
@pytest.mark.usefixtures("rows")
def test_only_images_are_cropped_and_flipped(refused: Refused, name: str) -> None:
    sentence = f"{name} needs samples with channels, height and width, and here a sample is 4 numbers in a row"
    refused(f"data: {{npz: {{path: rows.npz}}}}\ngrid:\n  regularizer: [none, ▲{{l2: , {name}: }}]\n", sentence)


@pytest.mark.usefixtures("rows")
def test_only_where_they_meet(sweep: Load) -> None:
    text = """
        grid:
          regularizer: [none, flip]
          data: [mnist, {npz: {path: rows.npz}}]
        exclude:
          - {regularizer: flip, data: npz}
    """
    assert len(list(sweep(text).arms())) == 3


def test_a_crop_within_the_image(refused: Refused) -> None:
    refused(
        "grid:\n  regularizer:\n    - crop: {pad: 27}\n    - ▲crop: {pad: 28}\n",
        "crop.pad must be below the size of an image, 28 × 28, got 28",
    )


def test_what_is_off_is_no_regularizer(sweep: Load) -> None:
    config = sweep("grid: {regularizer: [none, {crop: {pad: 0}, flip: {ratio: 0}}]}")
    assert len(list(config.arms())) == 1


def test_standardized_is_another_data_set_and_as_it_was_is_not(sweep: Load) -> None:
    plain, given = (
        [run.id for run in sweep(f"data: {{mnist: {{{text}}}}}").runs()] for text in ("", "standardize: false")
    )
    assert plain == given
    assert plain != [run.id for run in sweep("data: {mnist: {standardize: true}}").runs()]
