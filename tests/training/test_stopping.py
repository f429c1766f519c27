"""Early stopping: who stops when is a matter of the run's own curve, and nothing to the others."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.arms import choice, make_arm, make_data
from tests.training.test_loop import assert_the_same_alone
from threadpoolctl import threadpool_limits

from dlsweep.config.runs import Run, Stopping
from dlsweep.randomness import Seeds
from dlsweep.training.loop import train

MONITORS = [
    f"{split}_{metric}" for split in ("batch", "train", "validation", "test") for metric in ("loss", "accuracy")
]


@pytest.fixture(autouse=True, scope="module")
def one_blas_thread():
    with threadpool_limits(1):
        yield


def expected_end(curve, rule, iterations):
    """The paper's loop over a whole curve: the status, the iteration of the end and that of the last improvement."""
    best, best_at, waited = np.inf, 0, 0
    for t, value in curve:
        value = -value if rule.metric == "accuracy" else value
        if value < best - rule.min_delta:
            best, best_at, waited = value, t, 0
        else:
            waited += 1
        if waited == rule.patience and t < iterations:
            return "stopped", t, best_at
    return "done", iterations, best_at


rules = st.none() | st.builds(
    Stopping, st.integers(1, 4), st.sampled_from(MONITORS), st.sampled_from([0.0, 0.01, 0.3]), st.booleans()
)


@pytest.mark.slow
@settings(max_examples=25)
@given(
    st.lists(st.tuples(rules, st.sampled_from([0.01, 1.0, 1e30])), min_size=1, max_size=5, unique_by=repr),
    st.lists(st.integers(0, 20), min_size=1, max_size=3, unique=True),
    st.integers(1, 3),
    st.sampled_from([None, 12]),
)
def test_a_run_stops_where_its_own_whole_curve_says_and_leaves_the_others_alone(arms, seeds, every, own):
    data, iterations = make_data(train=own, samples=(7, 30)), 25
    made = [
        make_arm(stopping=rule, optimizer=choice("sgd", lr=lr), iterations=iterations, every=every) for rule, lr in arms
    ]
    runs = [Run(arm, Seeds(seed)) for arm in made for seed in seeds]
    together = train(runs, data)
    assert_the_same_alone(runs, data, together)

    patient = [Run(make_arm(optimizer=r.arm.optimizer, iterations=iterations, every=every), r.seeds) for r in runs]
    whole = train(patient, data).curves
    for i, run in enumerate(runs):
        rule, mine, all_ = run.arm.train.stopping, together.curves["run"] == i, whole["run"] == i
        status, end = together.status[i], together.iterations[i]
        if rule:
            watched = all_ & (whole["split"] == rule.split)
            curve = zip(whole["iteration"][watched].tolist(), whole[rule.metric][watched], strict=True)
            expected = expected_end(curve, rule, iterations)
            if status != "diverged":
                assert (status, end) == expected[:2]
                assert together.final[i] == (expected[2] if rule.restore_best else end)
        else:
            assert status in ("done", "diverged")
        until = all_ & (whole["iteration"] <= end)
        for column in ("iteration", "split", "loss", "accuracy"):
            np.testing.assert_array_equal(together.curves[column][mine], whole[column][until])


def test_a_stack_in_which_all_have_stopped_ends_early():
    calls = []
    arm = make_arm(stopping=Stopping(1, "test_loss", 1e9, True), iterations=1000, every=10)
    outcome = train([Run(arm, Seeds(0)), Run(arm, Seeds(1))], make_data(), progress=calls.append)
    assert (outcome.status, outcome.iterations, outcome.final) == (["stopped"] * 2, [10] * 2, [0] * 2)
    assert sum(calls) == 2000
    assert len(calls) < 10
