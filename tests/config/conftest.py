from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from tests.support.configs import Load, Refused

from dlsweep.config import Config, load
from dlsweep.errors import ConfigError


@pytest.fixture
def sweep(tmp_path: Path) -> Load:
    """The config of a YAML text."""

    def load_text(text: str, *overrides: str, **options: Any) -> Config:
        path = tmp_path / "sweep.yaml"
        path.write_text(dedent(text), "utf-8")
        return load(path, overrides, **options)

    return load_text


@pytest.fixture
def refused(tmp_path: Path) -> Refused:
    """Checks every mistake of a YAML text. A ▲ in the text is the place of one; their sentences are given in turn.

    Each line with a mistake is shown under it.

    Sentences that begin with "command line: " have no ▲.
    """

    def load_text(text: str, *sentences: str, overrides: tuple[str, ...] = (), **options: Any) -> None:
        path = tmp_path / "sweep.yaml"
        places = []
        text = dedent(text)
        while "▲" in text:
            before, _, after = text.partition("▲")
            places.append(f"{path}:{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}")
            text = before + after
        path.write_text(text, "utf-8")
        with pytest.raises(ConfigError) as caught:
            load(path, overrides, **options)
        expected = [s for s in sentences if s.startswith("command line: ")]
        expected += [
            f"{place}: {s}" for place, s in zip(places, (s for s in sentences if s not in expected), strict=True)
        ]
        expected.sort(key=lambda line: not line.startswith(str(path)))
        assert list(map(str, caught.value.mistakes)) == expected
        assert str(caught.value).count("^\n") + str(caught.value).endswith("^") == len(places)

    return load_text
