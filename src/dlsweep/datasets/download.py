"""Download of a file. A thread receives it, so that a server can neither delay a stop nor hold the program for ever."""

from __future__ import annotations

import re
from collections.abc import Iterator
from queue import Empty, Queue
from threading import Event, Thread
from typing import Any

from dlsweep.errors import FetchError
from dlsweep.text import printable

PATIENCE = 30  # seconds in which a server must send at least `LEAST` bytes each
LEAST = 1000
CHUNK = 1 << 13  # bytes
PAUSE = 0.2  # seconds between two looks at a server that sends nothing

_UNCLEAR = "the server's answer cannot be understood"


def without_password(url: str) -> str:
    """Return an address without user and password."""
    return re.sub(r"^(\w+://)?.*@", r"\1…@", url)


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
                    raise FetchError(f"the server has sent less than {LEAST * PATIENCE:,} bytes in {PATIENCE} s")
                waited, count = 0.0, 0
    finally:
        ended.set()


def _receive(url: str, arrived: Queue[bytes | FetchError | None], ended: Event) -> None:
    """Put what a server sends into a queue, then None or the error; until the end is wanted."""
    import requests

    last, stage = None, "address"

    def answered(*args: Any, **options: Any) -> None:
        nonlocal stage
        stage = "redirect"

    try:
        plain, hooks = {"Accept-Encoding": "identity"}, {"response": answered}
        with requests.get(url, stream=True, timeout=PATIENCE, headers=plain, hooks=hooks) as answer:
            answer.raise_for_status()
            stage = "file"
            for chunk in answer.raw.stream(CHUNK, decode_content=False):
                arrived.put(chunk)
                if ended.is_set():
                    return
    except Exception as error:  # the library raises much that it does not document
        last = FetchError(_reason(error, stage))
    arrived.put(last)


def _reason(error: Exception, stage: str) -> str:
    """Return the reason of a failed request in few words. stage: the address, a redirect, or the file."""
    import requests
    import urllib3

    protocol = error.args[0] if error.args else None  # `requests` puts the error of `urllib3` into its own
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return printable(f"the server answers {error.response.status_code} {error.response.reason}")
    if isinstance(error, (requests.Timeout, urllib3.exceptions.ReadTimeoutError)):
        return f"the server is silent for {PATIENCE} s"
    if isinstance(error, requests.TooManyRedirects):
        return "the server redirects without end"
    if isinstance(error, requests.ConnectionError) and isinstance(protocol, urllib3.exceptions.ProtocolError):
        closed = isinstance(protocol.args[-1], ConnectionError)
        return "the server closed the connection without an answer" if closed else _UNCLEAR
    if isinstance(error, requests.ConnectionError):
        return "no connection" + " to the address that the server redirects to" * (stage == "redirect")
    if isinstance(error, ValueError) and stage != "file":
        redirected = stage == "redirect"
        return "the server redirects to an address that is none" if redirected else "this is not an http address"
    if isinstance(error, urllib3.exceptions.HTTPError) and not isinstance(
        error.args[-1], urllib3.exceptions.InvalidChunkLength
    ):
        return "the connection broke before the whole file had arrived"
    return _UNCLEAR
