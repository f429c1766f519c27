"""Outlook on the claims of a sweep before it is trained: the seeds that decide them, the differences they detect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dlsweep.analysis.statistics import detectable, fewest_seeds
from dlsweep.config import Config
from dlsweep.datasets import open_dataset
from dlsweep.text import plural

FEWEST = 6  # seeds; with fewer, no claim is decided


@dataclass(frozen=True)
class Outlook:
    """Seeds of a claim.

    fewest: the smallest number of seeds that can decide it. detectable: the smallest difference that its seeds detect
    four times of five, in standard deviations of the paired differences; None if they cannot decide it.
    """

    claim: str
    seeds: int
    fewest: int
    detectable: float | None


def outlook(config: Config) -> list[Outlook]:
    """Return the outlook on each claim that is tested at the seeds of the config.

    There is none for claims of planned looks, and for arms that do not depend on their seeds, which are compared
    exactly.

    >>> from dlsweep.config import load
    >>> claim = {"He helps": {"arm": {"init": "he"}, "beats": {"init": "xavier"}}}
    >>> outlook(load({"name": "x", "seeds": 5, "grid": {"init": ["he", "xavier"]}, "claims": [claim]}))
    [Outlook(claim='He helps', seeds=5, fewest=6, detectable=None)]
    """
    tested = [claim for claim in config.claims if not (config.looks and config.looks.covers(claim))]
    if not tested or _is_exact(config):
        return []
    seeds, claims, alpha = len(config.seeds), len(tested), config.alpha
    overlap, folds = _overlap(config)
    found = []
    for claim in tested:
        fewest = max(FEWEST, fewest_seeds(claims, alpha, one_sided=claim.relation == "equals"))
        enough = max(fewest, fewest_seeds(claims, alpha))
        if overlap:  # a t test, of whole rounds
            fewest = enough = -(-FEWEST // folds) * folds
        least = detectable(seeds, claims, alpha, overlap=overlap) if seeds >= enough else None
        found.append(Outlook(claim.name, seeds, fewest, least))
    return found


def _overlap(config: Config) -> tuple[float, int]:
    """Return the overlap of the splits that seeds draw, 0 if they draw none; and the number of folds, 1 for none."""
    if not config.divided:
        return 0.0, 1
    found = {open_dataset(arm.data) for arm in config.arms()}
    divisions = [data.division for data in found if data.division]
    return max(one.overlap for one in divisions), max(max(one.folds, 1) for one in divisions)


def _is_exact(config: Config) -> bool:
    """Return True if no arm depends on its seed."""
    chance = config.task.chance
    return bool(chance) and not any(arm.model.settings.get(chance) for arm in config.arms())


def undecidable(told: Sequence[Outlook]) -> list[str]:
    """Return sentences on the claims that their seeds cannot decide: one for those that need the same number.

    >>> undecidable([Outlook("He helps", 5, 7, None), Outlook("Adam helps", 5, 7, None)])
    ['5 seeds cannot decide 2 claims whatever the results are, and 7 can: He helps; Adam helps']
    """
    lacking: dict[tuple[int, int], list[str]] = {}
    for one in told:
        if one.seeds < one.fewest:
            lacking.setdefault((one.seeds, one.fewest), []).append(one.claim)
    return [
        f"{names[0]}: {plural(seeds, 'seed')} cannot decide this claim whatever the results are; {fewest} can"
        if len(names) == 1
        else f"{plural(seeds, 'seed')} cannot decide {len(names)} claims whatever the results are, and {fewest} can: "
        + "; ".join(names)
        for (seeds, fewest), names in lacking.items()
    ]


def detected(told: Sequence[Outlook], alpha: float) -> str:
    """Return a sentence on the differences that the seeds detect; "" if they decide no claim."""
    least = next((one.detectable for one in told if one.detectable is not None), None)
    if least is None:
        return ""
    claims, seeds = plural(len(told), "claim"), plural(told[0].seeds, "seed")
    sd = "standard deviations of the paired differences"
    return f"{claims} at the level {alpha:g}: {seeds} detect a difference of {least:.1f} {sd} four times of five"
