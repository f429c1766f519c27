"""Arguments and options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge, Gt
from typer import Argument, Option

from dlsweep.errors import UsageError
from dlsweep.storage.location import located
from dlsweep.tabular import Form
from dlsweep.text import NUMBER

Results = Annotated[Path, Argument(parser=located, metavar="RESULTS", help="Folder of a sweep, or of several sweeps.")]
OneSweep = Annotated[Path, Argument(parser=located, metavar="RESULTS", help="Folder of a sweep.", show_default=False)]
_LEVELS = "Folders of sweeps, or of several sweeps; and levels of the arms to compare: activation=relu init=he,xavier."
ResultsAndLevels = Annotated[list[str], Argument(metavar="RESULTS… [FACTOR=LEVEL …]", help=_LEVELS, show_default=False)]
Folders = Annotated[
    list[Path], Argument(parser=located, metavar="RESULTS", help="Folders of sweeps, or of several sweeps.")
]
Formats = Annotated[str, Option("--format", metavar="LIST", help="Formats of figures: png, svg, pdf, or several.")]
Json = Annotated[bool, Option("--json", help="Print JSON.")]
Csv = Annotated[bool, Option("--csv", help="Print all numbers as CSV.")]
Markdown = Annotated[bool, Option("--md", help="Print Markdown.")]
Latex = Annotated[bool, Option("--latex", help="Print LaTeX, for the package booktabs.")]
AtLeast0, AtLeast1, Above0 = Annotated[int, Ge(0)], Annotated[int, Ge(1)], Annotated[float, Gt(0)]
FORMS: dict[str, Form] = {"csv": "csv", "md": "markdown", "latex": "latex"}  # of tables, by option
Quiet = Annotated[bool, Option("-q", "--quiet", help="Print errors only.")]


def suffixes(formats: str) -> list[str]:
    """Return the formats of figures after a check, before anything is trained."""
    from dlsweep.plots.figures import check_formats

    names = [name.strip().lower() for name in formats.split(",")]
    check_formats(names)
    return names


def one_of(**given: bool) -> str:
    """Return the name of the one option that is given; "" without any. Raise a `UsageError` for several.

    >>> one_of(csv=False, md=True), one_of(csv=False)
    ('md', '')
    """
    names = [name for name, wanted in given.items() if wanted]
    if len(names) > 1:
        raise UsageError(f"choose one of --{' and --'.join(names)}")
    return "".join(names)


def scalar(given: Any) -> Any:
    """Return the text of an option as a config has it: as a number if it is one.

    >>> scalar("12"), scalar("1e3"), scalar("abc")
    (12, 1000.0, 'abc')
    """
    if not isinstance(given, str) or not NUMBER.fullmatch(given):
        return given
    return int(given) if given.lstrip("+-").isdigit() else float(given)


def checked(name: str, kind: Any) -> Callable[[Any], Any]:
    """Return a parser of an option, which checks its text as a setting of a config is checked."""

    def parse(given: Any) -> Any:
        from dlsweep.settings import Setting

        read = scalar(given)
        value, faults = Setting(name, kind, None).check(read, name, lambda _: repr(read) if read is given else given)
        if faults:
            raise UsageError(faults[0].sentence)
        return value

    return parse
