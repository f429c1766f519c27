"""The figures of a sweep: their names, their pages and their files."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from hashlib import blake2b
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from dlsweep import files
from dlsweep.analysis.frames import frame_of
from dlsweep.errors import UsageError
from dlsweep.plots import Chart, plots, style
from dlsweep.plots.chart import Charts
from dlsweep.plots.names import about
from dlsweep.registry import Choice
from dlsweep.text import nearest

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlsweep.storage.results import Results

# Without date and version, the same results give the same file.
FORMATS: dict[str, dict[str, None]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
_PIXELS = 30_000  # at most, along a side


def draw(results: Results, choices: Sequence[Choice] = (), *, formats: Sequence[str] = ("png",)) -> list[Path]:
    """Draw figures of a sweep into its folder `figures/`, and return their paths.

    choices: plots with their settings, such as a config's `plots`; without any, the default plot. A factor that varies
    and has no place in a plot makes a file per level, named after it. A figure never takes the name of another figure
    of the config: then its places are added to its name.

    A plot that cannot be drawn does not stop the others: it is reported in a warning, or, if nothing could be drawn, in
    a `UsageError`. Another warning names characters for which no font is installed.
    """
    check_formats(formats)
    folder = _folder(results)
    if results.runs.empty:
        raise UsageError(f"there is nothing to plot in {results.folder}: no run is done yet")
    written: list[Path] = []
    stems: list[str] = []
    unknown: set[str] = set()
    refused: list[UsageError] = []
    asked = list(choices) or [Choice(default(results), {})]
    known = [choice for choice in asked if choice.name in plots]
    for choice in asked:
        if choice.name not in plots:
            refused.append(UsageError(f"there is no plot {choice.name!r}{nearest(choice.name, plots)}"))
    for name, choice in zip(_names(known, [c for c in results.record.plots if c.name in plots]), known):
        try:
            for page, chart in charts(results, choice):
                folder.mkdir(exist_ok=True)
                stems.append(_free(safe(name + page), stems))
                for suffix in formats:
                    written.append(folder / f"{stems[-1]}.{suffix}")
                    unknown |= save(chart.figure, written[-1])
        except UsageError as reason:
            refused.append(reason)
    if refused and not written:
        raise refused[0]
    for error in refused:
        warnings.warn(f"a plot was not drawn: {error}", stacklevel=2)
    if unknown:
        some = "".join(sorted(unknown))
        text = f"no installed font has {some[:20]}{'…' if len(some) > 20 else ''}; boxes are drawn instead. "
        warnings.warn(text + "Noto Sans CJK has Chinese, Japanese and Korean characters", stacklevel=2)
    return written


def plot(results: Results, kind: str | None = None, **settings: Any) -> Charts:
    """Return the charts of a plot, for a notebook: one for each combination of levels that has a figure of its own.

    kind: by default curves, or paths of a sweep of landscapes. A chart has its `figure`, `caption`, `alt` text and
    `data`, the numbers shown. A `UsageError` says that there is no such plot or setting, or nothing to show.

    >>> import dlsweep
    >>> config = {"name": "one", "data": {"mnist": {"train": 100, "test": 100}}, "train": {"iterations": 2}, "seeds": 2}
    >>> charts = plot(dlsweep.run(config, executor="inline"), "final", y="loss")
    >>> [chart.data["n"].tolist() for chart in charts]
    [[2]]
    """
    return Charts(chart for _, chart in charts(results, Choice(kind or default(results), settings)))


def charts(results: Results, choice: Choice) -> Iterator[tuple[str, Chart]]:
    """Yield the charts of one plot, each after the end of its file's name: the levels that it has for itself."""
    plot, record = plots[choice.name], results.record
    task, y = record.tables.of_task, plot.complete(choice.settings).get("y")
    if y == "accuracy" and y not in task.metrics:
        other = task.metrics[0]
        raise UsageError(f"a {task.noun} has no {y}; {plot.name} can show its {other}, with y: {other}")
    data = results if plot.table == "networks" else frame_of(results, plot.table)
    for page, part, settings in plot.pages(data, choice.settings):
        heads = {"title": record.config.get("title") or "", "subtitle": about(record.config, record.levels)}
        heads = {name: text for name, text in heads.items() if settings[name] is None}
        yield "".join(f", {factor}={level}" for factor, level in page.items()), plot(part, **{**settings, **heads})


def default(results: Results) -> str:
    """Return the default kind of plot of a sweep."""
    return results.record.tables.of_task.plot


def check_formats(formats: Sequence[str]) -> None:
    """Raise a `UsageError` for an unknown format."""
    for name in formats:
        if name not in FORMATS:
            raise UsageError(f"there is no format {name!r}{nearest(name, FORMATS)}")


def clear(results: Results) -> None:
    """Remove the figures that were drawn before: they may be out of date."""
    drawn = re.compile(rf"({'|'.join(map(re.escape, _titles()))})\b.*\.({'|'.join(FORMATS)})", re.DOTALL)
    folder = results.folder / "figures"
    for path in () if folder.is_symlink() else folder.glob("*"):
        if drawn.fullmatch(path.name):
            path.unlink()


def save(figure: Figure, path: Path) -> set[str]:
    """Write a figure in the format of the path's ending, whole or not at all; return the characters without a font."""
    content, unknown = rendered(figure, path.suffix[1:])
    files.refuse_links(path.parents[1], path.parent.name)
    files.write(path, content)
    return unknown


def rendered(figure: Figure, suffix: str) -> tuple[bytes, set[str]]:
    """Return the content of a figure's file in a format, and the characters without a font."""
    content = io.BytesIO()
    dpi = min(figure.dpi, _PIXELS / max(figure.get_size_inches()))
    with style.look(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        figure.savefig(content, format=suffix, dpi=dpi, metadata=FORMATS[suffix])
    unknown = set()
    for warning in caught:
        if glyph := re.match(r"Glyph (\d+) .* missing from", str(warning.message)):
            unknown.add(chr(int(glyph[1])))
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return content.getvalue(), unknown


def safe(name: str) -> str:
    """Return a name that is valid in every file system and shell: letters of any script, digits and `-_.`, at most 60.

    A name that lost more than spaces, commas and `=` ends in a hash, so that different names stay different.

    >>> safe("curves, optimizer=sgd lr=1e+38")
    'curves-optimizer-sgd-lr-1e38'
    """
    name = re.sub(r"(?<=\de)\+(?=\d)", "", name)  # 1e+38 is 1e38, and not 1e-38
    plain = re.sub(r"[ ,=]+", "-", name)
    slug = re.sub(r"[^\w.-]+", "-", plain)[:60].rstrip(".-_")
    return slug if slug == plain else f"{slug[:50]}-{blake2b(name.encode(errors='replace'), digest_size=4).hexdigest()}"


def _names(asked: Sequence[Choice], of_config: Sequence[Choice]) -> list[str]:
    """Name each plot: `curves-accuracy`, and `curves-accuracy-2` for the second plot of that name.

    The config's plots keep their names. Where another plot would take one of them, its places are added:
    `curves-accuracy-rows-init`.
    """
    theirs: dict[str, Choice] = {}
    for plot in of_config:
        theirs[_free(_title(plot.name, plot.settings), theirs)] = plot
    names: list[str] = []
    for plot in asked:
        whole = plots[plot.name].complete
        same = [n for n, c in theirs.items() if c.name == plot.name and whole(c.settings) == whole(plot.settings)]
        name = _title(plot.name, plot.settings)
        if name in theirs:
            given = {place: plot.settings[place] for place in plots[plot.name].places if plot.settings.get(place)}
            name = "-".join([name, *(f"{place}-{factor}" for place, factor in given.items())])
        names.append(next((n for n in same if n not in names), "") or _free(name, [*theirs, *names]))
    return names


def _free(name: str, taken: Collection[str]) -> str:
    """Return the name, with the first number that makes it unique if it is taken."""
    return next(n for n in chain([name], (f"{name}-{i}" for i in count(2))) if n not in taken)


def _title(kind: str, settings: Mapping[str, Any]) -> str:
    """Name a plot after its kind and its quantity."""
    return "-".join(filter(None, [kind, plots[kind].complete(settings).get("y")]))


def _titles() -> Iterator[str]:
    """Yield every title that a plot can have."""
    for kind in plots:
        y = plots[kind].settings.get("y")
        yield from (_title(kind, {"y": word}) for word in get_args(y.annotation)) if y else [kind]


def _folder(results: Results) -> Path:
    folder = results.folder / "figures"
    if folder.is_symlink():
        raise UsageError(f"{folder} is a link; figures are written into the results folder and nowhere else")
    return folder
