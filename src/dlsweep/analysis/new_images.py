"""Intervals on new images: the test set is a sample too, and kept predictions tell how much depends on its images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dlsweep.analysis.crossed import crossed_interval
from dlsweep.analysis.predictions import correctness, has_predictions
from dlsweep.errors import ConfigError, UsageError
from dlsweep.types import Array

if TYPE_CHECKING:
    from pandas import DataFrame

    from dlsweep.analysis.board import Board

METRIC = "final_test_accuracy"  # the only one that predictions are kept of
MOST = 50  # arms; reading the predictions of more takes too long


def with_new_images(board: Board, frame: DataFrame) -> DataFrame:
    """Return a frame of arms with the intervals of the final test accuracy and its differences on new images.

    Columns `_new_images_low`, `…_high` and `_difference_new_images_low`, `…_high`: over seeds and test images, both
    drawn at random. Without predictions, for other metrics, crossed seeds, splits by seed or more than 50 arms, the
    frame is unchanged.
    """
    alike = not (board.replication.crossed or board.replication.overlap)
    possible = has_predictions(board.results) and board.at is None and alike and len(frame) <= MOST
    index = [metric.name for metric in board.metrics].index(METRIC) if METRIC in frame else -1
    if index < 0 or not possible:
        return frame
    reference = board.compared[index].reference
    intervals = np.full((len(frame), 4), np.nan)
    try:
        own = {} if reference is None else _right(board, board.names[reference])
        for row, arm in enumerate(frame["arm"].astype(str)):
            right = _right(board, arm)
            intervals[row, :2] = np.clip(_interval(right), 0, 1)
            shared = [seed for seed in right if seed in own and own[seed].shape == right[seed].shape]
            intervals[row, 2:] = _interval({seed: right[seed] - own[seed] for seed in shared})
    except (UsageError, ConfigError):  # the data is missing, or has changed
        return frame
    ends = ("new_images_low", "new_images_high", "difference_new_images_low", "difference_new_images_high")
    return frame.assign(**{f"{METRIC}_{end}": column for end, column in zip(ends, intervals.T)})


def _right(board: Board, arm: str) -> dict[int, Array]:
    """Return which test images the runs of an arm are right on, by seed."""
    runs = board.results.runs
    runs = runs[(runs["arm"] == arm) & (runs["status"] != "failed")]
    return dict(zip(runs["seed"].tolist(), correctness(board.results, runs), strict=True)) if len(runs) else {}


def _interval(by_seed: dict[int, Array]) -> tuple[float, float]:
    return crossed_interval(np.stack(list(by_seed.values()))) if len(by_seed) > 1 else (np.nan, np.nan)
