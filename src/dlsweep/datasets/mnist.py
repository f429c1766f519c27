"""MNIST, which comes with the package, and two sets in its format, IDX: Fashion-MNIST and Kuzushiji-MNIST.

Layout (LeCun, http://yann.lecun.com/exdb/mnist/): two zero bytes, one byte for the type (0x08 is unsigned byte), one
for the number of dimensions, each dimension as a big-endian 32-bit integer, then the values in C order.
"""

from __future__ import annotations

import gzip
import io
import math
import struct
import zlib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from dlsweep.datasets.base import MAX_BYTES, CountOrZero, Dataset, Whole, datasets
from dlsweep.datasets.published import GZIP, File, Published
from dlsweep.errors import DataError
from dlsweep.files import read
from dlsweep.registry import Count

# The files of each set, and their sizes without compression: headers and values.
FOUR = {
    "train-images-idx3-ubyte": 16 + 60_000 * 28 * 28,
    "train-labels-idx1-ubyte": 8 + 60_000,
    "t10k-images-idx3-ubyte": 16 + 10_000 * 28 * 28,
    "t10k-labels-idx1-ubyte": 8 + 10_000,
}


_UNSIGNED_BYTE = 0x08


def read_idx(content: bytes, name: str) -> np.ndarray:
    """Return the array in an IDX file of unsigned bytes, plain or gzipped: uint8, read-only, with the stated shape.

    The header states the number of bytes that follow, so no more are unpacked. Raise a `DataError` that calls the file
    `name` if it is not IDX, is cut short, is too long, or states more than `MAX_BYTES`.
    """
    packed = content.startswith(GZIP)
    file = cast(BinaryIO, gzip.GzipFile(fileobj=io.BytesIO(content))) if packed else io.BytesIO(content)
    try:
        shape = _header(file, name)
        count = math.prod(shape)
        if count > MAX_BYTES:
            raise DataError(f"{name} claims {_times(shape)} values; at most {MAX_BYTES:,} are unpacked")
        values = file.read(count + 1)  # one more than needed: finds a file that is too long, and checks gzip's checksum
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(f"{name} is damaged: {error}") from None
    if len(values) != count:
        found = "more" if len(values) > count else f"{len(values):,}"
        raise DataError(f"{name} is damaged: its header promises {_times(shape)} = {count:,} values, it holds {found}")
    return np.frombuffer(values, dtype=np.uint8).reshape(shape)


def _header(file: BinaryIO, name: str) -> tuple[int, ...]:
    """Return the dimensions after a check of the magic number."""
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[3] == 0:
        raise DataError(f"{name} is not an IDX file: it must begin with 00 00 08 and the number of dimensions")
    if magic[2] != _UNSIGNED_BYTE:
        raise DataError(f"{name} holds IDX values of type 0x{magic[2]:02X}; only unsigned bytes (0x08) are read")
    sizes = file.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise DataError(f"{name} is damaged: it ends within its header")
    return struct.unpack(f">{magic[3]}I", sizes)


def _times(shape: tuple[int, ...]) -> str:
    return " × ".join(f"{n:,}" for n in shape)


def _read(published: Published, folder: Path) -> Whole:
    paths = [folder / file.name for file in published.files]
    x, t, x_test, t_test = (read_idx(read(path), str(path)) for path in paths)
    return x[:, None], t.astype(np.int64), x_test[:, None], t_test.astype(np.int64)


def _like_mnist(
    name: str, *, credit: str, names: Sequence[str], files: str, url: str = "", bundled: Path | None = None
) -> Published:
    """Return a data set of four files in MNIST's format.

    A line of `files` has the size of a file, its MD5 and, if it is known, the SHA-256 of the unpacked content.
    """
    rows = (line.split() for line in files.strip().splitlines())
    four = tuple(
        File(f"{file}.gz", int(size), md5, unpacked, *sha256)
        for (file, unpacked), (size, md5, *sha256) in zip(FOUR.items(), rows, strict=True)
    )
    return Published(name, credit, url, four, (1, 28, 28), tuple(names), 60_000, 10_000, _read, bundled)


MNIST = _like_mnist(
    "mnist",
    credit="LeCun, Cortes and Burges; CC BY-SA 3.0",
    bundled=Path(str(files("dlsweep.datasets") / "mnist")),
    names="0123456789",
    files="""
        9719438 c7dfcf1bfd3481a40f7b3aedbdbd083c ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db
        28857   d289298a347a2cc65765a3c81043ba88 65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5
        1616508 ecff87aa27c74fbc2c1f97e89c19221d 0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7
        4517    a38049bc042dc6e683842a84160daae1 ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2
    """,
)

FASHION_MNIST = _like_mnist(
    "fashion_mnist",
    credit="Xiao, Rasul and Vollgraf (Zalando); MIT",
    url="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
    names=("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"),
    files="""
        26421880 8d4fb7e6c68d591d4c3dfef9ec88bf0d c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888
        29515    25c81989df183df01b3e8a0aad5dffbe bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9
        4422102  bef4ecab320f06d8554ea6380940ec79 5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b
        5148     bb300cfdad3c16e7a12a480ee83cd310 0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34
    """,
)

KMNIST = _like_mnist(
    "kmnist",
    credit="Clanuwat et al., CODH; CC BY-SA 4.0",
    url="http://codh.rois.ac.jp/kmnist/dataset/kmnist",
    names=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    files="""
        18165135 bdb82020997e1d708af4cf47b453dcf7
        29497    e144d726b3acfaa3e44228e80efcd344
        3041136  5c965bf0a639b31b8f53240b1b52f4d7
        5120     7320c461ea6c1c855c0b718fb2a4b134
    """,
)


@datasets.register
def mnist(
    *, train: Count | None = None, validation: CountOrZero = 0, test: Count | None = None, standardize: bool = False
) -> Dataset:
    """MNIST: 28 × 28 grey images of handwritten digits, 60 000 to train on and 10 000 to test (LeCun et al. 1998).

    train: number of training samples, drawn for each seed; validation: number of samples taken out of the training
    images; test: number of test samples. By default all are used. Raise a `DataError` if a number is too large.
    standardize: each channel minus its mean, divided by its standard deviation, both over the training samples;
    otherwise pixels are scaled by 1/255. Sizes are known without decoding; images are uint8 `(N, 1, 28, 28)`.

    >>> data = mnist(train=1000, validation=500)
    >>> data.shape, data.classes, data.sizes
    ((1, 28, 28), 10, {'train': 1000, 'validation': 500, 'test': 10000})
    """
    return MNIST.dataset(train, validation, test, standardize)


@datasets.register
def fashion_mnist(
    *, train: Count | None = None, validation: CountOrZero = 0, test: Count | None = None, standardize: bool = False
) -> Dataset:
    """Fashion-MNIST: 28 × 28 grey images of clothes in 10 classes, 60 000 to train, 10 000 to test (Xiao et al. 2017).

    Fetched when first needed, 31 MB. train, validation, test, standardize: as for `mnist`.

    >>> data = fashion_mnist(train=1000, validation=500)
    >>> data.shape, data.classes, data.sizes
    ((1, 28, 28), 10, {'train': 1000, 'validation': 500, 'test': 10000})
    """
    return FASHION_MNIST.dataset(train, validation, test, standardize)


@datasets.register
def kmnist(
    *, train: Count | None = None, validation: CountOrZero = 0, test: Count | None = None, standardize: bool = False
) -> Dataset:
    """Kuzushiji-MNIST: 28 × 28 grey images of 10 hiragana, 60 000 to train on, 10 000 to test (Clanuwat et al. 2018).

    Fetched when first needed, 21 MB. train, validation, test, standardize: as for `mnist`.

    >>> data = kmnist(train=1000, validation=500)
    >>> data.shape, data.classes, data.sizes
    ((1, 28, 28), 10, {'train': 1000, 'validation': 500, 'test': 10000})
    """
    return KMNIST.dataset(train, validation, test, standardize)
