"""Coverage of two 95 % intervals for a mean, by simulation: Student's t and the bootstrap BCa (Efron 1987).

    python -m bench.intervals

Each row has a distribution and a number of values, and the share of intervals that contain the true mean.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import stats

from dlsweep.analysis.statistics import interval

DISTRIBUTIONS: dict[str, tuple[float, Callable[..., np.ndarray]]] = {
    "normal": (0.0, np.random.Generator.standard_normal),
    "uniform": (0.5, np.random.Generator.random),
    "exponential": (1.0, np.random.Generator.standard_exponential),
    "log-normal": (float(np.exp(0.5)), lambda rng, size: rng.lognormal(size=size)),
}
SIZES = (3, 5, 10, 20, 40, 80)


def bootstrap(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the BCa interval of the mean over the last axis."""
    found = stats.bootstrap((values,), np.mean, n_resamples=1000, axis=-1, rng=np.random.default_rng(0))
    return found.confidence_interval.low, found.confidence_interval.high


def main(simulations: int = 2000) -> None:
    """Print the table."""
    print(f"{'distribution':<14}{'n':>4}{'t':>8}{'BCa':>8}")
    for name, (mean, draw) in DISTRIBUTIONS.items():
        for n in SIZES:
            values = draw(np.random.default_rng(n), size=(simulations, n))
            shares = [np.mean((low <= mean) & (mean <= high)) for low, high in (interval(values), bootstrap(values))]
            print(f"{name:<14}{n:>4}{shares[0]:>8.3f}{shares[1]:>8.3f}")


if __name__ == "__main__":
    main()
