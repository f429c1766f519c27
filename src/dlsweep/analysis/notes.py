"""Sentences below a leaderboard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from dlsweep.analysis.board import Compared
from dlsweep.analysis.crossed import CITED
from dlsweep.analysis.leaderboard import error_line
from dlsweep.analysis.luck import sources
from dlsweep.analysis.metrics import UNDEFINED
from dlsweep.analysis.predictions import METRIC
from dlsweep.config.claims import ALPHA
from dlsweep.config.seeds import words
from dlsweep.metrics import SHARED
from dlsweep.storage.made_by import mixture
from dlsweep.text import listed, plural, plural_range

if TYPE_CHECKING:
    from dlsweep.analysis.closing import Shown

ALIKE = "≈"  # marks an arm that cannot be distinguished from the best
_MOST_ERRORS = 5


def notes(shown: Shown) -> list[str]:
    """Return sentences on a leaderboard: its comparisons, its sources of chance, and runs without a value."""
    told = [*_errors(shown)]
    if shown.left:
        more = plural(shown.left, {"arms": "arm", "factors": "level", "runs": "run"}[shown.rows])
        told.insert(0, f"… and {more} more: {shown.board.asked.command(shown.board.results)}")
    mixed = [sentence] if (sentence := mixture(shown.board.results.machines)) else []
    if shown.rows == "runs":
        paired = [f"Differences are to the run of {shown.minus} with the same seed."] if shown.several else []
        return [*told, *paired, *mixed]
    return [*told, *_comparison(shown), *_metric_notes(shown), *mixed]


def _comparison(shown: Shown) -> Iterator[str]:
    """Yield sentences on means, intervals, marks and pairing."""
    board, name = shown.board, shown.board.metrics[0].name
    if shown.rows == "factors":
        yield "A row averages each seed's runs over all combinations of other factors that its levels share; n: seeds."
    fewest, most = shown.seeds
    if most < 2:
        yield from ["One seed: any difference may be chance."] if "data" in board.results.config else []
        return
    seeds = plural_range([fewest, most], "seed")
    crossed, overlap = board.replication.crossed, board.replication.overlap
    seeds = words(board.results.config["seeds"]) if crossed else seeds
    on = " on these test images" if any(metric.split == "test" for metric in board.metrics) and not overlap else ""
    kind = "intervals from the variance components of the crossed seeds" if crossed else "t intervals"
    kind += f", corrected for splits that overlap ({CITED})" * bool(overlap)
    intervals = f", with 95 % {kind}{on}" * any(metric.repeated for metric in board.metrics)
    yield f"Means over {seeds}{intervals}."
    if overlap:
        yield "On new images: not available, since seeds are tested on different samples of one data set."
    if f"{METRIC}_new_images_low" in shown.frame:
        yield "On new images: intervals over seeds and test images, for new images like these."
    if shown.several:
        intervals = ": arms are compared by these and their intervals" * board.metrics[0].repeated
        yield f"Differences to {shown.minus} are paired by seed{intervals}."
        if shown.rows == "arms" and board.compared[0].best is not None and board.compared[0].tested:
            yield from _marks(board.compared[0])
        pairing = shown.frame[f"{name}_pairing"].dropna()
        if len(pairing) and board.metrics[0].repeated:
            spread = f" ({pairing.min():.2g} to {pairing.max():.2g})" if len(pairing) > 1 else ""
            yield f"Pairing leaves {pairing.median():.2g}{spread} of the variance of unpaired differences."
    if board.results.record.tuning:
        yield from board.results.record.tuning.notes()
    varied, held = sources(board.results.config)
    yield f"Seeds vary {listed(varied)}; all runs share {listed(held)}."


def _marks(compared: Compared) -> Iterator[str]:
    """Yield a sentence on the arms that are marked; those without a mean, as of a diverged loss, are not."""
    alike = int(compared.marked.sum()) - 1
    arms = int((~np.isnan(compared.values[compared.shown]).all(axis=1)).sum())
    averaged = int((~np.isnan(compared.mean[compared.shown])).sum())
    if averaged < 2:
        return
    with_mean = " with a mean" * (averaged < arms)
    corrected = ", corrected for overlap," * bool(compared.replication.overlap)
    tests = f"(one-sided paired t tests{corrected} at level {ALPHA:g}{f' / {arms - 1}' * (arms > 2)})"
    which = f"{ALIKE}: {alike} of {plural(averaged - 1, 'other arm')}{with_mean} cannot be distinguished from"
    yield f"{which if alike else f'All other arms{with_mean} are worse than'} the best {tests}."
    if compared.contradictory.any():
        yield (
            "Some marks and intervals differ: an interval is two-sided, for one comparison at 95 %; the marks are "
            f"one-sided, and allow for {plural(arms - 1, 'comparison')}."
        )


def _metric_notes(shown: Shown) -> Iterator[str]:
    """Yield sentences on single metrics."""
    if shown.board.asked.at is not None:
        yield f"Values at iteration {shown.board.asked.at}, not at the end of training."
    diverged = bool(shown.frame["diverged"].any())
    for metric, frame in zip(shown.board.metrics, shown.board.values):
        name = shown.board.label(metric)
        if not metric.repeated:
            yield f"{name}: {SHARED}, and there are no intervals."
        if metric.optimistic:
            yield f"{name} is optimistic: the evaluation is chosen on the images that it is measured on."
        if metric.kind == "iterations_to":
            yield f"{name}: means over the runs that reach it."
        elif diverged and metric.y == "accuracy" and metric.kind not in UNDEFINED:
            yield f"{name}: diverged runs count at chance."
        elif diverged and metric.ends_well:
            yield f"{name}: no mean where a run has diverged."
        lacking = frame.loc[~frame["reason"].isin(["", "diverged", "failed"]), "reason"].value_counts()
        for reason, count in lacking.items():
            yield f"{name}: {plural(int(count), 'run')} without a value ({reason})."


def _errors(shown: Shown) -> Iterator[str]:
    """Yield the last line of the error of each failed run, up to a number of them."""
    runs = shown.board.results.fitting(shown.board.asked.where)
    failed = runs[runs["status"] == "failed"]
    for _, run in failed.head(_MOST_ERRORS).iterrows():
        yield f"failed: {run['arm']}, seed {run['seed']}: {error_line(str(run['error']))}"
    if len(failed) > _MOST_ERRORS:
        yield f"… and {plural(len(failed) - _MOST_ERRORS, 'failed run')} more"
