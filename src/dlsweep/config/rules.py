"""The arms of a sweep: `exclude:` and `only:` choose among those of the grids, and those of the same meaning fold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from itertools import product
from operator import and_, or_, xor

from dlsweep.config.document import Node, Reading, each, whole
from dlsweep.config.expansion import Block, Combination
from dlsweep.text import nearest, value_text

PartialArm = Mapping[str, frozenset[str]]  # for each factor that it speaks of, the labels that fit

Words = Mapping[str, Mapping[str, set[str]]]  # for each factor, the labels that a word stands for
Whole = tuple[Combination, ...]  # one of every block: an arm

_MOST_CHOICES = 50  # that a sentence lists


@dataclass(frozen=True)
class Rules:
    """Partial arms to leave out, and partial arms of which one must fit, if there are any.

    Sets of partial arms are bit masks, so that many of them cost no more than one: bit i stands for the i-th.
    """

    exclude: tuple[PartialArm, ...] = ()
    only: tuple[PartialArm, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.exclude or self.only)

    @cached_property
    def _masks(self) -> dict[str, tuple[int, dict[str, int]]]:
        """For each factor the partial arms that say nothing of it, and for each label those that it fits."""
        partial_arms = (*self.exclude, *self.only)
        masks: dict[str, tuple[int, dict[str, int]]] = {}
        for factor in {factor for partial in partial_arms for factor in partial}:
            free, fitting = 0, dict[str, int]()
            for i, partial in enumerate(partial_arms):
                if factor not in partial:
                    free |= 1 << i
                for label in partial.get(factor, ()):
                    fitting[label] = fitting.get(label, 0) | 1 << i
            masks[factor] = free, fitting
        return masks

    def fitting(self, labels: Mapping[str, str]) -> int:
        """Return the partial arms that labels fit, which may be of some factors only."""
        mask = (1 << len(self.exclude) + len(self.only)) - 1
        for factor, label in labels.items():
            if factor in self._masks:
                free, fitting = self._masks[factor]
                mask &= free | fitting.get(label, 0)
        return mask

    def leave(self, fitting: int) -> bool:
        """Return True if an arm is left that fits these partial arms."""
        kept = not self.only or fitting >> len(self.exclude)
        return bool(kept) and not fitting & (1 << len(self.exclude)) - 1

    def leave_some(self, combinations: Sequence[Combination], blocks: Sequence[Block]) -> bool:
        """True if an arm is left that has these combinations, which are of some of the blocks."""
        known = {frozenset(one.fields): one for one in combinations}
        choices = [(known[fields],) if (fields := frozenset(b[0].fields)) in known else b for b in blocks]
        masks = [[self.fitting(one.labels) for one in block] for block in choices]
        return any(self.leave(reduce(and_, combination, -1)) for combination in product(*masks))


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


def read_partial_arms(
    key: str,
    node: Node | None,
    words: Words,
    grids: Sequence[Sequence[Block]],
    faulty: frozenset[str],
) -> Reading[tuple[PartialArm, ...]]:
    """Read the partial arms of `exclude` or `only`.

    words: of each factor, those that stand for its labels; grids: their blocks, to see that a partial arm fits some
    arm; faulty: the fields whose levels are not all known.
    """
    if node is None:
        return ()
    if not node.is_list:
        yield node.place.mistake(f"{key} must be a list of partial arms such as [{{activation: relu}}], got {node}")
        return ()
    read = yield from each(_read_partial_arm(key, one, words, faulty) for one in node.value)
    good = [(one, partial) for one, partial in zip(node.value, read) if partial]
    rules = Rules((), tuple(partial for _, partial in good))
    # An arm has one combination of each block, so a partial arm fits some arm if one of every block fits it.
    fit = [
        reduce(and_, [reduce(or_, (rules.fitting(one.labels) for one in block)) for block in blocks])
        for blocks in grids
    ]
    for i, (one, partial) in enumerate(good):
        known = not any(factor.partition(".")[0] in faulty for factor in partial)
        if known and not reduce(or_, fit, 0) >> i & 1:
            arm = ", ".join(f"{factor} {' or '.join(sorted(labels))}" for factor, labels in partial.items())
            yield one.place.mistake(f"{key} names levels that no arm has together: {arm}")
    return rules.only


@whole
def _read_partial_arm(key: str, node: Node, words: Words, faulty: frozenset[str]) -> Reading[PartialArm]:
    if not node.is_mapping or not node.value:
        yield node.place.mistake(f"a partial arm of {key} is a mapping such as {{activation: relu}}, got {node}")
        return {}
    partial: dict[str, frozenset[str]] = {}
    for factor, levels in node.value.items():
        if factor.partition(".")[0] in faulty:
            continue
        if factor not in words:
            yield factor.place.mistake(f"{key} speaks of {str(factor)!r}, no factor here{nearest(factor, words)}")
            continue
        known = words[factor]
        found: set[str] = set()
        # A list may be one value, [40, 20], and so may be another spelling: 1e-1 is 0.1.
        for one in (levels,) if value_text(levels.plain()) in known else levels.items():
            text = one.text if one.text in known else value_text(one.plain())
            if text not in known:
                yield one.place.mistake(f"{factor} has no level {text!r}{nearest(text, _some(known))}")
            found |= known.get(text, set())
        partial[str(factor)] = frozenset(found)
    return partial


def _some(known: Mapping[str, set[str]]) -> list[str]:
    """The labels, unless they are too many for a sentence."""
    labels = set().union(*known.values())
    return sorted(labels) if len(labels) <= _MOST_CHOICES else []
