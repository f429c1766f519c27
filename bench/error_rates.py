"""Error rates of the tests at alpha 0.05, by simulation: sign flips under asymmetry, Holm's families, the leaderboard.

python -m bench.error_rates
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from bench.coverage import DIFFERENCES
from bench.simulations import Table, command
from dlsweep.analysis.sign_flips import sign_flip_test
from dlsweep.analysis.statistics import attainable_level, detectable, holm, indistinguishable, seeds_to_decide
from dlsweep.text import plural

ALPHA = 0.05


def levels(share: float) -> Table:
    """Return the rates at which sign flips reject a true mean, by distribution."""
    table = Table(
        "Level of the sign-flip test",
        "Share of samples in which the test rejects the true mean of the differences, on each side. Exact where the "
        "differences are symmetric; else as a margin or a level (`by`, `above`, `below`) meets them. Standard error "
        "0.003.",
        ["differences", "seeds", "attainable", "found above", "found below", "either"],
    )
    for name, (draw, mean) in DIFFERENCES.items():
        for n in (6, 10):
            samples = draw(np.random.default_rng(n), (int(5000 * share), n)) - mean
            found = [sign_flip_test(sample) for sample in samples]
            above = float(np.mean([2 * p.greater <= ALPHA for p in found]))
            below = float(np.mean([2 * p.less <= ALPHA for p in found]))
            table.rows.append([name, str(n), attainable_level(n, ALPHA), above, below, above + below])
    return table


def rarely_learns(share: float) -> Table:
    """Return the rates at which a mean of 0.19 is found to be below 0.15."""
    table = Table(
        "A network that learns in one seed of ten",
        "Accuracy 0.88 in one seed of ten, else 0.1135: the mean is 0.19. Share of samples in which the mean is found "
        "to be below 0.15, which is wrong. Standard error 0.009.",
        ["seeds", "below 0.15"],
    )
    for n in (6, 8, 10, 20):
        rng = np.random.default_rng(n)
        samples = np.where(rng.random((int(3000 * share) if n < 20 else int(300 * share), n)) < 0.1, 0.88, 0.1135)
        samples += rng.normal(0, 0.001, samples.shape)
        below = [sign_flip_test(sample - 0.15) for sample in samples]
        table.rows.append([str(n), float(np.mean([p.two_sided <= ALPHA and p.less < p.greater for p in below]))])
    return table


Family = Callable[[np.random.Generator], np.ndarray]

# Differences of each claim, (claims, seeds); those of false claims come first, and have mean 0.
FAMILIES: dict[str, tuple[int, Family]] = {
    "10 independent, all null": (10, lambda rng: rng.standard_normal((10, 10))),
    "10 independent, 5 null, 5 of 3 sd": (
        5,
        lambda rng: rng.standard_normal((10, 10)) + 3 * (np.arange(10) > 4)[:, None],
    ),
    "10 against one reference, all null": (10, lambda rng: rng.standard_normal((10, 10)) - rng.standard_normal(10)),
    "10 of 5 arms by pairs, all null": (10, lambda rng: by_pairs(rng.standard_normal((5, 10)))),
}


def by_pairs(arms: np.ndarray) -> np.ndarray:
    """Return the differences of all pairs of arms."""
    first, second = np.triu_indices(len(arms), 1)
    return np.asarray(arms[first] - arms[second])


def families(share: float) -> Table:
    """Return the rates at which any false claim of a file is decided, with Holm and without."""
    table = Table(
        "Claims of one file",
        "10 claims on 10 seeds, some of them null. Share of files in which at least one null claim is decided, with "
        "Holm's adjustment and without. Standard error 0.005.",
        ["claims", "with Holm", "without"],
    )
    for name, (nulls, draw) in FAMILIES.items():
        rng = np.random.default_rng(nulls)
        found = []
        for _ in range(int(2000 * share)):
            p = np.array([sign_flip_test(d).two_sided for d in draw(rng)])
            found.append([(holm(p)[:nulls] <= ALPHA).any(), (p[:nulls] <= ALPHA).any()])
        table.rows.append([name, *np.mean(found, axis=0).tolist()])
    return table


def marks(share: float) -> Table:
    """Return the rates at which the truly best arm is marked as not distinguishable from the best in the sample."""
    table = Table(
        "Leaderboard",
        "Equal arms, each as good as the best: how often a given one is marked as not distinguishable from the best in "
        "the sample, with the mark's level alpha / (arms − 1) and with alpha. Standard error at most 0.01.",
        ["arms", "seeds", "marked", "marked at alpha"],
    )
    for arms in (2, 10, 30):
        for n in (5, 10):
            rng = np.random.default_rng(n)
            found = []
            for _ in range(int(2000 * share)):
                x = rng.standard_normal((arms, n))
                best = int(x.mean(axis=1).argmax())
                found.append([indistinguishable(x, best, a)[0] for a in (ALPHA, ALPHA * (arms - 1))])
            table.rows.append([str(arms), str(n), *np.mean(found, axis=0).tolist()])
    return table


def seeds_needed(share: float) -> Table:
    """Return the power of the sign-flip test at the seeds and effects that the program names."""
    table = Table(
        "Power",
        "Share of samples of paired normal differences that are decided. Detectable: at the effect that these seeds "
        "should detect with 80 %. Needed: at the numbers of seeds that `seeds needed` names for this effect, at the "
        "half-width and for 80 %. Standard error 0.013.",
        ["", "effect in sd", "seeds", "decided"],
    )
    rng = np.random.default_rng(0)

    def decided(effect: float, n: int, claims: int = 1) -> float:
        samples = rng.normal(effect, 1, (int(1000 * share), n))
        return float(np.mean([sign_flip_test(sample).two_sided <= ALPHA / claims for sample in samples]))

    for claims, n in ((1, 6), (1, 8), (1, 10), (10, 9), (10, 10), (10, 12)):
        effect = detectable(n, claims, ALPHA)
        table.rows.append([f"detectable, {plural(claims, 'claim')}", effect, str(n), decided(effect, n, claims)])
    for effect in (0.6, 0.8, 1.2):
        example = effect + np.array([-1, 1]) / np.sqrt(2)  # two differences with this mean, and standard deviation 1
        for name, n in zip(("half-width", "80 %"), seeds_to_decide(example, 0, ALPHA)):
            table.rows.append([f"needed, {name}", effect, str(n), decided(effect, n or 0)])
    return table


def tables(share: float) -> Iterator[Table]:
    """Yield all tables."""
    yield levels(share)
    yield rarely_learns(share)
    yield families(share)
    yield marks(share)
    yield seeds_needed(share)


if __name__ == "__main__":
    command("error_rates", "Error rates", tables)
