"""The combinations of all grids, walked lazily: rules leave some out, and those of the same meaning fold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from itertools import product
from operator import and_, xor

from dlsweep.config.expansion import Block, Combination
from dlsweep.config.rules import Rules

Whole = tuple[Combination, ...]  # one of every block: an arm


@dataclass(frozen=True, eq=False)
class Expansion:
    """The arms of a sweep. grids: the blocks of each."""

    grids: Sequence[Sequence[Block]]
    rules: Rules

    def combinations(self) -> Iterator[Combination]:
        """Yield the combinations of every block."""
        return (one for blocks in self.grids for block in blocks for one in block)

    def distinct(self) -> Iterator[Whole]:
        """Yield the arms that the rules leave; of arms with the same meaning the first only."""
        seen: set[int] = set()
        for arm in self._walk():
            key = _key(arm)
            if key not in seen:
                yield arm
            if self._may_fold:
                seen.add(key)

    def folded(self) -> Iterator[tuple[Whole, Whole]]:
        """Yield the arms that are left out because an earlier one has the same meaning, each with the earlier one."""
        first: dict[int, Whole] = {}
        for arm in self._walk() if self._may_fold else ():
            earlier = first.setdefault(_key(arm), arm)
            if earlier is not arm:
                yield arm, earlier

    @cached_property
    def _may_fold(self) -> bool:
        """True if two arms can have the same meaning; else none needs to be remembered."""
        blocks = [block for blocks in self.grids for block in blocks]
        return len(self.grids) > 1 or any(len({one.key for one in block}) < len(block) for block in blocks)

    def _walk(self) -> Iterator[Whole]:
        """Yield the arms that the rules leave."""
        for blocks in self.grids:
            if not self.rules:
                yield from product(*blocks)
                continue
            fitted = [[(one, self.rules.fitting(one.labels)) for one in block] for block in blocks]
            for combinations in product(*fitted):
                if self.rules.leave(reduce(and_, (fitting for _, fitting in combinations))):
                    yield tuple(one for one, _ in combinations)


def _key(arm: Whole) -> int:
    return reduce(xor, (one.key for one in arm))
