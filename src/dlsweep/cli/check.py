"""`dlsweep check`: the verdicts on the claims of finished sweeps, with an exit code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from typer import Option

from dlsweep.cli.each import divided, together
from dlsweep.cli.options import FORMS, Folders, Json, Latex, Markdown, one_of
from dlsweep.cli.terminal import print_json, say
from dlsweep.errors import DlsweepError, UsageError
from dlsweep.text import listed, printable

if TYPE_CHECKING:
    from dlsweep.analysis.checked import Checked
    from dlsweep.analysis.verdicts import Verdict
    from dlsweep.storage.results import Results as Sweep

REMADE = (
    "since its record was remade, all claims count as stated after the results, and planned looks are not known; "
    "`dlsweep run` writes the record again"
)
NULL = "Test the tests: compare two halves of each arm's seeds, from 12 seeds on."


def check(
    results: Folders,
    as_json: Json = False,
    as_junit: Annotated[bool, Option("--junit", help="Print JUnit XML.")] = False,
    as_md: Markdown = False,
    as_latex: Latex = False,
    methods: Annotated[bool, Option("--methods", help="Add a paragraph on methods, for a paper.")] = False,
    null: Annotated[bool, Option("--null", help=NULL)] = False,
) -> int:
    """Check the claims of finished sweeps.

    Exit code: 0 if every verdict is as expected, 1 if one is the opposite, 3 if one differs otherwise.
    """
    form = one_of(json=as_json, junit=as_junit, md=as_md, latex=as_latex)
    folders, levels = divided([str(one) for one in results])
    if levels:
        raise UsageError(f"check compares the arms that the claims name; leave out the levels of {listed([*levels])}")
    sweeps, lost = _opened(folders)
    if null:
        if form not in ("", "json") or methods:
            raise UsageError("--null prints a sentence, or JSON with --json; leave out the other options")
        code = _null(sweeps, as_json)
    else:
        code = _claims(sweeps, lost, form, methods)
    if lost:
        raise together(lost)
    return code


def _opened(folders: Sequence[str]) -> tuple[list[Sweep], list[DlsweepError]]:
    """Return the sweeps of some folders, each once, and the errors of those that cannot be opened."""
    from dlsweep.storage.opening import open_each

    found = [one for folder in folders for one in open_each(folder)]
    sweeps = {one.folder: one for one in found if not isinstance(one, DlsweepError)}
    for folder in (sweep.folder for sweep in sweeps.values() if sweep.damage):
        say(f"{folder}: {REMADE}")
    return list(sweeps.values()), [one for one in found if isinstance(one, DlsweepError)]


def _claims(sweeps: Sequence[Sweep], lost: list[DlsweepError], form: str, methods: bool) -> int:
    """Print the verdicts on the claims of some sweeps; return the exit code. lost: also gets errors of their tables."""
    from dlsweep.analysis.checked import HOW, Checked
    from dlsweep.analysis.checked import check as checked
    from dlsweep.analysis.methods import methods as paragraph

    without = [f"{sweep.folder} makes no claims. {HOW}" for sweep in sweeps if not sweep.record.claims]
    if len(without) == len(sweeps):
        raise together([*map(UsageError, without), *lost])
    for sentence in without:
        say(sentence)
    found, paragraphs = Checked(()), list[str]()
    for sweep in (sweep for sweep in sweeps if sweep.record.claims):
        try:
            own = checked(sweep)
        except DlsweepError as error:
            lost.append(error)
            continue
        removed, tuning = {**found.removed, **own.removed}, {**found.tuning, **own.tuning}
        found = Checked(found.verdicts + own.verdicts, removed, tuning)
        paragraphs += [paragraph(sweep, own.verdicts)] if methods else []
    if form == "json":
        print_json({**found.data(), **({"methods": paragraphs} if methods else {})})
    elif form == "junit":
        print(junit(found, lost))
    elif found.verdicts or not lost:
        print(found.text(FORMS.get(form, "plain"), paragraphs))
    return found.code


def junit(checked: Checked, lost: Sequence[DlsweepError] = ()) -> str:
    """Return verdicts as JUnit XML: a verdict that is not as expected is a failure, also an undecided one.

    A test has the name of its claim, with the verdict that is expected if it is not *supported*.

    lost: errors of results that could not be read.
    """
    from xml.etree.ElementTree import Element, SubElement, indent, tostring

    def counted(element: Element, verdicts: Sequence[Verdict], errors: Sequence[DlsweepError] = ()) -> Element:
        counts = len(verdicts) + len(errors), sum(not verdict.as_expected for verdict in verdicts), len(errors)
        element.attrib |= dict(zip(("tests", "failures", "errors"), map(str, counts)))
        return element

    root = counted(Element("testsuites", name="dlsweep check"), checked.verdicts, lost)
    for folder in dict.fromkeys(verdict.folder for verdict in checked):
        own = [verdict for verdict in checked if verdict.folder == folder]
        suite = counted(SubElement(root, "testsuite", name=printable(folder)), own)
        for verdict in own:
            case = SubElement(suite, "testcase", classname=printable(verdict.sweep), name=printable(_case(verdict)))
            if not verdict.as_expected:
                message = f"{verdict.verdict}, and not as the config expects"
                SubElement(case, "failure", message=message, type=verdict.verdict).text = printable(verdict.sentence)
            SubElement(case, "system-out").text = printable(verdict.sentence)
    for error in lost:
        suite = counted(SubElement(root, "testsuite", name="not read"), (), [error])
        case = SubElement(suite, "testcase", classname="results", name="readable")
        SubElement(case, "error", message=printable(str(error)), type=type(error).__name__)
    indent(root)
    return tostring(root, encoding="unicode", xml_declaration=False)


def _case(verdict: Verdict) -> str:
    """Return the name of a verdict's test: readers list the names of tests that passed, which are not all supported."""
    expected = verdict.claim.expect
    return verdict.claim.name + f" (expected: {expected})" * (expected != "supported")


def _null(sweeps: Sequence[Sweep], as_json: bool) -> int:
    """Print how often two halves of one arm differ in some sweeps; return 1 if that is more often than tests allow."""
    from dlsweep.analysis.null import null_check

    found = [null_check(sweep) for sweep in sweeps]
    if as_json:
        print_json([{**asdict(one), "limit": one.limit, "passed": one.passed} for one in found])
    else:
        print("\n\n".join(map(str, found)))
    return 0 if all(one.passed for one in found) else 1
