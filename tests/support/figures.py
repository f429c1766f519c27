"""Look into figures: their panels, artists and texts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D

from dlsweep.analysis.frames import frame_of
from dlsweep.plots import Chart, plots
from dlsweep.plots.chart import NETWORKS
from dlsweep.storage.results import Results


def curves(frame: pd.DataFrame, **settings: Any) -> Figure:
    """The figure of the curves in a frame."""
    return plots["curves"](frame, **settings).figure


def table(results: Results, kind: str) -> Any:
    """What a plot of a sweep is given."""
    plot = plots[kind]
    return results if plot.table in NETWORKS else frame_of(results, plot.table)


def chart(results: Results, kind: str, **settings: Any) -> Chart:
    """The one chart that a plot of the sweep is."""
    ((_, data, decided),) = plots[kind].pages(table(results, kind), settings)
    return plots[kind](data, **decided)


def drawn(results: Results, kind: str, **settings: Any) -> Figure:
    """The one figure that a plot of the sweep is, drawn."""
    figure = chart(results, kind, **settings).figure
    figure.draw_without_rendering()
    return figure


def panels(figure: Figure) -> list[Axes]:
    return [ax for ax in figure.axes if ax.get_label() != "colour bar"]


def line(ax: Axes, label: str) -> Line2D:
    (found,) = [artist for artist in ax.lines if artist.get_label() == label]
    return found


def data(artist: Line2D) -> np.ndarray:
    return np.array(artist.get_data(), dtype=float)


def texts(figure: Figure) -> list[str]:
    legends = [text for a in figure.artists if isinstance(a, Legend) for text in a.get_texts()]
    every = [*figure.texts, *legends, *(text for ax in figure.axes for text in ax.texts)]
    return [text.get_text().replace("\n", " ") for text in every]


def said(figure: Figure, sentence: str) -> bool:
    return any(sentence in text for text in texts(figure))
