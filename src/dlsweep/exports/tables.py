"""Tables of results as CSV, one value in each cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from dlsweep.errors import UsageError
from dlsweep.storage.results import Results
from dlsweep.storage.tables import TABLES
from dlsweep.text import nearest

if TYPE_CHECKING:
    from pandas import DataFrame


def csv(results: Results, table: str = "runs") -> str:
    """Return a table of results as CSV. Read with full precision, its numbers have the same bits.

    Predictions have a row per run and image. Histograms of layers are left out: they are lists. Raise a `UsageError` if
    the sweep lacks the table.
    """
    return tidy(results, table).to_csv(index=False, lineterminator="\n")


def tidy(results: Results, table: str) -> DataFrame:
    """Return a table of results with one value in each cell."""
    if table not in TABLES:
        raise UsageError(f"there is no table {table!r}{nearest(table, TABLES)}")
    if table == "predictions":
        return _by_image(results)
    frame: DataFrame = getattr(results, table)
    schema = results.record.tables.schemas[table]
    return frame.drop(columns=[column.name for column in schema if pa.types.is_list(column.type)])


def _by_image(results: Results) -> DataFrame:
    """Return the predictions with a row per run and image, and the image's true class as `label`."""
    whole = results.predictions
    predicted = whole.pop("predicted").tolist()
    of_run = results.runs.set_index("run_id", drop=False)
    labels = [results.labels(runs=of_run.loc[[run]]) for run in whole["run_id"]]
    images = [np.arange(len(own)) for own in predicted]
    frame = whole.loc[whole.index.repeat([len(own) for own in predicted])]
    columns = {"image": images, "label": labels, "predicted": predicted}
    return frame.assign(**{name: np.concatenate(own) for name, own in columns.items() if own})
