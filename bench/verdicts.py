"""Verdicts on the claims of the configs: the page docs/verdicts.md, and the lines on verdicts in the README's gallery.

python -m bench.verdicts build/gallery
"""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from bench.common import ROOT
from dlsweep.analysis.sentences import subject
from dlsweep.analysis.verdicts import Verdict
from dlsweep.storage.opening import open_all
from dlsweep.tabular import table
from dlsweep.text import half_width, interval_text, measured

CONFIGS = ROOT / "configs"
README = ROOT / "README.md"
PAGE = ROOT / "docs" / "verdicts.md"
KINDS = ("supported", "refuted", "undecided")

TITLE = """# Verdicts

All claims of the [configs](../configs), with the verdicts of the evidence; `make gallery` writes this page, and
[answers.md](answers.md) explains claims and verdicts. Effects are means, or differences paired by seed. Less is better
for a loss, for iterations, for a gap and for a spread. The intervals agree with the tests: 95 %, and 90 % for a
supported claim that two arms are alike. Another [processor](rounding.md) changes the last digits.

The claims come from the question of each config, from the literature, and from an earlier gallery with seeds 0 to 4.
Their margins were not changed after the results with all seeds. Two claims were restated then, because their metric
was not defined: a spread over scales that diverge (init_scale), and one over a factor that varies together with another
(batch_norm_batch_size). Some sweeps were shortened later; their claims stayed. Those of the course and of
tuned_optimizers were stated after results."""


def of_configs() -> dict[str, Path]:
    """Return the committed configs by the name of their sweep."""
    paths = sorted(CONFIGS.rglob("*.yaml"))
    return {yaml.safe_load(path.read_text("utf-8"))["name"]: path for path in paths}


def title(path: Path) -> str:
    """Return the name of a config below configs/, without its ending."""
    return path.relative_to(CONFIGS).with_suffix("").as_posix()


def expected(path: Path) -> dict[str, str]:
    """Return the verdict that a config expects of each of its claims."""
    claims = yaml.safe_load(path.read_text("utf-8")).get("claims", [])
    return {name: claim.get("expect", "supported") for one in claims for name, claim in one.items()}


def line(config: str, verdicts: Mapping[str, str]) -> str:
    """Return the README's line on the verdicts of a config.

    >>> line("depth", {"A learns": "supported", "B is better": "refuted", "C is better": "supported"})
    '[Verdicts on `depth`](docs/verdicts.md#depth): 2 supported; 1 refuted (B is better).'
    """
    told = []
    for kind in KINDS:
        names = [name for name, verdict in verdicts.items() if verdict == kind]
        if names:
            told.append(f"{len(names)} {kind}" + f" ({'; '.join(names)})" * (kind != "supported"))
    return f"[Verdicts on `{config}`](docs/verdicts.md#{config}): {'; '.join(told) or 'none yet'}."


def with_lines(text: str, lines: Mapping[str, str]) -> str:
    """Return the README's text with its paragraphs on verdicts replaced. lines: by config; others stay."""

    def replaced(found: re.Match[str]) -> str:
        own = lines.get(found["config"])
        return "\n".join(textwrap.wrap(own, 125, break_long_words=False, break_on_hyphens=False)) if own else found[0]

    return re.sub(r"^\[Verdicts on `(?P<config>\w+)`\].+?(?=\n\n)", replaced, text, flags=re.MULTILINE | re.DOTALL)


def section(path: Path, verdicts: Sequence[Verdict]) -> str:
    """Return the part of the page on one config: its question and a table of its claims."""
    question = path.read_text("utf-8").partition("\n")[0].removeprefix("# ")
    header = ["claim", "metric", "effect", "interval", "seeds", "verdict", "expected"]
    expects = expected(path)
    rows = [[*cells(verdict), expects[verdict.claim.name]] for verdict in verdicts]
    numeric = [name in ("effect", "interval", "seeds") for name in header]
    link = f"[{path.name}]({Path('..') / path.relative_to(ROOT)})"
    return f"## {title(path)}\n\n{question} {link}\n\n{table(header, rows, numeric, 'markdown')}"


def cells(verdict: Verdict) -> list[str]:
    """Return the row of a claim, without its last column."""
    return [
        verdict.claim.name,
        subject(verdict.metric, verdict.claim.at).removeprefix("the ") if verdict.metric else verdict.claim.metric,
        measured(verdict.effect, half_width(*verdict.interval), sign=verdict.signed),
        "exact" if verdict.exact else interval_text(*verdict.interval, sign=verdict.signed),
        str(verdict.n),
        verdict.verdict,
    ]


def main() -> None:
    """Write the page, and the README's lines, from the results in a folder."""
    parser = argparse.ArgumentParser(prog="python -m bench.verdicts", description=__doc__.partition("\n")[0])
    parser.add_argument("results", type=Path, help="folder with the sweeps of the configs, such as build/gallery")
    configs, found = of_configs(), dict[Path, Sequence[Verdict]]()
    for results in open_all(parser.parse_args().results):
        if results.record.name in configs and results.record.claims:
            found[configs[results.record.name]] = tuple(results.check())
    sections = [section(path, found[path]) for path in sorted(found)]
    PAGE.write_text("\n\n".join([TITLE, *sections]) + "\n", "utf-8")
    told = {title(path): {v.claim.name: v.verdict for v in found.get(path, ())} for path in configs.values()}
    lines = {config: line(config, own) for config, own in told.items()}
    README.write_text(with_lines(README.read_text("utf-8"), lines), "utf-8")
    for path in sorted(path for path in configs.values() if expected(path) and path not in found):
        print(f"{title(path)}: no results")
    for path, own in sorted(found.items()):
        for verdict in own:
            if verdict.verdict != (expects := expected(path)[verdict.claim.name]):
                print(f"{title(path)}: {verdict.claim.name}: {verdict.verdict}, expected: {expects}")


if __name__ == "__main__":
    main()
