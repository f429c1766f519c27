"""A finished sweep is trained further: the same bits as in one go, or a sentence that says what it takes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from tests.support import commands
from tests.support.sweeps import Bits, Make

import dlsweep
from dlsweep.errors import UsageError
from dlsweep.progress import Reporter
from dlsweep.storage import compaction, parts
from dlsweep.storage.results import Results

OPTIMIZERS = list(dlsweep.optimizers)
STACKED = {"activation": ["relu"], "init": ["he"]}


def length(config: Mapping[str, Any], **train: Any) -> dict[str, Any]:
    seeds = train.pop("seeds", config.get("seeds"))
    return {**config, "seeds": seeds, "train": {**config["train"], **train}}


def kept(make: Make, *, grid: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    evaluate = {"every": 2, "on": ["batch", "test"], "keep": "final", **changes.pop("evaluate", {})}
    train = {"iterations": 5, "batch_size": 7, **changes.pop("train", {})}
    train = {name: value for name, value in train.items() if value is not None}
    return make(grid=STACKED | (grid or {}), seeds=2, evaluate=evaluate, train=train, **changes)


def run(config: dict[str, Any], output: Path, **options: Any) -> Results:
    return dlsweep.run(config, output=output, **{"executor": "inline", **options})


def files(results: Results) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (results.folder / "weights").iterdir()}


def one_length(results: Results) -> bool:
    """Only the parts and weights of the runs that count are there."""
    tables = [len(list((results.folder / table).iterdir())) for table in results.record.tables.schemas]
    return len(set(tables)) == 1 and set(files(results)) == {
        f"{run}.npz" for run in results.runs.loc[results.runs["kept_iteration"].notna(), "run_id"]
    }


CASES: dict[str, dict[str, Any]] = {
    "optimizers": {"grid": {"optimizer": OPTIMIZERS}},
    "schedules": {"grid": {"schedule": ["constant", {"step": {"every": 4}}, {"warm_up": {"iterations": 8}}]}},
    "shuffle": {"train": {"sampling": "shuffle"}, "grid": {"optimizer": ["momentum"]}},
    "epochs": {"train": {"iterations": None, "epochs": 2, "sampling": "shuffle"}, "grid": {"optimizer": ["adam"]}},
    "layers": {"grid": {"normalization": ["none", "batch"], "activation": ["prelu"]}},
    "draws": {"grid": {"regularizer": ["dropout", {"input_noise": {"std": 0.1}}, {"dropconnect": {"ratio": 0.2}}]}},
    "probes": {"evaluate": {"layers": True}, "grid": {"optimizer": [{"sgd": {"lr": [0.1, 1e30]}}]}},
    "ensemble": {"evaluate": {"ensemble": True}, "grid": {"optimizer": [{"sgd": {"lr": [0.1, 30.0]}}]}},
    "subset": {"evaluate": {"on": ["batch", "train", "test"]}},
    "stopping": {
        "train": {"patience": 2, "monitor": "test_loss", "restore_best": False},
        "grid": {"optimizer": [{"sgd": {"lr": [0.01, 3.0]}}]},
    },
    "restored": {
        "train": {"patience": 3, "monitor": "test_accuracy"},
        "grid": {"optimizer": [{"adam": {"lr": [0.003, 0.3]}}]},
        "evaluate": {"layers": True},
    },
}


@pytest.mark.parametrize("case", CASES)
def test_a_longer_training_has_the_bits_of_one_go(make: Make, tmp_path: Path, bits: Bits, case: str) -> None:
    config = kept(make, **CASES[case])
    unit, lengths = ("epochs", (2, 3, 5)) if case == "epochs" else ("iterations", (5, 12, 31))
    for each in lengths:  # after 5 iterations the last evaluation is one that a longer training has not
        further = run(length(config, **{unit: each}), tmp_path / "further")
    whole = run(length(config, **{unit: lengths[-1]}), tmp_path / "whole")
    assert bits(further) == bits(whole)
    assert files(further) == files(whole)
    assert one_length(further)
    if case == "stopping":
        assert {*further.runs["status"]} == {"done", "stopped"}
    model = further.load(further.runs["run_id"][0])
    assert not any(name.startswith(parts.STATE) for name in model.parameters)


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_command_goes_on(make: Make, tmp_path: Path, bits: Bits, jobs: int) -> None:
    config = kept(make, grid={"activation": ["relu", "tanh"]})
    del config["evaluate"]["every"]
    config["train"] |= {"iterations": 150}
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")

    def command(*words: str) -> tuple[int, str]:
        done = commands.dlsweep("run", "tiny.yaml", "-j", str(jobs), *words, folder=tmp_path)
        return done.returncode, done.stderr

    assert command()[0] == 0
    told = commands.dlsweep("run", "tiny.yaml", "train.iterations=250", "--dry-run", folder=tmp_path)
    assert "4 runs in 2 stacks, 0 done, 4 to train" in told.stdout
    code, messages = command("train.iterations=250")
    assert code == 0
    assert "4 runs to train further, from the state after 150 iterations\n" in messages
    assert "training 4 runs, 400 iterations" in messages
    code, messages = command("train.iterations=250")
    assert code == 0
    assert "tiny: nothing to do\n" in messages
    assert command("train.iterations=250", "evaluate.every=3", "name=whole")[0] == 0
    further, whole = (dlsweep.open_results(tmp_path / "results" / name) for name in ("tiny", "whole"))
    assert further.config["evaluate"]["planned"] == 150  # so the evaluations are every 3 iterations, as at first
    assert bits(further) == bits(whole)
    assert one_length(further)


def test_evaluations_stay_where_they_were_in_every_arm(make: Make, tmp_path: Path) -> None:
    config = kept(
        make, train={"iterations": None, "batch_size": None, "epochs": 60}, grid={"train.batch_size": [10, 60]}
    )
    del config["evaluate"]["every"]
    before = run(config, tmp_path).curves
    after = run(length(config, epochs=61), tmp_path).curves
    times = [frame.groupby("arm", observed=True)["iteration"].unique() for frame in (before, after)]
    for arm in times[0].index:
        regular = times[0][arm][:-1].tolist()
        assert len(regular) >= 50
        assert times[1][arm][: len(regular)].tolist() == regular


class Notes(Reporter):
    """Takes the notes down."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    def note(self, sentence: str) -> None:
        self.taken.append(sentence)


class Stop(Reporter):
    """Stops the training at the first receipt."""

    def receipt(self, receipt: Any) -> None:
        raise KeyboardInterrupt


def test_until_the_last_run_is_longer_the_results_are_the_earlier_ones(make: Make, tmp_path: Path, bits: Bits) -> None:
    config = kept(make, grid={"activation": ["relu", "tanh"]})
    first = bits(run(config, tmp_path))
    with pytest.raises(KeyboardInterrupt):
        run(length(config, iterations=9), tmp_path, report=Stop())
    assert bits(dlsweep.open_results(tmp_path / "tiny")) == first
    assert bits(run(config, tmp_path)) == first  # and the longer run that is there stays for later
    with pytest.raises(KeyboardInterrupt):
        run(length(config, iterations=12), tmp_path, report=Stop())  # now another length is wanted
    notes = Notes()
    longer = run(length(config, iterations=12), tmp_path, report=notes)
    assert notes.taken == [
        "2 of 4 runs are done already",
        "2 runs to train further, from the state after 5 iterations",
    ]
    assert one_length(longer)
    assert bits(longer) == bits(run(length(config, iterations=12), tmp_path / "whole"))


def test_parts_of_a_longer_training_are_not_united_by_the_earlier_one(
    make: Make, tmp_path: Path, bits: Bits, monkeypatch: pytest.MonkeyPatch
) -> None:
    class StopAtTheSecond(Reporter):
        receipts = 0

        def receipt(self, receipt: Any) -> None:
            self.receipts += 1
            if self.receipts == 2:
                raise KeyboardInterrupt

    config = kept(make, grid={"activation": ["relu", "tanh", "sigmoid"]}, evaluate={"predictions": False})
    first = bits(run(config, tmp_path))
    longer = kept(make, grid={"activation": ["relu", "tanh", "sigmoid"]}, train={"iterations": 9})
    with pytest.raises(KeyboardInterrupt):
        run(longer, tmp_path, report=StopAtTheSecond())
    monkeypatch.setattr(compaction, "MOST", 1)
    assert bits(run(config, tmp_path)) == first
    notes = Notes()
    whole = run(longer, tmp_path, report=notes)
    assert notes.taken[0] == "4 of 6 runs are done already"
    assert bits(whole) == bits(run(longer, tmp_path / "whole"))


def test_runs_that_are_missing_or_failed_start_from_the_beginning(make: Make, tmp_path: Path, bits: Bits) -> None:
    config = kept(make, evaluate={"ensemble": True}, grid={"activation": ["relu", "tanh"]})
    with pytest.raises(KeyboardInterrupt):
        run(config, tmp_path, report=Stop())
    notes = Notes()
    longer = run(length(config, iterations=12), tmp_path, report=notes)
    assert notes.taken == ["2 runs to train further, from the state after 5 iterations"]
    assert bits(longer) == bits(run(length(config, iterations=12), tmp_path / "whole"))


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("evaluate", [{"ensemble": True}, {"layers": True}])
def test_runs_from_before_the_config_had_other_arms_go_on(
    make: Make, tmp_path: Path, bits: Bits, evaluate: dict[str, Any], at_once: bool
) -> None:
    grids = [{"activation": ["tanh"]}, {"init": ["xavier", "he"], "activation": ["relu", "tanh"]}]
    fewer, more = (kept(make, grid=grid, evaluate=evaluate) for grid in grids)
    run(fewer, tmp_path)
    if not at_once:
        run(more, tmp_path)  # the arm "tiny" is "he, tanh" now
    notes = Notes()
    longer = run(length(more, iterations=12), tmp_path, report=notes)
    assert f"{2 if at_once else 8} runs to train further, from the state after 5 iterations" in notes.taken
    assert bits(longer) == bits(run(length(more, iterations=12), tmp_path / "whole"))
    assert one_length(longer)


def test_runs_that_are_not_asked_for_are_not_replaced(make: Make, tmp_path: Path) -> None:
    config = kept(make, grid={"activation": ["relu", "tanh"]})
    fewer = config | {"seeds": 1}
    run(config, tmp_path)
    run(fewer, tmp_path)
    with pytest.raises(UsageError) as error:
        run(length(fewer, iterations=9), tmp_path)
    assert str(error.value) == (
        f"{tmp_path}/tiny holds 2 runs that this config does not ask for (arms 'relu', 'tanh'; seed 1), and a longer "
        "training replaces all runs of a folder; add these to the config, give the sweep another name, or replace its "
        "results with --force"
    )
    assert run(length(config, iterations=9), tmp_path).runs["iterations"].tolist() == [9] * 4  # as the message says


def test_members_of_an_ensemble_do_not_change(make: Make, tmp_path: Path) -> None:
    config = kept(make, evaluate={"ensemble": True})
    run(config, tmp_path)
    for more in (config | {"seeds": 3}, length(config | {"seeds": 3}, iterations=9)):
        with pytest.raises(UsageError, match="the members of an ensemble train together, so their seeds cannot change"):
            run(more, tmp_path)


REMEDY = "train from the start: give the sweep another name, or replace its results with --force"


@pytest.mark.parametrize(
    ("changes", "train", "sentence"),
    [
        (
            {},
            {"iterations": 4},
            "holds runs of 5 iterations, and this config asks for 4; trained runs cannot be made shorter: give the "
            "sweep another name, or replace its results with --force",
        ),
        (
            {"grid": {"schedule": ["constant", "cosine"]}},
            {"iterations": 9},
            "holds runs of 5 iterations that cannot go on to 9, because the schedule cosine depends on the length of "
            f"training; {REMEDY}",
        ),
        (
            {"evaluate": {"keep": None}},
            {"iterations": 9},
            "holds runs of 5 iterations that cannot go on to 9, because they kept no state of training; "
            f"{REMEDY}; with evaluate.keep=final the runs keep it, for the next time",
        ),
        (
            {"evaluate": {"keep": "best"}},
            {"iterations": 9},
            "holds runs of 5 iterations that cannot go on to 9, because they kept no state of training; "
            f"{REMEDY}; with evaluate.keep=final the runs keep it, for the next time",
        ),
        (
            {"evaluate": {"keep": None}},
            {"iterations": 9, "seeds": 1},
            "holds runs of 5 iterations that cannot go on to 9, because they kept no state of training; "
            f"{REMEDY}; with evaluate.keep=final the runs keep it, for the next time",
        ),
        (
            {},
            {"iterations": 9, "batch_size": 3},
            "belongs to a different config:\n  train.iterations: 5 there, 9 now\n  train.batch_size: 7 there, 3 now\n"
            "give the sweep another name, or replace its results with --force",
        ),
    ],
    ids=["shorter", "schedule", "nothing kept", "best kept", "other seeds too", "other difference"],
)
def test_what_cannot_go_on_says_why(
    make: Make, tmp_path: Path, changes: dict[str, Any], train: dict[str, Any], sentence: str
) -> None:
    config = kept(make, **changes)
    first = run(config, tmp_path)
    before = {path: path.read_bytes() for path in first.folder.rglob("*") if path.is_file()}
    for tried in (run, dry_run):
        with pytest.raises(UsageError) as error:
            tried(length(config, **train), tmp_path)
        assert str(error.value) == f"{tmp_path}/tiny {sentence}"
    assert {path: path.read_bytes() for path in first.folder.rglob("*") if path.is_file()} == before
    if "shorter" not in sentence:
        forced = run(length(config, **train), tmp_path, force=True)
        assert set(forced.runs["iterations"]) == {9}


def dry_run(config: dict[str, Any], output: Path) -> None:
    dlsweep.dry_run(config, output=output, executor="inline")


def test_points_on_a_landscape_keep_no_state(tmp_path: Path) -> None:
    config = {"name": "tiny", "model": "beale", "train": {"iterations": 5}}
    run(config, tmp_path)
    with pytest.raises(UsageError) as error:
        run(length(config, iterations=9), tmp_path)
    refused = "holds runs of 5 iterations that cannot go on to 9, because they kept no state of training"
    assert str(error.value) == f"{tmp_path}/tiny {refused}; {REMEDY}"


def test_weights_without_the_state_of_an_optimizer_are_no_beginning(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bits: Bits
) -> None:
    plain, stateful = (kept(make, name=name, grid={"optimizer": [name]}) for name in ("sgd", "momentum"))
    encode = parts.encode_weights
    with monkeypatch.context() as older:
        older.setattr(parts, "encode_weights", lambda parameters, state=None: encode(parameters))
        for config in (plain, stateful):
            run(config, tmp_path)
    with pytest.raises(UsageError) as error:
        run(length(stateful, iterations=9), tmp_path)
    assert str(error.value) == (
        f"{tmp_path}/momentum holds runs of 5 iterations that cannot go on to 9, because an older dlsweep kept their "
        f"weights without the state of training; {REMEDY}"
    )
    further = run(length(plain, iterations=9), tmp_path)  # SGD has none
    assert bits(further) == bits(run(length(plain, iterations=9), tmp_path / "whole"))


def test_a_damaged_run_starts_from_the_beginning(make: Make, tmp_path: Path, bits: Bits) -> None:
    config = kept(make)
    path = next((run(config, tmp_path).folder / "weights").iterdir())
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    longer = run(length(config, iterations=9), tmp_path)
    assert bits(longer) == bits(run(length(config, iterations=9), tmp_path / "whole"))


def test_planned_has_no_effect_beside_every(make: Make) -> None:
    with pytest.raises(dlsweep.errors.ConfigError, match=r"evaluate.planned has no effect where evaluate.every is set"):
        dlsweep.load(make(evaluate={"every": 2, "planned": 5}))


def test_a_slot_is_kept_beside_the_weights(make: Make, tmp_path: Path) -> None:
    results = run(kept(make, grid={"optimizer": ["adam"]}), tmp_path)
    with np.load(next((results.folder / "weights").iterdir()), allow_pickle=False) as arrays:
        names = [f"{layer}/{k}" for layer in ("dense1", "dense2") for k in "Wb"]
        assert list(arrays) == [*names, *(f"state/slots/{name}/{slot}" for name in names for slot in "mv")]


def test_layers_with_activations_of_their_own_are_loaded_and_trained_further(make: Make, tmp_path: Path) -> None:
    config = kept(make, model={"layers": [{"dense": {"units": 4}}, "tanh"]}, plots=["confusion"])
    del config["grid"]["activation"]
    short = run(config, tmp_path)
    assert short.load(seed=0).layers
    assert [path.name for path in figures(short)] == ["confusion.png"]
    assert run(length(config, iterations=8), tmp_path).runs["iterations"].tolist() == [8, 8]


def figures(results: Results) -> list[Path]:
    told = commands.dlsweep("plot", results.folder, folder=results.folder.parent)
    assert (told.returncode, told.stderr) == (0, "")
    return sorted((results.folder / "figures").iterdir())
