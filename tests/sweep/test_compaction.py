"""United parts: every result is as before, whatever is done with it next, also for a reader that is there already."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from tests.support.sweeps import Bits, Make

import dlsweep
from dlsweep.errors import ResultsDamaged
from dlsweep.execution import worker
from dlsweep.status import Watch
from dlsweep.storage import compaction, parts, recovery
from dlsweep.storage.folder import LocalFolder
from dlsweep.storage.reading import Reader
from dlsweep.storage.results import Results
from dlsweep.storage.store import Store
from dlsweep.training.plan import Chunk, train

EVERYTHING = {"every": 2, "on": ["test"], "keep": "final", "ensemble": True}


@pytest.fixture
def united(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "MOST", 1)


def run(config: dict[str, Any], output: Path, **options: Any) -> Results:
    return dlsweep.run(config, output=output, executor="inline", quiet=True, **options)


def counts(results: Results) -> set[int]:
    return {len(list((results.folder / table).iterdir())) for table in results.record.tables.schemas}


@pytest.mark.parametrize("evaluate", [EVERYTHING, {"every": 2, "on": ["batch", "test"], "layers": True}])
def test_united_parts_have_the_bits_of_the_parts(
    make: Make, tmp_path: Path, bits: Bits, monkeypatch: pytest.MonkeyPatch, evaluate: dict[str, Any]
) -> None:
    config = make(evaluate=evaluate)
    apart = run(config, tmp_path / "apart")
    assert min(counts(apart)) > 1
    monkeypatch.setattr(compaction, "MOST", 1)
    before = bits(apart)
    again = run(config, tmp_path / "apart")  # nothing is left to train
    assert counts(again) == {1}
    assert bits(again) == before == bits(run(config, tmp_path / "united"))
    assert Watch().look(again).counts["done"] == 12
    told = dlsweep.verify(again, runs=2, sample=0, jobs=1)
    assert {one.outcome for one in told.runs} == {"same bits"}
    assert again.load(arm={"activation": "relu", "init": "he"}, seed=0) if "keep" in evaluate else True


@pytest.mark.usefixtures("united")
def test_a_sweep_whose_parts_were_united_goes_on(make: Make, tmp_path: Path, bits: Bits) -> None:
    keep = {"every": 2, "on": ["test"], "keep": "final"}
    run(make(seeds=1, evaluate=keep), tmp_path)
    wider = make(seeds=2, evaluate=keep, grid={"activation": ["relu", "tanh", "sigmoid"]})
    more = run(wider, tmp_path)
    assert bits(more) == bits(run(wider, tmp_path / "whole"))
    longer = wider | {"train": wider["train"] | {"iterations": 8}}
    assert bits(run(longer, tmp_path)) == bits(run(longer, tmp_path / "longer"))


@pytest.mark.usefixtures("united")
def test_merged_parts_are_united(make: Make, tmp_path: Path, bits: Bits) -> None:
    shards = [run(make(), tmp_path, shard=(i, 2)).folder for i in range(2)]
    merged = dlsweep.merge(tmp_path / "merged", shards)
    assert (merged.added, merged.missing) == (12, 0)
    assert counts(merged.results) == {1}
    assert bits(merged.results) == bits(run(make(), tmp_path))
    again = dlsweep.merge(tmp_path / "merged", shards)
    assert (again.added, again.known) == (0, 12)


@pytest.mark.usefixtures("united")
def test_failed_runs_keep_parts_of_their_own(
    make: Make, tmp_path: Path, bits: Bits, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:

        def some(chunk: Chunk, *given: Any, **named: Any) -> Any:
            if any(run.arm.levels["activation"] == "tanh" and run.seed == 1 for run in chunk):
                raise RuntimeError("not today")
            return train(chunk, *given, **named)

        patch.setattr(worker, "train", some)
        failed = run(make(), tmp_path)
    assert failed.counts["failed"] == 2
    assert counts(failed) == {3}
    healed = run(make(), tmp_path, retry=True)
    assert healed.counts["failed"] == 0
    assert counts(healed) == {1}
    assert bits(healed) == bits(run(make(), tmp_path / "whole"))


@pytest.mark.parametrize("damaged", [False, True])
def test_parts_beside_the_one_that_unites_them(
    make: Make, tmp_path: Path, bits: Bits, monkeypatch: pytest.MonkeyPatch, damaged: bool
) -> None:
    """As after a crash before they are deleted. They count if the united part is damaged."""
    results = run(make(), tmp_path)
    expected = bits(results)
    with monkeypatch.context() as patch:
        patch.setattr(compaction, "MOST", 1)
        patch.setattr(Store, "remove", lambda self, keys: None)
        compaction.compact(Store(LocalFolder(results.folder), results.record.tables))
    names = parts.listing(results.files, "runs")
    assert len(names) == 3
    between = dlsweep.open_results(results.folder)
    assert bits(between) == expected
    assert Watch().look(between).counts["done"] == 12
    if damaged:
        united = max((results.folder / "curves").iterdir(), key=lambda path: path.stat().st_size)
        united.write_bytes(united.read_bytes()[:-1])
    assert bits(run(make(), tmp_path)) == expected
    assert counts(results) == {2 if damaged else 1}
    assert (results.folder / "quarantine").exists() == damaged


@pytest.mark.parametrize("table", ["curves", "layers", "ensembles", "predictions"])
def test_a_reader_finds_the_rows_of_parts_that_are_united_meanwhile(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    ensemble = {"every": 2, "on": ["test"], "ensemble": True, "layers": True}
    config = make(evaluate=ensemble, grid={"activation": ["relu", "tanh", "sigmoid"]})
    results = run(config, tmp_path, max_memory=1)
    expected = getattr(results, table)
    early, late = (dlsweep.open_results(results.folder) for _ in range(2))
    assert len(early.runs) == len(late.runs) == 18
    listed = late._tables._part(table)
    monkeypatch.setattr(compaction, "MOST", 4)
    compaction.compact(Store(LocalFolder(results.folder), results.record.tables))
    between = dlsweep.open_results(results.folder)
    assert len(between.runs) == 18
    assert 1 < min(counts(results)) < 6
    monkeypatch.setattr(compaction, "MOST", 1)
    compaction.compact(Store(LocalFolder(results.folder), results.record.tables))
    for reader in (early, between):
        pd.testing.assert_frame_equal(getattr(reader, table), expected, check_categorical=False)
    assert sum(len(listed(stem)) for stem in late._tables.run_parts) == len(expected)


def test_a_reader_leaves_out_the_runs_that_are_trained_and_united_after_its_own(
    make: Make, tmp_path: Path, united: None
) -> None:
    reader = run(make(seeds=2), tmp_path)
    expected = run(make(seeds=2), tmp_path / "few").curves
    assert len(reader.runs) == 8
    assert len(run(make(seeds=3), tmp_path).runs) == 12
    pd.testing.assert_frame_equal(reader.curves, expected, check_categorical=False)


@pytest.mark.parametrize("moment", ["list", "get"])
def test_a_reader_looks_again_if_parts_are_united_while_it_lists_or_reads_them(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    results = run(make(), tmp_path, max_memory=1)
    real, united = getattr(LocalFolder, moment), 0

    def meanwhile(self: LocalFolder, name: str) -> Any:
        nonlocal united
        if name.startswith("runs") and not united:
            united += 1
            with monkeypatch.context() as patch:
                patch.setattr(LocalFolder, moment, real)
                patch.setattr(compaction, "MOST", 1)
                compaction.compact(Store(LocalFolder(results.folder), results.record.tables))
            if moment == "list":  # an old part was passed before, the united one came after
                return []
        return real(self, name)

    for look in (
        lambda: Watch().look(dlsweep.open_results(results.folder)).counts["done"],
        lambda: len(Reader(results.files, results.record).run_rows),
        lambda: sum(map(len, recovery.scan(Store(results.files, results.record.tables))[0].values())),
        lambda: dlsweep.dry_run(make(), output=tmp_path).done,
    ):
        shutil.rmtree(results.folder)
        run(make(), tmp_path, max_memory=1)
        with monkeypatch.context() as patch:
            patch.setattr(LocalFolder, moment, meanwhile)
            united = 0
            assert look() == 12
        assert united
        assert counts(results) == {1}


@pytest.mark.parametrize("memory", [1, None])
def test_parts_are_united_while_a_sweep_goes_on(
    make: Make, tmp_path: Path, bits: Bits, monkeypatch: pytest.MonkeyPatch, memory: int | None
) -> None:
    monkeypatch.setattr(compaction, "MOST", 4)
    found: list[int] = []

    class Look(dlsweep.Reporter):
        def receipt(self, receipt: Any) -> None:
            found.append(len(list((tmp_path / "tiny" / "runs").iterdir())))

    results = dlsweep.run(make(), output=tmp_path, executor="inline", max_memory=memory, report=Look())
    assert max(found) <= 4 + 2
    assert bits(results) == bits(run(make(), tmp_path / "whole"))


def copy_first_part(late: Results, results: Results, loss: float | None = None) -> None:
    """Copy the first chunk of a sweep into other results, as a worker of a killed runner writes it late.

    loss: of a run of it, another one than was trained.
    """
    for table in late.record.tables.schemas:
        stem, name = min(parts.listing(late.files, table).items())
        rows, content = parts.stored(late.files, name), late.files.get(name)
        if loss is not None and table == "runs":
            column = pa.array([loss, *rows["final_test_loss"].to_pylist()[1:]])
            content = parts.encode_table(
                rows.set_column(rows.column_names.index("final_test_loss"), "final_test_loss", column)
            )
        results.files.put(parts.part_name(table, stem, content), content)


@pytest.mark.parametrize("chunk", ["same", "smaller", "larger"])
def test_a_part_that_a_worker_of_a_killed_runner_writes_late_changes_nothing(
    make: Make, tmp_path: Path, bits: Bits, chunk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its runs have been trained again, in a chunk of the same runs or of others, which was united or was not."""
    late = run(make(), tmp_path / "late", max_memory=None if chunk == "larger" else 1)
    results = run(make(), tmp_path, max_memory=None if chunk == "smaller" else 1)
    expected, store = bits(results), Store(LocalFolder(results.folder), results.record.tables)
    monkeypatch.setattr(compaction, "MOST", 1)
    if chunk == "same":
        compaction.compact(store)
    copy_first_part(late, results)

    def unchanged() -> bool:
        found = dlsweep.open_results(results.folder)
        done = Watch().look(found).counts["done"], sum(map(len, recovery.scan(store)[0].values()))
        return bits(found) == expected and done == (12, 12) and not recovery.scan(store)[1]

    assert unchanged()
    compaction.compact(store)
    assert unchanged()
    assert {one.outcome for one in dlsweep.verify(results.folder, runs=2, jobs=1).runs} == {"same bits"}
    merged = dlsweep.merge(tmp_path / "merged", [results.folder])
    assert (merged.added, bits(merged.results)) == (12, expected)
    trained = run(make(), tmp_path)
    assert bits(trained) == expected
    assert counts(trained) == {1}
    assert not (results.folder / "quarantine").exists()


def test_a_late_part_with_other_numbers_is_a_conflict(make: Make, tmp_path: Path, bits: Bits) -> None:
    late, results = run(make(), tmp_path / "late", max_memory=1), run(make(), tmp_path)
    expected = bits(results)
    copy_first_part(late, results, loss=0.25)
    sentence = r"the run \w+ \(.*, seed 0\) has different numbers in two parts: final_test_loss is 0.25 and "
    with pytest.raises(ResultsDamaged, match=rf"^{sentence}.*; `dlsweep run` sets one of them aside"):
        assert dlsweep.open_results(results.folder).runs is None
    with pytest.raises(ResultsDamaged, match=sentence):
        dlsweep.merge(tmp_path / "merged", [results.folder])
    assert bits(run(make(), tmp_path)) == expected
    assert (results.folder / "quarantine/runs").exists()


def test_a_part_with_a_run_twice_is_set_aside(make: Make, tmp_path: Path, bits: Bits) -> None:
    results = run(make(), tmp_path)
    expected = bits(results)
    stem, rows = next(iter(results._tables.run_parts.items()))
    twice = {
        table: pa.concat_tables(2 * [parts.stored(results.files, parts.listing(results.files, table)[stem])])
        for table in results.record.tables.schemas
    }
    name = parts.joint_name(2 * rows["run_id"].to_pylist())
    store = Store(LocalFolder(results.folder), results.record.tables)
    store.remove([stem])
    for table, content in ((table, parts.encode_table(own)) for table, own in twice.items()):
        results.files.put(parts.part_name(table, name, content), content)
    with pytest.raises(ResultsDamaged, match="it has a run twice; `dlsweep run` sets it aside"):
        assert dlsweep.open_results(results.folder).runs is None
    assert bits(run(make(), tmp_path)) == expected


def test_a_damaged_united_part_costs_its_runs_only(make: Make, tmp_path: Path, bits: Bits, united: None) -> None:
    keep = {"every": 2, "on": ["test"], "keep": "final"}
    expected = bits(run(make(evaluate=keep), tmp_path / "whole"))
    results = run(make(evaluate=keep), tmp_path)
    (part,) = (results.folder / "predictions").iterdir()
    part.write_bytes(part.read_bytes()[:-1])
    assert len(dlsweep.open_results(results.folder).curves)
    with pytest.raises(ResultsDamaged, match="trains its runs again"):
        assert dlsweep.open_results(results.folder).predictions is None
    assert bits(run(make(evaluate=keep), tmp_path)) == expected
    assert len(list((results.folder / "quarantine" / "weights").iterdir())) == 12
