"""From results to files: which figures, under which names, in which formats."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from hashlib import blake2b
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from dlsweep.analysis.summary import metric_columns
from dlsweep.config.plots import PLACES
from dlsweep.errors import UsageError
from dlsweep.plots import plots, style
from dlsweep.plots.base import DataFrame, Figure, pagers
from dlsweep.plots.factors import along, labels, levels, place
from dlsweep.registry import nearest

if TYPE_CHECKING:
    from dlsweep.config.runs import Choice
    from dlsweep.running.results import Results

# With no date and no version in it, the same results give the same file.
FORMATS: dict[str, dict[str, None]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
_DPI = 200
_PIXELS = 30_000  # at most, along a side


def draw(results: Results, choices: Sequence[Choice] = (), *, formats: Sequence[str] = ("png",)) -> list[Path]:
    """Draw figures of a sweep into its folder `figures/`, and return their paths.

    choices: plots with their settings, such as a config's `plots`; without any, the curves as they are by default. A
    factor that varies and has no place in a plot makes a file per level, named after it. A figure never takes the name
    of another one of the config: its places then stand in its own. Characters for which no font is installed are told
    in one warning. A `UsageError` names a plot, format or factor that is not there.
    """
    check_formats(formats)
    folder = _folder(results)
    if results.runs.empty:
        raise UsageError(f"there is nothing to plot in {results.folder}: no run is done yet")
    folder.mkdir(exist_ok=True)
    written: list[Path] = []
    stems: list[str] = []
    unknown: set[str] = set()
    asked = [(c.name, c.settings) for c in choices] or [(default(results), {})]
    of_config = [(c.name, c.settings) for c in results.record.plots if c.name in set(plots)]
    for name, (kind, own) in zip(_names(asked, of_config), asked):
        if results.record.tables.coordinates and _whole(kind, own).get("y") == "accuracy":
            raise UsageError(f"a landscape has no accuracy; {kind} can show its loss, with y: loss")
        frame = table(results, kind)
        for page, part, settings in pagers[kind](frame, own) if kind in pagers else pages(frame, own, kind):
            figure = plots[kind](part, **settings)
            stems.append(_free(safe(name + page), stems))
            for suffix in formats:
                written.append(folder / f"{stems[-1]}.{suffix}")
                unknown |= save(figure, written[-1])
    if unknown:
        some = "".join(sorted(unknown))
        text = f"no installed font has {some[:20]}{'…' if len(some) > 20 else ''}; boxes are drawn instead. "
        warnings.warn(text + "Noto Sans CJK has Chinese, Japanese and Korean characters", stacklevel=2)
    return written


def default(results: Results) -> str:
    """The plot that shows most of a sweep."""
    return "paths" if results.record.tables.coordinates else "curves"


def check_formats(formats: Sequence[str]) -> None:
    """A `UsageError` names a format that there is not."""
    for name in formats:
        if name not in FORMATS:
            raise UsageError(f"there is no format {name!r}{nearest(name, FORMATS)}")


def clear(results: Results) -> None:
    """Remove the figures that were drawn before. They may show what is not there or not asked any more."""
    drawn = re.compile(rf"({'|'.join(map(re.escape, _titles()))})\b.*\.({'|'.join(FORMATS)})", re.DOTALL)
    folder = results.folder / "figures"
    for path in () if folder.is_symlink() else folder.glob("*"):
        if drawn.fullmatch(path.name):
            path.unlink()


def table(results: Results, kind: str) -> Any:
    """What a plot draws, by the name of its parameter: the table `runs` or `layers`, the whole `results`, or by any
    other name the curves."""
    name = plots[kind].positional[0]
    if name == "results":
        return results
    if name == "runs":
        return results.runs
    if name == "layers":
        known = _known(results)
        others = [column for column in results.layers if column == "run_id" or column not in known]
        return known.merge(results.layers[others].astype({"run_id": str}), on="run_id", how="left")
    return tidy(results)


def tidy(results: Results) -> DataFrame:
    """The curves, a row per run, iteration and split, with what is known of the run: its settings, and how it ended.

    A run without a curve has one row without an iteration if it failed. If it diverged before its first point it has a
    row for each split, at iteration 0 and without a value. Where there are ensembles, `ensemble_loss` and
    `ensemble_accuracy` are those of the run's arm.
    """
    import pandas as pd

    runs = _known(results)
    measured = ["run_id", "iteration", "epoch", "split", "loss", "penalty", "accuracy"]
    measured += ["x", "y", "distance"] if results.record.tables.coordinates else []
    curves = results.curves[measured].astype({"run_id": str})
    lost = runs.loc[(runs["status"] == "diverged") & ~runs["run_id"].isin(curves["run_id"]), "run_id"]
    if len(lost):
        starts = pd.MultiIndex.from_product([lost, results.record.tables.splits], names=["run_id", "split"])
        curves = pd.concat([curves, starts.to_frame(index=False).assign(iteration=0, epoch=0.0)])
    frame = runs.merge(curves, on="run_id", how="left")
    if "ensembles" not in results.record.tables.schemas:
        return frame
    at = ["arm", "iteration", "split"]
    together = results.ensembles[[*at, "loss", "accuracy"]].astype({"arm": str, "split": str})
    together = together.rename(columns={"loss": "ensemble_loss", "accuracy": "ensemble_accuracy"})
    return frame.assign(arm=frame["arm"].astype(str), split=frame["split"].astype(object)).merge(
        together, on=at, how="left"
    )


def _known(results: Results) -> DataFrame:
    """A row per run: its settings, and how it ended; without its metrics."""
    others = (
        *metric_columns(results.runs),
        "iterations",
        "parameters",
        "seconds",
        "error",
        *results.record.tables.kept,
    )
    return results.runs.drop(columns=list(others))


def pages(frame: Any, settings: Mapping[str, Any], kind: str = "curves") -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """A figure for each combination of levels of the factors that have no place in it: the end of its file's name, its
    part of the frame, and its settings with every place decided, so that all pages are alike.

    A plot without places shows all in one figure, but for one that looks into networks, whose figure is then of one of
    them. An x that is None until it is chosen is a numeric setting."""
    entry, every = plots[kind], _whole(kind, settings)
    if entry.positional[0] == "results":
        yield from _networks(frame, settings, every)
        return
    places = [name for name in PLACES if name in every]
    decided: dict[str, Any] = {}
    if "x" in every and entry.settings["x"].default is None:
        frame, decided["x"] = along(frame, every["x"])
    placed = place(frame, every | decided, places)
    decided |= {name: where for name in places if (where := getattr(placed, name)) is not None}
    parts = [("", frame)]
    for factor in placed.left if places else ():
        parts = [
            (f"{page}, {factor}={level}", part[labels(part, factor) == level])
            for page, part in parts
            for level in levels(part, factor)
        ]
    for page, part in parts:
        yield page, part, {**settings, **decided}


def _networks(
    results: Results, settings: Mapping[str, Any], every: Mapping[str, Any]
) -> Iterator[tuple[str, Results, dict[str, Any]]]:
    """The pages of a plot that looks into networks: it is told by levels which of them."""
    rows = results.fitting(every["arm"], every["seed"])
    places = [name for name in PLACES if name in every]
    placed = place(rows, every, places)
    decided = {name: where for name in places if (where := getattr(placed, name)) is not None}
    arms: list[tuple[str, dict[str, Any]]] = [("", dict(every["arm"] or {}))]
    for factor in placed.left:
        arms = [
            (f"{page}, {factor}={level}", {**arm, factor: level})
            for page, arm in arms
            for level in levels(results.fitting(arm), factor)
        ]
    for page, arm in arms:
        yield page, results, {**settings, **decided, "arm": arm}


def save(figure: Figure, path: Path) -> set[str]:
    """Write a figure in the format that the path's ending names, whole or not at all; return the characters for which
    there is no font."""
    content = io.BytesIO()
    dpi = min(_DPI, _PIXELS / max(figure.get_size_inches()))
    with style.look(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        figure.savefig(content, format=path.suffix[1:], dpi=dpi, metadata=FORMATS[path.suffix[1:]])
    beside = path.with_name(f".{path.name}.part")
    beside.write_bytes(content.getvalue())
    beside.replace(path)

    unknown = set()
    for warning in caught:
        if glyph := re.match(r"Glyph (\d+) .* missing from", str(warning.message)):
            unknown.add(chr(int(glyph[1])))
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return unknown


def safe(name: str) -> str:
    """A name that every file system and shell takes as it is: letters of any script, digits and `-_.`, at most 60 of
    them. A name that lost more than spaces, commas and `=` ends in a hash, so that no two become the same."""
    name = re.sub(r"(?<=\de)\+(?=\d)", "", name)  # 1e+38 is 1e38, and not 1e-38
    plain = re.sub(r"[ ,=]+", "-", name)
    slug = re.sub(r"[^\w.-]+", "-", plain)[:60].rstrip(".-_")
    return slug if slug == plain else f"{slug[:50]}-{blake2b(name.encode(errors='replace'), digest_size=4).hexdigest()}"


_Plot = tuple[str, Mapping[str, Any]]  # its kind and its settings


def _names(asked: Sequence[_Plot], of_config: Sequence[_Plot]) -> list[str]:
    """A name for each plot: `curves-accuracy`, and `curves-accuracy-2` for the second of that name. The config's plots
    have theirs; where another plot would take it, its places are added: `curves-accuracy-rows-init`."""
    theirs: dict[str, _Plot] = {}
    for plot in of_config:
        theirs[_free(_title(*plot), theirs)] = plot
    names: list[str] = []
    for kind, settings in asked:
        same = [n for n, (k, s) in theirs.items() if k == kind and _whole(k, s) == _whole(kind, settings)]
        name = _title(kind, settings)
        if name in theirs:
            name = "-".join([name, *(f"{place}-{settings[place]}" for place in PLACES if settings.get(place))])
        names.append(next((n for n in same if n not in names), "") or _free(name, [*theirs, *names]))
    return names


def _free(name: str, taken: Collection[str]) -> str:
    """The name, or with the first number that makes it another one."""
    return next(n for n in chain([name], (f"{name}-{i}" for i in count(2))) if n not in taken)


def _title(kind: str, settings: Mapping[str, Any]) -> str:
    return "-".join(filter(None, [kind, _whole(kind, settings).get("y")]))


def _titles() -> Iterator[str]:
    """Every title that a plot can have."""
    for kind in plots:
        y = plots[kind].settings.get("y")
        yield from (_title(kind, {"y": word}) for word in get_args(y.annotation)) if y else [kind]


def _whole(kind: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """All settings of a plot, defaults filled in."""
    return {name: settings.get(name, setting.default) for name, setting in plots[kind].settings.items()}


def _folder(results: Results) -> Path:
    folder = results.folder / "figures"
    if folder.is_symlink():
        raise UsageError(f"{folder} is a link; figures are written into the results folder and nowhere else")
    return folder
