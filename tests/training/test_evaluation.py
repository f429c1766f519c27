import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.arms import make_arm, make_data
from tests.support.by_hand import ByHand

from dlsweep.config.runs import Run
from dlsweep.nn.activations import activation_layer, activations
from dlsweep.nn.forward import forward
from dlsweep.nn.layers import Context, SharedInput
from dlsweep.nn.losses import softmax_cross_entropy
from dlsweep.nn.networks import networks
from dlsweep.randomness import Seeds
from dlsweep.training.evaluation import evaluate as evaluate_network
from dlsweep.training.loop import train
from dlsweep.training.network import Network
from dlsweep.training.random_draws import Draws
from dlsweep.training.samples import BLOCK, Blocks, Group, subset


def scaled(scale):
    def floats(x, dtype):
        return np.multiply(x, dtype.type(scale), dtype=dtype)

    return floats


def network():
    return networks["mlp"].function(
        (6,), 3, lambda suffix, units: [activation_layer(suffix, units, activations["tanh"], {})], hidden=[4]
    )


def evaluate(layers, parameters, groups):
    return evaluate_network(Network(layers, layers, []), parameters, groups, Draws({}, 0))[:2]


def parameters_of(layers, runs, dtype):
    rng = np.random.default_rng(0)
    stack = []
    for layer in layers:
        stack.append({k: rng.standard_normal((runs, *d.shape)).astype(dtype) for k, d in layer.parameters.items()})
    return stack


@given(st.integers(1, 2 * BLOCK + 3), st.sampled_from([0.02, 0.3, 1.0]), st.integers(1, 40))
def test_blocks_hold_every_sample_once_and_leave_out_only_zeros(samples, share, features):
    rng = np.random.default_rng(0)
    x = rng.integers(1, 256, (samples, features)) * (rng.random((samples, features)) < share)
    x[:, 0] = np.arange(samples) % 251  # so that most samples can be told apart
    x, t = x.astype(np.uint8), rng.integers(3, size=samples)
    whole = Blocks(x, t, scaled(1 / 255), np.dtype(np.float64))
    blocks = list(whole)
    assert [len(b.t) for b in blocks[:-1]] == [BLOCK] * (len(blocks) - 1)
    order = np.arange(features) if whole.features is None else whole.features
    assert sorted(order) == list(range(features))
    rebuilt = []
    for b in blocks:
        whole = np.zeros((len(b.t), features))
        whole[:, order[: len(b.x)]] = b.x.T
        rebuilt += [(*row, label) for row, label in zip(np.round(whole * 255).astype(int).tolist(), b.t, strict=True)]
    assert sorted(rebuilt) == sorted((*row, label) for row, label in zip(x.tolist(), t, strict=True))


@pytest.mark.parametrize("samples", [1, 37, BLOCK, BLOCK + 1, 3 * BLOCK - 1])
def test_metrics_are_means_over_all_samples_the_last_block_included(samples):
    rng = np.random.default_rng(0)
    x = rng.random((samples, 6)) * (rng.random((samples, 6)) < 0.4)
    t = rng.integers(3, size=samples)
    layers = network()
    parameters = parameters_of(layers, 2, np.float64)
    loss, accuracy = evaluate(layers, parameters, [Group(slice(0, 2), Blocks(x, t, scaled(1), np.dtype(np.float64)))])
    logits = forward(layers, parameters, [SharedInput(x.T, slice(0, 2))], Context(False, Draws({}, 0))).logits
    np.testing.assert_allclose(loss, softmax_cross_entropy(logits, t)[0].mean(axis=1))
    np.testing.assert_allclose(accuracy, (logits.argmax(axis=1) == t).mean(axis=1))


def test_dark_features_are_gathered_and_left_out():
    """Three kinds of samples, each with its own dark part: the darkest come first, and with fewer features."""
    rng = np.random.default_rng(0)
    lit = np.array([5, 60, 100])[rng.permutation(np.repeat([0, 1, 2], BLOCK))]
    x = rng.random((3 * BLOCK, 100)) * (np.arange(100) < lit[:, None])
    blocks = Blocks(x[:, rng.permutation(100)], np.zeros(3 * BLOCK, int), scaled(1), np.dtype(np.float32))
    assert [len(b.x) for b in blocks] == [5, 60, 100]
    assert len(next(iter(Blocks(x, np.zeros(len(x), int), scaled(1), np.dtype(np.float32), reorder=False))).x) == 100


def test_a_single_block_leaves_out_what_is_dark_in_all_of_it():
    x = np.ones((BLOCK, 9)) * (np.arange(9) % 3 == 1)
    (block,) = Blocks(x, np.zeros(BLOCK, int), scaled(1), np.dtype(np.float32))
    np.testing.assert_array_equal(block.x, np.ones((3, BLOCK)))


def test_groups_are_evaluated_on_their_own_samples():
    rng = np.random.default_rng(0)
    x, t = rng.random((2, 11, 6)), rng.integers(3, size=(2, 11))
    layers = network()
    parameters = parameters_of(layers, 3, np.float64)
    slices = [slice(0, 1), slice(1, 3)]
    blocks = [Blocks(x[i], t[i], scaled(1), np.dtype(np.float64)) for i in range(2)]
    loss, _ = evaluate(layers, parameters, [Group(s, b) for s, b in zip(slices, blocks, strict=True)])
    for s, b in zip(slices, blocks, strict=True):
        own = [{k: w[s] for k, w in p.items()} for p in parameters]
        np.testing.assert_allclose(loss[s], evaluate(layers, own, [Group(slice(0, s.stop - s.start), b)])[0])


def test_a_split_too_large_to_keep_as_floats_gives_the_same_numbers(monkeypatch):
    rng = np.random.default_rng(0)
    x, t = rng.integers(0, 256, (700, 6)).astype(np.uint8), rng.integers(3, size=700)
    layers = network()
    parameters = parameters_of(layers, 2, np.float32)

    def metrics():
        blocks = Blocks(x, t, scaled(1 / 255), np.dtype(np.float32))
        return evaluate(layers, parameters, [Group(slice(0, 2), blocks)]), blocks.blocks[0].x.dtype

    kept, kept_dtype = metrics()
    monkeypatch.setattr("dlsweep.training.samples.KEEP_BELOW", 0)
    converted, converted_dtype = metrics()
    assert (kept_dtype, converted_dtype) == (np.float32, np.uint8)
    np.testing.assert_array_equal(converted, kept)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("keep_below", [0, 1 << 30])
def test_standardized_samples_are_seen_so_in_training_and_in_evaluation(dtype, keep_below, monkeypatch):
    """Zeros are no longer dark, so nothing is left out; whether blocks are kept as floats changes nothing."""
    monkeypatch.setattr("dlsweep.training.samples.KEEP_BELOW", keep_below)
    data = make_data(shape=(3, 2, 2), dtype=dtype, standardized=True)
    stack = ByHand([Run(make_arm(), Seeds(0))], data, np.dtype(np.float32))
    mean, std = data.arrays.mean.reshape(3, 1, 1), data.arrays.std.reshape(3, 1, 1)
    batch = stack.gather(Seeds(0), np.arange(5))
    np.testing.assert_allclose(np.moveaxis(batch.x, -1, 0), (data.arrays.x_train[:5] - mean) / std, rtol=1e-6)
    blocks = stack.split("test")
    assert blocks.features is None
    seen = np.concatenate([np.moveaxis(b.x, -1, 0) for b in blocks])
    np.testing.assert_allclose(seen, (data.arrays.x_test - mean) / std, rtol=1e-6)
    assert all(b.x.flags.c_contiguous and b.x.dtype == np.float32 for b in blocks)


def test_seeds_with_subsets_of_their_own_see_all_splits_with_moments_of_their_own():
    data = make_data(train=8, shape=(3, 2, 2), standardized=True)
    stack = ByHand([Run(make_arm(), Seeds(seed)) for seed in (0, 1)], data, np.dtype(np.float32))
    arrays, moments = data.arrays, {}
    for seed in (Seeds(0), Seeds(1)):
        x = arrays.x_train[subset(seed, 8, 30)]
        moments[seed] = x.mean(axis=(0, 2, 3)).reshape(3, 1, 1), x.std(axis=(0, 2, 3)).reshape(3, 1, 1)
        mean, std = moments[seed]
        batch = stack.gather(seed, np.arange(5))
        np.testing.assert_allclose(np.moveaxis(batch.x, -1, 0), (x[:5] - mean) / std, rtol=1e-5, atol=1e-6)
        for split, expected in {"train": x, "validation": arrays.x_validation, "test": arrays.x_test}.items():
            seen = np.concatenate([np.moveaxis(b.x, -1, 0) for b in stack.split(split)[seed]])
            np.testing.assert_allclose(seen, (expected - mean) / std, rtol=1e-5, atol=1e-6)
    assert not np.allclose(*moments.values())


def test_an_ensemble_whose_members_have_moments_of_their_own_averages_them():
    data = make_data(train=8, shape=(3, 2, 2), standardized=True)
    arm = make_arm(members=(0, 1))
    outcome = train([Run(arm, Seeds(seed)) for seed in (0, 1)], data)
    alone = [train([Run(make_arm(), Seeds(seed))], data).curves for seed in (0, 1)]
    averaged = outcome.ensembles
    for at, split in enumerate(averaged["split"]):
        rows = [(c["split"] == split) & (c["iteration"] == averaged["iteration"][at]) for c in alone]
        losses = [c["loss"][row][0] for c, row in zip(alone, rows, strict=True)]
        assert averaged["loss"][at] <= np.mean(losses) + 1e-6  # by convexity
    assert set(averaged["split"]) == {"validation", "test"}
