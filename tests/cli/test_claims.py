"""Claims on the command line, before anything is trained."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support.commands import TINY, Dlsweep

CLAIMS = """
claims:
  - He is first: {arm: {init: he}, beats: {init: xavier}}
  - the activations are alike: {arm: {activation: relu}, equals: {activation: tanh}, within: 0.1}
"""


@pytest.fixture
def claims(dlsweep: Dlsweep, tmp_path: Path) -> Dlsweep:
    """The command, in a folder with a config that has claims."""
    (tmp_path / "claims.yaml").write_text(TINY + CLAIMS)
    return dlsweep


def test_dry_run_says_which_claims_the_seeds_cannot_decide(claims: Dlsweep) -> None:
    few = claims("run", "claims.yaml", "--dry-run", "seeds=6")
    assert few.stderr == "He is first: 6 seeds cannot decide this claim whatever the results are; 7 can\n"
    enough = claims("run", "claims.yaml", "--dry-run", "seeds=10")
    assert enough.stdout.splitlines()[-1].startswith("2 claims at the level 0.05: 10 seeds detect a difference of 1.")
    assert enough.stderr == ""
    told = json.loads(claims("run", "claims.yaml", "--dry-run", "--json", "seeds=6").stdout)
    assert told["claims"] == [
        {"claim": "He is first", "seeds": 6, "fewest": 7, "detectable": None},
        {"claim": "the activations are alike", "seeds": 6, "fewest": 6, "detectable": None},
    ]


def test_run_notes_them_before_it_trains(claims: Dlsweep) -> None:
    done = claims("run", "claims.yaml", "-j", "1")
    note = "He is first: 3 seeds cannot decide this claim whatever the results are; 7 can\n"
    assert done.stderr.index(note) < done.stderr.index("12 runs")
    assert claims("run", "claims.yaml", "-j", "1", "-q", "statistics.alpha=0.01").stderr == ""


def test_every_mistake_in_claims_is_told_before_training(claims: Dlsweep, tmp_path: Path) -> None:
    text = TINY + CLAIMS.replace("xavier", "xaver").replace("within", "witin")
    (tmp_path / "wrong.yaml").write_text(text)
    refused = claims("run", "wrong.yaml", code=2)
    first, second, third = (line for line in refused.stderr.splitlines() if line.startswith("wrong.yaml:"))
    line = text[: text.index("He is first")].count("\n") + 1
    assert first == f"wrong.yaml:{line}:50: init has no level 'xaver'; did you mean 'xavier'? (choices: he, xavier)"
    assert second.startswith(f"wrong.yaml:{line + 1}:5: a claim with equals needs within as well")
    assert third.startswith(f"wrong.yaml:{line + 1}:86: a claim with equals has no setting 'witin'; did you mean")
    assert not (tmp_path / "results").exists()
