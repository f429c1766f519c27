"""A run does not know its company: the same bits for one run and for many, layer by layer, in any sequence."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlsweep.errors import UsageError
from dlsweep.nn.activations import activation_layer, activations
from dlsweep.nn.forward import forward
from dlsweep.nn.fusion import tile
from dlsweep.nn.layers import Context, SharedInput
from dlsweep.nn.networks import networks
from dlsweep.nn.patches import Tiles
from dlsweep.nn.sequences import sequence
from dlsweep.randomness import Seeds
from dlsweep.training.random_draws import Draws
from dlsweep.training.samples import block_size

pytestmark = pytest.mark.slow

MOST = 6  # runs in company


def activated(suffix, shape, own=None):
    return [own or activation_layer(f"activation{suffix}", shape, activations["relu"], {})]


def assert_same(some, others):
    for a, b in zip(some, others, strict=True):
        assert np.array_equal(a, b, equal_nan=True)


def everything(layers, parameters, x, slices, training):
    """What every layer makes of samples, and every gradient and state, by name; the same in pieces and as a whole."""
    inputs = [SharedInput(x[seeds.number], runs) for seeds, runs in slices.items()]
    outputs = []
    passed = forward(layers, parameters, inputs, Context(training, Draws(slices, 1)), outputs)
    tiled = forward(tile(layers), parameters, inputs, Context(training, Draws(slices, 1)))
    assert_same([passed.logits], [tiled.logits])
    found = {f"{layer.name}: y": output.y for layer, output in zip(layers, outputs, strict=True)}
    if training:
        dy = np.random.default_rng(1).standard_normal(passed.logits.shape[1:]).astype(passed.logits.dtype)
        dy = np.ascontiguousarray(np.broadcast_to(dy, passed.logits.shape))
        gradients = passed.back(dy)
        for whole, pieces in zip(gradients, tiled.back(dy), strict=True):
            assert_same(whole.values(), pieces.values())
        for layer, *several in zip(layers, gradients, passed.states, strict=True):
            found |= {f"{layer.name}: {k}": array for one in several for k, array in one.items()}
    return found


def assert_one_set_of_bits(layers, shape, samples, *, training, companies, dtype=np.float32):
    """companies: how many runs of each of two seeds are in a stack."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, *shape, samples)).astype(dtype)
    parameters = [
        {k: (0.3 * rng.standard_normal((MOST, *p.shape)) + p.start).astype(dtype) for k, p in layer.parameters.items()}
        for layer in layers
    ]
    for p in parameters:
        if "variance" in p:
            p["variance"] **= 2

    def of(runs):
        return [{k: w[runs].copy() for k, w in p.items()} for p in parameters]

    @cache
    def alone(seed, r):
        return everything(layers, of([r]), x, {Seeds(seed): slice(0, 1)}, training)

    with np.errstate(all="ignore"):
        for first, second in companies:
            slices = {Seeds(0): slice(0, first), Seeds(1): slice(first, first + second)}
            slices = {seed: runs for seed, runs in slices.items() if runs.stop > runs.start}
            together = everything(layers, of(range(first + second)), x, slices, training)
            for name, arrays in together.items():
                for r, array in enumerate(arrays):
                    own = alone(int(r >= first), r)[name][0]
                    assert array.dtype == own.dtype == dtype, name
                    np.testing.assert_array_equal(array, own, err_msg=f"{name} of run {r} in {first} + {second}")


side = st.sampled_from([1, 2, 3])
convolutions = st.fixed_dictionaries(
    {
        "filters": st.sampled_from([1, 2, 4, 6]),
        "kernel": st.one_of(side, st.lists(side, min_size=2, max_size=2)),
        "stride": st.sampled_from([1, 2, [1, 2]]),
        "pad": st.sampled_from([0, "same"]),
        "groups": st.sampled_from([1, 1, 2]),
        "bias": st.booleans(),
    }
)
pools = st.fixed_dictionaries(
    {"size": side, "stride": st.sampled_from([None, 1, 2]), "kind": st.sampled_from(["max", "average"])}
)
others = st.sampled_from(
    ["activation", "tanh", "gelu", "prelu", "batch", "layer", "instance", "group", {"lrn": {"size": 3}},
     {"dropout": 0.3}, {"dense": 1}, {"dense": 5}, "global_average_pool", "flatten"]
)  # fmt: skip
items = st.one_of(st.builds(lambda c: {"conv": c}, convolutions), st.builds(lambda p: {"pool": p}, pools), others)
shapes = st.tuples(st.integers(1, 4), st.sampled_from([1, 3, 5, 9]), st.sampled_from([1, 2, 6, 8, 16]))


@settings(max_examples=60)
@given(
    shapes,
    st.lists(items, min_size=1, max_size=3),
    st.sampled_from([1, 2, 3, 8, 17, 100]),
    st.booleans(),
    st.sampled_from([np.float32, np.float64]),
)
def test_any_sequence(shape, of, samples, training, dtype):
    try:
        layers = sequence(shape, 3, activated, of)
    except UsageError:
        return  # it does not fit
    companies = [(2, 0), (1, 1), (MOST, 0), (2, 3)]
    assert_one_set_of_bits(layers, shape, samples, training=training, companies=companies, dtype=dtype)


sides = st.sampled_from([1, 2, 3, [1, 3], [3, 1]])
steps = st.sampled_from([1, 2, 3, 4, [1, 3], [3, 2]])
pads = st.sampled_from([0, 0, 1, [0, 1], [1, 0], "same"])
pooled = st.fixed_dictionaries(
    {"size": sides, "stride": steps, "pad": pads, "kind": st.sampled_from(["max", "average"])}
)
convolved = st.fixed_dictionaries(
    {"filters": st.sampled_from([1, 2, 12]), "kernel": sides, "stride": steps, "pad": pads, "bias": st.booleans()}
)


@settings(max_examples=60)
@given(
    st.tuples(st.sampled_from([1, 4]), st.sampled_from([1, 6, 9, 12]), st.sampled_from([1, 4, 13])),
    convolved,
    pooled,
    st.booleans(),
    st.sampled_from([1, 2, 5, 8, 30]),
    st.booleans(),
)
def test_a_pooling_that_takes_a_convolution_in_pieces(shape, conv, pool, second, samples, training):
    try:
        layers = sequence(shape, 3, activated, [*[{"conv": 4}] * second, {"conv": conv}, {"pool": pool}])
    except UsageError:
        return  # it does not fit
    assert_one_set_of_bits(layers, shape, samples, training=training, companies=[(2, 0), (1, 2)])


@pytest.mark.parametrize(
    ("pool", "in_tiles"), [({}, True), ({"size": 3, "stride": 2}, False), ({"size": 2, "pad": 1}, False)]
)
def test_pieces_are_asked_for_where_the_windows_have_rows_of_their_own(pool, in_tiles):
    conv, pooling, *others = sequence((1, 8, 8), 3, activated, [{"conv": 4}, {"pool": pool}])
    taken = []

    def apply(p, x, context):
        taken.append(isinstance(x, Tiles))
        return pooling.apply(p, x, context)

    layers = [conv, pooling._replace(apply=apply), *others]
    parameters = [{k: np.ones((2, *p.shape)) for k, p in layer.parameters.items()} for layer in layers]
    forward(
        tile(layers),
        parameters,
        [SharedInput(np.ones((1, 8, 8, 5)), slice(0, 2))],
        Context(True, Draws({Seeds(0): slice(0, 2)}, 0)),
    )
    assert taken == [in_tiles]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", ["simple_cnn", "lenet", "alexnet", "vgg"])
def test_named_networks_at_their_sizes(name, training):
    """OpenBLAS has kernels of its own for small matrices, so that what holds of small layers may not hold of these."""
    layers = networks[name].function((1, 28, 28), 10, activated)
    samples = 100 if training else block_size(layers)
    assert_one_set_of_bits(layers, (1, 28, 28), samples, training=training, companies=[(2, 0), (1, 2)])
