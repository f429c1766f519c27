"""Coverage of the intervals, by simulation: the share of samples whose 95 % interval contains the true value.

python -m bench.coverage
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations, product

import numpy as np
from scipy.stats import norm

from bench.simulations import Table, command
from dlsweep.analysis.crossed import crossed_interval, variance_shares
from dlsweep.analysis.sign_flips import sign_flip_interval
from dlsweep.analysis.statistics import Replication, interval
from dlsweep.datasets.division import Division
from dlsweep.randomness import Seeds

Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]

# Paired differences, and their mean.
DIFFERENCES: dict[str, tuple[Draw, float]] = {
    "normal": (lambda rng, size: rng.standard_normal(size), 0.0),
    "heavy tails: t with 3 df": (lambda rng, size: rng.standard_t(3, size), 0.0),
    "very heavy tails: Cauchy": (lambda rng, size: rng.standard_cauchy(size), 0.0),
    "two skewed arms: log-normal − log-normal": (
        lambda rng, size: rng.lognormal(size=size) - rng.lognormal(size=size),
        0,
    ),
    "skewed: exponential": (lambda rng, size: rng.standard_exponential(size), 1.0),
    "one seed in ten fails": (lambda rng, size: rng.normal(0, 0.01, size) - 0.8 * (rng.random(size) < 0.1), -0.08),
}


def covers(bounds: tuple[np.ndarray | float, np.ndarray | float], truth: float) -> np.ndarray:
    """Mark the intervals that contain the true value."""
    low, high = bounds
    return np.asarray((low <= truth) & (truth <= high))


def paired_seeds(share: float) -> Table:
    """Return the coverage of the t interval and of the exact interval of paired differences."""
    table = Table(
        "Intervals of a paired difference",
        "95 % intervals of the mean difference: Student's t, and the interval that inverts the sign-flip test (exact, "
        "of all patterns; unbounded below 6 seeds). Symmetric heavy tails make t wider than it needs to be. Skewed "
        "differences, and failures that few seeds show, are covered less. Standard error 0.002 and 0.005.",
        ["differences", "seeds", "t", "exact"],
    )
    for (name, (draw, truth)), n in product(DIFFERENCES.items(), (5, 6, 10, 20)):
        rng = np.random.default_rng(n)
        t = covers(interval(draw(rng, (int(10_000 * share), n))), truth).mean()
        samples = draw(rng, (int(2000 * share), n)) if n < 20 else []
        exact = [covers(sign_flip_interval(sample), truth) for sample in samples]
        table.rows.append([name, str(n), float(t), float(np.mean(exact)) if len(exact) else None])
    return table


def additive(rng: np.random.Generator, seeds: int, images: int, parts: tuple[float, float, float]) -> np.ndarray:
    """Return normal differences with these standard deviations of seeds, images and the rest; their mean is 0."""
    of_seeds, of_images, rest = parts
    d = rng.standard_normal((seeds, images), np.float32) * np.float32(rest)
    d += rng.normal(0, of_seeds, (seeds, 1)) + rng.normal(0, of_images, images)
    return d


def correctness(rng: np.random.Generator, seeds: int, images: int, parts: tuple[float, float, float]) -> np.ndarray:
    """Return differences −1, 0, 1 of two equally good arms: of seeds and images on the scale of a probit."""
    of_seeds, of_images, rest = parts
    image = rng.normal(norm.ppf(0.9) * 1.4, 1, images)

    def correct(sign: int) -> np.ndarray:
        latent = rng.standard_normal((seeds, images), np.float32) * np.float32(rest)
        latent += image + sign * lean + rng.normal(0, of_seeds, (seeds, 1))
        return latent > 0

    lean = rng.normal(0, of_images, images)
    return correct(1).astype(np.int8) - correct(-1)


CROSSED = {
    "normal, seeds dominate": (additive, (0.05, 0.3, 1.0)),
    "normal, images dominate": (additive, (0.002, 0.5, 0.5)),
    "normal, all images alike": (additive, (0.01, 0.0, 1.0)),
    "correctness, arms differ by image": (correctness, (0.02, 0.3, 0.5)),
    "correctness, arms differ by chance": (correctness, (0.0, 0.0, 0.5)),
}


def seeds_and_images(share: float) -> Table:
    """Return the coverage of the difference on new images: of the interval over both, and of the one over seeds."""
    table = Table(
        "Difference on new images",
        "Crossed random effects of seeds and images. 95 % intervals over seeds and images, and over seeds alone, which "
        "is an interval of the difference on these images only. The first is wider than it needs to be if images "
        "do not differ at all. Standard error 0.008, with 10 000 images 0.015.",
        ["differences", "seeds", "images", "both", "seeds alone"],
    )
    for (name, (draw, parts)), (seeds, images) in product(
        CROSSED.items(), [(5, 1000), (10, 1000), (20, 1000), (10, 10_000)]
    ):
        rng = np.random.default_rng(seeds)
        found = []
        for _ in range(int((800 if images < 10_000 else 200) * share)):
            d = draw(rng, seeds, images, parts)
            found.append([covers(crossed_interval(d), 0), covers(interval(d.mean(axis=1)), 0)])
        table.rows.append([name, str(seeds), str(images), *np.mean(found, axis=0).tolist()])
    return table


def splits(share: float) -> Table:
    """Return the coverage of intervals over splits of one data set that share samples."""
    table = Table(
        "Splits of one data set",
        "Each split tests a mean on 20 % of 500 samples, stratified by class: drawn by seed (split: seed) or in rounds "
        "of five folds (folds: 5). The two classes differ by half a standard deviation, and a data set has a random "
        "number of each. 95 % intervals of the mean over new data sets: Nadeau and Bengio's, and Student's t, which "
        "takes the splits as independent. Standard error 0.007.",
        ["splits", "seeds", "Nadeau–Bengio", "t"],
    )
    kinds = {"by seed": {"test": 100}, "five folds": {"folds": 5}}
    for (name, settings), j in product(kinds.items(), (5, 10, 20)):
        rng = np.random.default_rng(j)
        found = []
        for _ in range(int(1000 * share)):
            classes = rng.integers(2, size=500)
            samples = rng.standard_normal(500) + (classes - 0.5) / 2
            division = Division(classes, **settings)
            means = [samples[division.rows(Seeds(seed)).test].mean() for seed in range(j)]
            found.append(
                [covers(interval(means, replication=Replication(overlap=0.25)), 0), covers(interval(means), 0)]
            )
        table.rows.append([name, str(j), *np.mean(found, axis=0).tolist()])
    return table


def unused_samples(share: float) -> Table:
    """Return the coverage of intervals over splits of which a part of the other samples trains."""
    table = Table(
        "Splits of one data set with unused samples",
        "As above, split by seed; a classifier by the nearest of two class means in five dimensions trains on some of "
        "the other samples, as with train: 40 or with a validation part, and its accuracy is measured. 95 % intervals "
        "of the mean accuracy over new data sets, with test samples for each other one (which dlsweep takes), for each "
        "training sample, and how much wider the latter is. Standard error 0.010.",
        ["test", "train", "unused", "seeds", "each other sample", "each training sample", "wider"],
    )
    for (test, train), j in product(((100, 400), (100, 100), (100, 40), (250, 100)), (6, 10, 20)):
        rng = np.random.default_rng(j)
        truth = np.mean([_accuracy(_samples(rng, train), _samples(rng, 4000)) for _ in range(int(2000 * share) + 20)])
        found = []
        for _ in range(int(500 * share) + 1):
            x, t = _samples(rng, 500)
            division, scores = Division(t, test=test), []
            for seed in range(j):
                rows = division.rows(Seeds(seed))
                used = rng.permutation(rows.train)[:train]
                scores.append(_accuracy((x[used], t[used]), (x[rows.test], t[rows.test])))
            overlaps = (Replication(overlap=test / n) for n in (500 - test, train))
            found.append([covers(interval(scores, replication=one), truth) for one in overlaps])
        wider = np.sqrt((1 / j + test / train) / (1 / j + test / (500 - test)))
        numbers = [*np.mean(found, axis=0).tolist(), float(wider)]
        table.rows.append([str(test), str(train), str(500 - test - train), str(j), *numbers])
    return table


def _samples(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return samples of two classes, whose means differ in the first of five dimensions."""
    classes = rng.integers(2, size=n)
    samples = rng.standard_normal((n, 5))
    samples[:, 0] += 1.4 * classes - 0.7
    return samples, classes


def _accuracy(train: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray]) -> float:
    """Return the accuracy of the nearest class mean."""
    (x, t), (x_test, t_test) = train, test
    means = np.stack([x[t == k].mean(axis=0) for k in (0, 1)])
    distance = ((x_test[:, None] - means) ** 2).sum(axis=2)
    return float((distance.argmin(axis=1) == t_test).mean())


COMPONENTS: dict[str, tuple[tuple[int, ...], tuple[float, ...]]] = {
    "a 1, b 1, rest 1": ((10, 10), (1, 1, 1)),
    "a 4, b 0, rest 1": ((10, 10), (4, 0, 1)),
    "a 1, b 0.5, rest 1": ((10, 5), (1, 0.5, 1)),
    "a 0.1, b 0.1, rest 1": ((10, 5), (0.1, 0.1, 1)),
    "a 1, b 1, c 1, ab 0, ac 0.5, bc 0, rest 1": ((6, 6, 6), (1, 1, 1, 0, 0.5, 0, 1)),
}


def random_effects(rng: np.random.Generator, shape: tuple[int, ...], components: tuple[float, ...]) -> np.ndarray:
    """Return normal values of mean 0 by crossed sources, with the variances of all main effects and interactions."""
    sizes = range(1, len(shape) + 1)
    effects = [axes for size in sizes for axes in combinations(range(len(shape)), size)]
    return sum(
        (
            rng.normal(0, np.sqrt(variance), [n if axis in axes else 1 for axis, n in enumerate(shape)])
            for axes, variance in zip(effects, components)
        ),
        np.zeros(shape),
    )


def shares(share: float) -> Table:
    """Return the coverage of the shares of variance of crossed sources, and of the mean over them."""
    table = Table(
        "Crossed sources of chance",
        "Normal random effects with these variances. 95 % intervals of the share of a, of the share of the rest, and "
        "of the mean; and of the mean with all combinations taken as independent. Standard error 0.010, of the last "
        "two 0.005.",
        ["variances", "levels", "a's share", "covered", "rest's share", "covered", "mean", "as independent"],
    )
    for name, (shape, components) in COMPONENTS.items():
        rng = np.random.default_rng(len(components))
        truth = np.array(components) / sum(components)
        found = []
        for _ in range(int(500 * share)):
            estimates = variance_shares(random_effects(rng, shape, components), "abc"[: len(shape)])
            found.append([covers(ends, t) for ends, t in zip(zip(estimates["low"], estimates["high"]), truth)])
        means = []
        for _ in range(int(2000 * share)):
            values = random_effects(rng, shape, components).ravel()
            means.append(
                [
                    covers(interval(values, replication=Replication(dict(zip("abc", shape)))), 0),
                    covers(interval(values), 0),
                ]
            )
        of_a, *_, of_rest = np.mean(found, axis=0).tolist()
        levels = " × ".join(map(str, shape))
        of_mean = np.mean(means, axis=0).tolist()
        table.rows.append([name, levels, float(truth[0]), of_a, float(truth[-1]), of_rest, *of_mean])
    return table


def tables(share: float) -> Iterator[Table]:
    """Yield all tables."""
    yield paired_seeds(share)
    yield seeds_and_images(share)
    yield splits(share)
    yield unused_samples(share)
    yield shares(share)


if __name__ == "__main__":
    command("coverage", "Coverage of intervals", tables)
