"""`dlsweep diff`: two result sets side by side, paired by arm and seed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument

from dlsweep.cli.options import Json
from dlsweep.cli.terminal import print_json
from dlsweep.storage.location import located
from dlsweep.tabular import table
from dlsweep.text import half_width, interval_text, measured, number, p_text, plural, printable

if TYPE_CHECKING:
    from dlsweep.analysis.diff import Change, Diff

OTHER = "Folder of another sweep of the same arms."
MOST = 20  # rows that are shown of changes that are not the same bits

SUMMARY = {
    "same bits": "A and B have the same numbers, bit by bit.",
    "same": "A and B are statistically the same: no difference is larger than those that count as none.",
    "different": "A and B differ.",
    "undecided": "The seeds do not decide if A and B are the same.",
}


def diff(
    a: Annotated[Path, Argument(parser=located, metavar="A", help="Folder of a sweep.", show_default=False)],
    b: Annotated[Path, Argument(parser=located, metavar="B", help=OTHER, show_default=False)],
    as_json: Json = False,
) -> int:
    """Compare two result sets, paired by arm and seed.

    Exit code 0: the same numbers, bit by bit or statistically. 1: different. 3: the seeds do not decide.
    """
    from dlsweep.analysis.diff import diff as compared
    from dlsweep.storage.opening import open_results

    found = compared(open_results(a), open_results(b))
    if as_json:
        print_json(_data(found))
    else:
        print(_text(found))
    return found.exit_code


def _data(found: Diff) -> dict[str, Any]:
    """Return a diff as values for JSON."""
    return {
        "a": str(found.a.folder),
        "b": str(found.b.folder),
        "outcome": found.outcome,
        "config": found.config,
        "circumstances": found.circumstances,
        "only_a": found.only_a,
        "only_b": found.only_b,
        "statuses": [{"a": x, "b": y, "pairs": n} for (x, y), n in found.statuses.items()],
        "curves": {"same_bits": found.curves[0], "pairs": found.curves[1]},
        "changes": [vars(change) for change in found.changes],
    }


def _text(found: Diff) -> str:
    """Format a diff for a person."""
    from dlsweep.analysis.diff import status_words

    a, b = (printable(str(results.folder)) for results in (found.a, found.b))
    lines = [f"A: {a}", f"B: {b}", ""]
    lines += _section("The configs are the same.", "The configs differ:", found.config)
    around = [f"{printable(n)}: {printable(x)} in A, {printable(y)} in B" for n, (x, y) in found.circumstances.items()]
    lines += _section("Versions and machine are the same.", "Versions and machine differ:", around)
    for count, name, other in ((found.only_a, "A", "B"), (found.only_b, "B", "A")):
        if count:
            lines.append(f"{plural(count, 'run')} of {name} {'is' if count == 1 else 'are'} not in {other}.")
    lines += [f"{words}." for words in status_words(found.statuses)]
    same, pairs = found.curves
    lines += ["", f"Curves: {same} of {plural(pairs, 'pair')} of runs have the same bits."]
    changed = [change for change in found.changes if change.outcome != "same bits"]
    if changed:
        shown = sorted(changed, key=lambda one: ("different", "undecided", "same").index(one.outcome))[:MOST]
        header = ["arm", "metric", "n", "B − A", "95 % interval", "p (adjusted)", "counts as none", "outcome"]
        right = [False, False, True, True, True, True, True, False]
        lines += ["", table(header, [_row(one) for one in shown], right)]
        lines += [f"… and {plural(len(changed) - MOST, 'row')} more (--json has all)"] * (len(changed) > MOST)
    if changed and (found.a.record.tables.sources or found.b.record.tables.sources):
        lines += ["", "Runs of crossed seeds share draws, so nothing is tested: use plain seeds, such as seeds: 10."]
    summary = SUMMARY[found.outcome]
    if found.only_a or found.only_b:  # a sweep that lacks runs is not the same
        summary = summary.replace("A and B", "the runs that A and B share", 1)
    return "\n".join([*lines, "", summary[0].upper() + summary[1:]])


def _section(none: str, some: str, sentences: list[str]) -> list[str]:
    return [some, *(f"  {one}" for one in sentences)] if sentences else [none]


def _row(change: Change) -> list[str]:
    numbers = [
        str(change.n),
        measured(change.difference, half_width(*change.interval), sign=True),
        interval_text(*change.interval, sign=True),
        p_text(change.p),
        f"± {number(change.near)}",
    ]
    return [printable(change.arm), change.metric.replace("_", " "), *numbers, change.outcome]
