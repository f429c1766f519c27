"""The contract of every regularizer: penalties with their gradients, masks, noise, bounds; what it leaves alone."""

import numpy as np
import pytest

from dlsweep.errors import UsageError
from dlsweep.nn.dense import dense
from dlsweep.nn.layers import Context, SharedInput, materialize
from dlsweep.nn.losses import label_smoothing, softmax_cross_entropy
from dlsweep.nn.regularizers import Regularizer, regularizers
from dlsweep.randomness import Seeds, stream
from dlsweep.training.random_draws import Draws

SEEDS = {Seeds(0): slice(0, 2), Seeds(1): slice(2, 3)}  # two runs of one seed, one of another
TRAINING, EVALUATION = (Context(training, Draws(SEEDS, 1)) for training in (True, False))


def made(name, dtype=np.float64, **settings):
    entry = regularizers[name]
    own = {k: s.default for k, s in entry.settings.items()} | settings
    own = {k: np.atleast_1d(np.asarray(v, dtype)) if entry.settings[k].stacks else v for k, v in own.items()}
    return entry.function(**own)


def kernels(shape=(3, 4, 5), seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


PENALTIES = [name for name in regularizers if "on" in regularizers[name].settings]


@pytest.mark.parametrize("name", PENALTIES)
def test_a_penalty_has_its_gradient(name):
    given = {k: [0.3, 0.2, 0.1] for k, s in regularizers[name].settings.items() if s.stacks}
    penalty, w, h = made(name, **given).penalty, kernels(), 1e-6
    gradient = penalty.gradient(w)
    assert penalty.value(w).shape == (3,)
    for index in np.ndindex(w.shape[1:]):
        step = np.zeros_like(w)
        step[(slice(None), *index)] = h
        slope = (penalty.value(w + step) - penalty.value(w - step)) / (2 * h)
        np.testing.assert_allclose(gradient[(slice(None), *index)], slope, atol=1e-8)


def test_values_of_the_penalties():
    w = np.array([[[3.0, -4.0, 0.0]]])
    for name, settings, value, gradient in [
        ("l1", {"strength": 0.1}, 0.7, [0.1, -0.1, 0]),  # sign(0) = 0
        ("l2", {"strength": 0.1}, 1.25, [0.3, -0.4, 0]),  # ½ λ ‖w‖²
        ("elastic_net", {"l1": 0.1, "l2": 0.2}, 0.7 + 2.5, [0.1 + 0.6, -0.1 - 0.8, 0]),
    ]:
        penalty = made(name, **settings).penalty
        np.testing.assert_allclose(penalty.value(w), [value])
        np.testing.assert_allclose(penalty.gradient(w), [[gradient]])


@pytest.mark.parametrize("name", PENALTIES)
def test_a_penalty_on_activity_is_that_of_the_outputs(name):
    x, dy = kernels((3, 4, 6)), kernels((3, 4, 6), 1)
    on_kernel, on_activity = (made(name, on=on) for on in ("kernel", "activity"))
    assert on_activity.penalty is None
    assert on_kernel.activated is None
    value, gradient = (of(x) for of in on_kernel.penalty)
    for context in (TRAINING, EVALUATION):
        y, back, _, penalty = on_activity.activated("a", (4,)).apply({}, x, context)
        np.testing.assert_array_equal(y, x)
        np.testing.assert_allclose(penalty, value)
        np.testing.assert_allclose(back(dy)[0], dy + gradient / 6)


RATIOS = [0.2, 0.2, 0.5]


def through_dropout(ratio, x, context=TRAINING, mode="inverted"):
    return made("dropout", ratio=ratio, mode=mode).activated("dropout1", x.shape[1:-1]).apply({}, x, context)


def test_dropout_keeps_the_mean():
    x = np.ones((3, 200, 200))
    y = through_dropout(RATIOS, x).y
    for r, ratio in enumerate(RATIOS):
        assert set(np.round(np.unique(y[r]), 12)) == {0, round(1 / (1 - ratio), 12)}
        assert y[r].mean() == pytest.approx(1, abs=0.02)
        assert (y[r] == 0).mean() == pytest.approx(ratio, abs=0.01)
    np.testing.assert_array_equal(through_dropout(RATIOS, x, EVALUATION).y, x)


def test_classic_dropout_scales_in_evaluation():
    x = np.ones((3, 200, 200))
    y = through_dropout(RATIOS, x, mode="classic").y
    assert set(np.unique(y)) == {0, 1}
    np.testing.assert_array_equal(y > 0, through_dropout(RATIOS, x).y > 0)
    evaluated = through_dropout(RATIOS, x, EVALUATION, "classic").y
    for r, ratio in enumerate(RATIOS):
        np.testing.assert_allclose(evaluated[r], 1 - ratio)
        assert y[r].mean() == pytest.approx(evaluated[r].mean(), abs=0.01)


@pytest.mark.parametrize("mode", ["inverted", "classic"])
def test_the_gradient_passes_where_the_output_did(mode):
    x, dy = kernels((3, 4, 6)), kernels((3, 4, 6), 1)
    y, back, *_ = through_dropout(RATIOS, x, mode=mode)
    np.testing.assert_allclose(back(dy)[0], dy * y / x)


def test_a_mask_at_a_lower_ratio_lies_within_that_at_a_higher():
    x = np.ones((3, 50, 50))
    gone = through_dropout([0.15, 0.2, 0.5], x).y == 0
    assert (gone[1] >= gone[0]).all()
    assert gone[1].sum() > gone[0].sum()
    same_ratio = through_dropout(0.3, x).y == 0
    np.testing.assert_array_equal(same_ratio[0], same_ratio[1])  # one seed
    assert not np.array_equal(same_ratio[0], same_ratio[2])
    later = made("dropout", ratio=0.3).activated("dropout1", (50,)).apply({}, x, Context(True, Draws(SEEDS, 2))).y == 0
    other = made("dropout", ratio=0.3).activated("dropout2", (50,)).apply({}, x, TRAINING).y == 0
    assert not np.array_equal(same_ratio, later)
    assert not np.array_equal(same_ratio, other)


@pytest.mark.parametrize("ratio", [2**-24, 0.1, 0.15, 0.5, 1 - 2**-24])
def test_a_mask_keeps_where_a_uniform_draw_reaches_the_ratio(ratio):
    x = np.ones((3, 33, 31), np.float32)
    dropout = made("dropout", np.float32, ratio=ratio, mode="classic").activated("a", (33,))
    kept = dropout.apply({}, x, TRAINING).y != 0
    for seed, runs in SEEDS.items():
        draws = stream(seed, "dropout/a", TRAINING.draws.index).random((33, 31), np.float32)
        np.testing.assert_array_equal(kept[runs], np.broadcast_to(draws >= np.float32(ratio), kept[runs].shape))


@pytest.mark.parametrize("mode", ["inverted", "classic"])
def test_equal_ratios_share_a_mask_without_a_trace(mode):
    x = kernels((3, 20, 8))
    one, each = (through_dropout(ratio, x, mode=mode) for ratio in (0.3, [0.3] * 3))
    np.testing.assert_array_equal(one.y, each.y)
    np.testing.assert_array_equal(one.back(x)[0], each.back(x)[0])


def shared(x):
    return [SharedInput(x[0], SEEDS[Seeds(0)]), SharedInput(x[1], SEEDS[Seeds(1)])]


def affine(fan_in=5, fan_out=4, *, first=False):
    layer = dense("dense1", (fan_in,), units=fan_out)
    rng = np.random.default_rng(0)
    return layer, {k: rng.standard_normal((3, *d.shape)) for k, d in layer.parameters.items()}


def effective_weights(regularizer, context=TRAINING):
    """The weights that a wrapped layer uses: its output for unit vectors, without its bias."""
    layer, p = affine()
    y = regularizer.wrap(layer).apply(p, np.broadcast_to(np.eye(5), (3, 5, 5)).copy(), context).y
    return y - p["b"], p["W"]


def test_dropconnect_masks_weights_and_keeps_their_mean():
    effective, W = effective_weights(made("dropconnect", ratio=0.4))
    np.testing.assert_allclose(np.where(np.abs(effective) > 1e-9, W / 0.6, 0), effective, atol=1e-12)
    effective, W = effective_weights(made("dropconnect", ratio=0.4), EVALUATION)
    np.testing.assert_allclose(effective, W)
    masks = [
        effective_weights(made("dropconnect", ratio=0.4), Context(True, Draws(SEEDS, t)))[0] / W for t in range(400)
    ]
    np.testing.assert_allclose(np.mean(masks, axis=0), 1, atol=0.2)


def test_a_dropconnect_mask_at_a_lower_ratio_lies_within_that_at_a_higher():
    gone = np.abs(effective_weights(made("dropconnect", ratio=[0.3, 0.6, 0.3]))[0]) < 1e-9
    assert (gone[1] >= gone[0]).all()
    assert gone[1].sum() > gone[0].sum()


def test_gaussian_inference_has_the_moments_of_the_masks():
    """N(W v + b, ratio / (1 − ratio) · W² v²), which are the moments of what many masks do in training."""
    regularizer = made("dropconnect", ratio=[0.2, 0.4, 0.4], inference="gaussian", samples=20_000)
    layer, p = affine()
    v = kernels((3, 5, 2), 3)
    drawn = regularizer.wrap(layer).apply(p, v, EVALUATION).y.reshape(3, 4, 20_000, 2)
    mean = p["W"] @ v + p["b"]
    factor = np.array([0.2 / 0.8, 0.4 / 0.6, 0.4 / 0.6])[:, None, None]
    variance = factor * (p["W"] ** 2 @ v**2)
    np.testing.assert_allclose(drawn.mean(axis=2), mean, atol=0.1)
    np.testing.assert_allclose(drawn.var(axis=2), variance, rtol=0.05)
    wrapped = regularizer.wrap(layer)
    masked = [wrapped.apply(p, v, Context(True, Draws(SEEDS, t))).y for t in range(3000)]
    np.testing.assert_allclose(np.mean(masked, axis=0), mean, atol=0.25)
    np.testing.assert_allclose(np.var(masked, axis=0), variance, rtol=0.15)


def test_gaussian_inference_averages_after_the_activation():
    regularizer = made("dropconnect", inference="gaussian", samples=7)
    layer, p = affine()
    v = kernels((3, 5, 2), 3)
    drawn = regularizer.wrap(layer).apply(p, v, EVALUATION).y
    averaged = regularizer.activated("a", (4,)).apply({}, np.maximum(drawn, 0), EVALUATION).y
    assert averaged.shape == (3, 4, 2)
    np.testing.assert_allclose(averaged, np.maximum(drawn, 0).reshape(3, 4, 7, 2).mean(axis=2))
    assert regularizer.columns == 7
    assert regularizer.activated("a", (4,)).apply({}, v, TRAINING).y is v


def test_gaussian_inference_reads_what_the_first_layer_reads():
    regularizer = made("dropconnect", inference="gaussian", samples=3)
    x = kernels((2, 5, 6), 4)
    first, p = affine(first=True)
    later, _ = affine()
    drawn = regularizer.wrap(first).apply(p, shared(x), EVALUATION).y
    np.testing.assert_allclose(drawn, regularizer.wrap(later).apply(p, x[[0, 0, 1]], EVALUATION).y)


def test_input_noise_is_noise_on_the_input():
    """What the layer makes of x + s n, though it takes x and n apart; its gradient is that of the noisy input."""
    std = np.array([0.1, 0.5, 0.5])
    layer, p = affine(first=True)
    x = kernels((2, 5, 6), 4)
    wrapped = made("input_noise", std=std).wrap_input(layer)
    y, back, *_ = wrapped.apply(p, shared(x), TRAINING)
    n = np.stack([s.x for s in TRAINING.draws.normal("noise/dense1", (5, 6))])[[0, 0, 1]]
    noisy = x[[0, 0, 1]] + std[:, None, None] * n
    np.testing.assert_allclose(y, p["W"] @ noisy + p["b"], rtol=1e-6)
    dy = kernels((3, 4, 6), 5)
    gradients = back(dy)[1]
    np.testing.assert_allclose(gradients["W"], dy @ noisy.swapaxes(1, 2), rtol=1e-6)
    np.testing.assert_allclose(gradients["b"], dy.sum(axis=2, keepdims=True))
    plain = layer.apply(p, shared(x), EVALUATION).y
    np.testing.assert_array_equal(wrapped.apply(p, shared(x), EVALUATION).y, plain)


def images(count=200, shape=(2, 4, 5)):
    """Images of two seeds, no two numbers the same and none of them 0."""
    return shared(1.0 + np.arange(2 * count * np.prod(shape)).reshape(2, *shape, count))


def changed(name, inputs, t=1, **settings):
    """What becomes of samples in step t, with a copy for each run, `(R, *shape, N)`."""
    change = made(name, **settings).augmented(inputs[0].x.shape[:-1])
    return materialize(change(inputs, Context(True, Draws(SEEDS, t))))


def test_a_crop_is_a_part_of_the_image_within_its_margin():
    inputs = images()
    x, y = materialize(inputs), changed("crop", inputs, pad=1)
    assert y.shape == x.shape
    wide = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1), (0, 0)))
    corners = np.array([[[r, c] for r in range(3)] for c in range(3)]).reshape(9, 2)
    windows = np.stack([wide[:, :, r : r + 4, c : c + 5] for r, c in corners])
    same = (windows == y).all(axis=(2, 3, 4))
    np.testing.assert_array_equal(same.sum(axis=0), 1)  # each is one of the nine
    assert (same.sum(axis=2) > 5).all()  # of 200: 22 are to be expected of each
    np.testing.assert_array_equal(same[:, 0], same[:, 1])  # one seed
    assert not np.array_equal(same[:, 0], same[:, 2])
    assert not np.array_equal(y, changed("crop", inputs, t=2, pad=1))


def test_crops_of_any_margin_are_spread_evenly_and_stay_within():
    inputs = images(4000, (1, 9, 9))
    y = changed("crop", inputs, pad=8)
    rows = (y != 0).any(axis=(1, 3)).sum(axis=1)  # a crop that begins at row 0 or 16 has one row of the image
    counts = np.bincount(rows[0], minlength=10)
    assert counts[0] == 0
    np.testing.assert_allclose(counts[1:9], 2 / 17 * 4000, rtol=0.2)
    np.testing.assert_allclose(counts[9], 1 / 17 * 4000, rtol=0.25)


def test_a_flip_is_an_image_or_its_mirror_image():
    inputs = images(4000)
    x, y = materialize(inputs), changed("flip", inputs, ratio=[0.2, 0.5, 0.5])
    kept, mirrored = (y == x).all(axis=(1, 2, 3)), (y == x[..., ::-1, :]).all(axis=(1, 2, 3))
    np.testing.assert_array_equal(kept, ~mirrored)
    np.testing.assert_allclose(mirrored.mean(axis=1), [0.2, 0.5, 0.5], atol=0.03)
    assert (mirrored[1] >= mirrored[0]).all()
    assert not np.array_equal(mirrored[1], mirrored[2])  # another seed
    assert not np.array_equal(y, changed("flip", inputs, t=2, ratio=[0.2, 0.5, 0.5]))


@pytest.mark.parametrize("ratios", [[0.3], [0.3] * 3, [0.3, 0.6, 0.3]])
def test_runs_of_one_ratio_share_what_is_flipped(ratios):
    flipped = made("flip", ratio=ratios).augmented((2, 4, 5))(images(), TRAINING)
    alike = len(set(ratios)) == 1
    assert [s.runs for s in flipped] == (list(SEEDS.values()) if alike else [slice(r, r + 1) for r in range(3)])
    one = changed("flip", images(), ratio=0.3)
    np.testing.assert_array_equal(materialize(flipped)[[0, 2]], one[[0, 2]])


def test_a_crop_after_flips_of_several_ratios():
    inputs, ratio = images(), np.array([0.1, 0.9, 0.5])
    flipped = made("flip", ratio=ratio).augmented((2, 4, 5))(inputs, TRAINING)
    both = materialize(made("crop", pad=2).augmented((2, 4, 5))(flipped, TRAINING))
    for r in range(3):
        alone = [s._replace(x=materialize(flipped)[r]) for s in inputs]
        np.testing.assert_array_equal(both[r], changed("crop", alone, pad=2)[r])


@pytest.mark.parametrize("name", ["crop", "flip"])
@pytest.mark.parametrize("shape", [(784,), (4, 5)])
def test_only_images_are_cropped_and_flipped(name, shape):
    with pytest.raises(UsageError, match=rf"{name} needs samples with channels, height and width, "):
        made(name).augmented(shape)


def test_a_margin_as_wide_as_the_image():
    with pytest.raises(UsageError, match=r"crop.pad must be below the size of an image, 4 × 5, got 4"):
        made("crop", pad=4).augmented((2, 4, 5))
    made("crop", pad=3).augmented((2, 4, 5))


def test_max_norm_bounds_incoming_weights():
    w = kernels((3, 4, 5)) * np.array([0.01, 1, 5])[:, None, None]
    limit = np.array([1.0, 2.0, 0.5])
    bound = made("max_norm", limit=limit).project(w)
    norms, before = np.linalg.norm(bound, axis=2), np.linalg.norm(w, axis=2)
    assert (norms <= limit[:, None] * (1 + 1e-12)).all()
    within = before <= limit[:, None]
    np.testing.assert_array_equal(bound[within], w[within])  # to the last bit
    np.testing.assert_allclose(bound / norms[..., None], w / before[..., None])  # the direction stays
    np.testing.assert_array_equal(made("max_norm").project(np.zeros((1, 2, 2))), 0)
    images = kernels((3, 4, 2, 3, 3)) * 5
    bound = made("max_norm", limit=limit).project(images)
    np.testing.assert_allclose(np.linalg.norm(bound.reshape(3, 4, -1), axis=2), np.repeat(limit[:, None], 4, 1))


def test_smoothed_labels():
    """Cross-entropy with the smoothed target is the plain one plus ε times what is added; its gradient (p − q) / N."""
    logits, t, epsilon = kernels((2, 4, 5)), np.array([0, 3, 1, 1, 2]), 0.3
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    q = (1 - epsilon) * np.eye(4)[:, t] + epsilon / 4
    (plain, back, _), (added, back_added) = softmax_cross_entropy(logits, t), label_smoothing(logits, t)
    np.testing.assert_allclose(plain + epsilon * added, -(q * np.log(p)).sum(axis=1))
    np.testing.assert_allclose(back() + epsilon * back_added(), (p - q) / 5, atol=1e-15)


@pytest.mark.parametrize("name", sorted(set(regularizers) - {"none"}))
def test_every_regularizer_acts_somewhere(name):
    assert made(name) != Regularizer()
