"""Sources of configs: a YAML file, read with a bound on its size, or a mapping."""

from __future__ import annotations

import json
from collections.abc import Mapping
from os import PathLike, fspath
from pathlib import Path
from typing import Any, NamedTuple

from dlsweep.config.document import Node, Place, Reading, whole
from dlsweep.config.reader import MAX_BYTES, read_mapping, read_yaml
from dlsweep.text import similar


class Source(NamedTuple):
    """A config as it was given. document: None if it cannot be read; file: None for a mapping; text: its bytes."""

    document: Node | None
    file: Path | None
    text: bytes


def read(source: str | PathLike[str] | Mapping[str, Any]) -> Reading[Source]:
    """Read a config from a file or a mapping."""
    if isinstance(source, Mapping):
        document = yield from read_mapping(source)
        text = json.dumps(document.plain(), indent=2, ensure_ascii=False) if document else ""
        return Source(document, None, text.encode(errors="replace"))
    shown, path = fspath(source), Path(source)
    data = yield from _bytes(path, Place(shown))
    if data is None:
        return Source(None, path, b"")
    document = yield from read_yaml(data, shown)
    if document is not None and not document.is_mapping:
        told = f"a config is a mapping with keys such as name, data, train and grid, got {document}"
        yield document.place.mistake(told)
        document = None
    return Source(document, path, data)


@whole
def _bytes(path: Path, place: Place) -> Reading[bytes]:
    try:
        if path.exists() and not path.is_file():
            yield place.mistake("this is no file; a config is a YAML file")
        else:
            with path.open("rb") as file:
                return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        yield place.mistake(f"there is no such file{_near_file(path)}")
    except (OSError, ValueError) as error:
        yield place.mistake(f"the file cannot be read: {getattr(error, 'strerror', None) or error}")
    return b""


def _near_file(path: Path) -> str:
    try:
        there = [other.name for other in path.parent.iterdir() if other.suffix in (".yaml", ".yml")]
    except OSError:
        there = []
    near = similar(path.name, there)
    return f"; did you mean {str(path.with_name(near))!r}?" if near else ""
