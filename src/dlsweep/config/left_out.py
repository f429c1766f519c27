"""Claims and plots of a config that its overrides make impossible: they are left out, with a note.

An example is a claim that compares two optimizers, after `grid.optimizer=sgd`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar

from dlsweep.config.document import Node, Place, Reading, gather
from dlsweep.errors import Mistake
from dlsweep.text import plural

T = TypeVar("T")

_LISTS = {"claims": "claim", "plots": "plot"}


class LeftOut(NamedTuple):
    """An item of a list in a config, and why it is left out."""

    kind: str  # "claim", "plot"
    name: str
    reason: str


def read_possible(
    read: Callable[[Node], Reading[T]], document: Node, as_written: Node
) -> Reading[tuple[T, list[LeftOut]]]:
    """Read a document without the claims and plots whose mistakes come from the overrides, and list these.

    as_written: the document before the overrides. If it has a mistake of its own, nothing is left out.
    """
    value, mistakes = gather(read(document))
    left_out: list[LeftOut] = []
    if mistakes and document is not as_written and not gather(read(as_written))[1]:
        while found := list(_impossible(document, as_written, mistakes)):
            left_out += [lost for _, lost in found]
            document = _without(document, [item for item, _ in found])
            value, mistakes = gather(read(document))
    yield from mistakes
    return value, left_out


def _impossible(document: Node, as_written: Node, mistakes: Iterable[Mistake]) -> Iterator[tuple[Node, LeftOut]]:
    """Yield the claims and plots of the file that have a mistake in them, or in the key of their list."""
    reasons: dict[Place, str] = {}
    for mistake in mistakes:
        reasons.setdefault(Place(mistake.file, mistake.line, mistake.column), mistake.message)
    of_file = {id(item) for key in _LISTS for item in _items(as_written, key)}
    for key in document.value:
        for item in _items(document, key):
            places = [key.place, *(inner.place for _, inner in item.walk())]
            if id(item) in of_file and (reason := next((reasons[place] for place in places if place in reasons), "")):
                name = str(next(iter(item.value))) if item.is_mapping else str(item.value)
                yield item, LeftOut(_LISTS[key], name, reason)


def _items(document: Node, key: str) -> tuple[Node, ...]:
    """Return the claims or the plots of a document; none for another key, or if they are no list."""
    node = document.value.get(key) if key in _LISTS else None
    return node.value if node is not None and node.is_list else ()


def _without(document: Node, items: Iterable[Node]) -> Node:
    """Return a document without some items of its lists."""
    gone = {id(item) for item in items}
    kept = dict(document.value)
    for key in document.value:
        if own := _items(document, key):
            kept[key] = Node(tuple(item for item in own if id(item) not in gone), document.value[key].place)
    return Node(kept, document.place)


def notes_on(left_out: Iterable[LeftOut]) -> Iterator[str]:
    """Yield a sentence on the claims, and one on the plots, that are left out, with the reason of the first.

    >>> next(notes_on([LeftOut("plot", "gap", "gap compares train with test; add test to evaluate.on")]))
    '1 plot is left out, since the command line takes away its arms or numbers (gap compares train with test): gap'
    """
    for kind in _LISTS.values():
        own = [lost for lost in left_out if lost.kind == kind]
        if own:
            be, their = ("is", "its") if len(own) == 1 else ("are", "their")
            why = f"the command line takes away {their} arms or numbers ({own[0].reason.partition(';')[0]})"
            yield f"{plural(len(own), kind)} {be} left out, since {why}: {'; '.join(lost.name for lost in own)}"
