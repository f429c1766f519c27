"""Type of an explanation."""

from __future__ import annotations

from typing import Any, NamedTuple


class Explained(NamedTuple):
    """Explanation for a person, and the same facts as values for JSON."""

    text: str
    data: dict[str, Any]
