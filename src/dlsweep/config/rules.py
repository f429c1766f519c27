"""`exclude:` and `only:`, which choose among the arms of the grid by partial arms such as `{activation: relu}`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

PartialArm = Mapping[str, tuple[str, ...]]  # for each factor that it names, the labels that fit


def fits(labels: Mapping[str, str], partial: PartialArm) -> bool:
    """Return True if labels, by factor, are among those that a partial arm names."""
    return all(labels.get(factor) in own for factor, own in partial.items())


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
