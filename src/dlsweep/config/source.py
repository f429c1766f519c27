"""Where a config comes from: a YAML file, read with a bound on its size, or a mapping."""

from __future__ import annotations

import json
from collections.abc import Mapping
from difflib import get_close_matches
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from dlsweep.config.nodes import Mistakes, Node, Place
from dlsweep.config.reader import MAX_BYTES, read_mapping, read_yaml


def read(source: str | PathLike[str] | Mapping[str, Any], mistakes: Mistakes) -> tuple[Node | None, Path | None, bytes]:
    """The document, its file, and its bytes."""
    if isinstance(source, Mapping):
        document = read_mapping(source, mistakes)
        text = json.dumps(document.plain(), indent=2, ensure_ascii=False) if document else ""
        return document, None, text.encode(errors="replace")
    shown, path = fspath(source), Path(source)
    data = b""
    try:
        if path.exists() and not path.is_file():
            mistakes.add(Place(shown), "this is no file; a config is a YAML file")
        else:
            with path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        mistakes.add(Place(shown), f"there is no such file{_near_file(path)}")
    except (OSError, ValueError) as error:
        mistakes.add(Place(shown), f"the file cannot be read: {getattr(error, 'strerror', None) or error}")
    if mistakes.found:
        return None, path, data
    document = read_yaml(data, shown, mistakes)
    if document is not None and not document.is_mapping:
        mistakes.add(
            document.place, f"a config is a mapping with keys such as name, data, train and grid, got {document}"
        )
        document = None
    return document, path, data


def _near_file(path: Path) -> str:
    try:
        there = [other.name for other in path.parent.iterdir() if other.suffix in (".yaml", ".yml")]
    except OSError:
        there = []
    near = get_close_matches(path.name, there, n=1)
    return f"; did you mean {str(path.with_name(near[0]))!r}?" if near else ""
