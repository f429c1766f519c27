"""Small data sets in the real formats, with their own hashes, and a server that has them, or something else."""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
import tarfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

from dlsweep.datasets import cifar, mnist
from dlsweep.datasets.mnist import FOUR
from dlsweep.datasets.published import File, Published

TRAIN, TEST = 40, 20


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def grey(seed: int, classes: int = 10) -> dict[str, np.ndarray]:
    """What the four files hold: grey images, darkest for class 0, and labels."""
    rng = np.random.default_rng(seed)
    arrays = []
    for count in (TRAIN, TEST):
        t = (np.arange(count) % classes).astype(np.uint8)
        arrays += [(rng.integers(0, 50, (count, 28, 28)) + 20 * t[:, None, None]).astype(np.uint8), t]
    return dict(zip(FOUR, arrays))


def records(seed: int, count: int, labels: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    told = [rng.permutation(count) % classes for classes in ([10] if labels == 1 else [20, 100])]
    return np.column_stack([*told, rng.integers(0, 256, (count, 3072))]).astype(np.uint8)


CIFAR10 = {f"data_batch_{i}.bin": records(i, TRAIN // 5, 1) for i in range(1, 6)} | {
    "test_batch.bin": records(6, TEST, 1)
}
CIFAR100 = {"train.bin": records(7, TRAIN, 2), "test.bin": records(8, TEST, 2)}


def archive(members: dict[str, bytes], folder: str = "cifar-10-batches-bin") -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in {"readme.html": b"<html>", **members}.items():
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return gzip.compress(packed.getvalue(), 1, mtime=0)


def file(name: str, packed: bytes, *, repacked: bool = False) -> File:
    content = gzip.decompress(packed)
    sha256 = hashlib.sha256(content).hexdigest() if repacked else ""
    return File(name, len(packed), hashlib.md5(packed).hexdigest(), len(content), sha256)


def _served() -> dict[str, dict[str, bytes]]:
    sets = {
        name: {f"{part}.gz": gzip.compress(idx(array), 1, mtime=0) for part, array in grey(seed).items()}
        for seed, name in enumerate(("fashion_mnist", "kmnist"))
    }
    sets["cifar10"] = {"cifar-10-binary.tar.gz": archive({n: r.tobytes() for n, r in CIFAR10.items()})}
    sets["cifar100"] = {"cifar-100-binary.tar.gz": archive({n: r.tobytes() for n, r in CIFAR100.items()}, "c100")}
    return sets


# By data set, the files that its publisher serves.
SERVED = _served()


def small(whole: Published) -> Published:
    """A data set with few samples in place of a published one."""
    files = (file(n, packed, repacked=whole.name == "fashion_mnist") for n, packed in SERVED[whole.name].items())
    return replace(whole, files=tuple(files), train=TRAIN, test=TEST, url=f"http://127.0.0.1:9/{whole.name}")


MODULES = {"FASHION_MNIST": mnist, "KMNIST": mnist, "CIFAR10": cifar, "CIFAR100": cifar}
SMALL = {name: small(getattr(module, name)) for name, module in MODULES.items()}


def install() -> None:
    """Put them in the place of the published ones."""
    for name, module in MODULES.items():
        setattr(module, name, SMALL[name])


class Server:
    """A web server on this machine, that answers with `content` by path, and counts what it is asked.

    cut: ends each answer in its middle; endless: after the content come zeros without end; slow: seconds before each
    answer.
    """

    def __init__(self) -> None:
        self.content = {f"/{name}/{file}": c for name, files in SERVED.items() for file, c in files.items()}
        self.asked: Counter[str] = Counter()
        self.cut = self.endless = False
        self.slow = 0.0
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked[self.path] += 1
                time.sleep(server.slow)
                content = server.content.get(self.path)
                if content is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                if not server.endless:
                    self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content[: len(content) // 2] if server.cut else content)
                while server.endless:
                    try:
                        self.wfile.write(bytes(1 << 16))
                    except OSError:
                        break

            def log_message(self, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"


@contextmanager
def serving() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.http.shutdown()
        server.http.server_close()
        thread.join()
