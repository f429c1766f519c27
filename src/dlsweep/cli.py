"""The command line: thin commands. Data goes to stdout, messages to stderr; whatever is heavy is imported inside."""

from __future__ import annotations

import json
import math
import os
import shlex
import sys
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlsweep.errors import DlsweepError, Interrupted, UnknownName, UsageError

if TYPE_CHECKING:
    from dlsweep.explaining.base import Explained
    from dlsweep.explaining.example import Example
    from dlsweep.registry import Registry
    from dlsweep.running.results import Results as Sweep

app = typer.Typer(
    help="Answer comparison questions about deep learning: a YAML grid in, paired curves and figures out.",
    epilog="Start with: dlsweep run configs/activation_init.yaml",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

data = typer.Typer(help="List, fetch and import data sets.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(data, name="data")
explain = typer.Typer(
    help="Show the arithmetic of a layer on small numbers, for learning.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(explain, name="explain")

# The words under which `list` shows the registries: those of a config, layer (what a network lists), and executor.
KINDS = (
    "data",
    "model",
    "activation",
    "init",
    "optimizer",
    "regularizer",
    "normalization",
    "schedule",
    "layer",
    "plots",
    "executor",
)

option = typer.Option
OVERRIDES = "Changes, such as train.iterations=200 grid.optimizer.sgd.lr=0.1,0.01"
TIMEOUT = "End a worker that makes no progress for so long."
ARM = "Of the networks to look into, such as activation=relu; may be given again."
MAX_MEMORY = "For all workers together; default: half of the machine's."
Results = Annotated[Path, typer.Argument(metavar="RESULTS", help="A sweep's folder, or a folder of them.")]
Formats = Annotated[str, option("--format", metavar="LIST", help="Of the figures: png, svg, pdf, or several.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Of the data set; dlsweep data list.", show_default=False)]
BY_HAND = "Files that were fetched by hand, or a folder with them."
Json = Annotated[bool, option("--json", help="Print JSON.")]
Quiet = Annotated[bool, option("-q", "--quiet", help="Print errors only.")]


def main() -> None:
    """Run the command line; a mistake or a mishap ends in a sentence on stderr and its exit code."""
    warnings.showwarning = _warn
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # a terminal may lack some letters
    try:
        try:
            app(prog_name="dlsweep")
        finally:
            sys.stdout.flush()
    except DlsweepError as error:
        from dlsweep.terminal import say

        say(str(error))
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader (`| head`) has seen enough. What is left in the buffer goes nowhere, without a complaint at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        print(f"{error.filename}: {error.strerror}" if error.filename else error, file=sys.stderr)
        sys.exit(1)


def _warn(message: Warning | str, *place: Any, **more: Any) -> None:
    from dlsweep.terminal import say

    say(f"warning: {message}")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"dlsweep {version('dlsweep')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    pass


@app.command()
def run(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The YAML file.", show_default=False)],
    overrides: Annotated[list[str] | None, typer.Argument(metavar="key=value", help=OVERRIDES)] = None,
    output: Annotated[Path, option("-o", "--output", metavar="DIR", help="Write to DIR/<name>/.")] = Path("results"),
    dry_run: Annotated[bool, option("--dry-run", help="Tell what there is to do, and train nothing.")] = False,
    jobs: Annotated[int | None, option("-j", "--jobs", min=1, metavar="N", help="Workers; default: the cores.")] = None,
    executor: Annotated[str | None, option(metavar="NAME", help="inline or processes; default: what suits.")] = None,
    force: Annotated[bool, option("--force", help="Replace the results that are there.")] = False,
    retry: Annotated[bool, option("--retry", help="Train failed runs again.")] = False,
    fail_fast: Annotated[bool, option("--fail-fast", help="End at the first run that fails.")] = False,
    timeout: Annotated[float | None, option(metavar="SECONDS", help=TIMEOUT)] = None,
    max_memory: Annotated[float | None, option(metavar="GB", help=MAX_MEMORY)] = None,
    max_runs: Annotated[int, option(min=1, metavar="N", help="Refuse a sweep of more runs.")] = 100_000,
    formats: Formats = "png",
    as_json: Annotated[bool, option("--json", help="Print the outcome as JSON.")] = False,
    quiet: Quiet = False,
    verbose: Annotated[bool, option("-v", "--verbose", help="Tell of every chunk and every folded arm.")] = False,
) -> None:
    """Train what a sweep still lacks, and draw its plots.

    Run it again at any time, also after a crash: what is finished is kept.
    """
    from dlsweep.running import machine, server

    if executor != "inline" and (jobs or machine.cores()) > 1 and not dry_run:
        server.warm_up()  # it imports while this process does

    from dlsweep.closing import MOST, closing_data, closing_table
    from dlsweep.config import load
    from dlsweep.config.nodes import plural
    from dlsweep.plots.figures import clear, draw
    from dlsweep.progress import Progress
    from dlsweep.running.forecast import dry_run as forecast
    from dlsweep.running.sweep import run as train
    from dlsweep.terminal import forecast_text, say

    suffixes = _formats(formats)
    asked = load(config, overrides or (), max_runs=max_runs)
    how: dict[str, Any] = {"output": output, "jobs": jobs, "executor": executor, "timeout": timeout}
    how["max_memory"] = None if max_memory is None else _bytes(max_memory)
    if dry_run:
        told = forecast(asked, force=force, retry=retry, **how)
        print(_json({"name": asked.name, **asdict(told)}) if as_json else forecast_text(asked.name, told, verbose))
        for note in () if quiet else told.notes:
            say(note)
        return

    progress = Progress(asked.name, quiet=quiet, verbose=verbose)
    try:
        results = train(asked, force=force, retry=retry, fail_fast=fail_fast, report=progress, **how)
    except Interrupted as stop:
        command = shlex.join(["dlsweep", *(word for word in sys.argv[1:] if word != "--force")])
        progress.close()
        done = f"{progress.done} of {plural(progress.total, 'run')}"
        say(f"{asked.name}: stopped with {done} done; the others start over; to go on:\n  {command}")
        raise typer.Exit(stop.exit_code) from None
    finally:
        progress.close()
    if not (as_json or quiet):
        print(closing_table(results, most=MOST), flush=True)
    clear(results)
    figures = draw(results, asked.plots, formats=suffixes) if asked.plots else []
    if as_json:
        print(_json({**closing_data(results), "figures": figures}))
    elif not quiet:
        _print_paths(figures)
        if not asked.plots:
            say(f"dlsweep plot {shlex.quote(str(results.folder))} draws figures")
    if failed := results.counts["failed"]:
        say(f"{plural(failed, 'run')} failed; --retry trains again what failed")
        raise typer.Exit(1)


def _levels(pairs: list[str] | None) -> dict[str, str] | None:
    """The levels of `--arm`, by factor."""
    for pair in pairs or ():
        if "=" not in pair:
            raise UsageError(f"--arm must be a factor and a level of it, such as activation=relu, got {pair!r}")
    return {factor: level for factor, _, level in (pair.partition("=") for pair in pairs)} if pairs else None


def _formats(text: str) -> list[str]:
    """The formats of figures, checked before anything is trained for them."""
    from dlsweep.plots.figures import check_formats

    formats = [name.strip().lower() for name in text.split(",")]
    check_formats(formats)
    return formats


def _bytes(gigabytes: float) -> int:
    if not 0 < gigabytes < math.inf:
        raise UsageError(f"max_memory must be a number above 0, of gigabytes, got {gigabytes:g}")
    return int(gigabytes * 1e9)


def _print_paths(paths: list[Path]) -> None:
    print("".join(f"{path}\n" for path in paths), end="")


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


@app.command()
def plot(
    results: Results,
    kind: Annotated[str | None, option("-k", "--kind", metavar="NAME", help="Of the plot; dlsweep list plots.")] = None,
    rows: Annotated[str | None, option(metavar="FACTOR", help="A row of panels for each of its levels.")] = None,
    columns: Annotated[str | None, option(metavar="FACTOR", help="A column of panels for each of its levels.")] = None,
    lines: Annotated[str | None, option(metavar="FACTOR", help="A line for each of its levels, or split.")] = None,
    y: Annotated[str | None, option("-y", metavar="METRIC", help="Such as accuracy, loss, gradient_rms.")] = None,
    x: Annotated[
        str | None, option("-x", metavar="NAME", help="Such as epoch, or optimizer.lr for a response.")
    ] = None,
    arm: Annotated[list[str] | None, option("--arm", metavar="FACTOR=LEVEL", help=ARM)] = None,
    seed: Annotated[int | None, option(min=0, metavar="N", help="Of the networks to look into.")] = None,
    log_x: Annotated[bool, option("--log-x", help="A logarithmic x axis.")] = False,
    log_y: Annotated[bool, option("--log-y", help="A logarithmic y axis, or scale of colours.")] = False,
    formats: Formats = "png",
    quiet: Quiet = False,
) -> None:
    """Draw figures of finished sweeps.

    Without options: the plots of each sweep's config. With options: those of them that can be changed so, changed.
    """
    from dlsweep.choosing import choices
    from dlsweep.plots.figures import default, draw
    from dlsweep.running.results import open_all

    suffixes = _formats(formats)
    given: dict[str, Any] = {"rows": rows, "columns": columns, "lines": lines, "x": x, "y": y}
    given |= {"arm": _levels(arm), "seed": seed, "log_x": log_x or None, "log_y": log_y or None}
    changes = {name: value for name, value in given.items() if value is not None}
    for sweep in _begun(open_all(results), "plot"):
        figures = draw(sweep, choices(sweep.record.plots, kind, changes, default(sweep)), formats=suffixes)
        if not quiet:
            _print_paths(figures)


@app.command()
def show(
    results: Results,
    metric: Annotated[
        str | None, option("-y", "--metric", metavar="NAME", help="Such as test_loss or best_test_accuracy.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the closing table of finished sweeps again."""
    from dlsweep.closing import closing_data, closing_table
    from dlsweep.running.results import open_all

    opened = open_all(results)
    if as_json:
        print(_json([closing_data(sweep) for sweep in opened]))
    else:
        print("\n\n".join(closing_table(sweep, metric) for sweep in _begun(opened, "show")))


def _begun(sweeps: list[Sweep], do: str) -> list[Sweep]:
    """The sweeps that have runs to plot or to show; a sentence for every other."""
    from dlsweep.terminal import say

    begun = [sweep for sweep in sweeps if not sweep.runs.empty]
    waiting = [f"there is nothing to {do} in {s.folder}: no run is done yet" for s in sweeps if s.runs.empty]
    if not begun:
        raise UsageError("\n".join(waiting))
    for sentence in waiting:
        say(sentence)
    return begun


@app.command("list")
def list_(
    kind: Annotated[str | None, typer.Argument(metavar="KIND", help=f"One of: {', '.join(KINDS)}.")] = None,
    as_json: Json = False,
) -> None:
    """List what a config may name, with settings."""
    from dlsweep import terminal

    registries = {k: _registry(k) for k in ([kind] if kind else KINDS)}
    if as_json:
        print(_json({k: [terminal.entry_data(r[name]) for name in r] for k, r in registries.items()}))
    else:
        also = {"layer": ["  … and every activation and every normalization by its name"]}
        blocks = [
            "\n".join([k, *(terminal.entry_text(r[name]) for name in r), *also.get(k, [])])
            for k, r in registries.items()
        ]
        print("\n\n".join(blocks))


def _registry(kind: str) -> Registry:
    from dlsweep.config.words import registry
    from dlsweep.nn import sequences  # noqa: F401  it registers kinds of layer
    from dlsweep.nn.layers import kinds
    from dlsweep.registry import nearest
    from dlsweep.running.executors import executors

    if kind not in KINDS:
        raise UnknownName(f"there is no kind {kind!r}{nearest(kind, KINDS)}")
    others = {"layer": kinds, "executor": executors}
    return others[kind] if kind in others else registry(kind)


@app.command()
def schema() -> None:
    """Print the JSON Schema of a config."""
    from dlsweep.config.schema import schema

    print(_json(schema()))


@data.command("list")
def data_list(as_json: Json = False) -> None:
    """List the data sets, and whether they are here."""
    from dlsweep.datasets.catalogue import items
    from dlsweep.terminal import table

    found = items()
    if as_json:
        print(_json([asdict(item) for item in found]))
        return
    rows = [
        [i.name, f"{i.train:,} + {i.test:,}", "×".join(map(str, i.shape)), f"{i.classes}", i.state, i.credit]
        for i in found
    ]
    header = ["name", "train + test", "shape", "classes", "where", "credit"]
    print(table(header, rows, [False, True, True, True, False, False]))


@data.command("get")
def data_get(name: Name, quiet: Quiet = False) -> None:
    """Fetch a data set into the cache, unless it is there, and print its folder."""
    from dlsweep.datasets.catalogue import folder_of, source_of
    from dlsweep.datasets.fetching import fetch
    from dlsweep.progress import arriving
    from dlsweep.terminal import say

    source = source_of(name)
    if source is not None:
        with arriving(source, quiet) as progress:
            fetch(source, (lambda sentence: None) if quiet else say, progress)
    print(folder_of(name))


@data.command("path")
def data_path(name: Name) -> None:
    """Print the folder where a data set lies, or is going to."""
    from dlsweep.datasets.catalogue import folder_of

    print(folder_of(name))


@data.command("import")
def data_import(
    name: Name,
    files: Annotated[list[Path], typer.Argument(metavar="FILES", help=BY_HAND, show_default=False)],
) -> None:
    """Check files that were fetched by hand, and put them into the cache."""
    from dlsweep.datasets.catalogue import folder_of, source_of
    from dlsweep.datasets.fetching import take
    from dlsweep.terminal import say

    source = source_of(name)
    if source is None:
        raise UsageError(f"{name} comes with its package; there is nothing to import")
    missing = take(source, files)
    if missing:
        say(f"{name} is not complete yet: {', '.join(file.name for file in missing)} missing")
    print(folder_of(name))


Input = Annotated[str, option("--input", metavar="N,C,H,W", help="Images, channels, height, width; or H,W.")]
Filter = Annotated[str, option("--filter", metavar="KH,KW", help="The size of the window; or K.")]
Stride = Annotated[str, option("--stride", metavar="S", help="How far the window moves; or SH,SW.")]
Pad = Annotated[str, option("--pad", metavar="P", help="Zeros on each side; or PH,PW, or same.")]


def _explained(explained: Explained, as_json: bool) -> None:
    print(_json(explained.data) if as_json else explained.text)


@explain.command("im2col")
def explain_im2col(
    input_: Input = "1,1,4,4",
    filter_: Filter = "2,2",
    stride: Stride = "1",
    pad: Pad = "0",
    filters: Annotated[int, option(min=1, max=26, metavar="F", help="How many filters.")] = 2,
    no_transpose: Annotated[
        bool, option("--no-transpose", help="What goes wrong when axes are left in the wrong order.")
    ] = False,
    as_json: Json = False,
) -> None:
    """A convolution as one product of matrices."""
    from dlsweep.explaining import im2col, order

    example = _example("im2col", input_, filter_, stride, pad)
    _explained((order if no_transpose else im2col).explain(example, filters), as_json)


@explain.command("col2im")
def explain_col2im(
    input_: Input = "1,1,4,4", filter_: Filter = "2,2", stride: Stride = "1", pad: Pad = "0", as_json: Json = False
) -> None:
    """The way back: not the inverse of im2col, but its gradient."""
    from dlsweep.explaining import col2im

    _explained(col2im.explain(_example("col2im", input_, filter_, stride, pad)), as_json)


@explain.command("pool")
def explain_pool(
    input_: Input = "1,1,4,4",
    size: Annotated[str, option("--size", "--filter", metavar="KH,KW", help="The size of the window; or K.")] = "2",
    stride: Annotated[
        str | None, option(metavar="S", help="How far it moves; or SH,SW. By default windows touch.")
    ] = None,
    pad: Pad = "0",
    as_json: Json = False,
) -> None:
    """Pooling by max and by average, and where gradients go."""
    from dlsweep.explaining import pools

    _explained(pools.explain(_example("pool", input_, size, _given(stride, size), pad)), as_json)


def _example(name: str, input_: str, size: str, stride: str, pad: str) -> Example:
    from dlsweep.explaining import reading
    from dlsweep.explaining.example import Example

    return Example(
        name,
        reading.images("--input", input_),
        reading.pair("--size" if name == "pool" else "--filter", size),
        reading.pair("--stride", stride),
        reading.padding("--pad", pad),
        mixed=name == "pool",
    )


@explain.command("conv-size")
def explain_conv_size(
    input_: Annotated[
        str | None,
        option("--input", metavar="H,W", help="Height and width; or one for both. Default: 7; of layers 28."),
    ] = None,
    filter_: Annotated[
        str | None, option("--filter", metavar="KH,KW", help="The size of the window; or K. Default: 3.")
    ] = None,
    stride: Annotated[str | None, option(metavar="S", help="How far the window moves; or SH,SW. Default: 1.")] = None,
    pad: Annotated[str | None, option(metavar="P", help="Zeros on each side; or PH,PW, or same. Default: 0.")] = None,
    layers: Annotated[
        list[str] | None,
        option("--layer", metavar="K,S,P", help="One of several layers: window, stride (1), padding (0). Repeatable."),
    ] = None,
    as_json: Json = False,
) -> None:
    """The size of an output: the formula with numbers in it."""
    from dlsweep.explaining import reading, sizes

    if layers and (filter_, stride, pad) != (None, None, None):
        raise UsageError("a --layer has its own window, stride and padding; give either --layer or --filter")
    if layers:
        image = reading.image("--input", _given(input_, "28"))
        explained = sizes.explain_chain(image, [reading.step("--layer", text) for text in layers])
    else:
        image = reading.image("--input", _given(input_, "7"))
        size, step = reading.pair("--filter", _given(filter_, "3")), reading.pair("--stride", _given(stride, "1"))
        explained = sizes.explain(image, size, step, reading.padding("--pad", _given(pad, "0")))
    _explained(explained, as_json)


def _given(text: str | None, default: str) -> str:
    return default if text is None else text


@explain.command("model")
def explain_model(
    model: Annotated[str, typer.Argument(metavar="MODEL|CONFIG", help="A name of dlsweep list model, or a YAML file.")],
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="key=value", help="Settings such as variant=modern; also activation, normalization, …"),
    ] = None,
    input_: Annotated[
        str | None, option("--input", metavar="C,H,W", help="The shape of a sample. Default: 1,28,28.")
    ] = None,
    classes: Annotated[int | None, option(min=1, metavar="K", help="Default: 10.")] = None,
    as_json: Json = False,
) -> None:
    """The layers of a network: shapes, parameters, multiply-adds.

    Of a config: those of all its networks, with key=value for changes as in `dlsweep run`.
    """
    from dlsweep.explaining import networks, reading

    if not networks.is_config(model):
        shape = reading.sample("--input", _given(input_, "1,28,28"))
        _explained(networks.explain_network(model, words or (), shape, classes or 10), as_json)
    elif (input_, classes) != (None, None):
        raise UsageError("--input and --classes are for a model by name; a config's data has its own")
    else:
        _explained(networks.explain_config(model, words or ()), as_json)
