"""A sweep as a whole: what is there is kept, what is missing is trained, and nothing else happens."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from tests.support import commands
from tests.support.sweeps import Bits, Make

import dlsweep
from dlsweep import forecast
from dlsweep.errors import DataError, DlsweepError, Interrupted, ResultsDamaged, UsageError
from dlsweep.execution.worker import Receipt
from dlsweep.progress import Reporter
from dlsweep.storage import parts
from dlsweep.storage.folder import LocalFolder
from dlsweep.storage.results import Results
from dlsweep.storage.store import Store


class Listener(Reporter):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.started: list[tuple[int, int, int]] = []
        self.iterations = 0
        self.receipts: list[Receipt] = []
        self.notes: list[str] = []

    def start(self, total: int, done: int, iterations: int) -> None:
        self.started.append((total, done, iterations))

    def progress(self, iterations: int) -> None:
        self.iterations += iterations

    def receipt(self, receipt: Receipt) -> None:
        self.receipts.append(receipt)

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)


@pytest.fixture
def sweep(tmp_path: Path) -> Callable[..., tuple[Results, Listener]]:
    """Run a sweep in this process, and listen."""

    def sweep(config: dict[str, Any], **options: Any) -> tuple[Results, Listener]:
        listener = Listener()
        options = {"executor": "inline", "output": tmp_path, **options}
        return dlsweep.run(config, report=listener, **options), listener

    return sweep


Sweep = Callable[..., tuple[Results, Listener]]


def test_the_tables_hold_every_run_once_in_the_order_of_the_config(make: Make, sweep: Sweep) -> None:
    results, listener = sweep(make())
    assert listener.started == [(12, 0, 72)]
    assert listener.iterations == 72
    assert sum(len(r.runs) for r in listener.receipts) == 12

    runs = results.runs
    assert list(runs.groupby(["activation", "init"], sort=False, observed=True).groups) == [
        ("relu", "he"), ("relu", "xavier"), ("tanh", "he"), ("tanh", "xavier"),
    ]  # fmt: skip
    assert runs["seed"].tolist() == [0, 1, 2] * 4
    assert runs["run_id"].is_unique
    assert set(runs["status"]) == {"done"}
    assert list(runs["activation"].cat.categories) == ["relu", "tanh"]
    assert set(runs["optimizer.lr"]) == {0.01}
    assert set(runs["train.batch_size"]) == {5.0}
    assert set(runs["iterations"]) == {6}
    assert runs["error"].isna().all()

    curves = results.curves
    assert curves["run_id"].astype(str).drop_duplicates().tolist() == runs["run_id"].tolist()
    assert len(curves) == 12 * 4 * 2
    last = curves[(curves["iteration"] == 6) & (curves["split"] == "test")]
    assert runs["final_test_loss"].tolist() == runs["last_test_loss"].tolist() == last["loss"].tolist()
    best = curves[curves["split"] == "batch"].groupby("run_id", sort=False, observed=True)["accuracy"].max()
    assert runs["best_batch_accuracy"].tolist() == best.tolist()


def test_pandas_alone_reads_the_tables(make: Make, sweep: Sweep) -> None:
    results, _ = sweep(make())
    for table, frame in (("runs", results.runs), ("curves", results.curves)):
        plain = pd.read_parquet(results.folder / table)
        assert list(plain.columns) == list(frame.columns)
        assert len(plain) == len(frame)


def test_the_record_says_how_the_results_were_made(make: Make, sweep: Sweep) -> None:
    results, _ = sweep(make())
    record = json.loads((results.folder / "sweep.json").read_text())
    assert record["schema_version"] == 2
    assert record["randomness_version"] == 1
    [session] = record["sessions"]
    assert session["versions"]["numpy"] == np.__version__
    assert session["versions"]["blas"][0]["threads"] == 1
    assert session["machine"]["host"] == os.uname().nodename
    assert results.config == record["config"]
    assert (results.folder / "sweep.yaml").read_bytes()


def test_running_again_trains_nothing_and_writes_nothing(make: Make, sweep: Sweep, bits: Bits) -> None:
    first, _ = sweep(make())
    before = {
        path: path.stat().st_mtime_ns for path in first.folder.rglob("*") if path.is_file() and path.name != ".lock"
    }
    again, listener = sweep(make())
    assert listener.started == [(12, 12, 0)]
    assert listener.notes == ["12 of 12 runs are done already"]
    assert not listener.receipts
    assert before == {path: path.stat().st_mtime_ns for path in before}
    assert bits(first) == bits(again)


def test_a_config_grows(make: Make, sweep: Sweep, tmp_path: Path, bits: Bits) -> None:
    sweep(make(seeds=2))
    grown, listener = sweep(make(seeds=3))
    assert listener.notes[0] == "tiny: the config has changed, and still includes the folder's 8 runs"
    assert listener.started == [(12, 8, 24)]
    assert bits(grown) == bits(sweep(make(), output=tmp_path / "at once")[0])


def test_another_title_is_recorded_and_nothing_else(make: Make, sweep: Sweep) -> None:
    first, _ = sweep(make())
    titled, listener = sweep(make(title="Which is it?"))
    assert listener.notes == ["12 of 12 runs are done already"]
    assert titled.config == {**first.config, "title": "Which is it?"}
    assert titled.record.tables.sweep == first.record.tables.sweep


def test_another_config_is_refused_and_the_difference_shown(make: Make, sweep: Sweep, bits: Bits) -> None:
    first, _ = sweep(make())
    other = make(train={"iterations": 6, "batch_size": 4, "sampling": "replacement"})
    with pytest.raises(UsageError, match=r"(?s)belongs to a different config:\n.*batch_size: 5 there, 4 now.*--force"):
        sweep(other)
    assert bits(first) == bits(dlsweep.open_results(first.folder))

    forced, listener = sweep(other, force=True)
    assert listener.started == [(12, 0, 72)]
    assert set(forced.runs["train.batch_size"]) == {4}
    assert len(forced.curves) == 12 * 4 * 2


@pytest.mark.parametrize(
    ("changes", "runs"),
    [
        ({"seeds": 2}, 8),
        ({"seeds": [2, 0]}, 8),
        ({"grid": {"init": ["he"]}}, 6),
        ({"grid": {"init": ["he"], "activation": ["tanh"]}}, 3),
        ({"exclude": [{"activation": "relu", "init": "he"}]}, 9),
    ],
)
def test_a_subset_shows_the_subset(
    make: Make, sweep: Sweep, tmp_path: Path, changes: dict[str, Any], runs: int
) -> None:
    whole, _ = sweep(make())
    smaller, listener = sweep(make(**changes))
    note = (
        f"tiny: the config has changed; {12 - runs} runs in {whole.folder} that this config does not ask for stay there"
    )
    assert listener.notes == [f"{note}, and are not shown", f"{runs} of {runs} runs are done already"]
    assert listener.started == [(runs, runs, 0)]
    alone, _ = sweep(make(**changes), output=tmp_path / "alone")
    assert_same(smaller, alone)
    again, listener = sweep(make())
    assert listener.started == [(12, 12, 0)]
    assert_same(again, whole)


def assert_same(one: Results, other: Results) -> None:
    """Both have the same rows in all tables, besides the times that they took."""
    assert one.counts == other.counts
    assert one.record.levels == other.record.levels
    pd.testing.assert_frame_equal(
        one.runs.drop(columns="seconds"), other.runs.drop(columns="seconds"), check_categorical=False
    )
    for table in ("curves", *one.record.tables.optional):
        pd.testing.assert_frame_equal(getattr(one, table), getattr(other, table), check_categorical=False)
    assert [list(one.runs[f].cat.categories) for f in one.record.levels] == list(one.record.levels.values())


SGD = {"sgd": {"lr": 0.1}}


@pytest.mark.parametrize(
    ("first", "then", "runs"),
    [
        ({}, {"activation": ["relu", "tanh", "silu"]}, 12),
        ({"optimizer": "sgd"}, {"optimizer": ["sgd", "momentum"]}, 12),  # a new column, optimizer.alpha
        ({"activation": "relu"}, {"activation": ["relu", "tanh"]}, 6),  # the arms have other names
        ({"optimizer": SGD}, {"optimizer": [SGD, {"sgd": {"lr": 0.2}}]}, 12),  # and the level another label
        ({"optimizer": SGD}, {"optimizer.lr": [0.1, 0.2], "optimizer": "sgd"}, 12),  # another factor
        ({"optimizer.lr": [0.1, 0.2]}, {"optimizer": SGD}, 12),  # a subset, without the factor
        (
            {"activation": [{"relu": {}, "label": "a"}, "tanh"]},
            {"activation": [{"relu": {}, "label": "b"}, "tanh"]},
            12,
        ),
        ({"activation": ["relu", "tanh"]}, {"activation": ["silu", "tanh"]}, 6),  # some gone, others new
    ],
)
def test_a_config_with_runs_in_common_goes_on_with_them(
    make: Make, sweep: Sweep, tmp_path: Path, first: dict[str, Any], then: dict[str, Any], runs: int
) -> None:
    changed = {"evaluate": {"every": 2, "on": ["test"], "layers": True, "keep": "final"}}
    sweep(make(grid=first, seeds=3, **changed))
    whole, listener = sweep(make(grid=then, seeds=3, **changed))
    total = len(whole.runs)
    assert listener.started[0][:2] == (total, runs)
    at_once, _ = sweep(make(grid=then, seeds=3, **changed), output=tmp_path / "at once")
    assert_same(whole, at_once)
    assert_same(dlsweep.open_results(whole.folder), at_once)
    run = whole.runs["run_id"].iloc[0]
    assert whole.load(run).parameters.keys() == at_once.load(run).parameters.keys()
    again, listener = sweep(make(grid=first, seeds=3, **changed))
    assert listener.started == [(len(again.runs), len(again.runs), 0)]


def test_ensembles_of_a_subset_of_arms(make: Make, sweep: Sweep, tmp_path: Path) -> None:
    ensembles = {"evaluate": {"every": 2, "on": ["test"], "ensemble": True}}
    sweep(make(**ensembles))
    smaller = make(grid={"activation": "relu"}, **ensembles)
    assert_same(sweep(smaller)[0], sweep(smaller, output=tmp_path / "alone")[0])
    with pytest.raises(UsageError, match="belongs to a different config"):
        sweep(make(seeds=2, **ensembles))  # other members


def test_a_record_of_a_subset_is_made_again(make: Make, sweep: Sweep) -> None:
    sweep(make())
    smaller, _ = sweep(make(seeds=2))
    before = smaller.runs
    path = smaller.folder / "sweep.json"
    path.write_text(path.read_text().replace("relu", "rdlu"))
    with pytest.warns(UserWarning, match=r"its runs are those of"):
        remade = dlsweep.open_results(smaller.folder)
    pd.testing.assert_frame_equal(remade.runs, before)


def test_classes_that_are_never_trained_are_told(make: Make, sweep: Sweep, data: Path, tmp_path: Path) -> None:
    with np.load(data) as arrays:
        np.savez(tmp_path / "odd.npz", **{**arrays, "t_test": arrays["t_test"] + 1})
    config = make(data={"npz": {"path": str(tmp_path / "odd.npz")}})
    note = f"{tmp_path / 'odd.npz'}: t_test has classes that t_train never shows: 3"
    assert dlsweep.dry_run(config, output=tmp_path, executor="inline").notes == [note]
    results, listener = sweep(config)
    assert listener.notes == [note]
    assert repr(results) == f"Results('{tmp_path}/tiny', 12 runs)"


def test_a_dry_run_of_networks_that_diverge_at_once_is_a_prediction(make: Make, tmp_path: Path) -> None:
    config = make(grid={"optimizer": [{"sgd": {"lr": 1e30}}]}, seeds=1)
    assert dlsweep.dry_run(config, output=tmp_path, executor="inline").seconds > 0


def test_the_dry_run_says_what_the_run_does_and_writes_nothing(make: Make, sweep: Sweep, tmp_path: Path) -> None:
    config = make(grid={"optimizer": [{"sgd": {"lr": [0.1, 0.2]}}]})
    forecast = dlsweep.dry_run(config, output=tmp_path, executor="inline")
    assert not list(tmp_path.iterdir())
    assert (forecast.runs, forecast.done) == (24, 0)
    assert [(c.runs, c.missing, c.parameters) for c in forecast.cohorts] == [(12, 12, 43), (12, 12, 43)]
    assert forecast.seconds > 0
    assert forecast.memory > 0
    results, listener = sweep(config)
    assert listener.started[0][0] == forecast.runs
    written = sum(path.stat().st_size for path in results.folder.rglob("*.parquet"))
    assert written / 3 < forecast.disk < written * 3

    again = dlsweep.dry_run(config, output=tmp_path, executor="inline")
    assert (again.runs, again.done, again.chunks, again.seconds, again.disk) == (24, 24, 0, 0.0, 0)
    with pytest.raises(UsageError, match="belongs to a different config"):
        dlsweep.dry_run(make(seeds=1), output=tmp_path)


def test_the_prediction_includes_start_up_and_figures(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forecast, "seconds_of_a_run", lambda *_: 2.0)
    plain, drawn = (
        dlsweep.dry_run(config, output=tmp_path, executor="inline").seconds
        for config in (make(), make(plots=["curves", "final"]))
    )
    assert plain == pytest.approx(24 + forecast.START_UP)
    assert drawn - plain == pytest.approx(forecast.DRAWING + 2 * forecast.FIGURE)


@pytest.mark.parametrize("table", ["runs", "curves", "predictions"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "gone"])
def test_a_damaged_part_is_never_read_and_its_runs_train_again(
    make: Make, sweep: Sweep, bits: Bits, table: str, damage: str
) -> None:
    first, _ = sweep(make())
    whole = bits(first)
    part = sorted((first.folder / table).iterdir())[0]
    content = bytearray(part.read_bytes())
    if damage == "gone":
        part.unlink()
    else:
        content[100] ^= 1
        part.write_bytes(content[: 50 if damage == "cut" else None])

    if (table, damage) != ("runs", "gone"):  # a run without its row in runs/ is simply not there
        with pytest.raises(
            ResultsDamaged, match=r"`dlsweep run` (sets it aside and )?trains its runs again|lacks parts"
        ):
            _ = getattr(dlsweep.open_results(first.folder), table)
    again, listener = sweep(make())
    assert listener.started == [(12, 6, 36)]
    assert bits(again) == whole
    aside = sorted(path.parent.name for path in (first.folder / "quarantine").rglob("*.parquet"))
    if (table, damage) == ("runs", "gone"):
        assert not aside
    else:
        gone = [table] if damage == "gone" else []
        assert aside == [name for name in ("curves", "predictions", "runs") if name not in gone]
        assert "it is set aside in quarantine/ and its runs train again" in listener.notes[0]


def test_a_commit_of_a_dead_worker_that_is_damaged_is_set_aside(make: Make, sweep: Sweep) -> None:
    results, _ = sweep(make(), max_memory=1)
    folder = LocalFolder(results.folder)
    store = Store(folder, results.record.tables)
    run = next(dlsweep.load(make()).runs())
    rows = store.committed([run])
    assert rows
    assert rows["run_id"].to_pylist() == [run.id]
    (results.folder / parts.listing(folder, "runs")[parts.stem([run])]).write_bytes(b"")
    assert store.committed([run]) is None
    for table in ("runs", "curves", "predictions"):
        assert len(parts.listing(folder, table)) == 11
        assert [parts.key(name) for name in folder.list(f"quarantine/{table}")] == [parts.stem([run])]


def test_what_a_worker_commits_that_outlived_its_runner_counts_once(make: Make, sweep: Sweep, bits: Bits) -> None:
    results, _ = sweep(make())
    runs, *others = (sorted((results.folder / table).iterdir()) for table in ("runs", "curves", "predictions"))
    for path in runs:  # the same chunk once more, with other seconds
        path.with_name(path.name[:17] + "00000000.parquet").write_bytes(path.read_bytes())
    again, listener = sweep(make())
    assert [len(list((results.folder / table).iterdir())) for table in ("runs", "curves")] == [2, 2]
    assert bits(again) == bits(results)

    def part(of: Path, ids: list[str]) -> None:
        """Write a part with some of the runs of another."""
        table = pq.read_table(of)
        content = parts.encode_table(table.filter(pc.is_in(table["run_id"].cast("string"), pa.array(ids))))
        (results.folder / parts.part_name(of.parent.name, parts.joint_name(ids), content)).write_bytes(content)

    ids = pq.read_table(runs[0])["run_id"].cast("string").to_pylist()
    chunk = [runs[0], *(own[0] for own in others)]
    for path in chunk:  # one of its runs in another part, too
        part(path, ids[:1])
    again, listener = sweep(make())
    assert sorted((results.folder / "runs").iterdir()) == runs
    assert listener.notes == ["12 of 12 runs are done already"]
    assert bits(again) == bits(results)

    for path in chunk:  # two parts that have one run in common, each with runs of its own
        part(path, ids[:-1])
        part(path, ids[-2:])
        path.unlink()
    again, listener = sweep(make())
    assert "holds runs that are in another part; it is set aside" in listener.notes[0]
    assert listener.notes[1] == "11 of 12 runs are done already"
    assert bits(again) == bits(results)


def test_a_foreign_parquet_file_is_refused(make: Make, sweep: Sweep) -> None:
    results, _ = sweep(make())
    foreign = results.folder / "curves" / "mine.parquet"
    pd.DataFrame({"a": [1]}).to_parquet(foreign)
    for refused in (lambda: sweep(make()), lambda: dlsweep.open_results(results.folder).curves):
        with pytest.raises(ResultsDamaged, match=f"{foreign} is not a part of this sweep's results"):
            refused()
    assert foreign.exists()


def test_a_record_of_another_version_is_told(make: Make, sweep: Sweep) -> None:
    results, _ = sweep(make())
    (results.folder / "sweep.json").write_text('{"schema_version": 99}')
    for opened in (lambda: sweep(make()), lambda: dlsweep.open_results(results.folder)):
        with pytest.raises(ResultsDamaged, match=r"sweep\.json"):
            opened()
    sweep(make(), force=True)


def test_runs_without_a_record_are_nobodys(make: Make, sweep: Sweep) -> None:
    results, _ = sweep(make())
    (results.folder / "sweep.json").unlink()
    with pytest.raises(ResultsDamaged, match=r"holds runs but no sweep\.json"):
        sweep(make())


@pytest.mark.parametrize("inside", ["", "runs", "curves", "quarantine"])
def test_nothing_is_written_through_a_link_that_leads_out(
    make: Make, sweep: Sweep, tmp_path: Path, inside: str
) -> None:
    outside, output = tmp_path / "outside", tmp_path / "output"
    outside.mkdir()
    link = output / "tiny" / inside
    link.parent.mkdir(parents=True)
    link.symlink_to(outside, target_is_directory=True)
    with pytest.raises(UsageError, match="is a link that leads out of"):
        sweep(make(), output=output)
    assert not list(outside.iterdir())


def test_the_output_itself_may_be_a_link(make: Make, sweep: Sweep, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "results").symlink_to(tmp_path / "disk")
    results, _ = sweep(make(), output=tmp_path / "results")
    assert len(results.runs) == 12


def unwritable(tmp_path: Path) -> Iterator[Path]:
    """Folders in which nobody can write, root included."""
    (tmp_path / "file").touch()
    yield tmp_path / "file"
    yield Path("/proc/dlsweep")
    if os.geteuid() != 0:
        (tmp_path / "locked").mkdir(mode=0o500)
        yield tmp_path / "locked"


def test_an_unwritable_folder_is_told_before_anything_trains(make: Make, sweep: Sweep, tmp_path: Path) -> None:
    for folder in unwritable(tmp_path):
        with pytest.raises(DlsweepError, match=f"cannot write {folder}"):
            sweep(make(), output=folder)


def test_a_stop_loses_only_the_chunk_at_hand(make: Make, sweep: Sweep, tmp_path: Path, bits: Bits) -> None:
    class Stopper(Listener):
        def receipt(self, receipt: Receipt) -> None:
            os.kill(os.getpid(), 2)

    with pytest.raises(Interrupted, match="the same command goes on from there") as stopped:
        dlsweep.run(make(), output=tmp_path, executor="inline", report=Stopper())
    assert stopped.value.exit_code == 130
    assert len(dlsweep.open_results(tmp_path / "tiny").runs) == 6
    resumed, listener = sweep(make())
    assert listener.started == [(12, 6, 36)]
    assert bits(resumed) == bits(sweep(make(), output=tmp_path / "whole")[0])


def test_a_run_that_diverges_keeps_its_curve_and_has_no_final_metric(make: Make, sweep: Sweep) -> None:
    results, _ = sweep(make(grid={"activation": ["relu"], "optimizer": [{"sgd": {"lr": [0.1, 1e30]}}]}))
    tame, wild = (results.runs[results.runs["optimizer.lr"] == lr] for lr in (0.1, 1e30))
    assert set(tame["status"]) == {"done"}
    assert set(wild["status"]) == {"diverged"}
    assert wild["final_test_accuracy"].isna().all()
    assert wild["last_test_accuracy"].notna().all()
    assert (wild["iterations"] < 6).all()


@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_data_that_changes_meanwhile_is_never_trained(
    make: Make, sweep: Sweep, data: Path, tmp_path: Path, executor: str
) -> None:
    own = tmp_path / "own.npz"
    shutil.copy(data, own)

    class Tamperer(Listener):
        def start(self, total: int, done: int, iterations: int) -> None:
            with np.load(data) as arrays:
                np.savez(own, **{name: array[::-1] for name, array in arrays.items()})

    config = dlsweep.load(make(data={"npz": {"path": str(own)}}))
    changed = f"npz {own} has changed since the sweep was planned; start the sweep again"
    with pytest.raises(DataError, match=changed):
        dlsweep.run(config, output=tmp_path, executor=executor, report=Tamperer())
    assert not list(tmp_path.glob("tiny/runs/*"))
    with pytest.raises(DataError, match=changed):
        dlsweep.dry_run(config, output=tmp_path)


def test_opening_what_is_not_there_names_what_is(make: Make, sweep: Sweep, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"there are no results in {tmp_path}$"):
        dlsweep.open_results(tmp_path)
    sweep(make())
    sweep(make(name="other"))
    with pytest.raises(UsageError, match=f"there are some in {tmp_path}/other, {tmp_path}/tiny"):
        dlsweep.open_results(tmp_path)
    assert [results.name for results in dlsweep.open_all(tmp_path)] == ["other", "tiny"]
    assert [results.name for results in dlsweep.open_all(tmp_path / "tiny")] == ["tiny"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"executor": "proceses"}, "there is no executor 'proceses'; did you mean 'processes'?"),
        ({"executor": "inline", "jobs": 2}, "executor.inline has no setting 'jobs'; remove -j"),
        ({"executor": "inline", "timeout": 2}, "executor.inline has no setting 'timeout'; remove --timeout"),
        ({"executor": "processes", "jobs": 0}, "executor.processes.jobs must be at least 1, got 0"),
        ({"executor": "processes", "timeout": 0.0}, "executor.processes.timeout must be above 0, got 0"),
        ({"max_memory": 0}, "max_memory must be above 0 bytes, got 0"),
    ],
)
def test_impossible_options_are_told(make: Make, sweep: Sweep, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError) as told:
        sweep(make(), **options)
    assert sentence in str(told.value)


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes")
def test_names_of_files_may_be_any_bytes(make: Make, data: Path, tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    shutil.copy(data, folder / "own.npz")
    config = os.fsdecode(b"caf\xe9.yaml")
    (folder / config).write_text(json.dumps(make(data={"npz": {"path": "own.npz"}}, evaluate={"keep": "final"})))
    for _ in range(2):
        done = commands.dlsweep("run", config, "-q", "-j", "1", folder=folder)
        assert (done.returncode, done.stderr) == (0, "")
    results = dlsweep.open_results(folder / "results" / "tiny")
    assert results.load(results.runs["run_id"][0]).predict(np.zeros((1, 6))).shape == (1,)
    assert commands.dlsweep("plot", "results", "-q", folder=folder).returncode == 0
    assert (results.folder / "figures" / "curves-accuracy.png").exists()


def test_a_setting_that_is_a_factor_has_its_numbers_beside_its_labels(make: Make, tmp_path: Path) -> None:
    grid = {"optimizer": ["sgd"], "optimizer.lr": [100, 30, 0.1], "model.mlp.hidden": [[4], [5]]}
    results = dlsweep.run(make(grid=grid, seeds=1, model="mlp"), output=tmp_path, executor="inline")
    for frame in (results.runs, results.curves):
        assert frame["optimizer.lr"].cat.categories.tolist() == ["100", "30", "0.1"]
        assert frame["optimizer.lr.value"].tolist() == [float(label) for label in frame["optimizer.lr"]]
        assert "model.mlp.hidden.value" not in frame
    arms = results.summary(["final_test_loss"])
    assert len(arms) == 24
    (chart,) = results.plot("response", y="loss", rows="activation", columns="init", lines="model.mlp.hidden")
    assert set(chart.data["optimizer.lr"]) == {0.1, 30, 100}
    assert chart._repr_png_().startswith(b"\x89PNG")
    for table in ("runs", "curves"):
        about = json.loads(pq.read_schema(next((results.folder / table).iterdir())).metadata[b"dlsweep"])
        assert about["table"] == table
        assert about["factors"] == list(results.record.levels)
        assert about["splits"] == ["batch", "test"]
