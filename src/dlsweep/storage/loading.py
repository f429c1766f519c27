"""Load the data set and the network of a run again, from its config, its random streams and the kept weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlsweep.config import Config, load_resolved
from dlsweep.config.runs import Arm, Run
from dlsweep.config.words import data_files
from dlsweep.datasets import data_of
from dlsweep.errors import UsageError
from dlsweep.randomness import Seeds
from dlsweep.storage import compatibility, parts
from dlsweep.storage.location import is_remote
from dlsweep.training.model import Model, start
from dlsweep.training.result import Checkpoint
from dlsweep.types import DataFrame

if TYPE_CHECKING:
    from dlsweep.datasets import Dataset
    from dlsweep.storage.results import Results

Row = Mapping[str, Any]  # of the table of runs


def model_of(results: Results, row: Row, *, trained: bool) -> Model:
    """Return the network of a run, as kept or from before training. Refuse functions that have changed since."""
    run = _expanded(results, row)
    compatibility.check_sources([run.arm], results.record, results.files)
    return Model(run, data_of(run.arm).drawn(run.seeds), _kept(results, row) if trained else start(run))


def dataset_of(results: Results, runs: DataFrame, opened: dict[tuple[Any, ...], Dataset]) -> Dataset:
    """Return the data set of some rows of runs, with their split. opened: those that are open already."""
    if runs.empty:
        raise UsageError("there are no runs, so there is no data set")
    by = [factor for factor in results.record.levels if factor.partition(".")[0] == "data"]
    if several := [factor for factor in by if runs[factor].nunique() > 1]:
        raise UsageError(f"these runs have several data sets; choose one level of {', '.join(several)}")
    first = runs.iloc[0]
    key = (*first[by], results.split_of(runs))
    if key not in opened:
        run = _run_of(results, dict(first), _around(results, dict(first)).arms()) or _expanded(results, dict(first))
        opened[key] = data_of(run.arm).drawn(run.seeds)
    return opened[key]


def expanded(results: Results) -> Config:
    """Return the config of some results, loaded again."""
    return load_resolved(_resolved(results))


def _resolved(results: Results) -> Mapping[str, Any]:
    config = {key: value for key, value in results.config.items() if key != "fingerprints"}
    return config if is_remote(results.folder) else _with_moved_files(config, results.folder.absolute())


def _with_moved_files(form: Any, folder: Path, owner: str = "") -> Any:
    """Return a part of a config in which files with the same path near a folder replace data files that are gone.

    owner: the name of the data set in whose settings the part is. Results are moved together with their data: then a
    path is the same from some parent of the results on.
    """
    if isinstance(form, Mapping):
        return {
            key: _near(value, folder)
            if isinstance(value, str) and (owner, key) in data_files()
            else _with_moved_files(value, folder, key)
            for key, value in form.items()
        }
    return [_with_moved_files(one, folder, owner) for one in form] if isinstance(form, list) else form


def _near(path: str, folder: Path) -> str:
    whole = Path(path)
    if whole.exists():
        return path
    ends = [Path(*whole.parts[-length:]) for length in range(len(whole.parts) - 1, 0, -1)]
    return str(next((there for end in ends for place in folder.parents[:3] if (there := place / end).is_file()), path))


def _around(results: Results, row: Row) -> Config:
    """Return a config with only the levels of one row, if they have labels: a large grid takes long to load.

    Its arms have other names.
    """

    def own(factor: str, levels: list[Any]) -> list[Any]:
        named = [level for level in levels if isinstance(level, dict) and level.get("label") == row.get(factor)]
        return named or levels

    config = _resolved(results)
    grid = [{factor: own(factor, levels) for factor, levels in one.items()} for one in config["grid"]]
    return load_resolved({**config, "grid": grid, "exclude": [], "only": []})


def _expanded(results: Results, row: Row) -> Run:
    """Return the run of a row, also if the source of a function has changed."""
    arms = (arm for arm in results.expanded.arms() if arm.name == row["arm"])
    if run := _run_of(results, row, arms):
        return run
    raise UsageError(f"the data of {results.folder} has changed since its runs were trained; they cannot be loaded")


def _run_of(results: Results, row: Row, arms: Iterable[Arm]) -> Run | None:
    """Return the run of a row if it belongs to one of these arms; None otherwise."""
    sources = results.record.tables.sources
    crossed = Seeds.crossed({source: int(row[f"seed_{source}"]) for source in sources})
    seeds = crossed if sources else Seeds(int(row["seed"]))
    return next((run for arm in arms if (run := Run(arm, seeds)).id == row["run_id"]), None)


def _kept(results: Results, row: Row) -> Checkpoint:
    """Return the weights that a run kept."""
    run, checksum = row["run_id"], row.get("kept_checksum")
    if checksum is None:
        raise UsageError(f"{results.folder} has no weights; train with evaluate.keep: final, or best")
    if checksum != checksum:
        raise UsageError(f"the run {run} ({row['arm']}, seed {row['seed']}) has {row['status']}: no weights")
    if run not in results.weights:
        raise parts.Damaged(results.files, parts.weights_name(run), "is missing")
    parameters, _ = parts.read_weights(results.files, results.weights[run], int(checksum))
    return Checkpoint(int(row["kept_iteration"]), parameters)
