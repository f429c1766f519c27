"""CIFAR-10 and CIFAR-100 in their binary version: a packed archive of files of records.

Layout (Krizhevsky, https://www.cs.toronto.edu/~kriz/cifar.html): a record is one byte for the label (of CIFAR-100 two,
coarse and fine), and 3072 for the pixels: 1024 red, 1024 green, 1024 blue, each row by row. The archive is read as a
stream; nothing is written to disk.
"""

from __future__ import annotations

import gzip
import tarfile
import zlib
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Literal, cast

import numpy as np

from dlsweep.datasets.base import CountOrZero, Dataset, Whole, datasets
from dlsweep.datasets.published import File, Published
from dlsweep.errors import DataError
from dlsweep.files import opened
from dlsweep.registry import Count

PIXELS = 3 * 32 * 32

# As in the archive's fine_label_names.txt and coarse_label_names.txt.
FINE = (
    "apple, aquarium fish, baby, bear, beaver, bed, bee, beetle, bicycle, bottle, bowl, boy, bridge, bus, butterfly, "
    "camel, can, castle, caterpillar, cattle, chair, chimpanzee, clock, cloud, cockroach, couch, crab, crocodile, cup, "
    "dinosaur, dolphin, elephant, flatfish, forest, fox, girl, hamster, house, kangaroo, keyboard, lamp, lawn mower, "
    "leopard, lion, lizard, lobster, man, maple tree, motorcycle, mountain, mouse, mushroom, oak tree, orange, orchid, "
    "otter, palm tree, pear, pickup truck, pine tree, plain, plate, poppy, porcupine, possum, rabbit, raccoon, ray, "
    "road, rocket, rose, sea, seal, shark, shrew, skunk, skyscraper, snail, snake, spider, squirrel, streetcar, "
    "sunflower, sweet pepper, table, tank, telephone, television, tiger, tractor, train, trout, tulip, turtle, "
    "wardrobe, whale, willow tree, wolf, woman, worm"
)
COARSE = (
    "aquatic mammals, fish, flowers, food containers, fruit and vegetables, household electrical devices, "
    "household furniture, insects, large carnivores, large man-made outdoor things, large natural outdoor scenes, "
    "large omnivores and herbivores, medium mammals, non-insect invertebrates, people, reptiles, small mammals, trees, "
    "vehicles 1, vehicles 2"
)


# The members of the archives: equal parts of the training samples, then the test samples.
MEMBERS = {
    "cifar10": [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"],
    "cifar100": ["train.bin", "test.bin"],
}


def _read(published: Published, folder: Path) -> Whole:
    """Read the samples of an archive. A record begins with one label; of CIFAR-100 with two, coarse and fine."""
    (file,) = published.files
    *parts, last = MEMBERS[published.name]
    members = {**dict.fromkeys(parts, published.train // len(parts)), last: published.test}
    labels = 1 if published.name == "cifar10" else 2
    records = _records(folder / file.name, members, labels + PIXELS, file.unpacked)
    train, test = np.concatenate(records[:-1]) if len(parts) > 1 else records[0], records[-1]
    x, x_test = (r[:, labels:].reshape(-1, 3, 32, 32) for r in (train, test))
    label = 0 if published.labels == "coarse" else labels - 1
    return x, train[:, label].astype(np.int64), x_test, test[:, label].astype(np.int64)


def _records(path: Path, members: dict[str, int], width: int, most: int) -> list[np.ndarray]:
    """Return the records of each member, `(N, width)` uint8. Raise a `DataError` if the archive is damaged."""
    with opened(path) as packed:
        try:
            found = _unpacked(_AtMost(gzip.GzipFile(fileobj=packed), most), members, width)
        except (ValueError, EOFError, tarfile.TarError, zlib.error, gzip.BadGzipFile) as error:
            raise DataError(f"{path} is damaged: {error}") from None
    if absent := [name for name in members if name not in found]:
        raise DataError(f"{path} is damaged: it holds no {', '.join(absent)}")
    return [found[name] for name in members]


def _unpacked(stream: _AtMost, members: dict[str, int], width: int) -> dict[str, np.ndarray]:
    """Return the records of the members that an archive has. Raise a `ValueError` if one has another size."""
    found: dict[str, np.ndarray] = {}
    with tarfile.open(fileobj=cast(BinaryIO, stream), mode="r|") as archive:
        for entry in archive:
            name = PurePosixPath(entry.name).name
            if entry.isreg() and name in members:
                if entry.size != members[name] * width:
                    wanted = f"{members[name]:,} records of {width:,}"
                    raise ValueError(f"{name} has {entry.size:,} bytes, not {wanted}")
                content = archive.extractfile(entry)
                assert content is not None  # it is a regular file
                found[name] = np.frombuffer(content.read(), np.uint8).reshape(-1, width)
    while stream.read(1 << 20):
        pass  # gzip compares the checksum at the end of the stream
    return found


class _AtMost:
    """Stream of at most `most` bytes."""

    def __init__(self, stream: gzip.GzipFile, most: int):
        self.stream, self.left, self.most = stream, most, most

    def read(self, size: int) -> bytes:
        chunk = self.stream.read(size)
        self.left -= len(chunk)
        if self.left < 0:
            raise tarfile.ReadError(f"it unpacks to more than {self.most:,} bytes")
        return chunk


CIFAR10 = Published(
    "cifar10",
    credit="Krizhevsky, Nair and Hinton; no licence stated",
    url="https://www.cs.toronto.edu/~kriz",
    files=(File("cifar-10-binary.tar.gz", 170_052_171, "c32a1d4ab5d03f1284b67883e8d87530", 185_000_000),),
    shape=(3, 32, 32),
    names=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    train=50_000,
    test=10_000,
    read=_read,
)

CIFAR100 = replace(
    CIFAR10,
    name="cifar100",
    files=(File("cifar-100-binary.tar.gz", 168_513_733, "03b5dce01913d631647c71ecec9e9cb8", 185_000_000),),
    names=tuple(FINE.split(", ")),
)


@datasets.register
def cifar10(
    *, train: Count | None = None, validation: CountOrZero = 0, test: Count | None = None, standardize: bool = False
) -> Dataset:
    """CIFAR-10: 32 × 32 colour photographs in 10 classes, 50 000 to train on and 10 000 to test (Krizhevsky 2009).

    Fetched when first needed, 170 MB. train, validation, test, standardize: as for `mnist`; images `(N, 3, 32, 32)`.

    >>> data = cifar10(train=1000, validation=500)
    >>> data.shape, data.classes, data.sizes
    ((3, 32, 32), 10, {'train': 1000, 'validation': 500, 'test': 10000})
    """
    return CIFAR10.dataset(train, validation, test, standardize)


@datasets.register
def cifar100(
    *,
    train: Count | None = None,
    validation: CountOrZero = 0,
    test: Count | None = None,
    standardize: bool = False,
    labels: Literal["fine", "coarse"] = "fine",
) -> Dataset:
    """CIFAR-100: 32 × 32 colour photographs in 100 classes, 50 000 to train on and 10 000 to test (Krizhevsky 2009).

    Fetched when first needed, 169 MB. labels: the hundred classes (fine), or the twenty that they belong to (coarse).
    train, validation, test, standardize: as for `mnist`; images `(N, 3, 32, 32)`.

    >>> data = cifar100(train=1000, validation=500)
    >>> data.shape, data.classes, data.sizes
    ((3, 32, 32), 100, {'train': 1000, 'validation': 500, 'test': 10000})
    """
    coarse = replace(CIFAR100, names=tuple(COARSE.split(", ")), labels="coarse")
    return (CIFAR100 if labels == "fine" else coarse).dataset(train, validation, test, standardize)
