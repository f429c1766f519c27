"""Convolution, pooling and whole sequences: against plain loops, finite differences, and in any company."""

import itertools
from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlsweep.errors import UsageError
from dlsweep.nn.activations import activation_layer, activations
from dlsweep.nn.forward import forward
from dlsweep.nn.fusion import pool_first
from dlsweep.nn.layers import Context, SharedInput, kinds, size
from dlsweep.nn.networks import networks
from dlsweep.nn.patches import col2im, columns, im2col, rows, rows_adjoint, window
from dlsweep.nn.regularizers import regularizers
from dlsweep.nn.sequences import items, sequence
from dlsweep.randomness import Seeds
from dlsweep.training.random_draws import Draws

SEEDS = {Seeds(0): slice(0, 2), Seeds(1): slice(2, 3)}
TRAINING, EVALUATION = (Context(training, Draws(SEEDS, 1)) for training in (True, False))
TANH = activations["tanh"]

sides = st.integers(1, 7)
small = st.integers(1, 3)


@st.composite
def windows(draw):
    """An image's shape (N, C, H, W), and a window that fits on it."""
    n, c, h, w = draw(small), draw(small), draw(sides), draw(sides)
    pad = draw(st.sampled_from([0, 1, 2, "same"]))
    margin = 0 if pad == "same" else pad
    least = 1 if pad == "same" else pad + 1
    k = draw(st.integers(least, max(least, min(h, w) + 2 * margin)))
    stride = draw(small)
    if pad != "same" and k > min(h, w) + 2 * margin:
        pad, k = 0, min(h, w)
    return (n, c, h, w), k, stride, pad


def by_hand(x, k, stride, pad):
    """What a window sees, place by place, in plain loops."""
    _, c, h, w = x.shape
    before, after = (pad, pad), (pad, pad)
    if pad == "same":
        totals = [max(0, (-(-side // stride) - 1) * stride + k - side) for side in (h, w)]
        before, after = [t // 2 for t in totals], [t - t // 2 for t in totals]
    padded = np.pad(x, ((0, 0), (0, 0), *zip(before, after, strict=True)))
    found = []
    for image in padded:
        for i in range(0, padded.shape[2] - k + 1, stride):
            for j in range(0, padded.shape[3] - k + 1, stride):
                found.append([image[ch, i + a, j + b] for ch in range(c) for a in range(k) for b in range(k)])
    return np.array(found)


@given(windows())
def test_im2col_is_a_loop_over_positions_and_col2im_its_adjoint(problem):
    shape, k, stride, pad = problem
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape)
    matrix = im2col(x, k, stride, pad)
    np.testing.assert_array_equal(matrix, by_hand(x, k, stride, pad))
    y = rng.standard_normal(matrix.shape)
    np.testing.assert_allclose(np.sum(matrix * y), np.sum(x * col2im(y, shape, k, stride, pad)))


@given(windows())
def test_rows_hold_the_same_as_im2col_and_have_an_adjoint(problem):
    shape, k, stride, pad = problem
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape)
    over = window("w", shape[2:], k, stride, pad)
    laid = rows(np.moveaxis(x, 0, -1), over)
    oh, ow = over.output
    seen = columns(laid, over).reshape(oh, k, shape[1], k, ow, shape[0])
    classic = im2col(x, k, stride, pad).reshape(shape[0], oh, ow, shape[1], k, k)
    np.testing.assert_array_equal(seen, np.transpose(classic, (1, 4, 3, 5, 2, 0)))
    y = rng.standard_normal(laid.shape)
    np.testing.assert_allclose(np.sum(laid * y), np.sum(x * np.moveaxis(rows_adjoint(y, shape[1], over), -1, 0)))


def test_the_fixed_points():
    image = np.arange(16.0).reshape(1, 1, 4, 4)
    matrix = im2col(image, 2)
    assert matrix.shape == (9, 4)
    assert matrix[0].tolist() == [0, 1, 4, 5]
    overlaps = col2im(im2col(np.ones((1, 1, 4, 4)), 2), (1, 1, 4, 4), 2)[0, 0]
    assert overlaps.tolist() == [[1, 2, 2, 1], [2, 4, 4, 2], [2, 4, 4, 2], [1, 2, 2, 1]]
    assert window("w", (6, 6), 2, 1, 1).output == (7, 7)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            {"size": 5},
            r"w: a window of 5×5 does not fit on 4×4 with padding 0: .* = \(4 \+ 0 − 5\) / 1 \+ 1 is below 1",
        ),
        ({"size": 2, "pad": 2}, "w: padding must be smaller than the window, got 2 for a window of 2"),
        ({"size": [1, 5]}, r"w: a window of 1×5 does not fit on 4×4 .* width .* = \(4 \+ 0 − 5\) / 1 \+ 1 is below 1"),
    ],
)
def test_a_window_that_does_not_fit_is_a_sentence_with_the_formula(asked, said):
    with pytest.raises(UsageError, match=said):
        window("w", (4, 4), **asked)


def of_kind(name, shape, **own):
    return kinds[name].function("layer1", shape, **own)


LAYERS = {
    "conv": [("conv", {"filters": 3, "kernel": 2})],
    "conv strided": [("conv", {"filters": 2, "kernel": 3, "stride": 2, "pad": 1})],
    "conv uneven": [("conv", {"filters": 2, "kernel": [2, 3], "stride": [1, 2], "pad": [0, 1], "bias": False})],
    "conv same": [("conv", {"filters": 2, "kernel": 4, "stride": 2, "pad": "same"})],
    "conv groups": [("conv", {"filters": 4, "kernel": 2, "groups": 2})],
    "max": [("pool", {"size": 2})],
    "max overlapping": [("pool", {"size": 3, "stride": 2, "pad": 1})],
    "max uneven": [("pool", {"size": [1, 2], "stride": [2, 1]})],
    "average": [("pool", {"size": 2, "kind": "average"})],
    "average overlapping": [("pool", {"size": 3, "stride": 1, "pad": 1, "kind": "average"})],
    "global average": [("global_average_pool", {})],
    "flatten": [("flatten", {})],
    "dense": [("dense", {"units": 3})],
}
EVERY = pytest.mark.parametrize("kind", LAYERS)


def layer_and_problem(kind, runs=3, dtype=np.float64):
    ((name, own),) = LAYERS[kind]
    shape = (4, 5, 6) if kind == "conv groups" else (2, 5, 6)
    layer = of_kind(name, shape, **own)
    rng = np.random.default_rng(0)
    p = {k: rng.standard_normal((runs, *d.shape)).astype(dtype) for k, d in layer.parameters.items()}
    x = rng.standard_normal((runs, *shape, 4)).astype(dtype)
    return layer, p, x


def test_every_kind_is_tried():
    parts = {"activation", "dropout", "residual", "parallel"}  # of sequences
    assert {name for ((name, _),) in LAYERS.values()} | parts == set(kinds)


@EVERY
def test_back_is_the_gradient(kind):
    layer, p, x = layer_and_problem(kind)
    y, back, *_ = layer.apply(p, x, TRAINING)
    assert y.shape == (len(x), *layer.shape, x.shape[-1])
    dy = np.random.default_rng(1).standard_normal(y.shape)
    dx, gradients = back(dy.copy())
    assert gradients.keys() == p.keys()
    h = 1e-6
    for w, gradient in [(x, dx), *((p[k], gradients[k]) for k in p)]:
        assert gradient.shape == w.shape
        for index in np.ndindex(w.shape[1:]):
            each = (slice(None), *index)
            kept = w[each].copy()
            sums = []
            for moved in (kept + h, kept - h):
                w[each] = moved
                sums.append((layer.apply(p, x, TRAINING).y * dy).reshape(len(x), -1).sum(axis=1))
            w[each] = kept
            np.testing.assert_allclose(gradient[each], (sums[0] - sums[1]) / (2 * h), atol=1e-7, rtol=1e-5)


@pytest.mark.parametrize("kind", [k for k in LAYERS if k.startswith("conv")])
def test_a_convolution_is_the_product_of_im2col_and_kernels(kind):
    layer, p, x = layer_and_problem(kind)
    ((_, own),) = LAYERS[kind]
    groups = own.get("groups", 1)
    for r in range(len(x)):
        parts = []
        for part, W in zip(np.split(x[r], groups), np.split(p["W"][r], groups), strict=True):
            seen = im2col(np.moveaxis(part, -1, 0), own["kernel"], own.get("stride", 1), own.get("pad", 0))
            oh, ow = layer.shape[1:]
            parts.append((seen @ W.reshape(len(W), -1).T).reshape(x.shape[-1], oh, ow, len(W)))
        expected = np.moveaxis(np.concatenate(parts, axis=-1), (0, 3), (-1, 0))
        expected = expected + p["b"][r] if "b" in p else expected
        np.testing.assert_allclose(layer.apply(p, x, TRAINING).y[r], expected, atol=1e-12)


@EVERY
def test_together_is_alone_and_the_type_is_kept(kind):
    layer, p, x = layer_and_problem(kind, dtype=np.float32)
    together = layer.apply(p, x, TRAINING)
    dy = np.random.default_rng(1).standard_normal(together.y.shape).astype(np.float32)
    dx, gradients = together.back(dy.copy())
    assert {a.dtype for a in (together.y, dx, *gradients.values())} == {np.dtype(np.float32)}
    for r in range(len(x)):
        alone = layer.apply({k: w[r : r + 1] for k, w in p.items()}, x[r : r + 1], TRAINING)
        dx_alone, gradients_alone = alone.back(dy[r : r + 1].copy())
        np.testing.assert_array_equal(together.y[r], alone.y[0])
        np.testing.assert_array_equal(dx[r], dx_alone[0])
        for k in gradients:
            np.testing.assert_array_equal(gradients[k][r], gradients_alone[k][0])


@pytest.mark.parametrize("kind", [k for k in LAYERS if k.startswith(("conv", "dense"))])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_runs_share_is_as_if_each_had_its_own(kind, dtype):
    layer, p, x = layer_and_problem(kind, dtype=dtype)
    inputs = [SharedInput(x[0], SEEDS[Seeds(0)]), SharedInput(x[2], SEEDS[Seeds(1)])]
    own = layer.apply(p, x[[0, 0, 2]], TRAINING)
    shared = layer.apply(p, inputs, TRAINING)
    dy = np.random.default_rng(1).standard_normal(own.y.shape).astype(dtype)
    near = {"rtol": 1e-4, "atol": 1e-4} if dtype == np.float32 else {"rtol": 1e-10, "atol": 1e-12}
    np.testing.assert_allclose(shared.y, own.y, **near)
    (nothing, gradients), (_, own_gradients) = shared.back(dy.copy()), own.back(dy.copy())
    assert nothing is None
    for k in p:
        np.testing.assert_allclose(gradients[k], own_gradients[k], **near)
    alone = layer.apply({k: w[1:2] for k, w in p.items()}, [SharedInput(x[0], slice(0, 1))], TRAINING)
    np.testing.assert_array_equal(shared.y[1], alone.y[0])
    for k, gradient in alone.back(dy[1:2].copy())[1].items():
        np.testing.assert_array_equal(gradients[k][1], gradient[0])


def test_the_first_of_equal_maxima_gets_the_gradient():
    layer = of_kind("pool", (1, 2, 2))
    x = np.ones((1, 1, 2, 2, 1))
    dx, _ = layer.apply({}, x, TRAINING).back(np.full((1, 1, 1, 1, 1), 7.0))
    assert dx.ravel().tolist() == [7, 0, 0, 0]


# Whole sequences


def activated(suffix, shape, own=None):
    return [own or activation_layer(f"activation{suffix}", shape, TANH, {})]


def built(shape, classes, of):
    return sequence(shape, classes, activated, of)


SEQUENCES = {
    "a convolution": [{"conv": {"filters": 2, "kernel": 2}}, "activation", {"pool": 2}, {"dense": 4}, "relu"],
    "pool first": [{"pool": 2}, {"conv": {"filters": 2, "kernel": 2}}, "batch", "sigmoid", "global_average_pool"],
    "normalized": [{"conv": {"filters": 4, "kernel": 2}}, {"group": {"groups": 2}}, "tanh", "lrn", "flatten"],
    "dropout": ["flatten", {"dense": 4}, "prelu", {"dropout": 0.3}, {"dense": 3}],
    "logits by convolution": [{"conv": {"filters": 3, "kernel": [5, 4], "stride": 9}}, "flatten"],
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_gradients_of_whole_sequences(name):
    layers = built((2, 5, 4), 3, SEQUENCES[name])
    rng = np.random.default_rng(0)
    parameters = [
        {k: rng.standard_normal((3, *d.shape)) + np.asarray(d.start) for k, d in layer.parameters.items()}
        for layer in layers
    ]
    for p, layer in zip(parameters, layers, strict=True):
        for k, d in layer.parameters.items():
            if not d.trained:
                p[k][...] = 1.0
    x = rng.standard_normal((2, 2, 5, 4, 6))
    inputs = [SharedInput(x[0], SEEDS[Seeds(0)]), SharedInput(x[1], SEEDS[Seeds(1)])]
    passed = forward(layers, parameters, inputs, TRAINING)
    assert passed.logits.shape == (3, 3, 6)
    dy = rng.standard_normal(passed.logits.shape)
    gradients = passed.back(dy.copy())
    h = 1e-6
    for p, gradient in zip(parameters, gradients, strict=True):
        for k, g in gradient.items():
            for index in itertools.islice(np.ndindex(p[k].shape[1:]), 40):
                each = (slice(None), *index)
                kept = p[k][each].copy()
                sums = []
                for moved in (kept + h, kept - h):
                    p[k][each] = moved
                    sums.append((forward(layers, parameters, inputs, TRAINING).logits * dy).sum(axis=(1, 2)))
                p[k][each] = kept
                np.testing.assert_allclose(g[each], (sums[0] - sums[1]) / (2 * h), atol=1e-6, rtol=1e-4)


def test_layers_are_numbered_by_kind_and_end_with_the_classes():
    names = [layer.name for layer in built((2, 5, 4), 3, SEQUENCES["a convolution"])]
    assert names == ["conv1", "activation1", "pool1", "dense1", "activation2", "dense2"]
    assert [layer.name for layer in built((2, 5, 4), 3, SEQUENCES["dropout"])][-1] == "dense2"
    assert built((2, 5, 4), 3, SEQUENCES["logits by convolution"])[-1].name == "flatten1"
    assert built((2, 5, 4), 3, [{"dense": 3}, "relu"])[-1].name == "dense2"  # an activation gives no logits


@pytest.mark.parametrize("name", [name for name in activations if name != "prelu"])
def test_pooling_before_the_activation_changes_no_number(name):
    """For those that never fall; the others are not moved, which this would find."""
    x = np.random.default_rng(0).standard_normal((2, 1, 4, 6, 3)) * 3
    entry = activations[name]
    own = {k: np.array([s.default]) for k, s in entry.settings.items()}
    activation = activation_layer("a", (1, 4, 6), entry, own)
    layers = pool_first([activation, kinds["pool"]("pool1", (1, 4, 6))])
    y = x
    for layer in layers:
        y = layer.apply({}, y, TRAINING).y
    expected = activation.apply({}, x, TRAINING).y.reshape(2, 1, 2, 2, 3, 2, 3).max(axis=(3, 5))
    np.testing.assert_allclose(y, expected, rtol=1e-12)
    assert (layers[0].name == "pool1") == activation.facts.non_decreasing


@pytest.mark.parametrize("name", [name for name in activations if name != "prelu"])
def test_only_what_never_falls_says_so(name):
    entry = activations[name]
    own = {k: np.array([s.default]) for k, s in entry.settings.items()}
    y = activation_layer("a", (1,), entry, own).apply({}, np.linspace(-6, 6, 2001)[None, None], TRAINING).y
    assert activation_layer("a", (1,), entry, own).facts.non_decreasing == bool((np.diff(y) >= -1e-15).all())


@pytest.mark.parametrize(
    ("of", "said"),
    [
        ([{"conv": {"filters": 2, "kernel": 9}}], r"^layer 1 of 1: conv1: a window of 9×9 does not fit on 5×4"),
        (
            [{"dense": 4}, {"conv": {"filters": 2}}],
            "^layer 2 of 2: conv1 needs samples with channels, height and width, ",
        ),
        (["conf"], "^layer 1 of 1: there is no layer 'conf'; did you mean 'conv'"),
        ([{"dense": 4}, "instance"], "^layer 2 of 2: instance normalization takes each channel"),
        ([{"conv": {"filters": 3, "groups": 2}}], "2 channels and 3 filters cannot both be split into 2 groups"),
    ],
)
def test_what_does_not_fit_is_a_sentence_with_the_layer(of, said):
    with pytest.raises(UsageError, match=said):
        built((2, 5, 4), 3, of)


@pytest.mark.parametrize(
    ("network", "own", "shape", "classes", "parameters"),
    [
        ("simple_cnn", {}, (1, 28, 28), 10, 433_890),
        ("lenet", {}, (1, 28, 28), 10, 61_706),
        ("lenet", {"variant": "modern"}, (1, 32, 32), 10, 61_706),
        ("alexnet", {"scale": "original"}, (3, 227, 227), 1000, 60_965_224),
        ("alexnet", {}, (1, 28, 28), 10, 96_074),
        ("alexnet", {}, (3, 32, 32), 100, 128_964),
        ("vgg", {}, (3, 32, 32), 10, 204_570),
    ],
)
def test_named_networks_have_the_parameters_that_they_should(network, own, shape, classes, parameters):
    layers = networks[network].function(shape, classes, activated, **own)
    assert size(layers) == parameters
    assert layers[-1].shape == (classes,)
    assert all(prod(layer.shape) for layer in layers)


def test_biases_begin_where_their_layer_says():
    layers = built(
        (1, 3, 3), 2, [{"conv": {"filters": 2, "kernel": 2, "bias": 0.5}}, {"dense": {"units": 2, "bias": 1}}]
    )
    assert [layer.parameters["b"].start for layer in layers] == [0.5, 1]
    for bias, start in ((True, 0.0), (0, 0), (0.0, 0.0)):
        (layer, _) = built((1, 3, 3), 2, [{"conv": {"filters": 2, "kernel": 2, "bias": bias}}])
        assert layer.parameters["b"].start == start
    assert "b" not in built((1, 3, 3), 2, [{"conv": {"filters": 2, "kernel": 2, "bias": False}}])[0].parameters


@pytest.mark.parametrize("mode", ["inverted", "classic"])
def test_dropout_in_a_list_is_the_regularizer(mode):
    (layer, _) = built((6,), 2, [{"dropout": {"ratio": 0.25, "mode": mode}}])
    own = regularizers["dropout"](ratio=np.array([0.25], np.float32), mode=mode).activated("dropout1", (6,))
    x = np.random.default_rng(0).standard_normal((1, 6, 5)).astype(np.float32)
    for training in (True, False):
        context = Context(training, Draws({Seeds(0): slice(0, 1)}, 1))
        np.testing.assert_array_equal(
            layer.apply({}, [SharedInput(x[0], slice(0, 1))], context).y, own.apply({}, x, context).y
        )


def test_a_list_may_name_every_kind_normalization_and_activation():
    assert set(items) == {*kinds, "none", "batch", "layer", "instance", "group", "lrn", *activations}


LAST = {"flatten", "global_average_pool", "dense", "conv", "pool"}


def test_every_item_has_its_defaults_and_keeps_the_type():
    """Numbers of settings must not make single precision double."""
    x = np.random.default_rng(0).standard_normal((4, 5, 4, 3)).astype(np.float32)
    of = [{"conv": {"filters": 4}}, *sorted(set(items) - LAST - {"residual", "parallel"})]
    layers = sequence((4, 5, 4), 3, activated, [*of, "pool", "global_average_pool"])
    parameters = [
        {k: np.full((2, *d.shape), d.start or 0.1, np.float32) for k, d in layer.parameters.items()} for layer in layers
    ]
    outputs = []
    passed = forward(
        layers, parameters, [SharedInput(x, slice(0, 2))], Context(True, Draws({Seeds(0): slice(0, 2)}, 1)), outputs
    )
    assert {output.y.dtype for output in outputs} == {np.dtype(np.float32)}
    gradients = passed.back(np.ones_like(passed.logits))
    assert {g.dtype for gs in gradients for g in gs.values()} == {np.dtype(np.float32)}
