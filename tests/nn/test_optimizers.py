"""Every optimizer goes downhill, keeps the dtype and the runs apart; the fixed points of the narrow valley."""

import numpy as np
import pytest

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


@pytest.mark.parametrize("name", optimizers)
def test_a_run_does_not_know_its_company(name):
    rates, start = [0.1, 0.01, 0.3], np.random.default_rng(0).standard_normal((3, 2))
    together = descend(name, start, valley, 20, lr=rates)
    alone = [descend(name, start[i : i + 1], valley, 20, lr=rates[i])[0] for i in range(3)]
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize("name", optimizers)
def test_has_a_learning_rate_above_zero(name):
    from pydantic import ValidationError

    with pytest.raises(ValidationError, match="greater than 0"):
        optimizers[name].model(lr=0.0)


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


def test_in_place_sgd_is_the_plain_formula():
    w, g = np.array([[1.0, 2.0]]), np.array([[0.5, -4.0]])
    (end,) = optimizers["sgd"].function(w.copy(), g.copy(), 1, lr=np.array([[0.1]]))
    np.testing.assert_array_equal(end, w - 0.1 * g)
