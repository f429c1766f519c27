"""What cannot be read is not damaged, damage is found, nothing is written through a link (faults 23, 24, 26)."""

from __future__ import annotations

import json
import os
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support import PROGRAMS, commands
from tests.support.sweeps import Bits, Execute, Launch, Make

import dlsweep
from dlsweep.errors import ResultsDamaged, Unreadable, UsageError
from dlsweep.progress import Reporter

KEEP = {"every": 2, "on": ["test"], "keep": "final", "layers": True}


def everything(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != ".lock"}


@pytest.mark.slow
@pytest.mark.parametrize("error", ["EIO", "EACCES", "EMFILE"])
def test_a_file_that_cannot_be_read_costs_nothing(make: Make, launch: Launch, tmp_path: Path, error: str) -> None:
    config = make(seeds=1, evaluate=KEEP)
    dlsweep.run(config, output=tmp_path / "out", executor="inline")
    program = (PROGRAMS / "unreadable.py").read_text()
    process = launch(program, json.dumps(config), tmp_path / "out", error)
    lines, messages = process.communicate()
    assert process.returncode == 0, messages
    assert messages == ""
    *told, last = [json.loads(line) for line in lines.splitlines()]
    assert len(told) > 15
    assert {code for code, _ in told} <= {0, 1, 4}
    assert sum(code == 4 for code, _ in told) > 12  # the record, every part, all weights, every folder
    assert {content for _, content in [*told, last]} == {last[1]}


def test_the_command_ends_with_a_sentence_where_a_part_cannot_be_read(make: Make, tmp_path: Path) -> None:
    """A folder stands where a part was: root may read even what has no permission."""
    results = dlsweep.run(make(), output=tmp_path, executor="inline")
    part = next(results.folder.glob("curves/*"))
    part.rename(tmp_path / "aside")
    part.mkdir()
    (tmp_path / "config.yaml").write_text(json.dumps(make()))
    before = everything(results.folder)
    command = ("run", "config.yaml", "-o", tmp_path, "-q", "-j", "1")
    done = commands.dlsweep(*command, folder=tmp_path)
    assert done.returncode == 4
    assert done.stderr.startswith(f"cannot read {part}: ")
    assert everything(results.folder) == before
    part.rmdir()
    (tmp_path / "aside").rename(part)
    assert commands.dlsweep(*command, folder=tmp_path).returncode == 0


def test_a_flipped_bit_in_runs_sets_the_weights_of_its_runs_aside(make: Make, tmp_path: Path, bits: Bits) -> None:
    config = make(evaluate=KEEP)
    results = dlsweep.run(config, output=tmp_path, executor="inline")
    whole, kept = bits(results), {p.name: p.read_bytes() for p in results.folder.glob("weights/*")}
    part = next(results.folder.glob("runs/*"))
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(content)
    again = dlsweep.run(config, output=tmp_path, executor="inline")
    assert bits(again) == whole
    aside = {p.name: p.read_bytes() for p in results.folder.glob("quarantine/weights/*")}
    assert len(aside) == 6
    assert aside.items() <= kept.items()
    assert {p.name: p.read_bytes() for p in results.folder.glob("weights/*")} == kept


@pytest.mark.filterwarnings("ignore:.*its runs are those of")
def test_a_flipped_bit_in_the_record_changes_nothing_that_is_shown(make: Make, tmp_path: Path, bits: Bits) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(json.dumps(make()))
    results = dlsweep.run(path, output=tmp_path, executor="inline")
    whole, record = bits(results), results.folder / "sweep.json"
    content = record.read_bytes()
    draw = random.Random(0)
    for _ in range(60):
        flipped = bytearray(content)
        flipped[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        record.write_bytes(flipped)
        try:
            found = dlsweep.open_results(results.folder)
        except ResultsDamaged:
            continue
        assert bits(found) == whole
        assert found.config == results.config
        assert found.name == results.name
    record.write_bytes(b"{")
    assert bits(dlsweep.run(path, output=tmp_path, executor="inline")) == whole
    assert json.loads(record.read_bytes())["config"] == results.config


def test_a_dry_run_reads_a_record_as_run_will_repair_it(make: Make, tmp_path: Path) -> None:
    results = dlsweep.run(make(seeds=1), output=tmp_path, executor="inline")
    damaged = results.folder / "sweep.json"
    damaged.write_bytes(b"{")
    forecast = dlsweep.dry_run(make(seeds=2), output=tmp_path, executor="inline")
    assert (forecast.runs, forecast.done) == (8, 4)
    (note,) = [note for note in forecast.notes if "damaged" in note]
    assert note.endswith("; run writes it again")
    assert damaged.read_bytes() == b"{"


def test_runs_that_a_remade_record_does_not_show_are_told(make: Make, tmp_path: Path) -> None:
    """Its sweep.yaml lacks the override that added an arm."""
    path = tmp_path / "config.yaml"
    path.write_text(json.dumps(make(seeds=1)))
    results = dlsweep.run(dlsweep.load(path, ["grid.init=[he, xavier, zeros]"]), output=tmp_path, executor="inline")
    (results.folder / "sweep.json").write_bytes(b"{")
    for command in (["show", "tiny"], ["plot", "tiny", "-k", "curves"], ["export", "tiny", "-o", "runs.csv"]):
        done = commands.dlsweep(*command, folder=tmp_path)
        assert done.returncode == 0
        assert "sweep.json is damaged" in done.stderr
        assert "its runs are those of tiny/sweep.yaml, except for 2 runs that are not shown\n" in done.stderr


def test_a_torn_record_of_a_folder_without_runs_is_written_again(make: Make, tmp_path: Path) -> None:
    """The power failed before the first part was written. A damaged part is a run of another config, perhaps."""
    (tmp_path / "tiny.yaml").write_text(json.dumps(make(seeds=1)))
    folder = tmp_path / "results/tiny"
    dlsweep.run(make(seeds=1), output=tmp_path / "results", executor="inline")
    torn = (folder / "sweep.json").read_bytes()[:500]
    for table in ("runs", "curves", "predictions"):
        shutil.rmtree(folder / table)
    (folder / "sweep.json").write_bytes(torn)
    done = commands.dlsweep("run", "tiny.yaml", "-j", "1", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "sweep.json is damaged" in done.stderr
    assert "the folder has no runs yet; it is written again\n" in done.stderr
    for path in folder.glob("runs/*.parquet"):
        path.write_bytes(b"torn")
    (folder / "sweep.json").write_bytes(torn)
    assert "it cannot be remade" in commands.dlsweep("run", "tiny.yaml", "-j", "1", folder=tmp_path).stderr


def test_what_cannot_be_proved_is_not_made_anew(make: Make, tmp_path: Path) -> None:
    """The folder's runs were trained with an override, which its sweep.yaml does not have."""
    path = tmp_path / "config.yaml"
    path.write_text(json.dumps(make()))
    overridden = dlsweep.load(path, ["train.iterations=4"])
    results = dlsweep.run(overridden, output=tmp_path, executor="inline")
    (results.folder / "sweep.json").write_bytes(b"{")
    for attempt in (lambda: dlsweep.open_results(results.folder), lambda: dlsweep.run(path, output=tmp_path)):
        with pytest.raises(ResultsDamaged, match=r"sweep\.json is damaged"):
            attempt()
    assert len(dlsweep.run(overridden, output=tmp_path, executor="inline").runs) == 12


def test_the_record_of_another_sweep_is_found_out(make: Make, tmp_path: Path) -> None:
    ours = dlsweep.run(make(), output=tmp_path, executor="inline")
    theirs = dlsweep.run(
        make(name="other", train={"iterations": 4, "batch_size": 5}), output=tmp_path, executor="inline"
    )
    shutil.copy(theirs.folder / "sweep.json", ours.folder / "sweep.json")
    copied = "belongs to another sweep than the runs there"
    (ours.folder / "sweep.yaml").unlink()
    with pytest.raises(ResultsDamaged, match=copied):
        dlsweep.open_results(ours.folder)
    before = everything(ours.folder)
    with pytest.raises(ResultsDamaged, match=copied):
        dlsweep.run(make(train={"iterations": 5, "batch_size": 5}), output=tmp_path, executor="inline")
    assert everything(ours.folder) == before
    assert len(dlsweep.run(make(), output=tmp_path, executor="inline").runs) == 12


class Stop(Reporter):
    """Stops the training at the first receipt."""

    def receipt(self, receipt: Any) -> None:
        raise KeyboardInterrupt


@pytest.mark.filterwarnings("ignore:.*its runs are those of")
@pytest.mark.parametrize("begun", [False, True], ids=["finished", "with a longer training that has begun"])
def test_the_record_of_another_sweep_is_replaced(make: Make, tmp_path: Path, bits: Bits, begun: bool) -> None:
    kept = {"every": 2, "on": ["test"], "keep": "final"}
    for name, iterations in (("tiny", 4), ("longer", 8), ("other", 6)):
        train, sweep = {"iterations": iterations, "batch_size": 5}, "other" if name == "other" else "tiny"
        config = make(name=sweep, train=train, evaluate=kept)
        (tmp_path / f"{name}.yaml").write_text(json.dumps(config))
    ours, other = (
        dlsweep.run(tmp_path / f"{name}.yaml", output=tmp_path / "results", executor="inline")
        for name in ("tiny", "other")
    )
    whole = bits(ours)
    if begun:
        with pytest.raises(KeyboardInterrupt):
            dlsweep.run(tmp_path / "longer.yaml", output=tmp_path / "results", executor="inline", report=Stop())
    record = json.loads((ours.folder / "sweep.json").read_text())
    assert bool(record.get("further")) == begun
    shutil.copy(other.folder / "sweep.json", ours.folder / "sweep.json")
    shown = commands.dlsweep("show", "results/tiny", folder=tmp_path)
    assert shown.returncode == 0
    told = "results/tiny/sweep.json belongs to another sweep than the runs there, and may have been copied there"
    assert shown.stderr == f"warning: {told}; its runs are those of results/tiny/sweep.yaml\n"
    assert bits(dlsweep.open_results(ours.folder)) == whole
    done = commands.dlsweep("run", "longer.yaml", "-j", "1", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "; it is written again\n" in done.stderr
    assert ("6 of 12 runs are done already" in done.stderr) == begun
    alone = dlsweep.run(tmp_path / "longer.yaml", output=tmp_path / "alone", executor="inline")
    assert bits(dlsweep.open_results(ours.folder)) == bits(alone)


@pytest.mark.parametrize("link", [".runner.json", ".lock"])
def test_nothing_is_written_through_a_link_to_a_file(make: Make, tmp_path: Path, link: str) -> None:
    outside = tmp_path / "outside"
    outside.write_text("mine")
    path = tmp_path / "tiny" / link
    path.parent.mkdir(parents=True)
    path.symlink_to(outside)
    (tmp_path / "config.yaml").write_text(json.dumps(make(plots=["curves"], seeds=1)))
    done = commands.dlsweep("run", "config.yaml", "-o", tmp_path, "-q", "-j", "1", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert outside.read_text() == "mine"
    assert (tmp_path / "tiny/figures/curves-accuracy.png").stat().st_size


@pytest.mark.parametrize(
    "link", ["quarantine", "quarantine/runs", "quarantine/weights", "curves", "weights", "figures"]
)
def test_nothing_is_written_through_a_link_to_a_folder(make: Make, tmp_path: Path, link: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    path = tmp_path / "results" / "tiny" / link
    path.parent.mkdir(parents=True)
    path.symlink_to(outside)
    with pytest.raises(UsageError, match="is a link that leads out of"):
        dlsweep.run(make(), output=tmp_path / "results", executor="inline")
    assert not list(outside.iterdir())


def test_a_fifo_is_not_read(make: Make, tmp_path: Path) -> None:
    results = dlsweep.run(make(), output=tmp_path, executor="inline")
    for path in (results.folder / "sweep.json", next(results.folder.glob("runs/*"))):
        content = path.read_bytes()
        path.unlink()
        os.mkfifo(path)
        with pytest.raises(Unreadable, match="not a regular file"):
            _ = dlsweep.open_results(results.folder).runs
        path.unlink()
        path.write_bytes(content)


@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_a_plugin_ends_its_own_runs_only_whatever_it_raises(
    make: Make, execute: Execute, tmp_path: Path, executor: str
) -> None:
    moods = ["SystemExit", "KeyboardInterrupt", "GeneratorExit", "BaseException"]
    config = make(grid={"activation": [{"rude": {"mood": moods}}, "relu"], "init": ["he"]}, seeds=1)
    program = (PROGRAMS / "rude.py").read_text()
    assert execute(program, json.dumps(config), tmp_path / "out", executor) == (0, "")
    runs = dlsweep.open_results(tmp_path / "out" / "tiny").runs
    assert runs["status"].tolist() == ["failed"] * 4 + ["done"]
    assert [error.strip().rpartition("\n")[2].rstrip(": ") for error in runs["error"][:4]] == moods


def test_a_data_set_that_goes_away_costs_its_own_runs_only(make: Make, data: Path, tmp_path: Path) -> None:
    """The file of one of three data sets is removed before a worker reads it."""
    paths = [tmp_path / f"{name}.npz" for name in "abc"]
    with np.load(data) as arrays:
        for i, path in enumerate(paths):
            np.savez(path, **(dict(arrays) | {"x_train": arrays["x_train"] + i}))

    class Removing(Reporter):
        def start(self, total: int, done: int, iterations: int) -> None:
            paths[1].unlink()

    levels = [{"npz": {"path": str(path)}, "label": path.stem} for path in paths]
    config = make(grid={"data": levels, "activation": ["relu"], "init": ["he"]}, seeds=2)
    del config["data"]
    results = dlsweep.run(config, output=tmp_path, executor="processes", jobs=1, report=Removing())
    ends = results.runs.groupby("data", observed=True)["status"].agg(list)
    assert ends.to_dict() == {"a": ["done"] * 2, "b": ["failed"] * 2, "c": ["done"] * 2}
    assert results.runs["error"].dropna().str.contains("b.npz cannot be read: No such file", regex=False).all()
