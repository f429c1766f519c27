"""Download of a file. A thread receives it, so that a server can neither delay a stop nor hold the program for ever."""

from __future__ import annotations

import re
from collections.abc import Iterator
from queue import Empty, Queue
from threading import Event, Thread

from dlsweep.errors import FetchError
from dlsweep.text import printable

PATIENCE = 30  # seconds in which a server must send at least `LEAST` bytes each
LEAST = 1000
CHUNK = 1 << 13  # bytes
PAUSE = 0.2  # seconds between two looks at a server that sends nothing

_SECRET = re.compile(r"(?<=//)\S*@")


def without_password(url: str) -> str:
    """Return an address, or a sentence with one, without user and password."""
    return _SECRET.sub("…@", url)


def chunks(url: str) -> Iterator[bytes]:
    """Yield the bytes that a server sends, not unpacked; and b"" several times a second while it sends nothing.

    Raise a `FetchError` with the reason if it cannot be reached, or sends too little for `PATIENCE` seconds. Seconds in
    which this process is stopped do not count.
    """
    arrived, ended = Queue[bytes | FetchError | None](maxsize=100), Event()
    Thread(target=_receive, args=(url, arrived, ended), daemon=True).start()
    waited, count = 0.0, 0
    try:
        while True:
            try:
                chunk = arrived.get(timeout=PAUSE)
            except Empty:
                chunk, waited = b"", waited + PAUSE
            if chunk is None:
                return
            if isinstance(chunk, FetchError):
                raise chunk
            yield chunk
            count += len(chunk)
            if waited >= PATIENCE:
                if count < LEAST * PATIENCE:
                    sent = f"less than {LEAST * PATIENCE:,} bytes" if count else "nothing"
                    raise FetchError(f"the server has sent {sent} in {PATIENCE} s")
                waited, count = 0.0, 0
    finally:
        ended.set()


def _receive(url: str, arrived: Queue[bytes | FetchError | None], ended: Event) -> None:
    """Put what a server sends into a queue, then None or the error; until the end is wanted."""
    import requests

    last = None
    try:
        plain = {"Accept-Encoding": "identity"}
        with requests.get(url, stream=True, timeout=PATIENCE, headers=plain) as answer:
            answer.raise_for_status()
            for chunk in answer.raw.stream(CHUNK, decode_content=False):
                arrived.put(chunk)
                if ended.is_set():
                    return
    except Exception as error:  # the library raises much that it does not document
        last = FetchError(_reason(error))
    arrived.put(last)


def _reason(error: Exception) -> str:
    """Return the reason of a failed request in few words."""
    import requests
    from urllib3.exceptions import HTTPError, ReadTimeoutError

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return printable(f"the server answers {error.response.status_code} {error.response.reason}")
    if isinstance(error, (requests.Timeout, ReadTimeoutError)):
        return f"the server is silent for {PATIENCE} s"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    if isinstance(error, (requests.exceptions.ChunkedEncodingError, HTTPError)):
        return "the connection broke before the whole file had arrived"
    if isinstance(error, ValueError):
        return "this is not an http address, or the server redirects to one that is none"
    return printable(f"{type(error).__name__}: {error}".partition("\n")[0])
