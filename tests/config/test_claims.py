"""`claims:` and `statistics:`, read and checked before anything is trained."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent
from typing import Any, Protocol

import pytest
from tests.support.configs import Load

from dlsweep.config import load
from dlsweep.config.claims import ALPHA, CLAIM, RELATIONS, Claim
from dlsweep.errors import ConfigError
from dlsweep.metric_names import parse_metric
from dlsweep.tasks import CLASSIFICATION, DESCENT

GRID = """
data: {mnist: {train: 300, test: 200}}
train: {iterations: 100}
evaluate: {every: 20, on: [train, test]}
seeds: 8
grid:
  activation: [relu, sigmoid]
  init: [he, xavier, {normal: {std: [0.01, 0.1]}}]
  optimizer: [adam, momentum, sgd]
  regularizer: [none, {dropout: {ratio: [0.1, 0.2]}}]
"""
METRICS = "metrics: accuracy, loss, objective"


class Told(Protocol):
    def __call__(self, text: str, *sentences: str) -> None: ...


@pytest.fixture
def told(tmp_path: Path) -> Told:
    """Checks the mistakes of a YAML text: a ▲ is the place of one; their sentences are given by their beginnings."""

    def check(text: str, *sentences: str) -> None:
        path, places = tmp_path / "sweep.yaml", []
        text = dedent(text)
        while "▲" in text:
            before, _, after = text.partition("▲")
            places.append((before.count("\n") + 1, len(before) - before.rfind("\n")))
            text = before + after
        path.write_text(text, "utf-8")
        mistakes = []
        try:
            load(path)
        except ConfigError as error:
            mistakes = error.mistakes
        assert [(one.line, one.column) for one in mistakes] == places, "\n".join(map(str, mistakes))
        for mistake, sentence in zip(mistakes, sentences, strict=True):
            assert mistake.message[: len(sentence)] == sentence

    return check


def claim(sweep: Load, text: str, grid: str = GRID) -> Claim:
    (found,) = sweep(f"{grid}claims:\n  - It holds: {text}\n").claims
    return found


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        (
            "{arm: {activation: relu, init: he}, beats: {activation: relu, init: normal}, by: 0.2}",
            {
                "relation": "beats",
                "arms": (
                    {"activation": ("relu",), "init": ("he",)},
                    {"activation": ("relu",), "init": ("normal std=0.01", "normal std=0.1")},
                ),
                "margin": 0.2,
            },
        ),
        (
            "{arm: {init: he}, beats: {init: xavier}, more: {activation: relu}, than: {activation: sigmoid}}",
            {
                "relation": "beats",
                "arms": ({"init": ("he",)}, {"init": ("xavier",)}),
                "more": {"activation": ("relu",)},
                "than": {"activation": ("sigmoid",)},
            },
        ),
        (
            "{arm: {optimizer: adam}, equals: {optimizer: sgd}, within: 1, metric: test_loss, at: 40, expect: refuted}",
            {
                "relation": "equals",
                "arms": ({"optimizer": ("adam",)}, {"optimizer": ("sgd",)}),
                "margin": 1.0,
                "metric": "final_test_loss",
                "at": 40,
                "expect": "refuted",
            },
        ),
        (
            "{arm: {init: [xavier, he]}, below: 0.15, where: {optimizer: sgd}}",
            {
                "relation": "below",
                "arms": ({"init": ("he", "xavier")},),
                "margin": 0.15,
                "where": {"optimizer": ("sgd",)},
            },
        ),
        ("{arm: {init: he}, above: 0}", {"relation": "above", "arms": ({"init": ("he",)},)}),
        (
            "{order: [{optimizer: adam}, {optimizer: momentum}, {optimizer: sgd}], better: less, metric: seconds}",
            {
                "relation": "order",
                "arms": ({"optimizer": ("adam",)}, {"optimizer": ("momentum",)}, {"optimizer": ("sgd",)}),
                "better": "less",
                "metric": "seconds",
            },
        ),
        (
            "{trend: regularizer.dropout.ratio, direction: down, metric: train_accuracy}",
            {
                "relation": "trend",
                "along": "regularizer.dropout.ratio",
                "direction": "down",
                "metric": "final_train_accuracy",
            },
        ),
        (
            "{monotone: init.std, metric: gap_accuracy}",
            {"relation": "monotone", "along": "init.std", "metric": "gap_accuracy"},
        ),
    ],
)
def test_every_relation(sweep: Load, text: str, fields: dict[str, Any]) -> None:
    assert claim(sweep, text) == Claim("It holds", **{"metric": "final_test_accuracy", **fields})


SPREAD = """
data: {mnist: {train: 300, test: 200}}
seeds: 8
grid:
  activation, init: [[relu, he], [sigmoid, xavier]]
  normalization: [none, batch]
  optimizer: [sgd, momentum]
  optimizer.alpha: [0.5, 0.9]
"""


@pytest.mark.parametrize(
    ("arm", "factor", "told"),
    [
        ("normalization: batch", "init", "with activation relu, optimizer sgd, optimizer.alpha - there is only he;"),
        ("activation: relu", "optimizer", "with normalization none, optimizer.alpha - there is only sgd;"),
    ],
)
def test_a_spread_over_a_factor_that_varies_together_with_another(
    sweep: Load, arm: str, factor: str, told: str
) -> None:
    spread = f"{{arm: {{{arm}}}, above: 0.1, metric: spread_over_{factor}_test_accuracy}}"
    with pytest.raises(ConfigError) as refused:
        claim(sweep, spread, SPREAD)
    (mistake,) = refused.value.mistakes
    assert mistake.message.startswith(f"a spread over {factor} needs arms that differ in {factor} alone")
    assert told in mistake.message


def test_a_spread_is_over_the_arms_that_have_the_factor(sweep: Load) -> None:
    spread = "{arm: {normalization: batch}, above: 0.1, metric: spread_over_optimizer.alpha_test_accuracy}"
    assert claim(sweep, spread, SPREAD).metric == "spread_over_optimizer.alpha_final_test_accuracy"


def test_the_level_of_the_tests(sweep: Load) -> None:
    assert sweep(GRID).alpha == ALPHA
    assert sweep(GRID + "statistics: {alpha: 0.01}").alpha == 0.01
    assert sweep(GRID, "statistics.alpha=0.1").alpha == 0.1


def test_the_command_line_replaces_all_claims(sweep: Load) -> None:
    text = GRID + "claims: [{He beats Xavier: {arm: {init: he}, beats: {init: xavier}}}]"
    assert sweep(text, "claims=[]").claims == ()
    (replaced,) = sweep(text, "claims=[{Xavier beats He: {arm: {init: xavier}, beats: {init: he}}}]").claims
    assert replaced.name == "Xavier beats He"


def test_claims_are_no_part_of_the_question(sweep: Load) -> None:
    plain = sweep(GRID)
    stated = sweep(GRID + "statistics: {alpha: 0.01}\nclaims: [{A: {arm: {init: he}, above: 0.5}}]")
    assert stated.resolved() == plain.resolved()
    assert [run.id for run in stated.runs()] == [run.id for run in plain.runs()]


def test_a_change_of_the_expected_verdict_is_not_another_question(sweep: Load) -> None:
    one, other = (claim(sweep, f"{{arm: {{init: he}}, above: 0.5, expect: {e}}}") for e in ("supported", "refuted"))
    assert one != other
    assert one.question == other.question


def test_descents_are_compared_by_their_loss(sweep: Load) -> None:
    grid = "model: narrow_valley\ntrain: {iterations: 30}\ngrid: {optimizer: [sgd, adam]}\n"
    found = claim(sweep, "{arm: {optimizer: adam}, beats: {optimizer: sgd}}", grid)
    assert found.metric == "final_train_loss"
    assert claim(sweep, "{order: [{optimizer: adam}, {optimizer: sgd}], metric: turning_angle}", grid).metric


@pytest.mark.parametrize(
    ("claims", "sentence"),
    [
        (
            "▲5",
            "claims must be a list of claims such as [{He beats Xavier: {arm: {init: he}, beats: {init: xavier}}}], g",
        ),
        ("▲{A: {arm: {init: he}, above: 0.5}}", "claims must be a list of claims"),
        ("[▲He beats Xavier]", "a claim is a name with a relation, such as {He beats Xavier: {arm: {init: he}, "),
        ("[▲{A: {arm: {init: he}, above: 0.5}, B: 1}]", "a claim is a name with a relation"),
        (
            "[{A: ▲above}]",
            "a claim is a name with a relation, such as {He beats Xavier: {arm: {init: he}, beats: {init: ",
        ),
        ("[{A: ▲[above]}]", "a claim is a name with a relation"),
        (
            "[{▲A: {}}]",
            "the claim 'A' has no relation (choices: above, beats, below, equals, monotone, order, trend); a claim is",
        ),
        ("[{▲A: {arm: {init: he}}}]", "the claim 'A' has no relation"),
        (
            "[{A: {arm: {init: he}, ▲beat: {init: xavier}}}]",
            "there is no relation 'beat'; did you mean 'beats'? (choices",
        ),
        (
            "[{A: {arm: {init: he}, beats: {init: xavier}, ▲equals: {init: xavier}}}]",
            "a claim has one relation, got beats and equals; make two claims of it",
        ),
        (
            "[{A: {arm: {init: he}, above: 0.2, ▲withn: 0.5}}]",
            "a claim with above has no setting 'withn' (choices: above, arm, at, expect, metric, where)",
        ),
        (
            "[{A: {arm: {init: he}, beats: {init: xavier}, ▲buy: 1}}]",
            "a claim with beats has no setting 'buy'; did you mean 'by'? (choices: arm, at, beats, better, by, ",
        ),
        (
            "[{▲A: {arm: {init: he}, equals: {init: xavier}}}]",
            "a claim with equals needs within as well, such",
        ),
        ("[{▲A: {beats: {init: xavier}}}]", "a claim with beats needs arm as well, such as arm: {init: he}"),
        (
            "[{A: {arm: {init: he}, beats: {init: xavier}, ▲more: {activation: relu}}}]",
            "more goes with than; give both, or neither",
        ),
        (
            "[{A: {arm: ▲he, beats: {init: xavier}}}]",
            "claims.arm gives arms by their levels, such as {init: he}",
        ),
        (
            "[{A: {arm: ▲[{init: he}], above: 0.1}}]",
            "claims.arm gives arms by their levels, such as {init: he}",
        ),
        ("[{A: {arm: {init: he}, beats: ▲{}}}]", "claims.beats gives arms by their levels, such as {init: he}, got {}"),
        ("[{A: {arm: ▲{}, above: 0.5}}]", "claims.arm gives arms by their levels, such as {init: he}, got {}"),
        (
            "[{A: {order: ▲[{init: he}]}}]",
            "claims.order lists two arms or more, the best one first, such as [{optimizer: adam}, {optimizer: sgd}], "
            "got [{init: …}]",
        ),
        ("[{A: {order: ▲he}}]", "claims.order lists two arms or more"),
        ("[{A: {order: [{init: he}, ▲xavier]}}]", "claims.order gives arms by their levels, such as {init: he}, got "),
        ("[{A: {arm: {init: he}, above: ▲high}}]", "claims.above must be a number, got 'high'"),
        (
            "[{A: {arm: {init: he}, above: ▲'0.5'}}]",
            "claims.above must be a number, got '0.5', which is text; remove the",
        ),
        ("[{A: {arm: {init: he}, above: ▲.nan}}]", "claims.above must be a finite number, got .nan"),
        ("[{A: {arm: {init: he}, beats: {init: xavier}, by: ▲-1}}]", "claims.by must be at least 0, got -1"),
        ("[{A: {arm: {init: he}, equals: {init: xavier}, within: ▲0}}]", "claims.within must be above 0, got 0"),
        (
            "[{A: {arm: {init: he}, above: 0.5, expect: ▲suported}}]",
            "claims.expect must be one of supported, refuted, undecided, got 'suported'; did you mean 'supported'?",
        ),
        ("[{A: {arm: {init: he}, above: 0.5, at: ▲-1}}]", "claims.at must be at least 0, got -1"),
        ("[{A: {arm: {init: he}, above: 0.5, at: ▲[20, 40]}}]", "claims.at must be a whole number, got [20, 40]"),
        ("[{A: {arm: {init: he}, above: 0.5, metric: ▲null}}]", "claims.metric must be text, got nothing"),
        ("[{A: {trend: init.std, direction: ▲left}}]", "claims.direction must be one of up, down, got 'left'"),
        (
            "[{A: {arm: {▲inti: he}, above: 0.5}}]",
            "claims.arm speaks of 'inti', no factor here; did you mean 'init'? (choices: activation, init, "
            "normalization, ",
        ),
        (
            "[{A: {arm: {init: he}, above: 0.5, where: {activation: ▲rleu}}}]",
            "activation has no level 'rleu'; did you mean 'relu'? (choices: relu, sigmoid)",
        ),
        (
            "[{A: {arm: {init: he}, above: 0.5}}, {▲A: {arm: {init: he}, above: 0.6}}]",
            "two claims have the name 'A', first on line 11; give one of them another",
        ),
        (
            '[{▲"a\\nb": {arm: {init: he}, above: 0.5}}]',
            "the name of a claim must be a line of text, of 1 to 200 charact",
        ),
        ('[{▲" ": {arm: {init: he}, above: 0.5}}]', "the name of a claim must be a line of text"),
        ("[{▲" + "A" * 201 + ": {arm: {init: he}, above: 0.5}}]", "the name of a claim must be a line of text"),
        (
            "[{A: {arm: {init: he}, above: 0.5, metric: ▲test_acuracy}}]",
            f"there is no metric 'test_acuracy'; did you mean 'test_accuracy'? ({METRICS}",
        ),
        (
            "[{A: {arm: {init: he}, above: 0.5, metric: ▲validation_accuracy}}]",
            "the metric 'validation_accuracy' needs the validation split, which is not evaluated; add evaluate: {on: ",
        ),
        (
            "[{A: {arm: {init: he}, above: 0.5, metric: ▲dead@dense1}}]",
            "the metric 'dead@dense1' needs measurements of layers; add evaluate: {layers: true}",
        ),
    ],
)
def test_mistakes_of_form(told: Told, claims: str, sentence: str) -> None:
    told(f"{GRID}claims: {claims}\n", sentence)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "{arm: ▲{init: he, regularizer: dropout}, above: 0.5, where: {regularizer: none}}",
            "no arm with regularizer none has init he, regularizer dropout ratio=0.1 or dropout ratio=0.2",
        ),
        (
            "{arm: {init: he}, above: 0.5, where: ▲{activation: sigmoid, init: xavier}}",
            "no arm of the grid has activation sigmoid, init xavier; exclude and only leave none",
        ),
        (
            "{arm: {init: he}, beats: {init: xavier}, more: {activation: relu}, than: ▲{activation: sigmoid}}",
            "no arm of the grid has init xavier, activation sigmoid; exclude and only leave none",
        ),
        (
            "{order: [{init: he}, ▲{init: xavier, activation: sigmoid}]}",
            "no arm of the grid has init xavier, activation",
        ),
        ("{arm: {init: he}, beats: ▲{init: he}}", "the arm relu, he, adam, none is on both sides of the comparison"),
        (
            "{arm: {optimizer: [adam, sgd]}, beats: ▲{optimizer: [momentum, sgd]}}",
            "the arm relu, he, sgd, none is on both sides of the comparison",
        ),
        ("{arm: {init: he}, beats: ▲{activation: relu}}", "the arm relu, he, adam, none is on both sides"),
        (
            "{order: [{init: he}, {init: xavier}, ▲{init: he}]}",
            "the arm relu, he, adam, none is on both sides",
        ),
        (
            "{arm: {init: he, optimizer: adam}, beats: ▲{init: xavier, activation: relu}, where: {optimizer: adam}}",
            None,
        ),
        (
            "{arm: {init: he}, above: ▲1}",
            "claims.above must lie inside the range of final test accuracy, from 0 to 1, got",
        ),
        ("{arm: {init: he}, below: ▲0}", "claims.below must lie inside the range of final test"),
        (
            "{arm: {init: he}, above: ▲50}",
            "claims.above must lie inside the range of final test accuracy, from 0 to 1, got",
        ),
        (
            "{arm: {init: he}, beats: {init: xavier}, by: ▲2}",
            "claims.by must be below 1, the range of final test accuracy, got 2",
        ),
        (
            "{arm: {init: he}, equals: {init: xavier}, within: ▲1}",
            "claims.within must be below 1, the range of final test accuracy, got 1",
        ),
        (
            "{arm: {init: he}, beats: {init: xavier}, metric: ▲gradient_rms@dense1}",
            "it is not known if more or less gradient rms of dense1 is better; add better: more, or better: less",
        ),
        (
            "{order: [{init: he}, {init: xavier}], metric: ▲dead@dense1}",
            "it is not known if more or less share of dead",
        ),
        (
            "{arm: {init: he}, above: 0.5, metric: ▲dead@dense4}",
            "there is no layer 'dense4' in the network of relu, he, adam, none; did you mean ",
        ),
        (
            "{arm: {init: he}, above: 0.5, at: ▲50}",
            "claims.at must be an iteration with an evaluation, every 20 iterations up to 100, got 50; the nearest is",
        ),
        (
            "{arm: {init: he}, above: 0.5, at: ▲1000}",
            "claims.at must be an iteration with an evaluation, every 20 itera",
        ),
        (
            "{arm: {init: he}, above: 0.5, at: ▲20, metric: best_test_accuracy}",
            "claims.at goes with a metric at one iteration, such as test_loss; best_test_accuracy is one of the whole",
        ),
        (
            "{arm: {init: he}, above: 0.5, metric: ▲mean_last_7_test_accuracy}",
            "mean_last_7_test_accuracy needs 7 evaluations, and a run has 6",
        ),
        (
            "{arm: {▲init: he}, above: 0.5, metric: spread_over_init_test_accuracy}",
            "spread_over_init_final_test_accuracy runs over all levels of init, so the claim cannot choose some",
        ),
        (
            "{arm: {optimizer: adam}, above: 0.5, metric: ▲spread_over_normalization_test_accuracy}",
            "normalization has 1 level in these arms, so there is no spread over it",
        ),
        (
            "{trend: ▲regularizer.dropout.rate}",
            "claims.trend must name a numeric setting that varies in these arms, got 'regularizer.dropout.rate'; did "
            "you mean 'regularizer.dropout.ratio'? (choices: init.std, optimizer.lr, regularizer.dropout.ratio)",
        ),
        (
            "{monotone: ▲optimizer}",
            "claims.monotone must name a numeric setting that varies in these arms, got 'optimizer",
        ),
        (
            "{trend: ▲optimizer.lr, where: {optimizer: sgd}}",
            "claims.trend must name a numeric setting that varies in these arms, and optimizer.lr has one value here",
        ),
        (
            "{trend: ▲optimizer.lr}",
            "there is no combination of the other factors with all values of optimizer.lr (0.001, 0.01); choose a part",
        ),
    ],
)
def test_claims_that_no_results_can_decide(told: Told, text: str, sentence: str | None) -> None:
    rules = "evaluate: {every: 20, on: [train, test], layers: true}\nexclude: [{activation: sigmoid, init: xavier}]\n"
    grid = GRID.replace("evaluate: {every: 20, on: [train, test]}\n", rules)
    told(f"{grid}claims: [{{A: {text if sentence else text.replace('▲', '')}}}]", *([sentence] if sentence else []))


@pytest.mark.parametrize(
    ("text", "never"),
    [
        ("above: 0, metric: rise_test_loss", "rise of test loss after its minimum is never below 0"),
        ("above: 0", "final test accuracy is never below 0"),
        ("below: 1", "final test accuracy is never above 1"),
        ("above: 0.01, metric: rise_test_loss", ""),
        ("above: 0, metric: gap_accuracy", ""),
        ("below: 0.9", ""),
    ],
)
def test_a_note_names_a_claim_that_no_results_can_refute(sweep: Load, text: str, never: str) -> None:
    notes = sweep(f"{GRID}claims: [{{It holds: {{arm: {{init: he}}, {text}}}}}]\n").notes
    assert [never in note and "so no results refute this claim" in note for note in notes] == [True] * bool(never)


def test_sides_need_a_combination_of_the_open_factors_in_common(told: Told) -> None:
    grid = """
        grid: [{activation: relu, optimizer: adam, init: [he, xavier]}, {activation: tanh, optimizer: sgd}]
        claims: [{A: {arm: {activation: relu}, beats: ▲{activation: tanh}}}]
        """
    told(grid, "activation relu and activation tanh have no combination of optimizer in common, over which they could")


def test_a_setting_that_one_side_lacks_is_not_open(sweep: Load) -> None:
    grid = """
        grid: {regularizer: [none, dropout], regularizer.dropout.ratio: [0.1, 0.2]}
        claims: [{A: {arm: {regularizer: dropout}, beats: {regularizer: none}}}]
        """
    assert sweep(grid).claims[0].arms == ({"regularizer": ("dropout",)}, {"regularizer": ("none",)})


def test_an_arm_that_is_folded_into_another_is_named(told: Told) -> None:
    grid = """
        grid: {regularizer: [none, {dropout: {ratio: [0, 0.2]}}]}
        claims: [{A: {arm: ▲{regularizer: dropout ratio=0}, above: 0.5}}]
        """
    told(grid, "an arm that has regularizer dropout ratio=0 is the same network as none, which trains in its place")


def test_levels_folded_into_none_count_as_zero_along_a_trend(sweep: Load) -> None:
    grid = """
        grid: {regularizer: [none, {dropout: {ratio: 0.2}}]}
        claims: [{A: {trend: regularizer.dropout.ratio}}]
        """
    assert sweep(grid).claims[0].along == "regularizer.dropout.ratio"


def test_crossed_seeds_have_no_claims(told: Told) -> None:
    grid = """
        seeds: {init: 10, batches: 10}
        grid: {init: [he, xavier]}
        ▲claims: [{A: {arm: {init: he}, above: 0.5}}]
        """
    told(grid, "claims compare independent runs, and those of crossed seeds are not; write a number of seeds")


def test_mistakes_of_claims_are_told_with_all_others(told: Told) -> None:
    text = """
        grid: {init: [he, xavier]}
        seeds: ▲0
        statistics: {alpha: ▲1}
        claims:
          - A: {arm: {init: he}, beats: ▲{init: he}}
          - B: {arm: {init: ▲hee}, above: ▲high, metric: ▲tset_loss, expect: ▲no}
          - C: {arm: {init: he}, above: ▲2}
        """
    told(
        text,
        "seeds must be a count",
        "statistics.alpha must be below 0.5, got 1",
        "the arm he is on both sides",
        "init has no level 'hee'; did you mean 'he'?",
        "claims.above must be a number, got 'high'",
        "there is no metric 'tset_loss'; did you mean 'test_loss'?",
        "claims.expect must be one of",
        "claims.above must lie inside",
    )


def test_nothing_is_said_of_claims_if_there_is_no_arm_at_all(told: Told) -> None:
    text = """
        grid: {init: [he, xavier], activation: [relu, tanh]}
        ▲exclude: [{init: [he, xavier]}]
        claims: [{A: {arm: {init: he}, beats: {init: xavier}}}]
        """
    told(text, "exclude and only leave no arm at all")


def test_nothing_is_said_of_arms_that_could_not_be_read(told: Told) -> None:
    text = """
        grid: {init: [he, ▲xaver]}
        claims: [{A: {arm: {init: he}, beats: {init: xavier}}}]
        """
    told(text, "there is no initializer 'xaver'")


def test_every_relation_has_settings_with_a_type() -> None:
    used = {setting for form in RELATIONS.values() for setting in form.settings}
    assert used == set(CLAIM.settings)


ANSWERS = Path(__file__).parents[2] / "docs/answers.md"


def test_the_config_of_the_documentation_has_every_relation(sweep: Load) -> None:
    (text,) = re.findall(r"^```yaml\n(.*?)^```$", ANSWERS.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    config = sweep(text)
    assert {claim.relation for claim in config.claims} == set(RELATIONS) - {"above"}


def test_the_metrics_of_the_documentation_are_known() -> None:
    table = ANSWERS.read_text("utf-8").partition("## Metrics")[2].partition("A metric without")[0]
    names = [
        name
        for row in table.splitlines()
        for name in re.findall(r"`([^`: ]+)`", row.split("|")[1] if "|" in row else "")
    ]
    assert len(names) == 18
    for name in names:
        task = DESCENT if name == "turning_angle" else CLASSIFICATION
        parse_metric(name, splits=("train", "validation", "test"), factors=("init",), task=task, layers=True)
