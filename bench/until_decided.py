"""Errors, power and seeds of the sequential sign-flip test, by simulation.

python -m bench.until_decided
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from bench.simulations import Cell, Table, command
from dlsweep.analysis.sequential import Plan, sequential_equals, sequential_order, sequential_test
from dlsweep.analysis.sign_flips import sign_flip_test
from dlsweep.text import plural

MOST = 20
EFFECTS = (0.0, 0.5, 1.0, 1.5, 2.0)
CLAIMS = (1, 3, 10)


def decided(differences: np.ndarray, plan: Plan) -> list[Cell]:
    """Return the share of samples that are decided, the mean number of seeds, and the mean difference at a decision."""
    found = [sequential_test(sample, plan) for sample in differences]
    estimates = [abs(sample[: test.seeds].mean()) for sample, test in zip(differences, found) if test.sign]
    return [
        float(np.mean([test.sign != 0 for test in found])),
        float(np.mean([test.seeds for test in found])),
        float(np.mean(estimates)) if estimates else None,
    ]


def power(share: float) -> Table:
    """Return errors, power and seeds by effect and number of claims."""
    columns = [f"{plural(claims, 'claim')}: {of}" for claims in CLAIMS for of in ("decided", "seeds", "estimate")]
    table = Table(
        "Power",
        f"Paired normal differences, at most {MOST} seeds, alpha 0.05 for all claims of a file together. Of one claim, "
        "by the number of claims: the share of samples in which it is decided (errors at effect 0), the mean number of "
        "seeds, and the mean estimate at a decision. Standard error of a share at most 0.018, and 0.006 at effect 0.",
        ["effect in sd", "fixed 10 seeds, 1 claim", *columns],
    )
    for effect in EFFECTS:
        rng = np.random.default_rng(int(10 * effect))
        differences = rng.normal(effect, 1, (max(20, int((1500 if effect == 0 else 800) * share)), MOST))
        fixed = float(np.mean([sign_flip_test(sample[:10]).two_sided <= 0.05 for sample in differences]))
        row: list[Cell] = [f"{effect:g}", fixed]
        for claims in CLAIMS:
            row += decided(differences, Plan.of(0.05, claims=claims, most=MOST))
        table.rows.append(row)
    return table


def peeked(sample: np.ndarray, looks: tuple[int, ...]) -> bool:
    """Return the outcome of reading the fixed test at every look until it rejects."""
    return any(sign_flip_test(sample[:n]).two_sided <= 0.05 for n in looks)


def planned_after(sample: np.ndarray, seen: int) -> bool:
    """Return the outcome of a fixed test at the seeds seen, and of a plan from there if it does not reject."""
    late = Plan.of(0.05, claims=1, most=MOST, trained=seen)
    return sign_flip_test(sample[:seen]).two_sided <= 0.05 or sequential_test(sample, late).sign != 0


def errors(share: float) -> Table:
    """Return the error rates of looking in other ways, and of other relations."""
    table = Table(
        "Errors",
        "Share of wrong decisions of one claim at alpha 0.05. Paired normal differences; for `equals`, at the margin; "
        "for `order` of three arms, one pair equal and the other far apart (support) or all equal (reversal). Standard "
        "error 0.007, with 30 seeds 0.010.",
        ["", "errors"],
    )
    rng = np.random.default_rng(1)
    plan, shorter, longer = (Plan.of(0.05, claims=1, most=most) for most in (MOST, 15, 30))
    samples = rng.standard_normal((max(20, int(1000 * share)), MOST))
    long_samples = rng.standard_normal((max(20, int(500 * share)), 30))
    arms = rng.standard_normal((len(samples), 3, 15)) / np.sqrt(2)
    apart = [(a[0] - a[1] + 5, a[1] - a[2]) for a in arms]
    equal = [sequential_equals(sample[:15] + 1, 1, shorter) for sample in samples]

    def rate(found: Iterable[bool]) -> float:
        return float(np.mean(list(found)))

    table.rows += [
        ["`beats`, up to 30 seeds (random patterns)", rate(sequential_test(s, longer).sign != 0 for s in long_samples)],
        ["`equals` within 1, supported at a difference of 1", rate(test.sign == 1 for test in equal)],
        ["`equals` within 1, refuted at a difference of 1", rate(test.sign == -1 for test in equal)],
        ["`order`, supported with one pair equal", rate(sequential_order(d, shorter).sign == 1 for d in apart)],
        [
            "`order`, reversed with all arms equal",
            rate(sequential_order(-np.diff(a, axis=0), shorter).sign == -1 for a in arms),
        ],
        ["reading p ≤ 0.05 at the same looks", rate(peeked(s, plan.looks) for s in samples)],
        ["planned after a fixed test at 10 seeds", rate(planned_after(s, 10) for s in samples)],
    ]
    return table


def tables(share: float) -> Iterator[Table]:
    """Yield all tables."""
    yield power(share)
    yield errors(share)


if __name__ == "__main__":
    command("until_decided", "Until decided", tables)
