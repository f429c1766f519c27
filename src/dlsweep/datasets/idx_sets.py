"""Fashion-MNIST and Kuzushiji-MNIST: other images in the format of MNIST, four files each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
from annotated_types import Ge

from dlsweep.datasets.base import Dataset, Whole, datasets
from dlsweep.datasets.idx import FOUR, read_four, read_idx
from dlsweep.datasets.published import File, Published
from dlsweep.registry import Count


def _files(*published: tuple[int, str] | tuple[int, str, str]) -> tuple[File, ...]:
    """Return the four files, from size, MD5 and, if it is known, SHA-256 of the unpacked content of each."""
    unpacked = (16 + 60_000 * 28 * 28, 8 + 60_000, 16 + 10_000 * 28 * 28, 8 + 10_000)  # headers and values
    return tuple(
        File(f"{name}.gz", size, md5, most, *content)
        for name, most, (size, md5, *content) in zip(FOUR, unpacked, published, strict=True)
    )


FASHION_MNIST = Published(
    "fashion_mnist",
    credit="Xiao, Rasul and Vollgraf (Zalando); MIT",
    url="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
    files=_files(
        (
            26_421_880,
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        ),
        (
            29_515,
            "25c81989df183df01b3e8a0aad5dffbe",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        ),
        (
            4_422_102,
            "bef4ecab320f06d8554ea6380940ec79",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        ),
        (
            5_148,
            "bb300cfdad3c16e7a12a480ee83cd310",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
    ),
    shape=(1, 28, 28),
    names=("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"),
    train=60_000,
    test=10_000,
)

KMNIST = Published(
    "kmnist",
    credit="Clanuwat et al., CODH; CC BY-SA 4.0",
    url="http://codh.rois.ac.jp/kmnist/dataset/kmnist",
    files=_files(
        (18_165_135, "bdb82020997e1d708af4cf47b453dcf7"),
        (29_497, "e144d726b3acfaa3e44228e80efcd344"),
        (3_041_136, "5c965bf0a639b31b8f53240b1b52f4d7"),
        (5_120, "7320c461ea6c1c855c0b718fb2a4b134"),
    ),
    shape=(1, 28, 28),
    names=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    train=60_000,
    test=10_000,
)


@datasets.register
def fashion_mnist(
    *,
    train: Count | None = None,
    validation: Annotated[int, Ge(0)] = 0,
    test: Count | None = None,
    standardize: bool = False,
) -> Dataset:
    """Fashion-MNIST: 28 × 28 grey images of clothes in 10 classes, 60 000 to train, 10 000 to test (Xiao et al. 2017).

    Fetched when first needed, 31 MB. train, validation, test, standardize: as for `mnist`.

    >>> data = fashion_mnist(train=1000, validation=500)
    >>> data.shape, data.classes, data.sizes
    ((1, 28, 28), 10, {'train': 1000, 'validation': 500, 'test': 10000})
    """
    return FASHION_MNIST.dataset(FASHION_MNIST.subset(train, validation, test, standardize), _read)


@datasets.register
def kmnist(
    *,
    train: Count | None = None,
    validation: Annotated[int, Ge(0)] = 0,
    test: Count | None = None,
    standardize: bool = False,
) -> Dataset:
    """Kuzushiji-MNIST: 28 × 28 grey images of 10 hiragana, 60 000 to train on, 10 000 to test (Clanuwat et al. 2018).

    Fetched when first needed, 21 MB. train, validation, test, standardize: as for `mnist`.

    >>> data = kmnist(train=1000, validation=500)
    >>> data.shape, data.classes, data.sizes
    ((1, 28, 28), 10, {'train': 1000, 'validation': 500, 'test': 10000})
    """
    return KMNIST.dataset(KMNIST.subset(train, validation, test, standardize), _read)


def _read(published: Published, folder: Path) -> Whole:
    def array(name: str) -> np.ndarray:
        path = folder / f"{name}.gz"
        return read_idx(path.read_bytes(), str(path))

    return read_four(array)
