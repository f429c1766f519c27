"""Few combinations that show every pair."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, product
from typing import Any


def all_pairs(*choices: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Return combinations, one of each choice, in which every two levels of different choices meet at least once.

    Most faults need one condition or two; their full product would cost a multiple. Greedy: each combination is the
    one of the product that shows most pairs that none before has shown.

    >>> len(all_pairs("ab", "cde", "fg", "hi")), len("ab") * len("cde") * len("fg") * len("hi")
    (7, 24)
    """
    places = list(combinations(range(len(choices)), 2))

    def pairs(indices: tuple[int, ...]) -> set[tuple[int, int, int, int]]:
        return {(a, indices[a], b, indices[b]) for a, b in places}

    every = [*product(*(range(len(levels)) for levels in choices))]
    missing = set().union(*map(pairs, every))
    chosen = []
    while missing:
        best = max(every, key=lambda indices: len(pairs(indices) & missing))
        missing -= pairs(best)
        chosen.append(tuple(levels[i] for levels, i in zip(choices, best)))
    return chosen
