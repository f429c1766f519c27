"""Paragraph on the methods of a sweep and its claims, for a paper: those that were used, with references."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dlsweep.analysis.crossed import CITED
from dlsweep.analysis.luck import sources
from dlsweep.analysis.outlook import FEWEST
from dlsweep.analysis.sequential import RANDOM_PATTERNS as RANDOM_PATTERNS_OF_LOOKS
from dlsweep.analysis.sign_flips import MOST_EXACT, RANDOM_PATTERNS
from dlsweep.analysis.verdicts import Verdict
from dlsweep.config.claims import Looks
from dlsweep.storage.results import Results
from dlsweep.text import listed, plural, plural_range, sentence

_MOST_LEVELS = 8  # of a factor that a paragraph lists


def methods(results: Results, verdicts: Sequence[Verdict]) -> str:
    """Return a paragraph on the factors that a sweep varied, and on how it paired and tested its runs.

    verdicts: on its claims.
    """
    return " ".join(map(sentence, _sentences(results, verdicts)))


def _sentences(results: Results, verdicts: Sequence[Verdict]) -> Iterator[str]:
    yield from _design(results)
    if all(verdict.exact for verdict in verdicts):
        yield "no run depends on a seed, so values were compared without a test"
    else:
        yield from _tests(results, verdicts)
    yield from _intervals(results, verdicts)
    yield from _limits(results, verdicts)
    versions = results.record.sessions[-1].get("versions", {}) if results.record.sessions else {}
    used = [f"{name} {versions[key]}" for key, name in (("dlsweep", "dlsweep"), ("numpy", "NumPy")) if key in versions]
    if used:
        yield f"computed with {listed(used)}"


def _design(results: Results) -> Iterator[str]:
    """Yield the factors that were varied, and the draws that arms of one seed share."""
    levels = {factor: own for factor, own in results.record.levels.items() if len(own) > 1}
    told = [
        f"{f} ({', '.join(own)})" if len(own) <= _MOST_LEVELS else f"{f} ({len(own)} levels)"
        for f, own in levels.items()
    ]
    counts = results.runs.groupby("arm", observed=True)["seed"].nunique()
    varied = f"varied {listed(told)}" if told else "has one arm"
    seeds = plural_range(counts, "seed")
    yield f"the sweep {results.name} {varied}; each of {plural(len(counts), 'arm')} was trained with {seeds}"
    if results.record.tuning:
        yield from (note.rstrip(".") for note in results.record.tuning.notes())
    if counts.max() > 1:
        drawn, held = sources(results.config)
        yield (
            f"a seed sets {listed(drawn)}, and arms of one seed share these draws, so arms were compared in pairs of "
            f"runs with one seed; {listed(held)} did not vary; the seed is the unit of every test"
        )


def _tests(results: Results, verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Yield the tests that were used, with their references."""
    tested = [verdict for verdict in verdicts if not verdict.exact]
    relations = {verdict.claim.relation for verdict in tested}
    if results.overlap:
        yield (
            "each seed draws its own training and test samples, stratified by class, so splits of one data set overlap"
            "; claims were tested by two-sided t tests of paired differences with the variance "
            f"s² (1/J + n_test/n_train) over J splits, n_test/n_train = {results.overlap:.3g} ({CITED})"
        )
    else:
        yield (
            f"claims were tested by two-sided sign-flip tests of paired differences, {_patterns(tested)} of signs "
            "(Fisher 1935)"
        )
    if "equals" in relations:
        yield "equality within a margin was tested by two one-sided tests (Schuirmann 1987)"
    if relations & {"order", "monotone"}:
        yield "an order is supported if the test of each neighbouring pair supports it (Berger 1982)"
    if "trend" in relations:
        yield "a trend is the least-squares slope over the ranks of the levels, taken within each seed"
    yield from _levels(tested, f"{results.record.alpha:g}", results.record.looks)


def _patterns(tested: Sequence[Verdict]) -> str:
    """Return the patterns of signs that the tests are over: of planned looks, the last one decides if they are all."""
    random = {
        RANDOM_PATTERNS_OF_LOOKS if verdict.planned else RANDOM_PATTERNS
        for verdict in tested
        if (verdict.planned or verdict.n) > MOST_EXACT
    }
    counts = listed([f"{count:,}" for count in sorted(random)])
    return f"over {counts} random patterns" if random else "over all patterns"


def _levels(tested: Sequence[Verdict], alpha: str, looks: Looks | None) -> Iterator[str]:
    """Yield the error rate of the tests, and how claims share it: by planned looks, or by the correction of Holm."""
    planned, claims = [verdict for verdict in tested if verdict.planned], len(looks.claims) if looks else 0
    if planned:
        share = f", divided equally between {plural(claims, 'claim')}" if claims > 1 else ""
        yield (
            f"tests were sequential, at planned numbers of seeds up to {planned[0].planned}; the looks spend the error "
            f"rate of {alpha}{share} (Lan and DeMets 1983, with a spending function as Pocock's)"
        )
    if seen := max((verdict.seen for verdict in planned), default=0):
        yield f"the looks were planned after {plural(seen, 'seed')} were seen, so no error rate is claimed"
    others = len(tested) - len(planned)
    if others == 1 and not planned:
        yield f"the test was made at the level {alpha}"
    elif others:
        which, count = "other tests" if planned else "tests", plural(others, "claim")
        yield f"{which} were made at the level {alpha}, with the correction of Holm (1979) for {count}"
    if added := sum(verdict.unplanned for verdict in tested):
        yield f"{_claims_were(added)} added to those of the planned looks, and tested once"


def _intervals(results: Results, verdicts: Sequence[Verdict]) -> Iterator[str]:
    steps = [step for verdict in verdicts if not verdict.exact for step in verdict.steps]
    told = [verdict for verdict in verdicts if verdict.steps and not verdict.exact]
    if not all(verdict.by_t for verdict in told):
        yield "intervals are those that agree with the tests" + " (Hartigan 1969)" * (not results.overlap)
    if any(verdict.by_t and not verdict.planned for verdict in told):
        yield f"intervals with runs that have infinite values, or with fewer than {FEWEST} seeds, are Student's t"
    if any(verdict.planned for verdict in told):
        yield "intervals of sequential tests are Student's t, not adjusted for looking"
    if any(step.interval_new_images for step in steps):
        yield (
            "intervals on new images take seeds and images as crossed random effects (Cameron, Gelbach and Miller "
            "2011), with the degrees of freedom of Satterthwaite (1946), and include those over the seeds alone"
        )


def _limits(results: Results, verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Yield the limits that a reader must know."""
    if any(verdict.diverged for verdict in verdicts):
        yield "runs that diverged were counted, with the accuracy of guessing or an infinite loss"
    if any(verdict.stopped for verdict in verdicts):
        yield "some runs stopped early"
    if late := sum(verdict.late for verdict in verdicts):
        yield f"{_claims_were(late, f' of {len(verdicts)}')} stated after the results"
    if results.record.removed:
        yield f"{_claims_were(len(results.record.removed))} removed after the results"


def _claims_were(count: int, of: str = "") -> str:
    return f"{plural(count, 'claim')}{of} {'was' if count == 1 else 'were'}"
