"""Figures of a sweep: their pages and their files."""

from __future__ import annotations

import io
import re
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dlsweep import files
from dlsweep.analysis.frames import frame_across, frame_of
from dlsweep.errors import ConfigError, DlsweepError, UsageError, warn
from dlsweep.plots import Chart, plots, style
from dlsweep.plots.chart import NETWORKS, Charts
from dlsweep.plots.names import about
from dlsweep.plots.stems import free, safe, stems_of, titles
from dlsweep.registry import Choice
from dlsweep.storage.folder import open_folder
from dlsweep.storage.location import is_remote
from dlsweep.storage.results import Results
from dlsweep.tasks import Task
from dlsweep.text import nearest
from dlsweep.types import Figure

# Without date and version, the same results give the same file.
FORMATS: dict[str, dict[str, None]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
_PIXELS = 30_000  # at most, along a side


def draw(
    results: Results,
    choices: Sequence[Choice] = (),
    *,
    where: Mapping[str, Any] | None = None,
    formats: Sequence[str] = ("png",),
    output: Path | None = None,
) -> list[Path]:
    """Draw figures of a sweep into its folder `figures/`, and return their paths.

    choices: plots with their settings, such as a config's `plots`; without any, the default plot. A factor that varies
    and has no place in a plot makes a file per level, named after it. Plots of the same kind and quantity are named
    after the settings in which they differ. where: levels of the arms to show. output: another folder, where names
    begin with the sweep's; or a file, for a single figure.

    A plot that cannot be drawn does not stop the others: it is reported in a warning, or, if nothing could be drawn, in
    a `UsageError` or `ConfigError`. Damaged results and failed writes are raised after the other plots. Another warning
    names characters for which no font is installed.
    """
    check_formats(formats)
    folder = _folder(results) if output is None else output
    if results.runs.empty:
        raise UsageError(f"there is nothing to plot in {results.folder}: no run is done yet")
    refused: list[DlsweepError] = []
    drawn = _drawn(results, list(choices) or [Choice(default(results), {})], where, refused)
    single = output is not None and _is_file(output)
    if single and len(found := list(drawn)) > 1:
        raise UsageError(f"{output} is one file, and there are {len(found)} figures; give the name of a folder")
    written: list[Path] = []
    unknown: set[str] = set()
    for stem, chart in found if single else drawn:
        stem = stem if output is None else f"{safe(results.record.name)}-{stem}"
        try:
            for path in _paths(folder, stem, formats):
                unknown |= save(chart.figure, path)
                written.append(path)
        except DlsweepError as reason:
            refused.append(reason)
    serious = [error for error in refused if not isinstance(error, UsageError | ConfigError)]
    if serious or (refused and not written):
        raise (serious or refused)[0]
    for error in refused:
        warn(f"a plot was not drawn: {error}")
    if unknown:
        some = "".join(sorted(unknown))
        text = f"no installed font has {some[:20]}{'…' if len(some) > 20 else ''}; boxes are drawn instead. "
        warn(text + "Noto Sans CJK has Chinese, Japanese and Korean characters")
    return written


def draw_across(
    sweeps: Sequence[Results], choice: Choice, *, formats: Sequence[str] = ("png",), output: Path | None = None
) -> list[Path]:
    """Draw one figure of several sweeps, of their claims or of ranks; return its paths.

    It is in the folder `figures/` beside the first sweep's, named after the plot and the sweeps. output: another
    folder, or a file.
    """
    check_formats(formats)
    plot = plots[choice.name]
    chart = plot(frame_across(sweeps, plot.table), **choice.settings)
    folder = output or sweeps[0].folder.parent / "figures"
    stem = safe("-".join([choice.name, *dict.fromkeys(one.name for one in sweeps)]))
    paths = _paths(folder, stem, formats)
    for path in paths:
        save(chart.figure, path)
    return paths


def _is_file(output: Path) -> bool:
    """Return True for the path of a single figure, False for the one of a folder."""
    return output.suffix[1:].lower() in FORMATS


def _paths(output: Path, stem: str, formats: Sequence[str]) -> list[Path]:
    """Return the paths of a figure: the file that was asked for, or one in a folder for each format."""
    return [output] if _is_file(output) else [output / f"{stem}.{suffix}" for suffix in formats]


def _drawn(
    results: Results, asked: Sequence[Choice], where: Mapping[str, Any] | None, refused: list[DlsweepError]
) -> Iterator[tuple[str, Chart]]:
    """Yield the charts of some plots, each after the stem of its file; add the reasons for others to `refused`."""
    taken: list[str] = []
    task = results.record.tables.of_task
    known = [_suited(choice, task) for choice in asked if choice.name in plots]
    for choice in asked:
        if choice.name not in plots:
            refused.append(UsageError(f"there is no plot {choice.name!r}{nearest(choice.name, plots)}"))
    for name, choice in zip(stems_of(known, [c for c in results.record.plots if c.name in plots]), known):
        try:
            for page, chart in charts(results, choice, where):
                taken.append(free(safe(name + page), taken))
                yield taken[-1], chart
        except DlsweepError as reason:
            refused.append(reason)
        except Exception as error:  # such as a mistake in a plot of the user's own
            refused.append(_broken(choice, error))


def _broken(choice: Choice, error: Exception) -> UsageError:
    """Return a sentence on an exception of a plot: its type, its first line and its place."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    told = traceback.format_exception_only(error)[-1].partition("\n")[0]
    return UsageError(f"the plot {choice.name} failed in {place.filename}, line {place.lineno}: {told}")


def plot(
    results: Results, kind: str | None = None, *, where: Mapping[str, Any] | None = None, **settings: Any
) -> Charts:
    """Return the charts of a plot, for a notebook: one for each combination of levels that has a figure of its own.

    kind: by default curves, or paths of a sweep of landscapes. where: levels of the arms to show.
    A chart has its `figure`, `caption`, `alt` text and `data`, the numbers shown. A `UsageError` says that there is no
    such plot or setting, or nothing to show.

    >>> import dlsweep
    >>> config = {"name": "one", "data": {"mnist": {"train": 100, "test": 100}}, "train": {"iterations": 2}, "seeds": 2}
    >>> charts = plot(dlsweep.run(config, executor="inline"), "final", y="loss")
    >>> [chart.data["n"].tolist() for chart in charts]
    [[2]]
    """
    return Charts(chart for _, chart in charts(results, Choice(kind or default(results), settings), where))


def charts(results: Results, choice: Choice, where: Mapping[str, Any] | None = None) -> Iterator[tuple[str, Chart]]:
    """Yield the charts of one plot, each after the end of its file's name: the levels that it has for itself.

    where: levels of the arms to show.
    """
    plot, record, task = plots[choice.name], results.record, results.record.tables.of_task
    choice = _suited(choice, task)
    if (y := choice.settings.get("y")) == "accuracy" and y not in task.metrics:
        other = task.metrics[0]
        raise UsageError(f"a {task.noun} has no {y}; {plot.name} can show its {other}, with y: {other}")
    where, given = where or {}, choice.settings
    data = results if plot.table in NETWORKS else frame_of(results, plot.table, where)
    if where and plot.table in NETWORKS:
        given = {**given, "arm": {**(given.get("arm") or {}), **where}}
    own = {factor: ",".join(map(str, level)) if isinstance(level, list) else level for factor, level in where.items()}
    for page, part, settings in plot.pages(data, given):
        heads = {"title": record.config.get("title") or "", "subtitle": about(record.config, record.levels)}
        heads = {name: text for name, text in heads.items() if settings[name] is None}
        name = "".join(f", {factor}={level}" for factor, level in {**own, **page}.items())
        yield name, plot(part, **{**settings, **heads})


def _suited(choice: Choice, task: Task) -> Choice:
    """Return a plot with a quantity that the task has, if it names none: a descent has a loss, and no accuracy."""
    usual = plots[choice.name].complete({}).get("y")
    if "y" in choice.settings or usual != "accuracy" or usual in task.metrics:
        return choice
    return Choice(choice.name, {**choice.settings, "y": task.metrics[0]})


def default(results: Results) -> str:
    """Return the default kind of plot of a sweep."""
    return results.record.tables.of_task.plot


def check_formats(formats: Sequence[str]) -> None:
    """Raise a `UsageError` for an unknown format."""
    for name in formats:
        if name not in FORMATS:
            raise UsageError(f"there is no format {name!r}{nearest(name, FORMATS)}")


def clear(results: Results) -> None:
    """Remove the figures that were drawn before, which may be out of date, and those of killed writers."""
    drawn = re.compile(rf"({'|'.join(map(re.escape, titles()))})\b.*\.({'|'.join(FORMATS)})", re.DOTALL)
    folder = results.folder / "figures"
    if folder.is_symlink():
        return
    results.files.clean(folder.name)
    for name in results.files.list(folder.name):
        if drawn.fullmatch(name.removeprefix(f"{folder.name}/")):
            results.files.delete(name)


def save(figure: Figure, path: Path) -> set[str]:
    """Write a figure in the format of the path's ending, whole or not at all; return the characters without a font."""
    content, unknown = rendered(figure, path.suffix[1:].lower())
    open_folder(path.parent).put(path.name, content)
    return unknown


def rendered(figure: Figure, suffix: str) -> tuple[bytes, set[str]]:
    """Return the content of a figure's file in a format, and the characters without a font."""
    content = io.BytesIO()
    dpi = min(figure.dpi, _PIXELS / max(figure.get_size_inches()))
    quick: Any = {"pil_kwargs": {"compress_level": 3}} if suffix == "png" else {}  # a tenth larger, in half the time
    with style.look(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        figure.savefig(content, format=suffix, dpi=dpi, metadata=FORMATS[suffix], **quick)
    unknown = set()
    for warning in caught:
        if glyph := re.match(r"Glyph (\d+) .* missing from", str(warning.message)):
            unknown.add(chr(int(glyph[1])))
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return content.getvalue(), unknown


def _folder(results: Results) -> Path:
    folder = results.folder / "figures"
    if is_remote(folder):
        return folder
    if folder.is_symlink():
        raise UsageError(f"{folder} is a link; figures are written into the results folder and nowhere else")
    files.refuse_links(results.folder, folder.name)
    return folder
