"""Claims of the committed configs: all that compare have some, with enough seeds; README and page tell the verdicts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench.verdicts import CONFIGS, KINDS, PAGE, README, expected, line, title, with_lines

import dlsweep
from dlsweep.analysis.statistics import fewest_seeds

PATHS = sorted(CONFIGS.rglob("*.yaml"))
STATED = {title(path): expected(path) for path in PATHS}
WITHOUT = {"cnn_pictures", "sources_of_luck", "sources_of_luck_small_data"}  # one seed, or crossed ones


def sections() -> Iterator[tuple[str, dict[str, tuple[str, str]]]]:
    """The configs of the page, each with the verdict of its claims and the one that is expected."""
    for part in PAGE.read_text("utf-8").split("\n## ")[1:]:
        rows = [re.split(r"(?<!\\) \| ", row.strip("| ")) for row in part.splitlines() if row.startswith("| ")][1:]
        yield part.partition("\n")[0], {re.sub(r"\\(.)", r"\1", row[0]): (row[-2], row[-1]) for row in rows}


@pytest.mark.parametrize("path", PATHS, ids=title)
def test_configs_that_compare_have_claims_that_their_seeds_can_decide(path: Path) -> None:
    config = dlsweep.load(path)
    runs = list(config.runs())
    arms, seeds = {run.arm.name for run in runs}, len(runs) // len({run.arm.name for run in runs})
    assert bool(config.claims) == (title(path) not in WITHOUT), arms
    assert 1 <= len(config.claims) <= 5 or path.parent.name == "course" or title(path) in WITHOUT
    if config.claims and seeds > 1:  # a landscape without noise has one, and is compared exactly
        assert seeds >= fewest_seeds(len(config.claims), config.alpha)
    assert set(STATED[title(path)].values()) <= set(KINDS)


def test_the_page_has_the_claims_and_verdicts_that_the_configs_expect() -> None:
    for config, verdicts in sections():
        assert {claim: verdict for claim, (verdict, _) in verdicts.items()} == STATED[config], config
        assert all(verdict == expects for verdict, expects in verdicts.values())


def test_the_gallery_tells_the_verdicts_of_the_page() -> None:
    text = README.read_text("utf-8")
    there = re.findall(r"^\[Verdicts on `(\w+)`\]", text, re.MULTILINE)
    named = {config for config, claims in STATED.items() if claims and "/" not in config}
    assert sorted(there) == sorted(named - {"activation_init"})  # which stands above the gallery
    checked = dict(sections())
    lines = {config: line(config, STATED[config] if config in checked else {}) for config in there}
    assert with_lines(text, lines) == text


def test_lines_on_verdicts_are_replaced_and_others_stay() -> None:
    verdicts = {"A learns": "supported", "B is better": "refuted"}
    new = "[Verdicts on `a`](docs/verdicts.md#a): 1 supported; 1 refuted (B is better)."
    text = (
        "Before.\n\n[Verdicts on `a`](docs/verdicts.md#a): old,\nin two lines.\n\n[Verdicts on `b`](x): 1.\n\nAfter.\n"
    )
    assert line("a", verdicts) == new
    assert with_lines(text, {"a": new}) == f"Before.\n\n{new}\n\n[Verdicts on `b`](x): 1.\n\nAfter.\n"
