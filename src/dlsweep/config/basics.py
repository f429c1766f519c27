"""The plain keys of a config: `name`, `title`, `evaluate`; and a message about unknown keys."""

from __future__ import annotations

import re
import unicodedata
from itertools import takewhile
from pathlib import Path
from typing import get_args

from dlsweep.config.document import STDIN, Key, Node, Place, Reading
from dlsweep.config.runs import Evaluate
from dlsweep.config.settings import read_section
from dlsweep.config.words import EVALUATE, FIELDS, KEYS, OUTSIDE, STATISTICS, Factor, dotted_names, entries, meant
from dlsweep.factors import BY_NAME, STANDARD
from dlsweep.text import nearest, steering
from dlsweep.types import Split

LONGEST_NAME = 100
LONGEST_TITLE = 200
_DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in "123456789¹²³")}


def unknown_key(key: Key) -> str:
    """Return a message about an unknown key."""
    field = key.partition(".")[0]
    if field in STANDARD:
        return f"{key} is a factor; it belongs under grid, as in grid: {{{key}: …}}"
    if field in FIELDS and key in dotted_names(field):
        return f"{key} can be a factor under grid; here write {_in_config(Factor.of(key))}"
    found = [_in_config(f) for f in meant(key)]
    found += [f"evaluate: {{{key}: …}}"] if key in EVALUATE.settings else []
    return f"there is no key {str(key)!r}{nearest(key, KEYS, found)}"


def _in_config(f: Factor) -> str:
    """Return a setting, or a level, as a config has it."""
    if f.field == "train":
        return f"train: {{{f.setting}: …}}"
    if f.field in OUTSIDE:
        owners = sorted((owner.name for owner in f.owners(entries(f.field))), key=BY_NAME[f.field].default.__ne__)
        return f"{f.field}: {{{owners[0]}: {{{f.setting}: …}}}}" if f.setting else f"{f.field}: {f.choice}"
    return f"grid: {{{f.name}: {'…' if f.setting else f.choice}}}"


def read_name(node: Node | None, file: Path | None, top: Place) -> Reading[str]:
    """Read the name of the sweep, which becomes a folder: valid on every system, and never leading elsewhere."""
    text = node.text if node is not None else file.stem if file is not None else "sweep"
    name = unicodedata.normalize("NFC", text)
    letters = all(unicodedata.category(letter)[0] in "LNM" or letter in "._- " for letter in name)
    starts_well = name[:1].isalnum()
    ends_well = name[-1:] not in (".", " ")
    device = name.partition(".")[0].strip().upper() in _DEVICES
    fits = len(name) <= LONGEST_NAME and len(name.encode(errors="replace")) <= 2 * LONGEST_NAME
    if letters and starts_well and ends_well and fits and not device:
        return name
    if node is None and file == STDIN:
        yield top.mistake("a config from standard input needs a name, as in name: my-question")
    elif node is None:
        yield top.mistake(f"give the sweep a name: the file's own name, {text!r}, cannot be a folder everywhere")
    elif device:
        yield node.place.mistake(f"name must not be a device name of Windows, got {node}")
    else:
        rule = f"1 to {LONGEST_NAME} letters, digits, spaces, '.', '_' or '-', the first a letter or digit"
        yield node.place.mistake(f"name must be the name of a folder: {rule}, got {node}")
    return "sweep"


def read_title(document: Node, text: str) -> Reading[str | None]:
    """Read the title of the sweep's figures: by default the question in the file's opening comment; null for none."""
    node = document.value.get("title")
    if node is None:
        return _question(text)
    if node.value is None:
        return None
    if not node.is_scalar or not node.text.strip() or len(node.text) > LONGEST_TITLE or steering(node.text):
        hint = "; put quotes around a text with commas or brackets" if not node.is_scalar else ""
        rule = f"a line of text, of 1 to {LONGEST_TITLE} characters, or null for none"
        yield node.place.mistake(f"title must be {rule}, got {node}{hint}")
    return str(node.text.strip())


def _question(text: str) -> str | None:
    r"""Return the first question in the opening comment of a YAML text, as one line; None if there is none.

    >>> _question("# Does it help?\n#\n# We compare two.\nname: x")
    'Does it help?'
    """
    lines = [line.strip() for line in text.splitlines()]
    comment = takewhile(lambda line: not line or line.startswith("#"), lines)
    sentences = re.split(r"(?<=[.!?])\s+", " ".join(line.lstrip("# ") for line in comment))
    question = next((sentence for sentence in sentences if sentence.endswith("?")), "")
    return question if 0 < len(question) <= LONGEST_TITLE and not steering(question) else None


def read_evaluate(node: Node | None) -> Reading[tuple[Evaluate, dict[str, Node]]]:
    """Read `evaluate`, and the settings in it that are given."""
    read = yield from read_section(EVALUATE, node, Place("config"))
    if read is None:  # the mistake is told, so no plot or claim is told that its splits or layers are not evaluated
        return Evaluate(1, get_args(Split), layers=True, keep="final"), {}
    (settings, nodes), splits = read, set()
    for one in nodes["on"].value if "on" in nodes else ():
        if one.value in splits:
            yield one.place.mistake(f"evaluate.on has {one.value} twice")
        splits.add(one.value)
    if "planned" in nodes and "every" in nodes and nodes["every"].value is not None:
        yield nodes["planned"].place.mistake("evaluate.planned has no effect where evaluate.every is set; take it out")
    return EVALUATE(**settings), nodes


def read_statistics(node: Node | None) -> Reading[float]:
    """Read `statistics`: the level of the tests."""
    settings, _ = (yield from read_section(STATISTICS, node, Place("config"))) or ({}, {})
    level: float = STATISTICS(**settings)
    return level
