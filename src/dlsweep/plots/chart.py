"""Contract of a plot: a pure function from facets to a `Chart`, registered with the table that it shows.

    from dlsweep.plots import Chart, plots

    @plots.register(table="runs", places=("columns",))
    def seconds(facets, *, unit: str = "s") -> Chart:
        \"\"\"Training time of every arm.\"\"\"
        ...
        return Chart(figure, caption="Mean of 5 seeds.", alt="Bars of training time by arm.", data=frame)

`table` is what the facets divide: `runs` (a row per run), `curves` (per run, iteration and split), `layers` (per run,
iteration and layer), `networks` (rows of `runs` whose weights were kept; `facets.load(row)` gives the network),
`predictions` (rows of `runs`; `facets.predicted(rows)` gives the class of each test image, by run), `claims` (a row
per claim and contrast, with its verdict), or `ranks` (a row per pair of arms, ranked over several sweeps).
`places` names the places for factors that the plot has, of `rows`, `columns` and `lines`. They become settings. A place
that the user does not fill gets a factor that varies; `for cell, part in facets` gives the rows of each panel. A factor
that is left without a place makes a figure for each of its levels. A plot without places gets the whole table once.

`needs` names what a sweep must have besides the table: "crossed seeds", "plain seeds", "two seeds", "a factor", "two
factors", "whole grid", "train and test", "images" or "landscape". A config without it is refused before training.

Keyword-only parameters with annotation and default are the plot's settings in YAML and on the command line. The
annotations `FactorName`, `SplitName` and `SettingName` of `dlsweep.analysis.facets` mark settings that name something
in the sweep: a config with an unknown name is refused before training. A `SettingName` chooses a numeric x axis, by
default the setting that varies most. A setting `y` with a `Literal` annotation also names the figure's file.

Every plot has the options of `dlsweep.plots.options` too: titles, names and limits of axes, size. A figure made with
`dlsweep.plots.panels.panels` leaves room for them; they are applied to any other figure after it is drawn.

Another package registers a plot in the entry-point group `dlsweep.plots`; the function carries the same decorator.
"""

from __future__ import annotations

import inspect
from base64 import b64encode
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import Any, Literal, TypeVar, cast, get_args

from dlsweep.analysis.facets import PLACES, Facets, FactorName, along, pages
from dlsweep.analysis.networks import Networks, PartialArm, Seed
from dlsweep.config.checks.plots import LACKS
from dlsweep.errors import UsageError
from dlsweep.plots import options
from dlsweep.registry import Entry, Registry
from dlsweep.settings import Setting
from dlsweep.signatures import Contract
from dlsweep.sources import place
from dlsweep.text import nearest
from dlsweep.types import DataFrame, Figure, name_of

F = TypeVar("F", bound=Callable[..., Any])
Table = Literal["runs", "curves", "layers", "networks", "predictions", "claims", "ranks"]
_OF_TABLE: dict[str, tuple[str, ...]] = {
    "networks": ("networks", "weights"),
    "predictions": ("networks", "predictions"),
    "layers": ("networks", "layers"),
    "claims": ("claims",),
}
NETWORKS = ("networks", "predictions")  # tables of which a plot gets the `Results`
ACROSS = ("claims", "ranks")  # tables of several sweeps
Arrange = Callable[["DataFrame", Mapping[str, Any], Collection[str]], Facets]


@dataclass(frozen=True)
class Chart:
    """Figure with its texts and its numbers.

    caption: how to read the figure. alt: a description for readers who do not see it. data: the numbers shown, as a
    tidy frame.
    """

    figure: Figure
    caption: str
    alt: str
    data: DataFrame

    def _repr_png_(self) -> bytes:
        """Show the figure in a notebook."""
        from dlsweep.plots.figures import rendered

        return rendered(self.figure, "png")[0]


class Charts(tuple[Chart, ...]):
    """Charts of one plot; a notebook shows all of them."""

    def _repr_html_(self) -> str:
        images = ((b64encode(chart._repr_png_()).decode(), escape(chart.alt)) for chart in self)
        return "".join(f'<img src="data:image/png;base64,{png}" alt="{alt}">' for png, alt in images)


@dataclass(frozen=True)
class Plot(Entry):
    """Registered plot with its declaration. arrange: gives factors their places; also: needed besides the table."""

    table: Table
    places: tuple[str, ...] = ()
    arrange: Arrange = Facets.of
    also: tuple[str, ...] = ()

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of its needs, of `dlsweep.config.checks.plots.LACKS`."""
        return (*_OF_TABLE.get(self.table, ()), *self.also)

    @cached_property
    def settings(self) -> Mapping[str, Setting]:
        """Settings by name: the places first, then the keyword-only parameters."""
        own = super().settings
        given = {name: own.get(name, Setting(name, FactorName | None, None)) for name in self.places}
        if self.table in NETWORKS:
            given |= {"arm": Setting("arm", PartialArm | None, None), "seed": Setting("seed", Seed | None, None)}
        return {**given, **own, **{name: one for name, one in options.EVERY_PLOT.settings.items() if name not in own}}

    @property
    def shared(self) -> Collection[str]:
        """Options of every plot, without those that are parameters of its own."""
        return options.EVERY_PLOT.settings.keys() - inspect.signature(self.function).parameters.keys()

    @cached_property
    def numeric(self) -> str | None:
        """Setting that names a numeric setting for the x axis, such as `x` of `response`."""
        marks = {name: name_of(setting.annotation) for name, setting in self.settings.items()}
        return next((name for name, mark in marks.items() if mark and mark.kind == "setting"), None)

    def mistake(self, given: Mapping[str, Any]) -> str:
        """Return a sentence on the first mistake in some settings; "" if there is none."""
        _, faults = self.check(given, f"plots.{self.name}")
        return faults[0].sentence if faults else ""

    def facets(self, data: Any, given: Mapping[str, Any]) -> tuple[Facets, dict[str, Any]]:
        """Give factors their places; return the facets, and all settings with every choice made.

        data: a frame, or the `Results` for a plot of networks or predictions. A `UsageError` names an invalid setting.
        """
        if mistake := self.mistake(given):
            raise UsageError(mistake)
        settings = self.complete(given)
        if self.table in NETWORKS:
            enough = self.table == "predictions"
            found: Facets = Networks.within(self.name, data, settings, self.places, self.arrange, predictions=enough)
            return found, settings | found.places
        if self.numeric:
            data, settings[self.numeric] = along(data, settings[self.numeric])
        found = self.arrange(data, settings, self.places)
        return found, settings | found.places

    def pages(self, data: Any, given: Mapping[str, Any]) -> Iterator[tuple[dict[str, str], Any, dict[str, Any]]]:
        """Yield the figures of a plot: the levels that a figure has for itself, its part of the data, its settings.

        There is one for each combination of levels of the factors without a place. All have the same settings.
        """
        facets, settings = self.facets(data, given)
        networks = self.table in NETWORKS
        for page, part in pages(facets.frame, facets.left if self.places or networks else ()):
            arm = {"arm": {**(settings["arm"] or {}), **page}} if networks else {}
            yield page, data if networks else part, {**settings, **arm}

    def __call__(self, data: Any, **settings: Any) -> Chart:
        facets, complete = self.facets(data, settings)
        own = inspect.signature(self.function).parameters
        asked = options.Options(**{name: complete[name] for name in self.shared})
        with options.applied(asked):
            chart = self.function(facets, **{name: value for name, value in complete.items() if name in own})
        if not isinstance(chart, Chart):
            where = f"plot {self.name!r} ({place(self.function)})"
            raise UsageError(f"{where} must return a Chart, got {type(chart).__name__}")
        if chart.figure.get_label() != options.LAID_OUT:
            options.apply_to(chart.figure, asked)
        chart.figure.set_dpi(asked.dpi)
        return chart


class Plots(Registry):
    """Registry of plots. Each declares the table that it shows and the places that it has."""

    def __init__(self) -> None:
        super().__init__("plot", "dlsweep.plots", Contract(passed=("facets",)))
        self._declared: dict[Callable[..., Any], dict[str, Any]] = {}

    def register(  # type: ignore[override]  # a plot declares more than other entries
        self,
        function: Callable[..., Any] | None = None,
        *,
        table: Table | None = None,
        places: Sequence[str] = (),
        arrange: Arrange = Facets.of,
        needs: Sequence[str] = (),
    ) -> Callable[[F], F]:
        """Decorate a plot: add it under its own name. `dlsweep.plots.chart` explains the declaration.

        A `UsageError` names file and line of a function that is no plot.
        """
        if function is not None:  # without a declaration
            self._add(self._name(function), function)

        def add(function: F) -> F:
            also = tuple(needs)
            self._declared[function] = {"table": table, "places": tuple(places), "arrange": arrange, "also": also}
            self._add(self._name(function), function)
            return function

        return add

    def __getitem__(self, name: str) -> Plot:
        return cast(Plot, super().__getitem__(name))

    def _entry(self, name: str, function: Callable[..., Any]) -> Plot:
        declared = self._declared.get(function, {"table": None})
        where = f"plot {name!r} ({place(function)})"
        if declared["table"] not in get_args(Table):
            raise UsageError(
                f"{where} must declare its table, as in @plots.register(table='runs', places=('rows', 'columns')); "
                f"tables: {', '.join(get_args(Table))}"
            )
        plot = Plot(self.kind, name, function, passed=1, **declared)
        if not set(plot.places) <= set(PLACES):
            raise UsageError(f"{where}: places must be some of {', '.join(PLACES)}, got {plot.places}")
        if unknown := [need for need in plot.also if need not in LACKS]:
            raise UsageError(f"{where}: there is nothing called {unknown[0]!r} to need{nearest(unknown[0], LACKS)}")
        for one in plot.places:
            if one not in plot.settings or name_of(plot.settings[one].annotation) != name_of(FactorName):
                raise UsageError(f"{where}: its place {one!r} must be a keyword-only setting of the type FactorName")
        return plot


plots = Plots()
