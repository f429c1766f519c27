"""Ensembles: the mean of softmaxes, the same bits in any chunk, without the members that diverged."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from tests.support.arms import choice, make_arm, make_data
from tests.training.test_loop import assert_the_same_alone
from threadpoolctl import threadpool_limits

from dlsweep.config.runs import Run
from dlsweep.execution.worker import bisect, indivisible
from dlsweep.nn.losses import softmax_cross_entropy
from dlsweep.randomness import Seeds
from dlsweep.training.loop import train
from dlsweep.training.observers.curves import Averages


@pytest.fixture(autouse=True, scope="module")
def one_blas_thread():
    with threadpool_limits(1):
        yield


def test_the_mean_of_softmaxes():
    rng = np.random.default_rng(0)
    logits, t = rng.normal(0, 3, (5, 4, 60)), rng.integers(0, 4, 60)
    ensembles = Averages([[0, 2, 4], [1], [3, 1]])
    for block in (slice(0, 25), slice(25, 60)):
        ensembles.add(logits[:, :, block], t[block])
    for i, rows in enumerate([[0, 2, 4], [1], [3, 1]]):
        mean = softmax(logits[rows], axis=1).mean(axis=0)
        np.testing.assert_allclose(ensembles.loss[i], -np.log(mean[t, np.arange(60)]).mean())
        assert ensembles.accuracy[i] == np.mean(mean.argmax(axis=0) == t)
    np.testing.assert_allclose(ensembles.loss[1], softmax_cross_entropy(logits[1:2], t)[0].mean())


def test_the_loss_of_one_who_is_sure_and_wrong_is_finite():
    logits = np.zeros((2, 3, 1), np.float32)
    logits[:, 0] = [[1e4], [2e4]]  # a probability of exp(-10000) is none in any float
    ensembles = Averages([[0, 1]])
    ensembles.add(logits, np.array([1]))
    np.testing.assert_allclose(ensembles.loss, 1e4 + np.log(2))
    assert ensembles.accuracy == 0


def test_equal_probabilities_are_at_chance():
    ensembles = Averages([[0, 1]])
    ensembles.add(np.zeros((2, 4, 8), np.float32), np.arange(8) % 4)
    assert ensembles.accuracy == 0.25


def averages(outcome, first):
    """What is said of the ensemble that a run belongs to, as bytes."""
    mine = np.isin(outcome.ensembles["run"], first)
    return {k: v[mine].tobytes() for k, v in outcome.ensembles.items() if k != "run"}


@pytest.mark.slow
@settings(max_examples=20)
@given(
    st.lists(
        st.tuples(st.sampled_from(["he", "zeros"]), st.sampled_from([0.01, 1.0, 1e18, 1e30])),
        min_size=1,
        max_size=4,
        unique=True,
    ),
    st.lists(st.integers(0, 20), min_size=1, max_size=4, unique=True),
    st.sampled_from(["identity", "relu"]),
    st.sampled_from([None, 12]),
    st.randoms(use_true_random=False),
)
def test_an_ensemble_does_not_know_its_company(inits, seeds, activation, own, shuffle):
    """Alone, among other arms, and with its members in another order: the same to the last bit."""
    members = tuple(sorted(seeds))
    arms = [
        make_arm(
            init=choice(init), optimizer=choice("sgd", lr=lr), activation=activation, members=members, iterations=9
        )
        for init, lr in inits
    ]
    data = make_data(train=own, samples=(7, 600))
    runs = [Run(arm, Seeds(seed)) for arm in arms for seed in seeds]
    together = train(runs, data)
    assert_the_same_alone(runs, data, together)
    shuffled = shuffle.sample(runs, len(runs))
    again = train(shuffled, data)
    for arm in arms:
        mine = [Run(arm, Seeds(seed)) for seed in seeds]
        expected = averages(together, [runs.index(run) for run in mine])
        assert averages(train(mine, data), range(len(mine))) == expected
        assert averages(again, [shuffled.index(run) for run in mine]) == expected


def test_members_that_diverge_leave_the_average():
    """A run in an ensemble is as it is without; what is averaged is what has a row at that iteration."""
    arm = make_arm(optimizer=choice("sgd", lr=1.0), iterations=40, activation="identity", members=tuple(range(8)))
    outcome = train([Run(arm, Seeds(seed)) for seed in range(8)], make_data())
    curves, ensembles = outcome.curves, outcome.ensembles
    assert len(set(ensembles["members"].tolist())) > 1
    assert set(ensembles["split"]) == {"train", "validation", "test"}
    for split in ("train", "validation", "test"):
        mine = ensembles["split"] == split
        there = curves["iteration"][curves["split"] == split]
        at, count = np.unique(there, return_counts=True)
        np.testing.assert_array_equal(ensembles["iteration"][mine], at)
        np.testing.assert_array_equal(ensembles["members"][mine], count)
    assert np.isfinite(ensembles["loss"]).all()


def test_splits_that_seeds_do_not_share_have_no_ensemble():
    arm = make_arm(members=(0, 1))
    outcome = train([Run(arm, Seeds(seed)) for seed in (0, 1)], make_data(train=10))
    assert set(outcome.ensembles["split"]) == {"validation", "test"}
    assert not len(train([Run(make_arm(), Seeds(0))], make_data()).ensembles)


@given(st.integers(2, 9), st.integers(1, 5))
def test_bisect_keeps_ensembles_whole(arms, seeds):
    members = tuple(range(seeds))
    chunk = tuple(
        Run(make_arm(optimizer=choice("sgd", lr=0.1 * (i + 1)), members=members), seed)
        for i in range(arms)
        for seed in members
    )
    first, second = bisect(chunk)
    assert first + second == chunk
    assert abs(len(first) - len(second)) <= seeds
    for half in (first, second):
        assert all(len({run.arm.identity for run in unit}) == 1 and len(unit) == seeds for unit in indivisible(half))
