"""Effects and sources of luck for readers: tables with their notes, in every form; and values for JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any

from dlsweep.analysis.decomposition import Divided
from dlsweep.analysis.effects import Effects
from dlsweep.analysis.frames import csv_of
from dlsweep.analysis.luck import Luck, source_words
from dlsweep.tabular import Column, Form, interval_texts, latex, measured_each, table_of, with_notes
from dlsweep.text import bracketed, number, p_text, significant
from dlsweep.types import DataFrame

Found = Effects | Luck


def text(found: Divided, form: Form = "plain") -> str:
    """Return the tables of effects or of luck, with a title and notes."""
    title, tables = f"effects on {found.words}", []
    if isinstance(found, Luck):
        title, tables = f"sources of luck in {found.words}", [_of_luck(found, form)]
    elif isinstance(found, Effects):
        tables = [*_of_effects(found, form)]
    if form == "latex":
        return "\n\n".join([latex(title), *tables, *map(latex, found.notes)])
    heads = {"markdown": f"**{title}**", "html": f"<p><b>{escape(title)}</b></p>"}
    parts = [heads.get(form, title), *tables]
    return with_notes(("\n" if form == "html" else "\n\n").join(parts), found.notes, form)


def csv(found: Mapping[str, Found]) -> str:
    """Return the effects or the sources of luck of several sweeps, by name, as one table of all numbers."""
    return csv_of([(name, one.table) for name, one in found.items()])


def data(found: Found) -> dict[str, Any]:
    """Return all numbers as values for JSON."""
    common = {"metric": found.metric, "notes": list(found.notes)}
    if isinstance(found, Luck):
        return {**common, "seeds": found.crossed, "sources": _records(found.table)}
    means = [{"factors": list(pair), "means": own.to_dict("index")} for pair, own in found.means.items()]
    numbers = {"effects": _records(found.table), "levels": _records(found.levels), "means": means}
    return {**common, "seeds": found.n, "complete": found.complete, **numbers}


def _records(frame: DataFrame) -> list[dict[str, Any]]:
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]


def _of_effects(found: Effects, form: Form) -> Iterator[str]:
    """Yield the table of effects, and the one of the levels of each factor."""
    effects, levels = found.table, found.levels
    names = {"effect": effects["effect"]} | ({} if found.complete else {"where": effects["where"]})
    numbers = {
        "df": [significant(df) for df in effects["df"].astype(float)],
        "share of variance": map(percent, effects["share"]),
        "omega squared": [number(omega, 3) for omega in effects["omega"]],
        "p": map(p_text, effects["p"]),
        "p (Holm)": map(p_text, effects["adjusted"]),
    }
    yield _table(names, numbers, form)
    if len(levels):
        ends = levels["low"], levels["high"]
        numbers = {
            "mean": measured_each(levels["mean"], *ends),
            "difference to the mean of all": measured_each(levels["difference"], *ends, sign=True),
            "95 % interval": interval_texts(*ends, sign=True),
        }
        yield _table({"factor": levels["factor"], "level": levels["level"]}, numbers, form)


def _of_luck(found: Luck, form: Form) -> str:
    """Return the table of the sources of luck."""
    table = found.table
    names = {"arm": table["arm"]} if table["arm"].nunique() > 1 else {}
    numbers = {
        "share of variance": map(percent, table["share"]),
        "95 % interval": map(bracketed, map(percent, table["low"]), map(percent, table["high"])),
        "sd": [significant(sd, 2) for sd in table["sd"]],
    }
    if table["remaining"].notna().any():
        numbers["remaining sd"] = [significant(sd, 2) for sd in table["remaining"]]
    return _table({**names, "source": map(source_words, table["source"])}, numbers, form)


def _table(names: Mapping[str, Iterable[str]], numbers: Mapping[str, Iterable[str]], form: Form) -> str:
    """Return a table with columns of words and then of numbers."""
    columns = [Column(name, cells, right=False) for name, cells in names.items()]
    return table_of([*columns, *(Column(name, cells) for name, cells in numbers.items())], form)


def percent(share: float) -> str:
    """Return a share in percent.

    >>> percent(0.4975), percent(0.004), percent(0.0001), percent(float("nan"))
    ('50 %', '0.4 %', '< 0.1 %', '–')
    """
    if math.isnan(share):
        return "–"
    if 0 < share < 0.0005:
        return "< 0.1 %"
    return f"{100 * share:.0f} %" if share >= 0.1 or share == 0 else f"{100 * share:.1f} %"
