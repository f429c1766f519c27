"""The paragraph on methods names what was done, and nothing else."""

from __future__ import annotations

from pathlib import Path

from tests.support.claims import arm, store

from dlsweep.analysis.checked import check
from dlsweep.analysis.methods import methods
from dlsweep.config.claims import Claim

GRID = {"init": ["he", "normal"], "activation": ["relu"]}
HE, NORMAL = arm(init="he"), arm(init="normal")


def paragraph(folder: Path, *claims: Claim, seeds: int = 6, late: tuple[str, ...] = ()) -> str:
    results = store(folder, GRID, lambda levels, seed: 0.5 + 0.01 * seed, *claims, seeds=seeds, late=late)
    return methods(results, check(results).verdicts)


def test_factors_seeds_pairing_test_and_level(tmp_path: Path) -> None:
    told = paragraph(tmp_path, Claim("a", "beats", (HE, NORMAL)))
    assert told.startswith("The sweep made-up varied init (he, normal); each of 2 arms was trained with 6 seeds.")
    assert (
        "A seed sets initial weights, order of the minibatches and training subset, and arms of one seed share " in told
    )
    assert "the seed is the unit of every test" in told
    assert "two-sided sign-flip tests of paired differences, over all patterns of signs (Fisher 1935)" in told
    assert "The test was made at the level 0.05." in told
    assert "(Hartigan 1969)" in told
    for other in ("Holm", "Schuirmann", "Berger", "slope", "Satterthwaite", "random", "diverged", "stated after"):
        assert other not in told


def test_what_other_claims_add(tmp_path: Path) -> None:
    claims = [
        Claim("a", "equals", (HE, NORMAL), 0.1),
        Claim("b", "order", (HE, NORMAL)),
        Claim("c", "beats", (HE, NORMAL)),
    ]
    told = paragraph(tmp_path, *claims, seeds=21, late=("a",))
    assert "over 10,000 random patterns of signs" in told
    assert "two one-sided tests (Schuirmann 1987)" in told
    assert "(Berger 1982)" in told
    assert "with the correction of Holm (1979) for 3 claims" in told
    assert "1 claim of 3 was stated after the results" in told
