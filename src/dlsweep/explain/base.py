"""What an explanation is."""

from __future__ import annotations

from typing import Any, NamedTuple


class Explained(NamedTuple):
    """An explanation for a person, and the same facts as values for JSON."""

    text: str
    data: dict[str, Any]
