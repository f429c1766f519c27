"""Claims and plots that overrides make impossible are left out, with a note; those of a wrong file are mistakes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dlsweep.config import Config
from dlsweep.errors import ConfigError

Load = Callable[..., Config]

TEXT = """
name: x
data: {mnist: {train: 300, test: 200}}
train: {iterations: 40}
evaluate: {every: 20, on: [train, test]}
seeds: 6
grid: {init: [he, xavier], optimizer: [sgd, adam]}
plots: [forest, interaction, final, gap]
claims:
  - He beats Xavier: {arm: {init: he}, beats: {init: xavier}}
  - Adam is better: {arm: {optimizer: adam}, beats: {optimizer: sgd}}
  - He fits: {arm: {init: he}, above: 0.2, metric: train_accuracy}
  - He starts well: {arm: {init: he}, above: 0.2, at: 20}
"""


def kept(config: Config) -> tuple[list[str], list[str]]:
    """The names of claims and of plots."""
    return [claim.name for claim in config.claims], [plot.name for plot in config.plots]


ALL = ["He beats Xavier", "Adam is better", "He fits", "He starts well"]
PLOTS = ["forest", "interaction", "final", "gap"]


@pytest.mark.parametrize(
    ("overrides", "claims", "plots", "reason"),
    [
        (["grid.optimizer=adam"], ["He beats Xavier", "He fits", "He starts well"], ["forest", "final", "gap"], "sgd"),
        (["grid.init=xavier"], ["Adam is better"], ["forest", "final", "gap"], "init has no level 'he'"),
        (["grid.init=xavier", "grid.optimizer=sgd"], [], ["final", "gap"], "none varies here): interaction; forest"),
        (["evaluate.on=[test]"], ["He beats Xavier", "Adam is better", "He starts well"], PLOTS[:3], "train split"),
        (["train.iterations=30", "evaluate.every=30"], ALL[:3], PLOTS, "an iteration with an evaluation"),
        (["seeds={init: 3, batches: 2}"], [], ["final", "gap"], "crossed seeds are not"),
        (["train.iterations=60"], ALL, PLOTS, ""),
    ],
)
def test_what_overrides_take_away_is_left_out(
    sweep: Load, overrides: list[str], claims: list[str], plots: list[str], reason: str
) -> None:
    config = sweep(TEXT, *overrides)
    assert kept(config) == (claims, plots)
    told = " ".join(config.notes)
    assert reason in told
    for name in {*ALL, *PLOTS}.difference(claims, plots):
        assert name in told
    assert ("left out" in told) == (len(claims) < 4 or len(plots) < 4)


def test_the_note_counts_and_gives_the_first_reason(sweep: Load) -> None:
    claims, plots = sweep(TEXT, "grid.init=xavier").notes[:2]
    assert claims == (
        "3 claims are left out, since the command line takes away their arms or numbers (init has no level 'he' "
        "(choices: xavier)): He beats Xavier; He fits; He starts well"
    )
    assert plots == (
        "1 plot is left out, since the command line takes away its arms or numbers (interaction needs two factors that "
        "vary, and one varies here): interaction"
    )


def test_mistakes_of_the_file_or_of_the_command_line_stay_mistakes(sweep: Load) -> None:
    wrong = TEXT.replace("beats: {optimizer: sgd}", "beats: {optimizer: sdg}")
    with pytest.raises(ConfigError, match=r"sweep.yaml:11:\d+: optimizer has no level 'sdg'"):
        sweep(wrong, "grid.init=xavier")
    with pytest.raises(ConfigError, match="command line: init has no level 'kaiming'"):
        sweep(TEXT, "grid.init=xavier", "claims=[{A: {arm: {init: kaiming}, above: 0.2}}]")
    with pytest.raises(ConfigError) as told:  # the levels of a wrong factor are not known
        sweep(TEXT, "grid.optimizer=adma")
    assert [mistake.file for mistake in told.value.mistakes] == ["command line"]
