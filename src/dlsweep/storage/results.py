"""The read side of a results folder. Reading changes nothing, and refuses files that were changed since."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import dlsweep
from dlsweep.errors import DlsweepError, ResultsDamaged, UsageError
from dlsweep.storage import choosing, frames, parts, record
from dlsweep.storage.choosing import SeedNumber
from dlsweep.storage.folder import Folder, open_folder
from dlsweep.storage.made_by import Machine, machine_of
from dlsweep.storage.predictions import true_classes
from dlsweep.storage.reading import Reader
from dlsweep.storage.tables import STATUSES
from dlsweep.text import plural
from dlsweep.training.result import PREDICTED
from dlsweep.types import Array, DataFrame

if TYPE_CHECKING:
    import pyarrow as pa

    from dlsweep.analysis.measured import Measured
    from dlsweep.analysis.predictions import Correctness
    from dlsweep.config import Config
    from dlsweep.datasets import Dataset
    from dlsweep.training.model import Model


@dataclass(frozen=True)
class Results:
    """Results of a sweep. Open them with `open_results`; each table is read when it is first used.

    Rows are in the order of the config, and a factor's column is categorical with its levels in that order. A table
    that the sweep lacks raises `UsageError`; damaged or foreign files raise `ResultsDamaged`. damage: a sentence on a
    damaged record, which was remade from the config; "" if the record is whole.
    """

    # This class is long because it is the public API: each method is thin, and its docstring explains it to users.

    folder: Path
    record: record.Record
    damage: str = ""

    def __repr__(self) -> str:
        try:
            count = plural(len(self.runs), "run")
        except ResultsDamaged:
            count = "damaged"
        return f"Results({str(self.folder)!r}, {count})"

    @cached_property
    def files(self) -> Folder:
        """Access to the files of the results."""
        return open_folder(self.folder)

    @cached_property
    def _tables(self) -> Reader:
        return Reader(self.files, self.record)

    @property
    def name(self) -> str:
        """Name of the sweep."""
        return self.record.name

    @property
    def config(self) -> Mapping[str, Any]:
        """Resolved config of the results."""
        return self.record.config

    @cached_property
    def runs(self) -> DataFrame:
        """One row per run: its factors and settings, its status, its final, best and last metrics."""
        return frames.runs_frame(self._tables)

    @property
    def counts(self) -> dict[str, int]:
        """Number of runs by status. This needs no pandas, whose import takes longer than a small sweep."""
        found = Counter(self._tables.run_rows["status"].to_pylist())
        return {status: found[status] for status in STATUSES}

    @property
    def machines(self) -> dict[Machine, int]:
        """Number of runs by the machine that trained them, without those of an older dlsweep, which named none."""
        found = Counter[Machine]()
        for rows in self._tables.run_parts.values():
            if made := machine_of(rows):
                found[made] += len(set(rows["run_id"].to_pylist()).difference(self.record.hidden))
        return {made: count for made, count in found.items() if count}

    @cached_property
    def curves(self) -> DataFrame:
        """One row per run, iteration and split: loss, penalty and accuracy."""
        return frames.measured_frame(self._tables, "curves", self.runs)

    @cached_property
    def layers(self) -> DataFrame:
        """One row per run, iteration and layer: sizes of weights, gradients and activations; some with histograms."""
        return frames.measured_frame(self._tables, "layers", self.runs)

    @cached_property
    def ensembles(self) -> DataFrame:
        """One row per arm, iteration and split: loss and accuracy of its runs' averaged predictions."""
        return frames.measured_frame(self._tables, "ensembles", self.runs)

    @cached_property
    def predictions(self) -> DataFrame:
        """One row per run that ended well: `predicted` holds the class that its network gives each test image."""
        found = self._tables.predictions(self.runs["run_id"])
        columns = ["run_id", "arm", *self.record.tables.factors, "seed"]
        rows = self.runs.loc[self.runs["run_id"].isin(found), columns].reset_index(drop=True)
        return rows.assign(split=PREDICTED, predicted=rows["run_id"].map(found))

    def predicted(self, runs: Iterable[str]) -> dict[str, Array]:
        """Return the predictions of some runs, by id; only the parts of these runs are read."""
        return self._tables.predictions(runs)

    def predicted_by_part(self, runs: Iterable[str]) -> Iterator[tuple[list[str], Array]]:
        """Yield the ids and the predictions, `(R, N)`, of some runs, part by part: one part is in memory."""
        return self._tables.predictions_by_part(runs)

    @cached_property
    def correctness(self) -> Correctness:
        """Correctness of each run on each test image. One bit for each prediction stays in memory."""
        from dlsweep.analysis.predictions import Correctness

        return Correctness(self)

    def labels(
        self,
        split: str = PREDICTED,
        arm: Mapping[str, Any] | None = None,
        runs: DataFrame | None = None,
        seed: SeedNumber | None = None,
    ) -> Array:
        """Return the true classes of a split, `(N,)`, in the order of the data as given, as predictions are.

        split: test, validation, or train: the samples that training sets are drawn from. arm: levels that choose one
        of several data sets. seed: chooses one of several splits, if each seed draws its own. runs: rows of `runs`, in
        place of arm and seed. Raise a `UsageError` if the data has changed.

        >>> config = {"name": "one", "data": {"mnist": {"train": 100, "test": 50}}, "train": {"iterations": 2}}
        >>> results = dlsweep.run(config, executor="inline")
        >>> right = [float((own == results.labels()).mean()) for own in results.predictions["predicted"]]
        >>> right == results.runs["final_test_accuracy"].tolist()
        True
        """
        return true_classes(self.data(self.fitting(arm, seed) if runs is None else runs), split)

    def data(self, runs: DataFrame) -> Dataset:
        """Return the data set of some rows of `runs`, with their split.

        Raise a `UsageError` if they have several data sets or splits, or if the data has changed.
        """
        from dlsweep.storage.loading import dataset_of

        return dataset_of(self, runs, self._data)

    @cached_property
    def overlap(self) -> float:
        """The ratio of test samples to other samples, if each seed draws its own; 0 if all seeds share them."""
        return overlap_of(self.runs) if self.record.tables.overlap else 0.0

    def split_of(self, runs: DataFrame) -> int:
        """Return the seed of the split that some rows of `runs` share. Raise a `UsageError` if they have several."""
        if not overlap_of(runs):
            return 0
        seeds = runs["seed_split" if "split" in self.record.tables.sources else "seed"]
        if seeds.nunique() > 1:
            raise UsageError("each seed draws its own split, so these runs have different test images; choose one seed")
        return int(seeds.iloc[0])

    @cached_property
    def _data(self) -> dict[tuple[Any, ...], Dataset]:
        return {}

    def columns(self, table: str, names: Sequence[str], **words: str) -> pa.Table:
        """Return some columns of `curves` or `layers`, in no particular order. words: choose rows: `split="test"`.

        Arrow reads them in a small share of the time and memory of the whole frame.
        """
        return self._tables.columns(table, names, **words)

    @cached_property
    def measured(self) -> Callable[..., Measured]:
        """Return a quantity of all runs during training, as `Measured.of` does; the last two stay in memory."""
        from dlsweep.analysis.measured import Measured

        return lru_cache(maxsize=2)(partial(Measured.of, self))

    def load(
        self,
        run: str | None = None,
        *,
        arm: Mapping[str, Any] | None = None,
        seed: SeedNumber | None = None,
        at: Literal["kept", "start"] = "kept",
    ) -> Model:
        """Return a run's network: with the weights that it kept, or from before training (`at="start"`).

        run: its id. Or arm: levels that only one arm has, such as `{"activation": "relu"}`, which a sweep of one arm
        does not need; and seed: by default the arm's first. Of crossed seeds, it is the number of a combination, or the
        seeds themselves, such as `{"init": 3, "batches": 0}`. The network from before training comes from the
        run's random streams, and needs no weights on disk. Raise a `UsageError` if no run or more than one arm fits, or
        if the run kept no weights.
        """
        from dlsweep.storage.loading import model_of

        return model_of(self, choosing.row_of(self, run, arm, seed), trained=at == "kept")

    def plot(self, kind: str | None = None, **settings: Any) -> dlsweep.plots.chart.Charts:
        """Return the charts of a plot, as `dlsweep.plot` does; a notebook shows them."""
        return dlsweep.plot(self, kind, **settings)

    def effects(
        self, metric: str | None = None, *, order: int = 2, where: Mapping[str, Any] | None = None
    ) -> dlsweep.analysis.effects.Effects | dlsweep.analysis.luck.Luck:
        """Return main effects and interactions of the factors, or shares of luck, as `dlsweep.effects` does."""
        return dlsweep.effects(self, metric, order=order, where=where)

    def summary(self, metrics: Sequence[str] | None = None) -> DataFrame:
        """Return one row per arm with means and intervals, as `dlsweep.summary` does."""
        return dlsweep.summary(self, metrics)

    def leaderboard(
        self,
        metric: str | Sequence[str] | None = None,
        *,
        reference: Mapping[str, Any] | None = None,
        where: Mapping[str, Any] | None = None,
        at: int | None = None,
        rows: str = "arms",
    ) -> DataFrame:
        """Return arms with means and paired differences, as `dlsweep.analysis.leaderboard.leaderboard` does."""
        from dlsweep.analysis.leaderboard import leaderboard

        return leaderboard(self, metric, reference=reference, where=where, at=at, rows=rows)

    def _repr_html_(self) -> str | None:
        """Return the leaderboard for a notebook; None, for the plain text, if there are no runs to show."""
        from dlsweep.analysis.closing import page

        try:
            return page(self) if len(self.runs) else None
        except DlsweepError:
            return None

    def fitting(self, arm: Mapping[str, Any] | None = None, seed: SeedNumber | None = None) -> DataFrame:
        """Return the rows of `runs` of the arms with some levels, given by labels or names, and of a seed, if given."""
        return choosing.fitting(self, arm or {}, seed)

    def partial_arm(self, arm: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
        """Return the labels that fit a partial arm, by factor. A level is a label, a name with several, or a list."""
        return choosing.partial_arm(self.record.levels, arm, f"in {self.folder}")

    def compare(
        self,
        first: Mapping[str, Any],
        second: Mapping[str, Any],
        *,
        metric: str | None = None,
        by: float = 0.0,
        where: Mapping[str, Any] | None = None,
        at: int | None = None,
    ) -> dlsweep.analysis.comparison.Comparison:
        """Return the difference of two partial arms, paired by seed, as `dlsweep.compare` does."""
        return dlsweep.compare(self, first, second, metric=metric, by=by, where=where, at=at)

    def check(self) -> dlsweep.analysis.checked.Checked:
        """Return the verdicts on the claims of the sweep, as `dlsweep.check` does."""
        return dlsweep.check(self)

    @cached_property
    def expanded(self) -> Config:
        """Config of the results, loaded again."""
        from dlsweep.storage.loading import expanded

        return expanded(self)

    @cached_property
    def weights(self) -> dict[str, str]:
        """Names of the files with kept weights, by run."""
        return parts.listing(self.files, parts.WEIGHTS)


def overlap_of(runs: DataFrame) -> float:
    """Return the largest ratio of test samples to other samples, if seeds draw their own; 0 if all seeds share them.

    >>> import pandas as pd
    >>> overlap_of(pd.DataFrame({"seed": [0, 1], "overlap": [0.25, 0.25]})), overlap_of(pd.DataFrame({"seed": [0]}))
    (0.25, 0.0)
    """
    return float(runs["overlap"].fillna(0.0).max()) if "overlap" in runs and len(runs) else 0.0
