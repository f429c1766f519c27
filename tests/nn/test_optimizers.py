"""Every optimizer goes downhill, keeps the dtype and the runs apart; the fixed points of the narrow valley."""

import numpy as np
import pytest

from dlsweep.nn.in_place import IN_PLACE, fastest
from dlsweep.nn.optimizers import optimizers


def settings(entry, **values):
    """The entry's settings, defaults filled in; lists become one value a run."""
    given = {name: s.default for name, s in entry.settings.items()} | values
    return {k: np.asarray(v, float).reshape(-1, 1) if entry.settings[k].stacks else v for k, v in given.items()}


def descend(name, w, gradient, steps, dtype=np.float64, **values):
    """The path of `steps` steps from w, `(R, n)`."""
    entry = optimizers[name]
    w = np.array(w, dtype)
    slots = [np.zeros_like(w) for _ in entry.positional[3:]]
    columns = {k: v.astype(dtype) if isinstance(v, np.ndarray) else v for k, v in settings(entry, **values).items()}
    for t in range(1, steps + 1):
        w, *slots = entry.function(w, gradient(w).astype(dtype), t, *slots, **columns)
        assert w.dtype == dtype
        assert all(slot.dtype == dtype for slot in slots)
    return w


def valley(w):
    """Gradient of f(x, y) = x²/20 + y²."""
    return w * np.array([0.1, 2.0])


@pytest.mark.parametrize(
    ("name", "values", "x", "y"),
    [
        ("sgd", {"lr": 0.95}, -0.3503929958, 0.0847823166),
        ("momentum", {"lr": 0.1, "alpha": 0.9}, 0.8964138585, 0.0880856017),
        ("adagrad", {"lr": 1.5}, -0.1201623223, None),
        ("adam", {"lr": 0.3, "eps": 1e-8}, 0.1360146173, 0.3182453889),
    ],
)
def test_thirty_steps_in_the_narrow_valley(name, values, x, y):
    end = descend(name, [[-7.0, 2.0]], valley, 30, **values)[0]
    assert end[0] == pytest.approx(x, abs=1e-7)
    if y is not None:
        assert end[1] == pytest.approx(y, abs=1e-7)


@pytest.mark.parametrize("name", optimizers)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_goes_down_a_quadratic(name, dtype):
    start = np.array([[3.0, -2.0], [1.0, 1.0]])
    end = descend(name, start, lambda w: w.copy(), 200, dtype, lr=0.05)
    assert (np.abs(end).sum(axis=1) < np.abs(start).sum(axis=1)).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", optimizers)
def test_a_run_does_not_know_its_company(name):
    rates, start = [0.1, 0.01, 0.3], np.random.default_rng(0).standard_normal((3, 2))
    together = descend(name, start, valley, 20, lr=rates)
    alone = [descend(name, start[i : i + 1], valley, 20, lr=rates[i])[0] for i in range(3)]
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize("name", optimizers)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_setting_can_differ_from_run_to_run(name, dtype):
    values = {k: [s.default, 0.7 * s.default, 0.5 * s.default + 0.1] for k, s in optimizers[name].settings.items()}
    start = np.random.default_rng(0).standard_normal((3, 2))
    together = descend(name, start, valley, 20, dtype, **values)
    for i in range(3):
        alone = descend(name, start[i : i + 1], valley, 20, dtype, **{k: v[i] for k, v in values.items()})
        np.testing.assert_array_equal(together[i : i + 1], alone)


@pytest.mark.parametrize("name", optimizers)
def test_has_a_learning_rate_above_zero(name):
    _, faults = optimizers[name].check({"lr": 0.0})
    assert [fault.sentence for fault in faults] == [f"{name}.lr must be above 0, got 0"]


def test_adam_does_not_see_the_scale_of_the_gradient():
    start = [[3.0, -2.0]]
    plain = descend("adam", start, valley, 25, eps=0.0)
    scaled = descend("adam", start, lambda w: 1000 * valley(w), 25, eps=0.0)
    np.testing.assert_allclose(scaled, plain, rtol=1e-12)


def test_adams_first_step_is_the_learning_rate():
    end = descend("adam", [[3.0, -2.0]], valley, 1, lr=0.25, eps=0.0)
    np.testing.assert_allclose(end, [[2.75, -1.75]])


def test_rmsprops_first_step_is_larger_than_the_learning_rate():
    end = descend("rmsprop", [[3.0, -2.0]], valley, 1, lr=0.25, rho=0.9, eps=0.0)
    np.testing.assert_allclose(end, [[3 - 0.25 / np.sqrt(0.1), -2 + 0.25 / np.sqrt(0.1)]])


def test_nesterov_is_the_look_ahead_form():
    """In the paper's own variables: v ← α v − η ∇f(θ + α v), θ ← θ + v; what is stored is θ + α v."""
    theta, v, alpha, lr = np.array([[-7.0, 2.0]]), np.zeros((1, 2)), 0.9, 0.1
    for _ in range(30):
        v = alpha * v - lr * valley(theta + alpha * v)
        theta = theta + v
    np.testing.assert_allclose(descend("nesterov", [[-7.0, 2.0]], valley, 30, lr=lr), theta + alpha * v, rtol=1e-12)


def two_steps(name, **values):
    """From w = 1 with the gradients 1 and then -2, whatever w is: few enough to go through by hand."""
    gradients = iter([1.0, -2.0])
    return descend(name, [[1.0]], lambda w: np.full_like(w, next(gradients)), 2, **values).item()


def test_two_steps_of_adadelta():
    h1, d1 = 0.5, -((0.5 / 1.0) ** 0.5)  # ρ = ε = 0.5: √(0 + ε) / √(h + ε)
    u1 = 0.5 * d1**2
    h2 = 0.5 * h1 + 0.5 * 4
    d2 = -(((u1 + 0.5) / (h2 + 0.5)) ** 0.5) * -2
    assert two_steps("adadelta", lr=2.0, rho=0.5, eps=0.5) == pytest.approx(1 + 2 * d1 + 2 * d2, rel=1e-14)


# Of Adam with β₁ = 0.5, β₂ = 0.75, ε = 0: m is 1/2, then -3/4; v is 1/4, then 19/16; corrected -1 and 19/7.
def test_two_steps_of_adamw():
    w1 = 1 - 0.1 - 0.1 * 0.5 * 1
    w2 = w1 + 0.1 / (19 / 7) ** 0.5 - 0.1 * 0.5 * w1
    assert two_steps("adamw", lr=0.1, beta1=0.5, beta2=0.75, eps=0.0, weight_decay=0.5) == pytest.approx(w2, rel=1e-14)


def test_two_steps_of_amsgrad():
    """The second moment grows here, so the steps are Adam's; the next test has one that shrinks."""
    w2 = 1 - 0.1 + 0.1 / (19 / 7) ** 0.5
    assert two_steps("amsgrad", lr=0.1, beta1=0.5, beta2=0.75, eps=0.0) == pytest.approx(w2, rel=1e-14)
    assert two_steps("adam", lr=0.1, beta1=0.5, beta2=0.75, eps=0.0) == pytest.approx(w2, rel=1e-14)


def test_amsgrad_remembers_the_largest_second_moment():
    values = {"lr": np.array([[0.1]]), "beta1": np.array([[0.0]]), "beta2": np.array([[0.5]]), "eps": np.array([[0.0]])}
    w, slots = np.array([[0.0]]), list(np.zeros((3, 1, 1)))
    for t, g in enumerate([4.0, 1.0, 1.0], start=1):
        w, *slots = optimizers["amsgrad"].function(w, np.array([[g]]), t, *slots, **values)
    # v is 8, 4.5, 2.75, its maximum 8; corrected by 1 - 2⁻ᵗ.
    assert w.item() == pytest.approx(-0.1 * (1 + 1 / (8 / 0.75) ** 0.5 + 1 / (8 / 0.875) ** 0.5), rel=1e-14)
    assert [slot.item() for slot in slots] == [1, 2.75, 8]


def test_two_steps_of_nadam():
    m1 = 0.5 * 0.5 / 0.75 + 0.5 / 0.5
    m2 = 0.5 * -0.75 / 0.875 + 0.5 * -2 / 0.75
    w2 = 1 - 0.1 * m1 - 0.1 * m2 / (19 / 7) ** 0.5
    assert two_steps("nadam", lr=0.1, beta1=0.5, beta2=0.75, eps=0.0) == pytest.approx(w2, rel=1e-14)


def test_two_steps_of_lion():
    """m is 0.25 after the first step, so the second goes by the sign of 0.5 · 0.25 + 0.5 · -2."""
    w1 = 1 - 0.1 * (1 + 0.5 * 1)
    w2 = w1 - 0.1 * (-1 + 0.5 * w1)
    assert two_steps("lion", lr=0.1, beta1=0.5, beta2=0.75, weight_decay=0.5) == pytest.approx(w2, rel=1e-14)


def test_lion_keeps_another_average_than_it_steps_by():
    """m is 1 after the gradient 4, so 1/2 · 1 + 1/2 · -1.5 goes by the new gradient's sign; with m = 2 it would not."""
    lr, half, three_quarters, zero = (np.array([[value]]) for value in (0.125, 0.5, 0.75, 0.0))
    w, m = np.zeros((2, 1, 1))
    for g in (4.0, -1.5):
        w, m = optimizers["lion"].function(
            w, np.array([[g]]), 1, m, lr=lr, beta1=half, beta2=three_quarters, weight_decay=zero
        )
    assert (w.item(), m.item()) == (0.0, 0.375)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_adamw_without_decay_is_adam_to_the_last_bit(dtype):
    adamw = descend("adamw", [[-7.0, 2.0]], valley, 30, dtype, weight_decay=0.0)
    np.testing.assert_array_equal(adamw, descend("adam", [[-7.0, 2.0]], valley, 30, dtype))


@pytest.mark.parametrize("name", [name for name in optimizers if "weight_decay" in optimizers[name].settings])
def test_decoupled_decay_acts_where_the_gradient_is_zero(name):
    end = descend(name, [[3.0, -2.0]], np.zeros_like, 2, lr=0.1, weight_decay=0.5)
    np.testing.assert_allclose(end, np.array([[3.0, -2.0]]) * 0.95**2)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("adamw", 0.25),
        ("amsgrad", 0.25),
        ("lion", 0.25),
        ("nadam", 0.25 * (0.09 / 0.19 + 1)),  # β₁ (1 − β₁) / (1 − β₁²) + 1
        ("adadelta", 0.25 * (0.01 / 0.05) ** 0.5),  # √ε / √(1 − ρ), for gradients far above ε
    ],
)
def test_the_first_step_does_not_see_the_size_of_the_gradient(name, size):
    given = {"lr": 0.25, "weight_decay": 0.0, "eps": 0.01 if name == "adadelta" else 0.0}
    values = {k: v for k, v in given.items() if k in optimizers[name].settings}
    end = descend(name, [[3.0, -2.0]], lambda w: 1e6 * valley(w), 1, **values)
    np.testing.assert_allclose(end, [[3 - size, -2 + size]], rtol=1e-6)


def test_lions_steps_all_have_the_size_of_the_learning_rate():
    path = [descend("lion", [[3.0, -2.0]], valley, steps, lr=0.125, beta1=0.5) for steps in range(40)]
    np.testing.assert_array_equal(np.abs(np.diff(path, axis=0)), 0.125)


def test_in_place_sgd_is_the_plain_formula():
    w, g = np.array([[1.0, 2.0]]), np.array([[0.5, -4.0]])
    (end,) = optimizers["sgd"].function(w.copy(), g.copy(), 1, lr=np.array([[0.1]]))
    np.testing.assert_array_equal(end, w - 0.1 * g)


@pytest.mark.parametrize("name", [function.__name__ for function in IN_PLACE])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_function_in_place_makes_the_step_of_the_formula(name, dtype):
    """Of two runs with rates of their own, in twenty steps; nothing but w, g and the slots is overwritten."""
    entry, draw = optimizers[name], np.random.default_rng(0)
    columns = {k: v.astype(dtype) for k, v in settings(entry, lr=[0.1, 0.01]).items()}
    before = {k: v.copy() for k, v in columns.items()}
    start = draw.standard_normal((2, 3)).astype(dtype)
    paths = [[start], [start]]
    slots = [[np.zeros((2, 3), dtype) for _ in entry.rest] for _ in paths]
    for t in range(1, 21):
        g = draw.standard_normal((2, 3)).astype(dtype)
        for i, step in enumerate((entry.function, fastest(entry.function))):
            w, *slots[i] = step(paths[i][-1].copy(), g.copy(), t, *slots[i], **columns)
            assert w.dtype == dtype
            paths[i].append(w)
    np.testing.assert_allclose(paths[1], paths[0], rtol=1e-4 if dtype == np.float32 else 1e-12, atol=1e-6)
    for k, v in before.items():
        np.testing.assert_array_equal(columns[k], v)
