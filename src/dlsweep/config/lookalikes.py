"""Characters that look like those of YAML and are others: full-width punctuation and digits, the minus sign, quotes."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace

from dlsweep.errors import Mistake

_OTHERS = {"−": "-", "、": ",", "【": "[", "】": "]", "“": '"', "”": '"', "„": '"', "‘": "'", "’": "'"}
_SPACES = dict.fromkeys("\u00a0\u2002\u2003\u2009\u202f\u3000", " ")
_DASHES = dict.fromkeys("‐‑‒–—―", "-")
_FULL_WIDTH = {chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
ALIKE = {**_FULL_WIDTH, **_DASHES, **_SPACES, **_OTHERS}

_GUESS = re.compile(r"; did you mean [^?]*\?| \(choices: .*", re.DOTALL)
_QUOTED = re.compile("'([^']*)'|\"([^\"]*)\"")  # what the config says
_SYNTAX = "not valid YAML: "
_FREE = ("name ", "title ", "a label ", "two levels ")  # texts in which such characters may be meant


def named(mistake: Mistake, lines: list[str]) -> Mistake:
    """Return a mistake that names such a character, if the text in it has one. lines: of the file.

    >>> named(Mistake("", 0, 0, "lr must be a number, got '−1'"), []).message
    "lr must be a number, got '−1'; '−' is MINUS SIGN (U+2212), write '-'"
    """
    message = mistake.message
    said = _GUESS.sub("", message)
    texts = ["".join(groups) for groups in _QUOTED.findall(said)]
    if message.startswith(_SYNTAX):  # its place is where the parser noticed
        texts = [line.partition(" #")[0] for line in reversed(lines[max(0, mistake.line - 3) : mistake.line])]
    found = next((character for text in texts for character in text if character in ALIKE), None)
    if found is None or message.startswith(_FREE):
        return mistake
    hint = f"; {found!r} is {unicodedata.name(found)} (U+{ord(found):04X}), write {ALIKE[found]!r}"
    return replace(mistake, message=(message if message.startswith(_SYNTAX) else said) + hint)
