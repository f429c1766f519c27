"""Tables of some results as frames, with the arms, labels and levels that their record has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from dlsweep.config.seeds import Replicates
from dlsweep.errors import ResultsDamaged
from dlsweep.randomness import Seeds
from dlsweep.storage import changes, contents, record
from dlsweep.storage.reading import Reader
from dlsweep.types import DataFrame


def runs_frame(reader: Reader) -> DataFrame:
    """Return the runs, in the order of the config."""
    frame, tables = _framed(reader, reader.run_rows), reader.record.tables
    return frame.sort_values([*tables.factors, "arm", "seed"], kind="stable", ignore_index=True)


def measured_frame(reader: Reader, table: str, runs: DataFrame) -> DataFrame:
    """Return another table, in the order of `runs`."""
    frame = _framed(reader, reader.rows(table))
    by = contents.owner(reader.record.tables.schemas[table])
    rank = {name: i for i, name in enumerate(dict.fromkeys(runs[by]))}
    ranks = np.array([rank[name] for name in frame[by].cat.categories], np.int64)
    order = np.argsort(ranks[frame[by].cat.codes], kind="stable")
    return frame.drop(columns=["run_id"] if by == "arm" else []).iloc[order].reset_index(drop=True)


def _framed(reader: Reader, table: pa.Table) -> DataFrame:
    frame: DataFrame = table.to_pandas()
    own = reader.record
    if own.hidden or own.relabelled:
        frame = changes.as_now(frame, reader.run_rows["run_id"].to_pylist(), own.levels, own.relabelled)
    if own.tables.sources and "seed" in frame:
        frame["seed"] = _replicates(reader, frame)
    for factor, levels in own.levels.items():
        if unknown := set(frame[factor].cat.categories) - set(levels):
            raise _other_record(reader, f"{factor} {min(unknown)!r}, and there are runs with it")
        frame[factor] = frame[factor].cat.set_categories(levels)
        _add_numbers(frame, factor, levels)
    return frame


def _replicates(reader: Reader, frame: DataFrame) -> np.ndarray:
    """Return the number of each row's replicate: the position of its seeds among all combinations.

    It is not on disk, since it changes when a source of chance gets further seeds.
    """
    replicates, sources = Replicates.of(reader.record.config["seeds"]), reader.record.tables.sources
    number = dict(zip(replicates, replicates.numbers))
    seeds = zip(*(frame[f"seed_{source}"].tolist() for source in sources))
    try:
        return np.array([number[Seeds.crossed(dict(zip(sources, own)))] for own in seeds], np.int64)
    except KeyError as unknown:
        raise _other_record(reader, f"seeds {unknown.args[0]}, and there are runs with them") from unknown


def _other_record(reader: Reader, lacking: str) -> ResultsDamaged:
    return ResultsDamaged(f"{reader.files}/{record.FILE} has no {lacking}: it belongs to other runs; {record.ANEW}")


def _add_numbers(frame: DataFrame, factor: str, levels: Sequence[str]) -> None:
    """Add a column of numbers after the labels of a setting: `optimizer.lr.value`; NaN in an arm without it."""
    import pandas as pd

    numbers = pd.to_numeric(pd.Series(levels).replace("-", None), errors="coerce")
    if "." in factor and set(levels) - {"-"} <= {level for level, x in zip(levels, numbers) if x == x}:
        column = frame[factor].astype(object).map(dict(zip(levels, numbers))).astype(float)
        frame.insert(list(frame.columns).index(factor) + 1, f"{factor}.value", column)
