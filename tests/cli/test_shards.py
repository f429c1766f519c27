"""Shards of a sweep, trained apart and united: the same rows as in one go, whatever the order and however often."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cli.test_verify import changed
from tests.support.commands import Dlsweep

import dlsweep as package
from dlsweep.errors import UsageError
from dlsweep.storage.folder import LocalFolder
from dlsweep.training.shards import Shard, parse_shard, unit_of

EVERYTHING = "evaluate={every: 5, on: [batch, test], layers: true, keep: final}"


def same(a: Path, b: Path, *tables: str) -> None:
    """Assert that two folders have the same numbers, but for seconds."""
    one, other = (package.open_results(folder) for folder in (a, b))
    for table in tables or ("runs", "curves", "layers", "predictions"):
        left, right = (getattr(results, table).drop(columns="seconds", errors="ignore") for results in (one, other))
        pd.testing.assert_frame_equal(left, right, check_exact=True, check_categorical=False)


def test_shards_that_are_merged_are_the_sweep_in_one_go(dlsweep: Dlsweep) -> None:
    dlsweep("run", "tiny.yaml", "-j", "1", "-q", EVERYTHING)
    results = dlsweep.folder / "results"
    shards = [f"results/tiny.shard-{i}-of-3" for i in range(3)]
    for i in (2, 0, 1):
        done = dlsweep("run", "tiny.yaml", EVERYTHING, "--shard", f"{i}/3", "-j", "1")
        assert done.stdout == ""
        assert f"shard {i}/3 is done; when all are: dlsweep merge results/tiny results/tiny.shard-*" in done.stderr
    counts = [len(package.open_results(dlsweep.folder / shard).runs) for shard in shards]
    assert sum(counts) == 12
    assert max(counts) - min(counts) <= 2
    done = dlsweep("merge", "results/united", *shards)
    assert done.stderr == "results/united: 12 runs added\n"
    same(results / "tiny", results / "united")
    assert "nothing to do" in dlsweep("run", "tiny.yaml", EVERYTHING, "name=tiny", "-j", "1").stderr
    again = dlsweep("merge", "results/united", *shards)
    assert again.stderr == "results/united: 0 runs added, 12 known already\n"
    same(results / "tiny", results / "united")
    assert "all have the same bits" in dlsweep("verify", "results/united", "-j", "1").stdout


def test_a_missing_shard_is_told_and_the_sweep_goes_on_from_the_others(dlsweep: Dlsweep) -> None:
    dlsweep("run", "tiny.yaml", "--shard", "0/2", "-j", "1", "-q")
    done = dlsweep("merge", "results/tiny", "results/tiny.shard-0-of-2")
    assert "6 runs of the sweep are in none of these folders; `dlsweep run` trains them" in done.stderr
    done = dlsweep("run", "tiny.yaml", "-j", "1")
    assert "6 of 12 runs are done already" in done.stderr
    assert "shard" not in dlsweep("status", "results/tiny").stdout


def test_a_shard_says_that_it_is_one(dlsweep: Dlsweep) -> None:
    dlsweep("run", "tiny.yaml", "--shard", "1/2", "-j", "1", "-q")
    assert "results/tiny.shard-1-of-2 is shard 1/2 of its sweep" in dlsweep("show", "results").stderr
    assert dlsweep("status", "results").stdout == "tiny (shard 1/2): all 6 runs are on disk (6 done)\n"
    assert "6 runs in" in dlsweep("run", "tiny.yaml", "--shard", "0/2", "--dry-run").stdout
    assert "nothing to do" in dlsweep("run", "tiny.yaml", "--shard", "1/2", "-j", "1").stderr


def test_folders_that_overlap_have_each_run_once(dlsweep: Dlsweep) -> None:
    dlsweep("run", "tiny.yaml", "-j", "1", "-q", EVERYTHING)
    dlsweep("run", "tiny.yaml", EVERYTHING, "--shard", "0/2", "-j", "1", "-q")
    dlsweep("run", "tiny.yaml", EVERYTHING, "--shard", "2/3", "-j", "1", "-q")
    shards = ["results/tiny.shard-0-of-2", "results/tiny.shard-2-of-3"]
    dlsweep("merge", "results/united", *shards)
    done = dlsweep("merge", "results/united", "results/tiny")  # its chunks are the whole cohorts
    assert "known already" in done.stderr
    same(dlsweep.folder / "results/tiny", dlsweep.folder / "results/united")


def test_another_config_is_refused_with_the_difference(dlsweep: Dlsweep) -> None:
    dlsweep("run", "tiny.yaml", "--shard", "0/2", "-j", "1", "-q")
    dlsweep("run", "tiny.yaml", "--shard", "1/2", "-j", "1", "-q", "train.iterations=21")
    done = dlsweep("merge", "results/tiny", "results/tiny.shard-0-of-2", "results/tiny.shard-1-of-2", code=2)
    assert "results/tiny.shard-1-of-2 belongs to a different config than results/tiny:" in done.stderr
    assert "train.iterations: 20" in done.stderr
    assert not (dlsweep.folder / "results/tiny/sweep.json").exists()


def test_different_numbers_for_one_run_are_a_conflict(dlsweep: Dlsweep) -> None:
    dlsweep("run", "tiny.yaml", "--shard", "0/2", "-j", "1", "-q")
    folder = dlsweep.folder / "results" / "tiny.shard-0-of-2"
    shutil.copytree(folder, dlsweep.folder / "copy")
    changed(dlsweep.folder / "copy", "runs", "final_test_loss")
    done = dlsweep("merge", "results/tiny", str(folder), "copy", code=4)
    assert "have different numbers for the run" in done.stderr
    assert "final_test_loss is" in done.stderr


def test_a_damaged_part_is_named_and_nothing_of_it_is_copied(dlsweep: Dlsweep) -> None:
    dlsweep("run", "tiny.yaml", "--shard", "0/2", "-j", "1", "-q")
    (path, *_) = sorted((dlsweep.folder / "results/tiny.shard-0-of-2/curves").iterdir())
    path.write_bytes(path.read_bytes()[:-1])
    done = dlsweep("merge", "results/tiny", "results/tiny.shard-0-of-2", code=4)
    assert f"{path.name} is damaged" in done.stderr
    assert "`dlsweep run` trains these runs again in results/tiny.shard-0-of-2" in done.stderr


def test_an_ensemble_stays_whole(dlsweep: Dlsweep) -> None:
    ensemble = "evaluate={every: 5, on: [test], ensemble: true}"
    dlsweep("run", "tiny.yaml", ensemble, "-j", "1", "-q")
    for i in range(3):
        dlsweep("run", "tiny.yaml", ensemble, "--shard", f"{i}/3", "-j", "1", "-q")
        runs = package.open_results(dlsweep.folder / f"results/tiny.shard-{i}-of-3").runs
        assert set(runs.groupby("arm", observed=True).size()) == {3}
    dlsweep("merge", "results/united", *(f"results/tiny.shard-{i}-of-3" for i in range(3)))
    one, other = (package.open_results(dlsweep.folder / "results" / name).ensembles for name in ("tiny", "united"))
    pd.testing.assert_frame_equal(one, other, check_exact=True, check_categorical=False)


@pytest.mark.parametrize(
    ("shard", "message"),
    [
        ("2/2", "the shards of 2 go from 0/2 to 1/2, got 2/2"),
        ("0/0", "a sweep is divided into one or more shards, got 0/0"),
        ("1-2", "a shard is written i/n, such as 0/4 for the first of four, got '1-2'"),
    ],
)
def test_bad_shards_are_refused(dlsweep: Dlsweep, shard: str, message: str) -> None:
    assert dlsweep("run", "tiny.yaml", "--shard", shard, code=2).stderr.strip() == message
    with pytest.raises(UsageError):
        parse_shard(shard)


def test_until_decided_and_tune_cannot_be_divided(dlsweep: Dlsweep) -> None:
    done = dlsweep("run", "tiny.yaml", "--shard", "0/2", "--until-decided", code=2)
    assert done.stderr.strip() == "--until-decided looks at all runs, so the sweep cannot be divided; remove --shard"


def test_nothing_to_merge_is_a_sentence(dlsweep: Dlsweep) -> None:
    dlsweep("run", "tiny.yaml", "-j", "1", "-q")
    assert "there is nothing to merge" in dlsweep("merge", "results/tiny", "results/tiny", code=2).stderr


@given(
    st.integers(1, 7),
    st.integers(1, 5),
    st.lists(st.sampled_from(["relu", "tanh", "sigmoid"]), min_size=1, max_size=3, unique=True),
    st.lists(st.integers(1, 30), min_size=1, max_size=3, unique=True),
)
def test_every_run_is_in_one_shard_and_no_shard_has_much_more_work(
    count: int, seeds: int, activations: list[str], widths: list[int]
) -> None:
    config: dict[str, Any] = {
        "name": "x",
        "grid": {"activation": activations, "model.mlp.hidden": [[width] for width in widths], "init": ["he", "zeros"]},
        "seeds": seeds,
    }
    whole = package.plan(package.load(config))
    shards = [Shard(i, count).of(whole) for i in range(count)]
    owned = [run.id for shard in shards for run in shard.missing(())]
    assert sorted(owned) == sorted(run.id for run in whole.config.runs())
    assert [shard.runs for shard in shards] == [len(list(shard.missing(()))) for shard in shards]
    work = [sum(c.work * c.runs for c in shard.cohorts) for shard in shards]
    units = {(run.arm.name, unit_of(run)) for run in whole.config.runs()}
    largest = max(c.work for c in whole.cohorts) * max(c.arms for c in whole.cohorts)
    assert units
    assert max(work) <= sum(work) / count + largest * 1.0001


def test_the_sweep_ends_when_too_many_runs_in_a_row_fail(dlsweep: Dlsweep) -> None:
    (dlsweep.folder / "plugin.py").write_text(PLUGIN, "utf-8")
    told = {"PYTHONPATH": str(dlsweep.folder)}
    script = dlsweep.folder / "script.py"
    script.write_text(SCRIPT, "utf-8")
    from tests.support.commands import python

    done = python(script, folder=dlsweep.folder, environment=told, anew=True)
    assert json.loads(done.stdout) == [2, 3, True]


PLUGIN = '''
import dlsweep


@dlsweep.activations.register
def broken(x):
    """Raise an error."""
    raise ArithmeticError("as it must")
'''
SCRIPT = """
import json
import plugin
import dlsweep

config = {
    "name": "tiny",
    "data": {"npz": {"path": "tiny.npz"}},
    "model": {"mlp": {"hidden": [4]}},
    "train": {"iterations": 2, "batch_size": 5},
    "grid": {"activation": ["relu", "broken"]},
    "seeds": 3,
}
try:
    dlsweep.run(config, executor="inline", max_consecutive_failures=2, quiet=True)
except dlsweep.errors.DlsweepError as error:
    results = dlsweep.open_results("results/tiny")
    sentence = "with it, 2 runs in a row have failed"
    counts = results.counts
    print(json.dumps([counts["failed"], counts["done"], sentence in str(error)]))
"""


def test_a_merge_that_is_interrupted_at_any_write_is_completed_by_the_next_one(
    dlsweep: Dlsweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards = []
    for i in range(2):
        dlsweep("run", "tiny.yaml", "seeds=1", "grid.init=he", "--shard", f"{i}/2", "-j", "1", "-q")
        shards.append(dlsweep.folder / f"results/tiny.shard-{i}-of-2")
    put, left = LocalFolder.put, [0]

    def interrupted(self: LocalFolder, name: str, content: bytes) -> None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        put(self, name, content)

    whole = dlsweep.folder / "results/whole"
    package.merge(whole, shards)
    ended = False
    for number in range(1000):
        target = dlsweep.folder / f"results/united-{number}"
        left[0] = number
        with monkeypatch.context() as patch:
            patch.setattr(LocalFolder, "put", interrupted)
            try:
                package.merge(target, shards)
                ended = True
            except KeyboardInterrupt:
                pass
        if not ended:
            package.merge(target, shards)
        same(whole, target, "runs", "curves", "predictions")
        shutil.rmtree(target)
        if ended:
            break
    assert number == 2 + 2 * 3  # sweep.yaml, sweep.json, and the tables of two chunks
