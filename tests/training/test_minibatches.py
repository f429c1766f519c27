import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dlsweep.config.runs import Train
from dlsweep.randomness import Seeds, stream
from dlsweep.training.samples import minibatches, subset


def take(n, seed, *args):
    return list(itertools.islice(minibatches(Seeds(seed), *args), n))


@given(st.integers(1, 50), st.integers(1, 50), st.integers(0, 5))
def test_a_shuffle_sees_every_sample_once_an_epoch_the_last_minibatch_included(size, batch, seed):
    train = Train(None, 2, batch, "shuffle")
    steps = train.per_epoch(size)
    assert train.steps(size) == 2 * steps
    for epoch in (take(2 * steps, seed, size, train)[:steps], take(2 * steps, seed, size, train)[steps:]):
        assert sorted(np.concatenate(epoch)) == list(range(size))


def test_every_epoch_is_another_permutation():
    first, second = take(2, 0, 50, Train(10, None, 50, "shuffle"))
    assert not np.array_equal(first, second)


def test_replacement_draws_whole_minibatches_that_may_repeat_samples():
    batches = take(30, 0, 10, Train(30, None, 8, "replacement"))
    assert {len(b) for b in batches} == {8}
    assert any(len(set(b)) < 8 for b in batches)
    counts = np.bincount(np.concatenate(batches), minlength=10)
    assert counts.min() > 10


def test_seeds_pair_and_differ():
    train = Train(5, None, 8, "shuffle")
    np.testing.assert_array_equal(take(5, 3, 40, train), take(5, 3, 40, train))
    assert not np.array_equal(take(5, 3, 40, train), take(5, 4, 40, train))


def test_a_subset_is_drawn_per_seed_without_repetition():
    assert subset(Seeds(0), 30, 30) is None
    a, b = subset(Seeds(0), 10, 30), subset(Seeds(1), 10, 30)
    assert len(set(a)) == len(set(b)) == 10
    assert set(a) != set(b)
    assert set(subset(Seeds(0), 5, 30)) < set(a)  # a smaller subset is a part of a larger one


def test_a_stream_is_named_by_seed_purpose_and_index():
    names = [(0, "batches", 0), (0, "batches", 1), (1, "batches", 0), (0, "init/dense1", 0), (0, "init/dense2", 0)]
    draws = {tuple(stream(*name).integers(1 << 62, size=2)) for name in names}
    assert len(draws) == len(names)


def test_a_source_of_chance_may_have_a_seed_of_its_own():
    crossed = Seeds(0, (("init", 7),))
    draws = {source: crossed.stream(source).integers(1 << 62, size=2).tolist() for source in ("init/dense1", "batches")}
    assert draws["init/dense1"] == stream(7, "init/dense1").integers(1 << 62, size=2).tolist()
    assert draws["batches"] == stream(0, "batches").integers(1 << 62, size=2).tolist()
    assert str(crossed) == "0 init=7"


def test_the_streams_are_a_contract():
    """These draws identify version 1 of the layout. If they change, stored results change: raise the version."""
    assert stream(0, "batches").integers(60000, size=3).tolist() == [11090, 59273, 57193]
    assert stream(7, "init/dense1").standard_normal(2).tolist() == [0.6054774229210454, 0.49728908584617576]
