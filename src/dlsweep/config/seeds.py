"""The seeds of a sweep: a number for each replicate, or seeds of several sources of chance, which are crossed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import prod

from dlsweep.config.document import Node, Reading
from dlsweep.randomness import SOURCES, Seeds
from dlsweep.settings import as_whole
from dlsweep.text import nearest, plain_number, plural

DEFAULT = range(5)

# The regularizers and layers that draw from a source of chance which some arms do not have.
DRAWN_BY = {"dropout": {"dropout", "dropconnect"}, "augmentation": {"crop", "flip", "input_noise"}}


@dataclass(frozen=True)
class Replicates:
    """The replicates of each arm.

    numbers: of the replicates. crossed: the seeds of each source, in the order of `SOURCES`: every combination is a
    replicate, and the last source changes fastest. {} if all sources share the replicate's number.

    >>> crossed = Replicates.of({"init": range(2), "batches": (0, 7)})
    >>> crossed.numbers, list(map(str, crossed))
    (range(0, 4), ['0', '0 batches=7', '0 init=1', '0 batches=7 init=1'])
    """

    numbers: Sequence[int]
    crossed: Mapping[str, Sequence[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, crossed: Mapping[str, Sequence[int]]) -> Replicates:
        """Cross the seeds of several sources."""
        return cls(
            range(prod(map(len, crossed.values()))), {name: crossed[name] for name in SOURCES if name in crossed}
        )

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[Seeds]:
        if not self.crossed:
            return map(Seeds, self.numbers)
        return (Seeds.crossed(dict(zip(self.crossed, own))) for own in product(*self.crossed.values()))

    def resolved(self) -> list[int] | dict[str, list[int]]:
        """Return them as JSON can hold them."""
        return {source: list(own) for source, own in self.crossed.items()} if self.crossed else list(self.numbers)


def words(seeds: Sequence[int] | Mapping[str, Sequence[int]]) -> str:
    """Return the number of seeds in a resolved config.

    >>> words([0, 1]), words({"init": [0, 1, 2], "batches": [0, 1]})
    ('2 seeds', '3 seeds of init × 2 of batches')
    """
    if isinstance(seeds, Mapping):
        return crossed_words({source: len(own) for source, own in seeds.items()})
    return plural(len(seeds), "seed")


def crossed_words(counts: Mapping[str, int]) -> str:
    """Return the numbers of seeds of crossed sources.

    >>> crossed_words({"init": 3, "batches": 1})
    '3 seeds of init × 1 of batches'
    """
    (source, first), *others = counts.items()
    return " × ".join([f"{plural(first, 'seed')} of {source}", *(f"{n} of {other}" for other, n in others)])


def read_seeds(node: Node | None) -> Reading[Replicates]:
    """Read the seeds: a count of n stands for 0 … n-1; five by default; or such seeds for several sources."""
    if node is None or not node.is_mapping:
        return Replicates((yield from _read_numbers(node, "seeds")))
    found = {}
    for source, own in node.value.items():
        if source not in SOURCES:
            yield source.place.mistake(f"there is no source of chance {str(source)!r}{nearest(source, SOURCES)}")
        else:
            found[str(source)] = yield from _read_numbers(own, f"seeds.{source}")
    if not node.value:
        yield node.place.mistake("seeds must have a number, or sources of chance such as {init: 10, batches: 10}")
    return Replicates.of(found) if found else Replicates(range(1))


def _read_numbers(node: Node | None, name: str) -> Reading[Sequence[int]]:
    """Read a count or a list of seeds. name: of the key."""
    if node is None:
        return DEFAULT
    if node.is_list:
        seeds: dict[int, None] = {}
        for one in node.value:
            seed = as_whole(one.value)
            if type(seed) is not int or seed < 0:
                yield one.place.mistake(
                    f"a seed must be a whole number of at least 0, got {one}{plain_number(one.text)}"
                )
            elif seed in seeds:
                yield one.place.mistake(f"the seed {seed} is given twice")
            else:
                seeds[seed] = None
        if not node.value:
            yield node.place.mistake(f"{name} must have at least one seed, got an empty list")
        return tuple(seeds) or range(1)
    count = as_whole(node.value)
    if type(count) is not int or count < 1:
        told = f"{name} must be a count of at least 1, or a list such as [0, 1, 2], got {node}{plain_number(node.text)}"
        yield node.place.mistake(told)
        return range(1)
    return range(count)
