"""Claims in the record of a results folder: they may change at any time, and the record says which came late."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest
from tests.support.sweeps import Bits, Make

import dlsweep
from dlsweep.storage.record import Record
from dlsweep.storage.results import Results
from dlsweep.training import plan

HE = {"He is first": {"arm": {"init": "he"}, "beats": {"init": "xavier"}}}
CHANCE = {"it learns": {"arm": {"init": "he"}, "above": 0.4}}
ALIKE = {"the activations are alike": {"arm": {"activation": "relu"}, "equals": {"activation": "tanh"}, "within": 0.3}}

Train = Callable[..., Record]


@pytest.fixture
def train(make: Make, tmp_path: Path) -> Train:
    """Train a sweep with some claims, and return its record as it is on disk."""

    def train(*claims: Any, **changes: Any) -> Record:
        options = {key: changes.pop(key) for key in ("force", "retry") if key in changes}
        dlsweep.run(make(claims=[*claims], **changes), output=tmp_path, executor="inline", quiet=True, **options)
        return dlsweep.open_results(tmp_path / "tiny").record

    return train


def names(record: Record) -> list[str]:
    return [claim.name for claim in record.claims]


def test_claims_from_before_the_training_are_not_late(train: Train, make: Make) -> None:
    record = train(HE, CHANCE, statistics={"alpha": 0.01})
    assert record.claims == dlsweep.load(make(claims=[HE, CHANCE])).claims
    assert (record.alpha, list(record.late), list(record.removed)) == (0.01, [], [])
    again = train(HE, CHANCE, statistics={"alpha": 0.01})
    assert again == record  # nothing is written


def test_claims_change_without_force_and_nothing_is_trained_again(
    train: Train, tmp_path: Path, bits: Bits, make: Make
) -> None:
    train()
    plain = bits(dlsweep.open_results(tmp_path / "tiny"))
    record = train(HE, CHANCE)
    assert names(record) == list(record.late) == ["He is first", "it learns"]
    assert bits(dlsweep.open_results(tmp_path / "tiny")) == plain
    assert len(record.sessions) == 2


def test_late_are_the_claims_that_were_added_or_changed_after_a_run(train: Train) -> None:
    train(HE, CHANCE, seeds=1)
    assert list(train(HE, CHANCE, seeds=2).late) == []  # the question is the same
    assert list(train(HE, CHANCE, ALIKE).late) == ["the activations are alike"]
    changed = {"it learns": {"arm": {"init": "he"}, "above": 0.5}}
    record = train(HE, changed)
    assert (list(record.late), list(record.removed)) == (["it learns"], ["the activations are alike"])
    record = train(changed, ALIKE)
    assert list(record.late) == ["it learns", "the activations are alike"]
    assert list(record.removed) == ["He is first"]


def test_another_level_of_the_tests_makes_all_claims_late(train: Train) -> None:
    train(HE)
    assert list(train(HE, statistics={"alpha": 0.1}).late) == ["He is first"]


def test_a_claim_that_comes_back_is_as_early_as_it_was(train: Train) -> None:
    train(HE, CHANCE)
    assert list(train(HE, ALIKE).removed) == ["it learns"]
    record = train(HE, CHANCE, ALIKE)
    assert (list(record.late), list(record.removed)) == (["the activations are alike"], [])
    train(HE)
    train(HE, statistics={"alpha": 0.1})
    record = train(HE, CHANCE, ALIKE, {"it learns well": {"arm": {"init": "he"}, "above": 0.5}})
    assert list(record.late) == ["the activations are alike", "it learns well"]


def test_the_expected_verdict_may_change(train: Train) -> None:
    train(HE)
    record = train({"He is first": {**HE["He is first"], "expect": "refuted"}})
    assert record.claims[0].expect == "refuted"
    assert list(record.late) == []


def test_force_begins_anew(train: Train) -> None:
    train(CHANCE)
    record = train(HE, force=True)
    assert (names(record), list(record.late), list(record.removed)) == (["He is first"], [], [])


def test_runs_that_failed_are_no_results(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise RuntimeError("no")

    with monkeypatch.context() as patched:
        patched.setattr(plan, "imported", lambda address: fails)
        assert [*train(HE).late] == []
    assert list(train(HE, CHANCE, retry=True).late) == []


def test_a_longer_training_keeps_the_claims_and_tells_late_ones(train: Train) -> None:
    evaluate = {"every": 2, "on": ["batch", "test"], "keep": "final"}
    longer = {"train": {"iterations": 8, "batch_size": 5, "sampling": "replacement"}, "evaluate": evaluate}
    train(HE, CHANCE, evaluate=evaluate)
    record = train(HE, ALIKE, **longer)
    assert record.config["train"]["iterations"] == 8
    assert names(record) == ["He is first", "the activations are alike"]
    assert (list(record.late), list(record.removed)) == (["the activations are alike"], ["it learns"])


def test_a_record_from_before_there_were_claims_opens(train: Train, tmp_path: Path) -> None:
    train()
    path = tmp_path / "tiny/sweep.json"
    content = json.loads(path.read_text())
    for key in ("checksum", "alpha"):
        del content[key]
    assert content.keys().isdisjoint({"claims", "late", "removed"})
    checksum = blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=8).hexdigest()
    path.write_text(json.dumps({**content, "checksum": checksum}))
    results = dlsweep.open_results(tmp_path / "tiny")
    assert (results.record.claims, results.record.alpha) == ((), 0.05)
    assert list(train(HE).late) == ["He is first"]


def test_a_record_that_is_made_again_does_not_know_when_its_claims_were_stated(train: Train, tmp_path: Path) -> None:
    train(HE)
    (tmp_path / "tiny/sweep.json").write_text("{")
    assert list(train(HE).late) == ["He is first"]


def test_a_config_of_the_results_has_no_claims(train: Train, tmp_path: Path) -> None:
    """Claims are kept in the record; the config of the results is the question that was trained."""
    train(HE)
    results: Results = dlsweep.open_results(tmp_path / "tiny")
    assert results.expanded.claims == ()
    assert results.record.claims[0].arms == ({"init": ("he",)}, {"init": ("xavier",)})
