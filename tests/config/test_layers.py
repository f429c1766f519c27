"""Networks as lists of layers in YAML: what they mean, their mistakes with their places, and the schema."""

from __future__ import annotations

import jsonschema
import numpy as np
import pytest

from dlsweep import dry_run, load, run
from dlsweep.config.schema import schema


def arms(model, **top):
    return list(load({"name": "x", "model": model, "seeds": 1, **top}).arms())


CONV = {"conv": {"filters": 4, "kernel": 5}}


def test_the_same_list_in_other_words_is_the_same_network():
    long = {"layers": {"of": [CONV, "activation", {"pool": {"size": 2, "stride": None}}, {"dense": {"units": 9}}]}}
    short = {"layers": [{"conv": {"filters": 4, "kernel": 5, "pad": 0}}, "activation", "pool", {"dense": 9}]}
    (a,), (b,) = arms(long), arms(short)
    assert a.model.settings == {"of": [CONV, "activation", "pool", {"dense": {"units": 9}}]}
    assert a.identity == b.identity


def test_lists_of_lists_are_levels():
    several = {"grid": {"model": {"layers": [[CONV, "activation"], [{"dense": 9}, "tanh"]]}}}
    assert len(arms("mlp", **several)) == 2
    dotted = {"grid": {"model.layers.of": [[CONV, "activation"], [{"dense": 9}, "tanh"]]}}
    assert len(arms({"layers": ["flatten"]}, **dotted)) == 2


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[{conv: {filters: 4, ▲strid: 2}}]", "model.layers.of.conv has no setting 'strid'; did you mean 'stride'? "
         "(choices: bias, filters, groups, kernel, pad, stride)"),
        ("[{▲conv: }]", "model.layers.of.conv needs the setting 'filters', as in {conv: {filters: …}}"),
        ("[{dropout: ▲1.5}]", "model.layers.of.dropout.ratio must be below 1, got 1.5"),
        ("[{pool: {kind: ▲maxx}}]", "model.layers.of.pool.kind must be one of max, average, got 'maxx'; "
         "did you mean 'max'?"),
        ("[relu, ▲[dense]]", "an item of model.layers.of is a name, or one name with settings, got [dense]"),
        ("[▲{dense: 3, relu: }]",
         "an item of model.layers.of is a name, or one name with settings, got {dense: …, relu: …}"),
        ("▲[]", "model.layers.of must be a list of length 1 or more, got an empty list"),
        ("▲relu", "model.layers.of must be a list, got 'relu' (write [relu])"),
        ("[{conv: {filters: 3}}, ▲{pool: {size: 30}}]", "layer 2 of 2: pool1: a window of 30×30 does not fit on 26×26 "
         "with padding 0: output height = (input + padding on both sides − window) / stride + 1 = (26 + 0 − 30) / 30 "
         "+ 1 is below 1"),
        ("[{dense: 7}, activation, flatten, {dense: 3}, ▲{pool: 2}]",
         "layer 5 of 5: pool1 needs samples with channels, height and width, and here a sample is 3 numbers in a row"),
    ],
)  # fmt: skip
def test_mistakes_stand_at_their_item(refused, text, sentence):
    refused(f"{{model: {{layers: {text}}}}}", sentence)


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        ("simple_cnn: {kernel: 29}", "layer 1 of 6: conv1: a window of 29×29 does not fit on 28×28 with padding 0"),
        ("vgg: {widths: [8, 8, 8, 8, 8]}", "layer 25 of 28: pool5: a window of 2×2 does not fit on 1×1 with padding 0"),
        ("alexnet: {scale: original}", "layer 8 of 22: pool2: a window of 3×3 does not fit on 2×2 with padding 0"),
    ],
)
def test_a_named_network_that_does_not_fit_is_told_at_its_name(tmp_path, model, sentence):
    path = tmp_path / "x.yaml"
    path.write_text(f"name: x\nmodel: {{{model}}}\n")
    with pytest.raises(Exception, match=rf"x.yaml:2:8: {sentence}") as caught:
        load(path)
    assert type(caught.value).__name__ == "ConfigError"


@pytest.mark.parametrize(
    "text",
    [
        "grid: {▲activation: [relu, tanh]}",
        "grid: [{▲activation: relu}, {model: mlp, activation: relu}]",
    ],
)
def test_an_activation_that_no_list_asks_for_is_refused(text, refused):
    told = "since the layers name their own; write `activation` in the list where the arm's is meant"
    refused(f"model: {{layers: [{{dense: 4}}, relu]}}\n{text}", f"activation has no effect here, {told}")


def test_a_normalization_that_no_list_asks_for_is_refused(refused, sweep):
    told = "since it stands beside activations, and the layers have none; write `activation` where one is meant"
    text = "model: {layers: [{dense: 4}, batch]}\ngrid: {▲normalization: [none, layer]}"
    refused(text, f"normalization has no effect here, {told}")
    named = sweep("model: {layers: [{dense: 4}, relu]}\ngrid: {normalization: [none, layer]}")
    assert len(list(named.arms())) == 2
    mixed = sweep("grid: {model: [mlp, {layers: [{dense: 4}, relu]}], activation: [relu, tanh]}")
    assert len(list(mixed.arms())) == 4


@pytest.mark.parametrize("name", ["instance", "lrn"])
def test_what_normalizes_images_is_left_out_of_dense_layers_and_refused_where_there_is_nothing_else(name, refused):
    (arm,) = arms("simple_cnn", grid={"normalization": name})
    assert arm.normalization.name == name
    with pytest.raises(Exception, match="use batch or layer, or none"):
        arms("mlp", grid={"normalization": name})


def test_the_schema_knows_lists_of_layers():
    valid = jsonschema.Draft202012Validator(schema())
    good = [
        CONV,
        "activation",
        {"pool": 2},
        {"pool": {"kind": "average"}},
        {"dense": 9},
        {"leaky_relu": {"slope": 0.1}},
    ]
    assert valid.is_valid({"model": {"layers": good}})
    assert valid.is_valid({"model": {"layers": {"of": good}}})
    assert valid.is_valid({"grid": {"model": ["mlp", {"layers": good, "label": "own"}]}})
    for wrong in ("conf", {"conv": {"filter": 3}}, {"conv": {}}, {"pool": "big"}, {"dense": 0}, 3, "conv"):
        assert not valid.is_valid({"model": {"layers": [wrong]}}), wrong


IN_A_ROW = "conv1 needs samples with channels, height and width, and here a sample is 12 numbers in a row"


@pytest.mark.parametrize(
    ("shape", "model", "sentence"),
    [
        ((12,), "▲simple_cnn", f"layer 1 of 6: {IN_A_ROW}"),
        ((12,), "{layers: [relu, ▲{conv: {filters: 2}}]}", f"layer 2 of 2: {IN_A_ROW}"),
        (
            (4, 3),
            "▲simple_cnn",
            "layer 1 of 6: conv1: a window of 5×5 does not fit on 4×3 with padding 0: output height = "
            "(input + padding on both sides − window) / stride + 1 = (4 + 0 − 5) / 1 + 1 is below 1",
        ),
    ],
)
def test_what_an_archive_holds_must_suit_the_layers(tmp_path, refused, shape, model, sentence):
    t = np.arange(6) % 3
    np.savez(tmp_path / "own.npz", x_train=np.ones((6, *shape)), t_train=t, x_test=np.ones((6, *shape)), t_test=t)
    refused(f"data: {{npz: {{path: own.npz}}}}\ntrain: {{batch_size: 2, iterations: 2}}\nmodel: {model}", sentence)


@pytest.mark.parametrize("shape", [(6, 5), (1, 6, 5), (3, 6, 5)])
def test_images_of_an_archive_train_convolutional_networks(tmp_path, shape):
    rng = np.random.default_rng(0)
    t = np.arange(8) % 2
    x = rng.integers(0, 256, (8, *shape), dtype=np.uint8)
    np.savez(tmp_path / "own.npz", x_train=x, t_train=t, x_test=x, t_test=t)
    config = {
        "name": "own",
        "data": {"npz": {"path": str(tmp_path / "own.npz"), "train": 6, "validation": 2}},
        "train": {"iterations": 2, "batch_size": 1},
        "evaluate": {"every": 1, "on": ["train", "validation", "test"]},
        "model": {"simple_cnn": {"kernel": 3, "filters": 2, "hidden": 4}},
        "seeds": 2,
    }
    results = run(config, output=tmp_path, executor="inline")
    assert list(results.runs["status"]) == ["done"] * 2
    channels = shape[0] if len(shape) == 3 else 1
    assert set(results.runs["parameters"]) == {2 * 9 * channels + 2 + 4 * (2 * 2 * 1) + 4 + 2 * 4 + 2}
    forecast = dry_run(config, output=tmp_path / "other", executor="inline")
    assert forecast.seconds > 0
    assert forecast.memory > 0
