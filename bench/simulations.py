"""The command line of a simulation: tables on the screen, and as Markdown in a folder of results."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.common import ROOT

Cell = str | float | None


@dataclass
class Table:
    """Table of a simulation; note: its setting, and how to read it. A number has three digits, None is empty."""

    title: str
    note: str
    header: Sequence[str]
    rows: list[Sequence[Cell]] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [self.header, ["---"] + ["--:"] * (len(self.header) - 1), *map(cells, self.rows)]
        return "\n\n".join([f"## {self.title}", self.note, "\n".join(f"| {' | '.join(line)} |" for line in lines)])


def cells(row: Sequence[Cell]) -> list[str]:
    """Return the row as text."""
    return ["" if x is None else f"{x:.3f}" if isinstance(x, float) else str(x) for x in row]


def command(name: str, title: str, tables: Callable[..., Iterable[Table]], **numbers: float) -> None:
    """Run the simulation `bench.<name>`: print its tables, and write them to `<name>.md` in the folder of results.

    tables: from the share of the full number of simulations, which `--quick` reduces to 1 in 50. numbers: further
    arguments of it, each an option of the command.
    """
    parser = argparse.ArgumentParser(prog=f"python -m bench.{name}", description=title)
    parser.add_argument("--output", type=Path, default=ROOT / "bench" / "results", help="folder for the tables")
    parser.add_argument("--quick", action="store_true", help="a smoke run of few simulations")
    for number, value in numbers.items():
        parser.add_argument(f"--{number.replace('_', '-')}", type=float, default=value, help=f"default: {value:g}")
    options = parser.parse_args()
    written = [f"# {title}", f"`python -m bench.{name}`"]
    given = {number: getattr(options, number) for number in numbers}
    for table in tables(0.02 if options.quick else 1.0, **given):
        print(table, end="\n\n", flush=True)
        written.append(str(table))
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / f"{name}.md").write_text("\n\n".join(written) + "\n", encoding="utf-8")
