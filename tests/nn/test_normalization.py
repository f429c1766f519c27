"""The contract of every normalization, on dense and on image-shaped samples: gradients, dtype, company, statistics."""

import itertools
from typing import Literal, get_args, get_origin

import numpy as np
import pytest

from dlsweep.errors import DlsweepError
from dlsweep.nn.layers import Context
from dlsweep.nn.normalization import normalizations, refuse_pointless
from dlsweep.training.random_draws import Draws

TRAINING, EVALUATION = (Context(training, Draws({}, 0)) for training in (True, False))
SHAPES = [(5,), (1,), (4,), (3, 2, 4), (4, 3, 2), (1, 2, 2)]


def made(name, shape, **settings):
    """The one layer of a normalization, and whether it stands after the activation."""
    entry = normalizations[name]
    own = {k: s.default for k, s in entry.settings.items()} | settings
    own = {k: np.atleast_1d(v) if entry.settings[k].stacks else v for k, v in own.items()}
    around = entry.function("norm1", shape, **own)
    refuse_pointless([around])
    ((layer,),) = (layers for layers in around if layers)
    return layer, layer in around.after


def cases():
    """Every normalization in every mode, on every shape that it takes."""
    for name, shape in itertools.product(sorted(set(normalizations) - {"none"}), SHAPES):
        words = {
            k: get_args(s.annotation)
            for k, s in normalizations[name].settings.items()
            if get_origin(s.annotation) is Literal
        }
        for values in itertools.product(*words.values()):
            settings = dict(zip(words, values, strict=True))
            try:
                made(name, shape, **settings)
            except DlsweepError:
                continue
            yield pytest.param(name, shape, settings, id="-".join(map(str, [name, shape, *values])))


EVERY = pytest.mark.parametrize(("name", "shape", "settings"), list(cases()))


def problem(layer, runs, shape, samples, dtype=np.float64, seed=0):
    """Parameters away from where they start, and input whose features have means and spreads of their own."""
    rng = np.random.default_rng(seed)
    p = {k: (1 + 0.3 * rng.random((runs, *d.shape))).astype(dtype) for k, d in layer.parameters.items()}
    own = (shape[0], *[1] * len(shape))
    x = rng.normal(rng.normal(size=own), 0.5 + rng.random(own), (runs, *shape, samples))
    return p, x.astype(dtype), rng.standard_normal(x.shape).astype(dtype)


@EVERY
def test_back_is_the_gradient(name, shape, settings):
    layer, _ = made(name, shape, **settings)
    p, x, dy = problem(layer, 2, shape, 5)
    dx, gradients = layer.apply(p, x, TRAINING).back(dy.copy())
    trained = {k for k, parameter in layer.parameters.items() if parameter.trained}
    assert gradients.keys() == trained
    h = 1e-6
    for w, g in [(x, dx), *((p[k], gradients[k]) for k in trained)]:
        assert g.shape == w.shape
        for index in np.ndindex(w.shape[1:]):
            each = (slice(None), *index)
            kept, ends = w[each].copy(), []
            for step in (h, -h):
                w[each] = kept + step
                ends.append((layer.apply(p, x, TRAINING).y * dy).reshape(2, -1).sum(axis=1))
            w[each] = kept
            np.testing.assert_allclose(g[each], (ends[0] - ends[1]) / (2 * h), rtol=1e-5, atol=2e-7)


@pytest.mark.slow
@EVERY
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("samples", [1, 7, 100])
def test_a_run_does_not_know_its_company(name, shape, settings, dtype, samples):
    """Settings stacked or not, the bits are the same; and everything keeps its dtype."""
    runs = 5
    numbers = {
        k: (s.default * np.linspace(0.5, 1, runs)).astype(dtype)
        for k, s in normalizations[name].settings.items()
        if s.stacks
    }
    together, _ = made(name, shape, **settings, **numbers)
    p, x, dy = problem(together, runs, shape, samples, dtype)
    for context in (TRAINING, EVALUATION):
        y, back, state, _ = together.apply(p, x, context)
        dx, gradients = back(dy) if context.training else (x, {})
        for r in range(runs):
            only = slice(r, r + 1)
            alone, _ = made(name, shape, **settings, **{k: v[only] for k, v in numbers.items()})
            own = {k: w[only] for k, w in p.items()}
            y_alone, back_alone, state_alone, _ = alone.apply(own, x[only], context)
            dx_alone, gradients_alone = back_alone(dy[only]) if context.training else (x[only], {})
            pairs = [(y, y_alone), (dx, dx_alone)]
            pairs += [(state[k], state_alone[k]) for k in state] + [
                (gradients[k], gradients_alone[k]) for k in gradients
            ]
            for whole, part in pairs:
                assert whole.dtype == part.dtype == dtype
                assert np.isfinite(part).all()
                np.testing.assert_array_equal(whole[only], part)


@EVERY
def test_the_input_and_the_gradient_are_left_alone(name, shape, settings):
    layer, _ = made(name, shape, **settings)
    p, x, dy = problem(layer, 2, shape, 5)
    kept = x.copy(), dy.copy(), {k: w.copy() for k, w in p.items()}
    layer.apply(p, x, TRAINING).back(dy)
    layer.apply(p, x, EVALUATION)
    np.testing.assert_array_equal(x, kept[0])
    np.testing.assert_array_equal(dy, kept[1])
    for k, w in kept[2].items():
        np.testing.assert_array_equal(p[k], w)


@EVERY
def test_it_stands_where_its_position_says(name, shape, settings):
    assert made(name, shape, **settings)[1] == (settings.get("position") == "after")


@pytest.mark.parametrize(
    ("name", "shape", "axes"),
    [
        ("batch", (5,), (1,)),
        ("batch", (3, 2, 4), (1, 2, 3)),
        ("layer", (5,), (0,)),
        ("layer", (3, 2, 4), (0, 1, 2)),
        ("instance", (3, 2, 4), (1, 2)),
    ],
)
def test_mean_and_variance_then_scale_and_shift(name, shape, axes):
    """axes: of one run's samples, over which the mean is 0 and the variance 1."""
    layer, _ = made(name, shape, eps=1e-12)
    p, x, _ = problem(layer, 2, shape, 6)
    y = (layer.apply(p, x, TRAINING).y - p["shift"]) / p["scale"]
    for r in range(2):
        np.testing.assert_allclose(y[r].mean(axis=axes), 0, atol=1e-9)
        np.testing.assert_allclose(y[r].var(axis=axes), 1, atol=1e-9)
        expected = (x[r] - x[r].mean(axis=axes, keepdims=True)) / x[r].std(axis=axes, keepdims=True)
        np.testing.assert_allclose(y[r], expected, atol=1e-9)


@pytest.mark.parametrize("name", sorted(set(normalizations) - {"none", "lrn"}))
def test_it_begins_as_a_plain_normalization(name):
    layer, _ = made(name, (4, 2, 3))
    starts = {k: d.start for k, d in layer.parameters.items()}
    assert starts.pop("scale") == 1
    assert starts.pop("shift") == 0
    assert starts == ({"mean": 0, "variance": 1} if name == "batch" else {})


def test_epsilon_is_inside_the_root():
    layer, _ = made("batch", (1,), eps=3.0)
    p = {"scale": np.ones((1, 1, 1)), "shift": np.zeros((1, 1, 1)), "mean": np.zeros((1, 1, 1))}
    p["variance"] = np.ones((1, 1, 1))
    x = np.array([[[-1.0, 1.0]]])  # biased variance 1
    np.testing.assert_allclose(layer.apply(p, x, TRAINING).y, x / 2)
    np.testing.assert_allclose(layer.apply(p, x, EVALUATION).y, x / 2)


@pytest.mark.parametrize(("shape", "axes"), [((5,), (1,)), ((3, 2, 4), (1, 2, 3))])
def test_running_statistics_of_batch(shape, axes):
    """running ← momentum · running + (1 − momentum) · minibatch's, of the variance the unbiased one."""
    momentum = np.array([0.9, 0.5])
    layer, _ = made("batch", shape, momentum=momentum)
    p, *_ = problem(layer, 2, shape, 4)
    mean, variance = p["mean"].copy(), p["variance"].copy()
    for step in range(3):
        x = problem(layer, 2, shape, 4 + step, seed=step)[1]
        p |= layer.apply(p, x, TRAINING).state
        for r, m in enumerate(momentum):
            mean[r] = m * mean[r] + (1 - m) * x[r].mean(axis=axes, keepdims=True)
            variance[r] = m * variance[r] + (1 - m) * x[r].var(axis=axes, ddof=1, keepdims=True)
    np.testing.assert_allclose(p["mean"], mean)
    np.testing.assert_allclose(p["variance"], variance)
    y, _, state, _ = layer.apply(p, x, EVALUATION)
    np.testing.assert_allclose(y, p["scale"] * (x - mean) / np.sqrt(variance + 1e-5) + p["shift"])
    assert state == {}


@EVERY
def test_an_evaluated_sample_does_not_know_its_company(name, shape, settings):
    layer, _ = made(name, shape, **settings)
    p, x, _ = problem(layer, 2, shape, 6)
    whole = layer.apply(p, x, EVALUATION).y
    for n in range(6):
        np.testing.assert_allclose(layer.apply(p, x[..., n : n + 1], EVALUATION).y, whole[..., n : n + 1], atol=1e-12)


@EVERY
def test_only_batch_knows_training_from_evaluation(name, shape, settings):
    layer, _ = made(name, shape, **settings)
    p, x, _ = problem(layer, 2, shape, 6)
    training, evaluation = layer.apply(p, x, TRAINING), layer.apply(p, x, EVALUATION)
    assert np.array_equal(training.y, evaluation.y) == (name != "batch")


@pytest.mark.parametrize("shape", [(5,), (5, 1, 1)])
def test_instance_has_nothing_to_normalize_in_a_dense_layer(shape):
    with pytest.raises(DlsweepError, match=r"^instance normalization takes .* would always be 0; use batch or layer"):
        made("instance", shape)


def test_local_response_is_the_formula_over_the_channels_that_there_are():
    layer, after = made("lrn", (7, 2, 1), k=1.5, alpha=0.2, beta=0.6)
    x = np.random.default_rng(0).standard_normal((2, 7, 2, 1, 3))
    y = layer.apply({}, x, TRAINING).y
    assert after
    for c in range(7):
        near = x[:, max(0, c - 2) : c + 3]
        np.testing.assert_allclose(y[:, c], x[:, c] / (1.5 + 0.2 * (near**2).sum(axis=1)) ** 0.6)


def test_groups_between_layer_and_instance():
    x = np.random.default_rng(0).standard_normal((2, 4, 3, 2, 5))

    def normalized(name, **own):
        layer, _ = made(name, (4, 3, 2), **own)
        return layer.apply({k: np.full((2, *d.shape), d.start) for k, d in layer.parameters.items()}, x, TRAINING).y

    np.testing.assert_allclose(normalized("group", groups=1), normalized("layer"))
    np.testing.assert_allclose(normalized("group", groups=4), normalized("instance"))
    two = normalized("group", groups=2).reshape(2, 2, 12, 5)
    np.testing.assert_allclose(two.mean(axis=2), 0, atol=1e-12)
    np.testing.assert_allclose(two.var(axis=2), 1, rtol=1e-3)


@pytest.mark.parametrize(
    ("name", "shape", "own", "said"),
    [
        ("group", (6, 2, 2), {"groups": 4}, "cannot split 6 channels into groups: 4; 1, 2, 3, 6 can"),
        ("group", (4,), {"groups": 4}, "leaves a single number in each; use fewer"),
        ("lrn", (4, 2, 2), {"size": 4}, "needs an odd size"),
        ("lrn", (4,), {}, "a dense layer has neither"),
        ("instance", (4,), {}, "the output would always be 0"),
    ],
)
def test_what_makes_no_sense_is_a_sentence(name, shape, own, said):
    with pytest.raises(DlsweepError, match=said):
        made(name, shape, **own)
