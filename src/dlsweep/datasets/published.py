"""Data sets that others publish: fetched when they are first needed, and then in a folder of the user's cache.

A training process only ever reads; `dlsweep.datasets.fetching` sees to it beforehand that the files are those that were
published.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b, file_digest, sha256
from pathlib import Path
from typing import BinaryIO, NamedTuple

import platformdirs

from dlsweep.datasets.base import Dataset, Whole
from dlsweep.datasets.idx import GZIP
from dlsweep.datasets.subset import Subset
from dlsweep.errors import DataError

# Where the user wants the files, and a server that has them in the same folders: http://…/cifar10/cifar-10-….tar.gz.
FOLDER, MIRROR = "DLSWEEP_DATA", "DLSWEEP_MIRROR"


class File(NamedTuple):
    """A file as it is published.

    size: its bytes; md5: its hash; unpacked: bytes that it unpacks to; sha256: hash of these, where it is known: then a
    copy that somebody packed anew, or not at all, is as good.
    """

    name: str
    size: int
    md5: str
    unpacked: int
    sha256: str = ""

    @property
    def limit(self) -> int:
        """No copy has more bytes."""
        return self.unpacked + (1 << 16)

    def is_at(self, path: Path) -> bool:
        """Whether this is what lies at a path."""
        try:
            with path.open("rb") as file:
                if os.fstat(file.fileno()).st_size > self.limit:
                    return False
                if file_digest(file, "md5").hexdigest() == self.md5:
                    return True
                file.seek(0)
                return bool(self.sha256) and _unpacked_digest(file, self.unpacked) == self.sha256
        except (OSError, EOFError, zlib.error):
            return False


def _unpacked_digest(file: BinaryIO, most: int) -> str:
    """SHA-256 of what a file unpacks to, if it is gzipped at all; no more than `most` bytes are unpacked."""
    packed = file.read(2) == GZIP
    file.seek(0)
    content = gzip.GzipFile(fileobj=file) if packed else file
    digest, left = sha256(), most
    while chunk := content.read(min(left + 1, 1 << 20)):
        left -= len(chunk)
        if left < 0:
            return ""
        digest.update(chunk)
    return digest.hexdigest()


@dataclass(frozen=True)
class Published:
    """A published data set. train, test: samples that it has; url: of the folder that its files are served from;
    names: of its classes."""

    name: str
    credit: str
    url: str
    files: tuple[File, ...]
    shape: tuple[int, ...]
    names: tuple[str, ...]
    train: int
    test: int

    @property
    def folder(self) -> Path:
        """Where its files lie, or are going to."""
        chosen = os.environ.get(FOLDER)
        root = Path(chosen).expanduser().absolute() if chosen else platformdirs.user_cache_path("dlsweep") / "data"
        return root / self.name

    def url_of(self, file: File) -> str:
        """Where a file is served: by the mirror that the user has named, or by its publisher."""
        mirror = os.environ.get(MIRROR)
        return f"{mirror.rstrip('/')}/{self.name}/{file.name}" if mirror else f"{self.url}/{file.name}"

    @property
    def here(self) -> bool:
        """Whether there are files of all names."""
        return all((self.folder / file.name).is_file() for file in self.files)

    def missing(self) -> list[File]:
        """The files that are not there as they were published."""
        return [file for file in self.files if not file.is_at(self.folder / file.name)]

    def subset(self, train: int | None, validation: int, test: int | None, standardize: bool) -> Subset:
        """What is asked for of its samples."""
        return Subset(self.name, self.train, self.test, train, validation, test, standardize)

    def dataset(self, subset: Subset, read: Callable[[Published, Path], Whole], content: str = "") -> Dataset:
        """The data set with its subset chosen.

        read: decodes the files in a folder; content: what else but the files tells what the samples are.
        """
        told = "".join(file.sha256 or file.md5 for file in self.files) + content
        return Dataset(
            fingerprint=subset.fingerprint(blake2b(told.encode(), digest_size=16).hexdigest()),
            shape=self.shape,
            classes=len(self.names),
            names=self.names,
            sizes=subset.sizes,
            read=lambda: subset.arrays(*_decoded(self, self.folder, read), scale=1 / 255),
            credit=self.credit,
            source=self,
        )


@cache
def _decoded(published: Published, folder: Path, read: Callable[[Published, Path], Whole]) -> Whole:
    """All samples, decoded once a process."""
    name, get = published.name, f"dlsweep data get {published.name}"
    try:
        x, t, x_test, t_test = read(published, folder)
    except FileNotFoundError as error:
        raise DataError(f"{name} is not here: there is no {error.filename}; {get} fetches it") from None
    except OSError as error:
        raise DataError(f"{name}: {error.filename or folder} cannot be read: {error.strerror or error}") from None
    for split, images, labels, count in (("train", x, t, published.train), ("test", x_test, t_test, published.test)):
        if (
            images.shape != (count, *published.shape)
            or labels.shape != (count,)
            or labels.max() >= len(published.names)
        ):
            raise DataError(f"{folder} does not hold {name}: its {split} samples are others; {get} fetches it")
    return x, t, x_test, t_test
