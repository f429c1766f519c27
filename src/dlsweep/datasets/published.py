"""Published data sets: fetched when they are first needed, then kept in a folder of the user's cache.

A training process only reads. Before it starts, `dlsweep.datasets.fetching` ensures that the files are the published
ones.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b, file_digest, sha256
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import platformdirs

from dlsweep.datasets.base import Dataset, Subset, Whole
from dlsweep.errors import DataError, Unreadable, UsageError
from dlsweep.files import opened
from dlsweep.text import size

GZIP = b"\x1f\x8b"  # the beginning of such a file

# Variables for the user's folder, and for a server with the same folders: http://…/cifar10/cifar-10-….tar.gz.
FOLDER, MIRROR = "DLSWEEP_DATA", "DLSWEEP_MIRROR"


def cache_folder() -> Path:
    """Return the folder that fetched data sets are kept in. Raise a `UsageError` if no home folder is known."""
    chosen = os.environ.get(FOLDER)
    try:
        root = Path(chosen) if chosen else platformdirs.user_cache_path("dlsweep") / "data"
        return root.expanduser().absolute()
    except RuntimeError:
        told = f"no home folder is known for {chosen or 'the cache'}"
        raise UsageError(f"{told}; set {FOLDER} to a folder for data sets") from None


class File(NamedTuple):
    """Published file.

    size: in bytes; md5: of the file; unpacked: its unpacked size in bytes; sha256: of the unpacked content, if it is
    known: then a copy that was packed again, or is unpacked, is accepted.
    """

    name: str
    size: int
    md5: str
    unpacked: int
    sha256: str = ""

    @property
    def limit(self) -> int:
        """Maximum size of a copy, in bytes."""
        return self.unpacked + (1 << 16)

    def is_at(self, path: Path) -> bool:
        """Return True if a path holds this file, as published or as an accepted copy."""
        try:
            with opened(path) as file:
                if os.fstat(file.fileno()).st_size > self.limit:
                    return False
                if file_digest(cast(BufferedReader, file), "md5").hexdigest() == self.md5:
                    return True
                file.seek(0)
                return bool(self.sha256) and _unpacked_digest(file, self.unpacked) == self.sha256
        except (OSError, EOFError, zlib.error, Unreadable):
            return False


def _unpacked_digest(file: BinaryIO, most: int) -> str:
    """Return the SHA-256 of a file's unpacked content; "" if it has more than `most` bytes."""
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
    """Published data set.

    url: of the folder with its files; names: of its classes; train, test: numbers of its samples; read: decodes the
    files in a folder; bundled: the folder of files that came with the package; labels: a word for the choice of labels,
    if the files alone do not determine the samples.
    """

    name: str
    credit: str
    url: str
    files: tuple[File, ...]
    shape: tuple[int, ...]
    names: tuple[str, ...]
    train: int
    test: int
    read: Callable[[Published, Path], Whole]
    bundled: Path | None = None
    labels: str = ""

    @property
    def folder(self) -> Path:
        """Folder for its files."""
        if self.bundled:
            return self.bundled
        return cache_folder() / self.name

    def url_of(self, file: File) -> str:
        """Return the address of a file: at the mirror that the user has set, or at its publisher."""
        mirror = os.environ.get(MIRROR)
        return f"{mirror.rstrip('/')}/{self.name}/{file.name}" if mirror else f"{self.url}/{file.name}"

    @property
    def here(self) -> bool:
        """True if files with all names exist."""
        return all((self.folder / file.name).is_file() for file in self.files)

    @property
    def state(self) -> str:
        """Words for the place of its files: bundled, in the cache, or to be fetched."""
        if self.bundled:
            return "bundled"
        return "in the cache" if self.here else f"to be fetched, {size(sum(file.size for file in self.files))}"

    def missing(self) -> list[File]:
        """Return the files that do not exist as published; none of a bundled data set, which is not checked."""
        return [file for file in self.files if not self.bundled and not file.is_at(self.folder / file.name)]

    def dataset(self, train: int | None, validation: int, test: int | None, standardize: bool) -> Dataset:
        """Return the data set with a subset of its samples; None for all."""
        subset = Subset(self.name, self.train, self.test, train, validation, test, standardize)
        told = "".join(file.sha256 or file.md5 for file in self.files) + self.labels
        return Dataset(
            fingerprint=subset.fingerprint(blake2b(told.encode(), digest_size=16).hexdigest()),
            shape=self.shape,
            classes=len(self.names),
            names=self.names,
            sizes=subset.sizes,
            read=lambda: subset.arrays(*_decoded(self, self.folder), scale=1 / 255),
            credit=self.credit,
            source=self,
        )


@cache
def _decoded(published: Published, folder: Path) -> Whole:
    """Decode all samples, once for each process."""
    name = published.name
    remedy = "install dlsweep again" if published.bundled else f"dlsweep data get {name} fetches it"
    try:
        samples = published.read(published, folder)
    except FileNotFoundError as error:
        raise DataError(f"{name} is not here: there is no {error.filename}; {remedy}") from None
    except Unreadable as error:
        raise DataError(f"{name}: {error}") from None
    for split, count, x, t in (("train", published.train, *samples[:2]), ("test", published.test, *samples[2:])):
        fits = x.shape == (count, *published.shape) and t.shape == (count,)
        if not fits or t.max() >= len(published.names):
            raise DataError(f"{folder} does not hold {name}: its {split} samples differ; {remedy}")
    return samples
