"""Check the claims of some sweeps: their verdicts, and the exit code that says if all are as expected."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from html import escape
from math import isfinite
from typing import Any

from dlsweep.analysis.sentences import subject
from dlsweep.analysis.sides import name_of
from dlsweep.analysis.testing import Step
from dlsweep.analysis.verdicts import Verdict, verdicts_of
from dlsweep.errors import UsageError
from dlsweep.storage.results import Results
from dlsweep.tabular import Form, json_value, latex, markdown, table
from dlsweep.text import half_width, interval_text, measured, p_text, plural, printable
from dlsweep.types import DataFrame

AS_EXPECTED, OPPOSITE, OTHERWISE = 0, 1, 3  # exit codes

HOW = """Write claims in the config, and run it again; nothing is trained again:
  claims:
    - ReLU needs He: {arm: {activation: relu, init: he}, beats: {activation: relu, init: normal}, by: 0.2}"""

COLUMNS = ("claim", "verdict", "as expected", "effect", "interval", "p", "p (Holm)", "n", "diverged")


@dataclass(frozen=True)
class Checked:
    """Verdicts on all claims of some sweeps.

    By folder, removed: claims that were taken out after the results; tuning: sentences on how the arms were tuned, and
    what may be unfair in it.
    """

    verdicts: tuple[Verdict, ...]
    removed: Mapping[str, Sequence[str]] = field(default_factory=dict)
    tuning: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def code(self) -> int:
        """Exit code: 0 if all verdicts are as expected, 1 if one is the opposite, 3 if one differs otherwise."""
        if any(verdict.opposite for verdict in self.verdicts):
            return OPPOSITE
        return AS_EXPECTED if all(verdict.as_expected for verdict in self.verdicts) else OTHERWISE

    def __iter__(self) -> Iterator[Verdict]:
        return iter(self.verdicts)

    def __len__(self) -> int:
        return len(self.verdicts)

    def frame(self) -> DataFrame:
        """Return a row per claim, with the numbers of the contrast that its verdict rests on."""
        import pandas as pd

        return pd.DataFrame([row(verdict) for verdict in self.verdicts])

    def data(self) -> dict[str, Any]:
        """Return the verdicts as values for JSON, which has neither NaN nor infinity."""
        claims = [{**row(verdict), "steps": [asdict(step) for step in verdict.steps]} for verdict in self.verdicts]
        found: dict[str, Any] = json_value(
            {"claims": claims, "removed": self.removed, "tuning": self.tuning, "exit_code": self.code}
        )
        return found

    def table(self, form: Form = "plain") -> str:
        """Return the table of claims: verdict, effect, interval, p and the number of seeds.

        An order has a row for each of its pairs below its own.
        """
        rows = [[verdict.folder, *cells] for verdict in self.verdicts for cells in _rows(verdict)]
        several = len({verdict.folder for verdict in self.verdicts}) > 1
        shown = slice(0 if several else 1, None if any(v.diverged for v in self.verdicts) else -1)
        header = ["results", *COLUMNS][shown]
        return table(header, [row[shown] for row in rows], [column in COLUMNS[3:] for column in header], form)

    def sentences(self) -> list[str]:
        """Return the sentence of each verdict, after its folder if there are several; then those on all claims."""
        several = len({verdict.folder for verdict in self.verdicts}) > 1
        gone = [
            f"The claim {name!r} was removed from {folder} after the results, so the correction is for fewer tests."
            for folder, names in self.removed.items()
            for name in names
        ]
        without = sum(_lacks_new_images(verdict) for verdict in self.verdicts)
        told = (
            f"No interval on new images is available for {plural(without, 'claim')}: there is one for the final test "
            "accuracy only, from the kept predictions of at least two seeds."
        )
        sentences = [f"{verdict.folder}: " * several + verdict.sentence for verdict in self.verdicts]
        tuned = [f"{folder}: " * several + " ".join(own) for folder, own in self.tuning.items()]
        return [*sentences, *gone, *tuned, *([told] if without else [])]

    def text(self, form: Form = "plain", paragraphs: Sequence[str] = ()) -> str:
        """Return the table, the sentences and some paragraphs as plain text, Markdown or LaTeX."""
        if not self.verdicts:
            return f"There are no claims. {HOW}"
        write: Callable[[str], str] = {"latex": latex, "markdown": markdown, "html": _paragraph}.get(form, printable)
        told = [write(sentence) for sentence in (*self.sentences(), *paragraphs)]
        return "\n\n".join([self.table(form), *told])

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return self.text("html")


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def _lacks_new_images(verdict: Verdict) -> bool:
    """Return True for a verdict on test images that has no interval on new ones."""
    metric = verdict.metric and (verdict.metric.inner or verdict.metric)
    on_images = metric is not None and metric.split == "test" and metric.sampled
    return on_images and not (verdict.exact or verdict.overlap) and verdict.step.interval_new_images is None


def _rows(verdict: Verdict) -> Iterator[list[str]]:
    """Yield the cells of a claim in the table; and of each pair of an order."""
    marks = ["stated after the results"] * verdict.late + ["not planned"] * verdict.unplanned
    name = verdict.claim.name + f" ({', '.join(marks)})" * bool(marks)
    told = [name, verdict.verdict, "yes" if verdict.as_expected else "no"]
    p = [p_text(verdict.p), p_text(verdict.adjusted)]
    counts = [str(verdict.n), str(verdict.diverged)]
    if len(verdict.steps) < 2:
        yield [*told, *_numbers(verdict, verdict.step), *p, *counts]
        return
    yield [*told, "", "", *p, *counts]
    for step in verdict.steps:
        yield [f"  {terms(verdict, step)}", "", "", *_numbers(verdict, step), p_text(step.p), "", "", ""]


def _numbers(verdict: Verdict, step: Step) -> list[str]:
    """Return the cells of an effect and its interval."""
    effect = measured(step.effect, half_width(*step.interval), sign=verdict.signed)
    told = isfinite(step.effect) and not verdict.exact
    return [effect, interval_text(*step.interval, sign=verdict.signed) if told else "–"]


_OWN = (
    *("diverged", "stopped", "reason", "left_out", "late", "exact"),
    *("overlap", "planned", "seen", "unplanned", "detectable"),
)


def row(verdict: Verdict) -> dict[str, Any]:
    """Return the numbers of a verdict, with those of the contrast that it rests on."""
    low, high = verdict.interval
    new_low, new_high = verdict.step.interval_new_images or (None, None)
    return {
        "claim": verdict.claim.name,
        "verdict": verdict.verdict,
        "expect": verdict.claim.expect,
        "as_expected": verdict.as_expected,
        "relation": verdict.claim.relation,
        "metric": verdict.metric.name if verdict.metric else verdict.claim.metric,
        "at": verdict.claim.at,
        "first": verdict.step.first,
        "second": verdict.step.second if verdict.signed else "",
        "effect": verdict.effect,
        "low": low,
        "high": high,
        "level": verdict.level,
        "low_new_images": new_low,
        "high_new_images": new_high,
        "margin": verdict.claim.margin,
        "p": verdict.p,
        "p_holm": verdict.adjusted,
        "n": verdict.n,
        **{name: getattr(verdict, name) for name in _OWN},
        "seeds_half": verdict.needed.half,
        "seeds_eighty": verdict.needed.eighty,
        "sweep": verdict.sweep,
        "results": verdict.folder,
        "sentence": verdict.sentence,
    }


def contrasts(results: Results) -> DataFrame:
    """Return a row for each contrast of each claim of a sweep; a claim without numbers has one row.

    Columns are those of `Checked.frame`, with `first`, `second`, `effect`, `low` and `high` of the contrast; `words` of
    the metric; `contrast`, its terms; `sign`, −1 if the claim is that the effect is below its margin; `margin_low` and
    `margin_high`, the effects at which the verdict turns, which differ for `equals` only; `infinite`, see `Verdict`. A
    `UsageError` says that the sweep has no claims.
    """
    import pandas as pd

    if not results.record.claims:
        raise UsageError(f"{results.folder} has no claims to show. {HOW}")
    rows = []
    for verdict in verdicts_of(results):
        words = subject(verdict.metric, verdict.claim.at).removeprefix("the ") if verdict.metric else ""
        own = {"words": words, "sign": verdict.sign, "infinite": verdict.infinite}
        own |= {"margin_low": verdict.margins[0], "margin_high": verdict.margins[-1]}
        for step in verdict.steps or [verdict.step]:
            low, high = step.interval
            of_step = {"first": step.first, "second": step.second, "effect": step.effect, "low": low, "high": high}
            rows.append({**row(verdict), **own, **of_step, "contrast": terms(verdict, step) if words else ""})
    return pd.DataFrame(rows)


def terms(verdict: Verdict, step: Step) -> str:
    """Return the terms of a contrast: the sides of its difference, or the quantity that it is about."""
    claim = verdict.claim
    if claim.more:
        return "{} \N{MINUS SIGN} {}, in {} \N{MINUS SIGN} in {}".format(
            *map(name_of, claim.arms), *map(name_of, (claim.more, claim.than))
        )
    if claim.relation == "trend":
        return f"change per level of {claim.along}"
    if claim.relation == "monotone":
        return f"{step.first} → {step.second}"
    if not verdict.signed:
        return step.first
    return " \N{MINUS SIGN} ".join(f"({name})" if ", " in name else name for name in (step.first, step.second))


def check(results: Results | Sequence[Results]) -> Checked:
    """Return the verdicts on the claims of a sweep, or of several; Holm's correction is over the claims of one sweep.

    >>> import dlsweep
    >>> config = {"name": "claims", "data": {"mnist": {"train": 100, "test": 100}}, "train": {"iterations": 30}}
    >>> claim = {"arm": {"init": "he"}, "beats": {"init": "normal"}, "metric": "train_loss"}
    >>> config |= {"evaluate": {"on": ["train"]}, "seeds": 6, "grid": {"init": ["he", "normal"]}}
    >>> results = dlsweep.run({**config, "claims": [{"ReLU needs He": claim}]}, executor="inline")
    >>> [verdict.verdict for verdict in dlsweep.check(results)]
    ['supported']
    """
    sweeps = [results] if isinstance(results, Results) else results
    verdicts = [verdict for sweep in sweeps for verdict in verdicts_of(sweep)]
    removed = {str(one.folder): one.record.removed for one in sweeps if one.record.removed}
    tuning = {str(one.folder): [*one.record.tuning.notes()] for one in sweeps if one.record.tuning}
    return Checked(tuple(verdicts), removed, tuning)
