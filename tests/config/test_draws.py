"""Ranges that candidates of tuning are drawn from: `{uniform: [0.8, 0.99]}` and `{log_uniform: [0.0001, 1]}`."""

from __future__ import annotations

from math import exp, log

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.configs import Load, Refused

from dlsweep.config import Config, load
from dlsweep.config.draws import Span
from dlsweep.config.schema import schema
from dlsweep.errors import ConfigError
from dlsweep.randomness import stream
from dlsweep.text import value_text

DATA = """
data: {mnist: {train: 300, validation: 100, test: 200}}
train: {iterations: 20}
evaluate: {on: [validation, test]}
"""
LR = "optimizer.lr: {log_uniform: [0.001, 1]}"


def values(config: Config, *names: str) -> list[list[tuple[str, ...]]]:
    """The values of tuned settings of the candidates of each arm."""
    assert config.tuning
    return [[tuple(config.tuning.values(arm)[n] for n in names) for arm in group] for group in config.candidates()]


def test_arms_with_the_same_range_try_the_same_values(sweep: Load) -> None:
    tune = "tune: {over: optimizer.lr, random: 5}\n"
    drawn = stream(0, "tuning/optimizer.lr").random(5)
    expected = [value_text(float(f"{exp(log(0.001) + u * log(1000)):.2e}")) for u in drawn]
    (sgd, adam) = values(sweep(f"{DATA}{tune}grid: {{optimizer: [sgd, adam], {LR}}}"), "optimizer.lr")
    assert sgd == adam == [(value,) for value in expected]
    inside = "grid: {optimizer: [{sgd: {lr: {log_uniform: [0.001, 1]}}}, {adam: {log_uniform: [0.0001, 0.1]}}]}"
    (sgd, adam) = values(sweep(DATA + tune + inside), "optimizer.lr")
    assert sgd == [(value,) for value in expected]
    assert [float(b) for (b,) in adam] == pytest.approx([float(a) / 10 for (a,) in sgd])  # the same parts of the range
    more = values(sweep(f"{DATA}{tune}grid: {{optimizer: [sgd, adam], {LR}}}", "tune.random=9"), "optimizer.lr")
    assert more[0][:5] == [(value,) for value in expected]


def test_a_candidate_has_the_same_draw_of_every_range_and_others_stay_alone(sweep: Load) -> None:
    levels = "[{momentum: {alpha: {uniform: [0.5, 0.99]}}}, sgd, {adam: {beta1: {uniform: [0.8, 0.9]}}, label: A}]"
    over = "tune: {over: [optimizer.lr, optimizer.alpha, optimizer.beta1, train.batch_size], random: 6}\n"
    sizes = "train.batch_size: {uniform: [10, 100]}, init: [he, xavier]"
    text = f"{DATA}{over}grid: {{optimizer: {levels}, {LR}, {sizes}}}"
    config = sweep(text)
    assert list(map(len, config.candidates())) == [6] * 6
    lr, size = (Span("optimizer.lr", 0.001, 1, log=True), Span("train.batch_size", 10, 100, whole=True))
    pairs = [tuple(map(value_text, pair)) for pair in zip(lr.values(6), size.values(6))]
    assert values(config, "optimizer.lr", "train.batch_size") == [pairs] * 6
    assert {type(arm.train.batch_size) for arm in config.arms()} == {int}
    names = {arm.levels["optimizer"].partition("=")[0] for arm in config.arms()}
    assert names == {"momentum alpha", "sgd", "A beta1"}
    resolved = {key: value for key, value in config.resolved().items() if key != "fingerprints"}
    assert [arm.identity for arm in load(resolved).arms()] == [arm.identity for arm in config.arms()]


def test_factors_that_move_together_have_ranges_of_their_own(sweep: Load) -> None:
    rows = "[[sgd, {log_uniform: [0.01, 1]}], [adam, {log_uniform: [0.001, 0.1]}], [adagrad, 0.1]]"
    config = sweep(f"{DATA}tune: {{over: optimizer.lr, random: 4}}\ngrid: {{'optimizer, optimizer.lr': {rows}}}")
    assert list(map(len, config.candidates())) == [4, 4, 1]
    assert config.count == 9 * 5
    assert any("not tuned alike: 1 candidate of adagrad, 4 of sgd, adam" in note for note in config.notes)


SPANS = st.tuples(st.floats(1e-6, 1e6), st.floats(1.001, 1e6), st.booleans())


@given(SPANS, st.integers(1, 60))
def test_values_are_different_lie_in_the_range_and_have_few_digits(span: tuple[float, float, bool], n: int) -> None:
    low, ratio, by_log = span
    one = Span("optimizer.lr", low, low * ratio, by_log)
    found = one.values(n)
    assert len(set(found)) == n
    assert all(one.low <= value <= one.high for value in found)
    assert one.values(n + 5)[:n] == found
    exact = stream(0, "tuning/optimizer.lr").random(n)
    assert all(abs(one.part(value) - part) < 0.01 for value, part in zip(found, exact))


@given(st.integers(-50, 50), st.integers(0, 40), st.data())
def test_whole_numbers_are_drawn_without_repeats(low: int, length: int, data: st.DataObject) -> None:
    one = Span("train.batch_size", low, low + length, whole=True)
    n = data.draw(st.integers(1, length + 1))
    found = one.values(n)
    assert len(set(found)) == n
    assert {type(value) for value in found} == {int}
    assert set(found) <= set(range(low, low + length + 1))
    assert set(one.values(length + 1)) == set(range(low, low + length + 1))


@pytest.mark.parametrize(
    ("grid", "tune", "sentence"),
    [
        (
            "optimizer.lr: {▲log_uniform: [0.01, 1]}",
            "",
            "log_uniform in optimizer.lr is drawn at random for tuning, and nothing is tuned; write "
            "{logspace: [0.0001, 1, 9]}, or tune: {over: optimizer.lr, random: 30}",
        ),
        (
            "optimizer.lr: {▲uniform: [0.01, 1]}",
            "tune: {over: optimizer.lr}",
            "uniform in optimizer.lr is drawn at random for tuning, and tune.random does not say how many; write "
            "{linspace: [0, 0.5, 6]}, or tune: {over: optimizer.lr, random: 30}",
        ),
        (
            "optimizer.lr: [0.1, 0.2], optimizer: {momentum: {alpha: {▲uniform: [0.1, 0.9]}}}",
            "tune: {over: optimizer.lr, random: 1}",
            "uniform in optimizer.momentum.alpha is drawn at random for tuning, and tune.over does not name "
            "optimizer.alpha; write {linspace: [0, 0.5, 6]}, or tune: {over: optimizer.alpha, random: 30}",
        ),
        ("optimizer.lr: {uniform: ▲[1]}", "", "uniform in optimizer.lr is [lowest, highest], such as {uniform: [0.8"),
        ("optimizer.lr: {uniform: ▲[2, 1]}", "", "uniform in optimizer.lr is [lowest, highest], such as {uniform: [0."),
        ("optimizer.lr: {uniform: [1, ▲x]}", "", "uniform in optimizer.lr has finite numbers, got 'x'"),
        ("optimizer.lr: {uniform: [▲-1, 1]}", "", "optimizer.lr must be"),
        ("optimizer.lr: {uniform: ▲[1, 1.0000000001]}", "", "the ends of uniform in optimizer.lr are too near to each"),
        ("optimizer.lr: {log_uniform: ▲[0, 1]}", "", "log_uniform goes between numbers above 0, got [0, 1]"),
        (
            "optimizer.lr: {▲uniforn: [0, 1]}",
            "",
            "optimizer.lr is a number or a range; there is no range 'uniforn'; di",
        ),
        (
            "optimizer.lr: [0.1, ▲{uniform: [0.1, 1]}]",
            "",
            "a range that optimizer.lr is drawn from has no other values beside it, got [0.1, {uniform: …}]",
        ),
        (
            "optimizer.lr: [0.1, 1], train.batch_size: {uniform: ▲[8, 10]}",
            "tune: {over: [optimizer.lr, train.batch_size], random: 4}",
            "uniform in train.batch_size has 3 whole numbers, and tune.random asks for 4; write {range: [8, 11]}",
        ),
    ],
)
def test_mistakes_have_their_place(sweep: Load, grid: str, tune: str, sentence: str) -> None:
    if not tune and "nothing is tuned" not in sentence:
        tune = "tune: {over: optimizer.lr, random: 4}"
    before, _, after = f"{DATA}grid:\n  {{{grid}}}\n{tune}\n".partition("▲")
    with pytest.raises(ConfigError) as caught:
        sweep(before + after)
    (mistake,) = caught.value.mistakes
    assert mistake.message.startswith(sentence)
    assert (mistake.line, mistake.column) == (before.count("\n") + 1, len(before) - before.rfind("\n"))


def test_a_range_is_no_single_value(refused: Refused) -> None:
    refused(
        f"{DATA}train: {{batch_size: ▲{{uniform: [1, 9]}}}}\n".replace("train: {iterations: 20}\n", ""),
        "train.batch_size has one value here, got {uniform: …}; to compare several, use a factor of the grid",
    )


def test_the_schema_knows_them() -> None:
    valid = jsonschema.Draft202012Validator(schema())
    tune = {"over": "optimizer.lr", "random": 5}
    assert valid.is_valid({"grid": {"optimizer.lr": {"log_uniform": [0.1, 1]}}, "tune": tune})
    assert not valid.is_valid({"grid": {"optimizer.lr": {"log_uniform": [0.1, 1, 3]}}, "tune": tune})
