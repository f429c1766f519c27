"""Subsets of a data set: the validation split, a smaller test set, and the number of training samples.

Validation and test samples are drawn once, the same for every seed, so that all runs are evaluated on the same samples.
Training draws its subset for each seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from dlsweep.datasets.base import Arrays
from dlsweep.errors import DataError
from dlsweep.randomness import stream


@dataclass(frozen=True)
class Subset:
    """Numbers of used samples (`train`, `validation`, `test`; None for all), and of existing ones.

    train_total, test_total: the existing samples. standardize: True for mean 0 and standard deviation 1 of each channel
    over the samples that a run trains on; if these are fewer than the pool, they differ by seed.
    """

    name: str
    train_total: int
    test_total: int
    train: int | None
    validation: int
    test: int | None
    standardize: bool = False

    def __post_init__(self) -> None:
        has = f"{self.name} has {self.train_total:,} training samples"
        if self.train is None and self.validation >= self.train_total:
            raise DataError(f"{has}; validation: {self.validation:,} leaves none of them to train on")
        if self.train is not None and self.train + self.validation > self.train_total:
            parts = f"train: {self.train:,}" + (f" and validation: {self.validation:,}" if self.validation else "")
            raise DataError(f"{has}; {parts} ask for {self.train + self.validation:,}")
        if self.test is not None and self.test > self.test_total:
            raise DataError(f"{self.name} has {self.test_total:,} test samples; test: {self.test:,} asks for more")

    @property
    def sizes(self) -> dict[str, int]:
        """Number of samples of each split."""
        pool = self.train_total - self.validation
        return {"train": self.train or pool, "validation": self.validation, "test": self.test or self.test_total}

    def fingerprint(self, content: str) -> str:
        """Return a hash of the content's hash and the sizes; all samples by number is the same as all by default."""
        told = f"{content} {sorted(self.sizes.items())}" + " standardized" * self.standardize
        if self.standardize and self.sizes["train"] < self.train_total - self.validation:
            told += " by seed"  # an earlier version used mean and deviation of the pool: its runs are different
        return blake2b(told.encode(), digest_size=16).hexdigest()

    def arrays(self, x: np.ndarray, t: np.ndarray, x_test: np.ndarray, t_test: np.ndarray, scale: float) -> Arrays:
        """Return the splits of the whole training and test set, read-only, each in the order of the file.

        A split is the beginning of one permutation, so that a larger validation set contains a smaller one.
        """
        x_validation, t_validation = x[:0], t[:0]
        if self.validation:
            held_out = np.zeros(self.train_total, dtype=bool)
            held_out[stream(0, "subset/validation").permutation(self.train_total)[: self.validation]] = True
            x, t, x_validation, t_validation = x[~held_out], t[~held_out], x[held_out], t[held_out]
        if self.sizes["test"] < self.test_total:
            kept = np.sort(stream(0, "subset/test").permutation(self.test_total)[: self.sizes["test"]])
            x_test, t_test = x_test[kept], t_test[kept]
        splits = x, t, x_validation, t_validation, x_test, t_test
        for array in splits:
            array.flags.writeable = False  # sweeps share them
        arrays = Arrays(*splits, scale, self.standardize)
        return arrays.seen_by(None) if self.sizes["train"] == len(x) else arrays
