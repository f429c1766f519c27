"""Shards of a sweep, trained apart and united: the same rows as in one go, whatever the order and however often."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cli.test_verify import changed, elsewhere
from tests.support.commands import Dlsweep

import dlsweep as package
from dlsweep.errors import UsageError
from dlsweep.storage import parts
from dlsweep.storage.folder import LocalFolder
from dlsweep.storage.made_by import here
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
    assert "results/tiny.shard-1-of-2 belongs to a different config than results/tiny.shard-0-of-2:" in done.stderr
    assert "train.iterations: 20 in results/tiny.shard-0-of-2, 21 in results/tiny.shard-1-of-2" in done.stderr
    assert not (dlsweep.folder / "results/tiny").exists()


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


ALONE = (
    "if it is a task of a SLURM array that was submitted again without the others, write the number of all shards in "
    "place of SLURM_ARRAY_TASK_COUNT"
)


@pytest.mark.parametrize(
    ("shard", "message"),
    [
        ("2/2", f"there is no shard 2/2, only 0/2 to 1/2; {ALONE}"),
        ("2/1", f"there is no shard 2/1, only 0/1; {ALONE}"),
        ("0/0", "a sweep is divided into one or more shards, got 0/0"),
        ("1-2", "a shard is written i/n, such as 0/4 for the first of four, got '1-2'"),
        ("-1/3", "a shard is written i/n, such as 0/4 for the first of four, got '-1/3'"),
        ("", "a shard is written i/n, such as 0/4 for the first of four, got ''"),  # a variable that is not set
    ],
)
def test_bad_shards_are_refused(dlsweep: Dlsweep, shard: str, message: str) -> None:
    assert dlsweep("run", "tiny.yaml", f"--shard={shard}", code=2).stderr.strip() == message
    assert not (dlsweep.folder / "results").exists()
    with pytest.raises(UsageError):
        parse_shard(shard)


def test_until_decided_and_tune_cannot_be_divided(dlsweep: Dlsweep) -> None:
    done = dlsweep("run", "tiny.yaml", "--shard", "0/2", "--until-decided", code=2)
    assert done.stderr.strip() == "--until-decided looks at all runs, so the sweep cannot be divided; remove --shard"


def test_nothing_to_merge_is_a_sentence(dlsweep: Dlsweep) -> None:
    dlsweep("run", "tiny.yaml", "-j", "1", "-q")
    assert "there is nothing to merge" in dlsweep("merge", "results/tiny", "results/tiny", code=2).stderr
    told = dlsweep("merge", "tiny.yaml", "results/tiny", code=2).stderr
    assert told == "tiny.yaml is a file; name a folder for the whole sweep first, such as results/tiny\n"


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
            (self.path / name).parent.mkdir(exist_ok=True)
            (self.path / name).with_name(f".{Path(name).name}.01234567.tmp").write_bytes(content[:9])  # as by a kill
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
        assert [path.name for path in target.rglob(".*")] == [".lock"]
        shutil.rmtree(target)
        if ended:
            break
    assert number == 2 + 2 * 3  # sweep.yaml, sweep.json, and the tables of two chunks


def test_torn_records_of_shards_and_of_the_target_lose_nothing(dlsweep: Dlsweep) -> None:
    """The power failed while they were written. They are remade from sweep.yaml, with an absolute path of the data."""
    config = dlsweep.folder / "tiny.yaml"
    config.write_text(config.read_text("utf-8").replace("tiny.npz", str(dlsweep.folder / "tiny.npz")), "utf-8")
    dlsweep("run", "tiny.yaml", "-j", "1", "-q")
    for i in range(3):
        dlsweep("run", "tiny.yaml", "--shard", f"{i}/3", "-j", "1", "-q")
    shards = [dlsweep.folder / f"results/tiny.shard-{i}-of-3" for i in range(3)]
    dlsweep("merge", "results/united", str(shards[0]))
    for folder in (shards[1], shards[2], dlsweep.folder / "results/united"):
        record = folder / "sweep.json"
        record.write_bytes(record.read_bytes()[:400])
    for table in ("curves", "predictions", "runs"):
        shutil.rmtree(shards[2] / table)  # its first chunk was not trained yet
    done = dlsweep("merge", "results/united", *map(str, shards[1:]))
    assert "its runs are those of" in done.stderr
    assert "the folder has no runs yet" in done.stderr
    assert "runs of the sweep are in none of these folders" in done.stderr
    dlsweep("run", "tiny.yaml", "--shard", "2/3", "-j", "1", "-q")
    dlsweep("merge", "results/united", str(shards[2]))
    same(dlsweep.folder / "results/tiny", dlsweep.folder / "results/united", "runs", "curves", "predictions")


def test_a_folder_that_is_named_twice_or_through_a_link_counts_once(dlsweep: Dlsweep) -> None:
    dlsweep("run", "tiny.yaml", "--shard", "0/2", "-j", "1", "-q")
    (dlsweep.folder / "link").symlink_to("results/tiny.shard-0-of-2")
    shard = "results/tiny.shard-0-of-2"
    assert "6 runs added\n" in dlsweep("merge", "results/tiny", shard, f"{shard}/", "link").stderr


def test_more_shards_than_runs_leave_some_empty(dlsweep: Dlsweep) -> None:
    one = ["grid=null", "seeds=1"]
    counts = []
    for i in range(3):
        done = dlsweep("run", "tiny.yaml", *one, "--shard", f"{i}/3", "-j", str(1 + i % 2), "--json")
        json.loads(done.stdout)
        dlsweep("run", "tiny.yaml", *one, "--shard", f"{i}/3", "--dry-run")
        counts.append(len(package.open_results(dlsweep.folder / f"results/tiny.shard-{i}-of-3").runs))
    assert sorted(counts) == [0, 0, 1]
    assert dlsweep("status", "results/tiny.shard-0-of-3").stdout == "tiny (shard 0/3): it has no runs\n"
    shards = [f"results/tiny.shard-{i}-of-3" for i in range(3)]
    assert dlsweep("merge", "results/tiny", *shards).stderr == "results/tiny: 1 run added\n"
    assert dlsweep("status", "results/tiny").stdout == "tiny: its run is on disk (1 done)\n"


def test_a_config_that_grows_moves_runs_between_shards_and_none_is_lost(dlsweep: Dlsweep) -> None:
    """The first shard trains a smaller sweep, whose arms have other names; then both train the larger one."""
    dlsweep("run", "tiny.yaml", "grid.init=[he]", "--shard", "0/2", "-j", "1", "-q")
    for i in range(2):
        dlsweep("run", "tiny.yaml", "--shard", f"{i}/2", "-j", "1", "-q")
    shards = [f"results/tiny.shard-{i}-of-2" for i in range(2)]
    own = [set(package.open_results(dlsweep.folder / shard).runs["run_id"]) for shard in shards]
    assert not own[0] & own[1]
    assert len(own[0] | own[1]) == 12
    for i, shard in enumerate(shards):
        assert f"all {len(own[i])} runs are on disk" in dlsweep("status", shard).stdout
    dlsweep("run", "tiny.yaml", "-j", "1", "-q", "-o", "whole")
    for order in (shards, shards[::-1]):
        assert "12 runs added\n" in dlsweep("merge", "results/united", *order).stderr
        same(dlsweep.folder / "whole/tiny", dlsweep.folder / "results/united", "runs", "curves", "predictions")
        assert dlsweep("status", "results/united").stdout == "tiny: all 12 runs are on disk (12 done)\n"
        assert "all have the same bits" in dlsweep("verify", "results/united", "--runs", "12", "-j", "1").stdout
        shutil.rmtree(dlsweep.folder / "results/united")


def test_shards_of_crossed_seeds_and_of_landscapes_are_the_whole(dlsweep: Dlsweep) -> None:
    (dlsweep.folder / "valley.yaml").write_text(
        "name: valley\nmodel: rosenbrock\ntrain: {iterations: 5}\ngrid: {optimizer: {sgd: {lr: [0.001, 0.0001]}}}\n",
        "utf-8",
    )
    for name, changes in (("tiny", ["seeds={init: 2, batches: 2}", "grid.init=[he]"]), ("valley", [])):
        dlsweep("run", f"{name}.yaml", *changes, "-j", "1", "-q", "-o", "whole")
        for i in range(2):
            dlsweep("run", f"{name}.yaml", *changes, "--shard", f"{i}/2", "-j", "1", "-q")
        dlsweep("merge", f"results/{name}", *(f"results/{name}.shard-{i}-of-2" for i in range(2)))
        same(dlsweep.folder / f"whole/{name}", dlsweep.folder / f"results/{name}", "runs", "curves")


def test_a_claim_that_shards_state_differently_is_late(dlsweep: Dlsweep) -> None:
    """Else a claim could be changed after a look at the first shard."""
    for i, least in enumerate((0.1, 0.2)):
        claims = f"claims=[{{good: {{arm: {{init: he}}, above: {least}}}}}]"
        dlsweep("run", "tiny.yaml", claims, "--shard", f"{i}/2", "-j", "1", "-q")
    shards = [f"results/tiny.shard-{i}-of-2" for i in range(2)]
    dlsweep("merge", "results/tiny", *shards)
    assert package.open_results(dlsweep.folder / "results/tiny").record.late == ["good"]
    assert not package.open_results(dlsweep.folder / shards[0]).record.late


def test_functions_that_differ_between_shards_are_refused(dlsweep: Dlsweep) -> None:
    from tests.support.commands import python

    told = {"PYTHONPATH": str(dlsweep.folder)}
    for i in range(2):
        body = f"return x * {i + 1}.0, lambda dy: dy * {i + 1}.0"
        (dlsweep.folder / "own.py").write_text(OWN.format(body=body), "utf-8")
        (dlsweep.folder / "script.py").write_text(SHARD.format(i=i), "utf-8")
        done = python("script.py", folder=dlsweep.folder, environment=told, anew=True)
        assert done.returncode == 0, done.stderr
    shards = [f"results/tiny.shard-{i}-of-2" for i in range(2)]
    done = dlsweep("merge", "results/tiny", *shards, code=2)
    assert "the activation scaled has another source" in done.stderr
    assert not (dlsweep.folder / "results/tiny").exists()


OWN = '''
import dlsweep


@dlsweep.activations.register
def scaled(x):
    """A multiple."""
    {body}
'''
SHARD = """
import own
import dlsweep

config = {{
    "name": "tiny",
    "data": {{"npz": {{"path": "tiny.npz"}}}},
    "model": {{"mlp": {{"hidden": [4]}}}},
    "train": {{"iterations": 2, "batch_size": 5}},
    "grid": {{"activation": ["relu", "scaled"]}},
    "seeds": 2,
}}
dlsweep.run(config, executor="inline", shard=({i}, 2), quiet=True)
"""


def test_the_machines_of_the_parts_are_kept_and_a_mixture_is_told(dlsweep: Dlsweep) -> None:
    for i in range(2):
        dlsweep("run", "tiny.yaml", "--shard", f"{i}/2", "-j", "1", "-q")
    shards = [f"results/tiny.shard-{i}-of-2" for i in range(2)]
    elsewhere(dlsweep.folder / shards[1])
    dlsweep("run", "tiny.yaml", "--shard", "1/3", "-j", "1", "-q")
    done = dlsweep("merge", "results/tiny", *shards, "results/tiny.shard-1-of-3")
    told = "The runs come from 2 machines, which may round differently: "
    assert told in done.stderr
    assert "6 from another, openblas 1 (Zen), NumPy 2.0" in done.stderr
    assert told in dlsweep("show", "results/tiny").stdout
    assert told in dlsweep("run", "tiny.yaml", "-j", "1").stdout
    done = dlsweep("verify", "results/tiny", "--runs", "12", "-j", "1")
    assert done.stdout.count("  same bits") == 12
    assert "6 of 12 come from another machine or other versions" in done.stdout
    # Some runs of a chunk keep the machine of the chunk.
    dlsweep("merge", "results/some", "results/tiny.shard-1-of-3", *shards)
    machines = package.open_results(dlsweep.folder / "results/some").machines
    assert sum(machines.values()) == 12
    assert {made.processor for made in machines} == {"another", here().processor}
    numbers = json.loads(dlsweep("merge", "results/tiny", *shards, "--json").stdout)
    assert sorted(one["runs"] for one in numbers["machines"]) == [6, 6]


def test_metadata_that_is_no_machine_is_ignored(dlsweep: Dlsweep) -> None:
    dlsweep("run", "tiny.yaml", "-j", "1", "-q")
    folder = dlsweep.folder / "results" / "tiny"
    (path, *_) = sorted((folder / "runs").iterdir())
    for made in (b"[", b"[]", b'"x"', b"{}", b'{"processor": 1}', b"\xff", b"[" * 10_000):
        table = pq.read_table(path)
        content = parts.encode_table(table.replace_schema_metadata({**table.schema.metadata, b"made_by": made}))
        path.unlink()
        path = path.with_name(Path(parts.part_name("runs", path.name[:16], content)).name)
        path.write_bytes(content)
        assert sum(package.open_results(folder).machines.values()) == 12 - len(table)


def test_a_damaged_part_of_the_target_is_set_aside_with_a_note_and_comes_from_the_shard(dlsweep: Dlsweep) -> None:
    dlsweep("run", "tiny.yaml", "--shard", "0/2", "-j", "1", "-q")
    dlsweep("merge", "results/tiny", "results/tiny.shard-0-of-2")
    (path, *_) = sorted((dlsweep.folder / "results/tiny/curves").iterdir())
    path.write_bytes(path.read_bytes()[:-1])
    done = dlsweep("merge", "results/tiny", "results/tiny.shard-0-of-2")
    assert "is damaged" in done.stderr
    assert "it is set aside in quarantine/" in done.stderr
    same(dlsweep.folder / "results/tiny.shard-0-of-2", dlsweep.folder / "results/tiny", "runs", "curves")


def test_a_merge_with_a_folder_in_use_is_refused(dlsweep: Dlsweep) -> None:
    dlsweep("run", "tiny.yaml", "--shard", "0/2", "-j", "1", "-q")
    shard = "results/tiny.shard-0-of-2"
    for held in (shard, "results/tiny"):
        (dlsweep.folder / held).mkdir(exist_ok=True)
        with LocalFolder(dlsweep.folder / held).lock():
            assert f"{held} is in use: process" in dlsweep("merge", "results/tiny", shard, code=4).stderr
    dlsweep("merge", "results/tiny", shard)


def test_shards_are_trained_further(dlsweep: Dlsweep) -> None:
    keep = "evaluate={on: [test], keep: final}"
    dlsweep("run", "tiny.yaml", keep, "-j", "1", "-q", "-o", "whole", "train.iterations=30")
    for iterations in (20, 30):
        for i in range(2):
            done = dlsweep("run", "tiny.yaml", keep, f"train.iterations={iterations}", "--shard", f"{i}/2", "-j", "1")
    assert "6 runs to train further, from the state after 20 iterations" in done.stderr
    dlsweep("merge", "results/tiny", *(f"results/tiny.shard-{i}-of-2" for i in range(2)))
    assert dlsweep("status", "results/tiny").stdout == "tiny: all 12 runs are on disk (12 done)\n"
    model, other = (package.open_results(dlsweep.folder / f"{at}/tiny").runs for at in ("whole", "results"))
    columns = [column for column in model if str(column).startswith("final")]
    pd.testing.assert_frame_equal(model[columns], other[columns], check_exact=True)
