"""Ownership of a remote folder: a lease, which its holder renews, and which another process takes after its expiry.

    .lease/00000003      number of the lease; the highest one counts

A lease is created on condition of its absence, so a number has one holder. Only this holder writes it again, to renew
or to release it: a holder that was paused beyond the expiry cannot disturb the next one. Ages are measured by one
clock, the server's. The environment variable DLSWEEP_LEASE sets the expiry, in seconds.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dlsweep.errors import DlsweepError, ResultsInUse, UsageError
from dlsweep.storage.holder import Holder
from dlsweep.storage.objects import Objects, waiting

FOLDER = ".lease"
VARIABLE = "DLSWEEP_LEASE"
EXPIRY, SHORTEST = 60.0, 3.0  # seconds without renewal after which a lease is free; servers may round times to seconds
RENEWALS = 4  # within the time of an expiry


@dataclass(frozen=True)
class Lease:
    """A lease that a process holds or held: its number, and the content of its object."""

    number: int
    content: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Name of its object."""
        return f"{FOLDER}/{self.number:08}"

    @property
    def encoded(self) -> bytes:
        """Content of its object."""
        return json.dumps(dict(self.content)).encode()

    @property
    def holder(self) -> Holder | None:
        """Process that holds it; None if it was released, or if this machine knows that the process has died."""
        if self.content.get("released"):
            return None
        try:
            found = Holder.of(self.content)
        except ValueError:
            return Holder("an unknown machine", 0, "an unknown time")
        return None if self.content.get("kernel") == _kernel() != "" and found.has_died else found

    @property
    def expiry(self) -> float:
        """Seconds without renewal after which it is free."""
        given = self.content.get("expiry")
        return float(given) if isinstance(given, int | float) and SHORTEST <= given <= sys.float_info.max else EXPIRY

    @property
    def renewal(self) -> float:
        """Seconds between two renewals."""
        return self.expiry / RENEWALS

    def is_newest(self, objects: Objects) -> bool:
        """Tell if no other process has taken a later lease."""
        found = newest(objects)
        return found is not None and found.content.get("token") == self.content["token"]


def newest(objects: Objects) -> Lease | None:
    """Return the lease that counts; None if there never was one."""
    numbers = [int(name) for name in objects.names(FOLDER) if name.isascii() and name.isdigit()]
    if not numbers:
        return None
    lease = Lease(max(numbers), {})
    try:
        content = json.loads(objects.get(lease.name))
    except (FileNotFoundError, ValueError, RecursionError):
        content = None
    return Lease(lease.number, content if isinstance(content, dict) else {})


def holder(objects: Objects) -> Holder | None:
    """Return the process that holds a folder; None if there is none.

    This only reads, so the age of the lease is by the clock of this machine.
    """
    lease = newest(objects)
    if lease is None or (found := lease.holder) is None:
        return None
    try:
        age = (datetime.now(UTC) - _aware(objects.modified(lease.name))).total_seconds()
    except FileNotFoundError:  # another process has just taken the next lease
        later = newest(objects)
        return later.holder if later else None
    return found if age <= 2 * lease.expiry else None


def clock() -> float:
    """Return the seconds of a clock that goes on while the machine sleeps, where the system has one."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if sys.platform == "linux" else time.monotonic()


@dataclass
class Held:
    """A lease that this process, or its runner, holds. checked: when, by the clock of this process."""

    objects: Objects
    lease: Lease
    checked: float = field(default_factory=clock)

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave out the time: a worker may be on a machine with another clock, so its first change asks."""
        return Held, (self.objects, self.lease, float("-inf"))

    def check(self, anew: bool = False) -> None:
        """Raise `ResultsInUse` if another process took the folder after the lease had expired.

        anew: ask in any case, and not only some time after the last check.
        """
        if anew or clock() - self.checked > self.lease.renewal:
            self.checked = float("-inf")  # until the answer is there, every change asks
            if not self.lease.is_newest(self.objects):
                raise ResultsInUse(
                    f"{self.objects} was taken by another process, since this one could not renew its lease"
                )
            self.checked = clock()


def asked_expiry() -> float:
    """Return the expiry that the environment asks for, or the default. Raise a `UsageError` for one that is too short.

    >>> asked_expiry()
    60.0
    """
    given = os.environ.get(VARIABLE, "")
    try:
        expiry = float(given or EXPIRY)
    except ValueError:
        expiry = 0.0
    if not SHORTEST <= expiry < float("inf"):
        raise UsageError(f"{VARIABLE}={given} must be a number of seconds, at least {SHORTEST:g}, such as {EXPIRY:g}")
    return expiry


def take(objects: Objects) -> Lease:
    """Take the lease of a folder, or raise `ResultsInUse` with the name of its holder."""
    expiry = asked_expiry()
    old, late = newest(objects), ResultsInUse(f"{objects} is in use: another process has just taken it")
    try:
        if old and (by := old.holder) and (left := old.expiry - _age(objects, old)) > 0:
            free = f"; if this process has died, the folder is free in {max(1, round(left))} seconds"
            raise ResultsInUse(f"{objects} is in use: {by}{free}")
    except FileNotFoundError:  # the process that takes it deletes all older leases
        raise late from None
    content = {**asdict(Holder.here()), "kernel": _kernel(), "token": secrets.token_hex(8), "expiry": expiry}
    own = Lease(old.number + 1 if old else 1, content)
    objects.create(own.name, own.encoded)
    if not own.is_newest(objects):
        raise late
    for name in objects.names(FOLDER):
        if name != own.name.rpartition("/")[2]:
            objects.delete(f"{FOLDER}/{name}")
    return own


@contextmanager
def renewed(objects: Objects, lease: Lease) -> Iterator[None]:
    """Renew a lease while the block runs, and release it afterwards."""
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(lease.renewal):
            with suppress(DlsweepError, FileNotFoundError):
                if not lease.is_newest(objects):
                    return
                objects.put(lease.name, lease.encoded)

    thread = threading.Thread(target=renew, daemon=True, name="lease")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        with suppress(DlsweepError), waiting():
            thread.join(lease.renewal)
        with suppress(DlsweepError, FileNotFoundError):
            if lease.is_newest(objects):
                objects.put(lease.name, Lease(lease.number, {**lease.content, "released": True}).encoded)


def _age(objects: Objects, lease: Lease) -> float:
    """Return the seconds since a lease was renewed, by the clock of the server."""
    probe = f"{FOLDER}/now-{secrets.token_hex(8)}"
    objects.put(probe, b"")
    try:
        return (_aware(objects.modified(probe)) - _aware(objects.modified(lease.name))).total_seconds()
    finally:
        objects.delete(probe)


def _aware(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _kernel() -> str:
    """Return an identifier of the running system and its process numbers: another container may use the same ones."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115  its target is no path
    except OSError:
        return ""
