"""The contract of a plot: a pure function from facets to a `Chart`, registered with the table that it shows.

    from dlsweep.plots import Chart, plots

    @plots.register(table="runs", places=("columns",))
    def seconds(facets, *, unit: str = "s") -> Chart:
        \"\"\"Training time of every arm.\"\"\"
        ...
        return Chart(figure, caption="Mean of 5 seeds.", alt="Bars of training time by arm.", data=frame)

`table` is what the facets divide: `runs` (a row per run), `curves` (per run, iteration and split), `layers` (per run,
iteration and layer), or `networks` (rows of `runs` whose weights were kept; `facets.load(row)` gives the network).
`places` names the places for factors that the plot has, of `rows`, `columns` and `lines`. They become settings. A place
that the user does not fill gets a factor that varies; `for cell, part in facets` gives the rows of each panel. A factor
that is left without a place makes a figure for each of its levels. A plot without places gets the whole table once.

Keyword-only parameters with annotation and default are the plot's settings in YAML and on the command line. A setting
`y` with a `Literal` annotation also names the figure's file. Another package registers a plot in the entry-point group
`dlsweep.plots`; the function carries the same decorator.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast, get_args

from dlsweep.analysis.facets import Facets, along, pages
from dlsweep.analysis.networks import Networks, PartialArm, Seed
from dlsweep.config.plots import PLACES
from dlsweep.errors import UsageError
from dlsweep.registry import Entry, Registry, Setting
from dlsweep.text import nearest

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

F = TypeVar("F", bound=Callable[..., Any])
Table = Literal["runs", "curves", "layers", "networks"]
Arrange = Callable[["DataFrame", Mapping[str, Any], Collection[str]], Facets]


@dataclass(frozen=True)
class Chart:
    """A figure with its texts and its numbers.

    caption: how to read the figure. alt: what it shows, for readers who do not see it. data: the numbers shown, as a
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


@dataclass(frozen=True)
class Plot(Entry):
    """A registered plot with its declaration.

    numeric: the setting that names a numeric setting for an axis, such as `x` of `response`. arrange: how factors get
    their places.
    """

    table: Table
    places: tuple[str, ...] = ()
    numeric: str | None = None
    arrange: Arrange = Facets.of

    @cached_property
    def settings(self) -> Mapping[str, Setting]:
        """The settings by name: the places first, then the keyword-only parameters."""
        own = super().settings
        given = {name: own.get(name, Setting(name, str | None, None)) for name in self.places}
        if self.table == "networks":
            given |= {"arm": Setting("arm", PartialArm | None, None), "seed": Setting("seed", Seed | None, None)}
        return {**given, **own}

    def complete_settings(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """All settings, with defaults for those that are not given."""
        return {name: given.get(name, setting.default) for name, setting in self.settings.items()}

    def facets(self, data: Any, given: Mapping[str, Any]) -> tuple[Facets, dict[str, Any]]:
        """Give factors their places; return the facets, and all settings with every choice made.

        data: a frame, or the `Results` for a plot of networks. A `UsageError` names an unknown setting.
        """
        for name in given:
            if name not in self.settings:
                raise UsageError(f"{self.name} has no setting {name!r}{nearest(name, self.settings)}")
        settings = self.complete_settings(given)
        if self.table == "networks":
            found: Facets = Networks.within(self.name, data, settings, self.places)
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
        for page, part in pages(facets.frame, facets.left if self.places or self.table == "networks" else ()):
            if self.table == "networks":
                yield page, data, {**settings, "arm": {**(settings["arm"] or {}), **page}}
            else:
                yield page, part, settings

    def __call__(self, data: Any, **settings: Any) -> Chart:
        facets, complete = self.facets(data, settings)
        own = inspect.signature(self.function).parameters
        chart = self.function(facets, **{name: value for name, value in complete.items() if name in own})
        if not isinstance(chart, Chart):
            raise UsageError(f"{_place(self.function, self.name)} must return a Chart, got {type(chart).__name__}")
        return chart


class Plots(Registry):
    """The registry of plots. Each says which table it shows and which places it has."""

    def __init__(self) -> None:
        super().__init__("plot", "dlsweep.plots")
        self._declared: dict[Callable[..., Any], dict[str, Any]] = {}

    def register(  # type: ignore[override]  # a plot declares more than other entries
        self,
        function: Callable[..., Any] | None = None,
        *,
        table: Table | None = None,
        places: Sequence[str] = (),
        numeric: str | None = None,
        arrange: Arrange = Facets.of,
    ) -> Callable[[F], F]:
        """Decorate a plot: add it under its own name. The declaration is explained in `dlsweep.plots.chart`.

        A `UsageError` names file and line of a function that is no plot.
        """
        if function is not None:
            self._add(function.__name__, function)

        def add(function: F) -> F:
            self._declared[function] = {"table": table, "places": tuple(places), "numeric": numeric, "arrange": arrange}
            self._add(function.__name__.rstrip("_"), function)
            return function

        return add

    def __getitem__(self, name: str) -> Plot:
        return cast(Plot, super().__getitem__(name))

    def _add(self, name: str, function: Callable[..., Any]) -> None:
        declared = self._declared.get(function)
        where = _place(function, name)
        if declared is None or declared["table"] not in get_args(Table):
            tables = ", ".join(get_args(Table))
            raise UsageError(
                f"{where} must say what it shows, as @plots.register(table='runs', places=('rows', 'columns')); "
                f"tables: {tables}"
            )
        if not set(declared["places"]) <= set(PLACES):
            raise UsageError(f"{where}: places must be some of {', '.join(PLACES)}, got {declared['places']}")
        parameters = [p for p in inspect.signature(function).parameters.values() if p.kind is not p.KEYWORD_ONLY]
        if len(parameters) != 1 or parameters[0].kind is not parameters[0].POSITIONAL_OR_KEYWORD:
            raise UsageError(f"{where} must take one positional parameter, the facets, and keyword-only settings")
        super()._add(name, function)
        self._entries[name] = Plot(self.kind, name, function, **declared)


def _place(function: Callable[..., Any], name: str) -> str:
    """Return a plot's name with its file and line, for a message."""
    code = inspect.unwrap(function).__code__
    return f"plot {name!r} ({code.co_filename}:{code.co_firstlineno})"


plots = Plots()
