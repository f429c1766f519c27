"""Recovery of a results folder after a crash: find the runs that count, set damaged parts aside, delete remains."""

from __future__ import annotations

import pyarrow as pa

from dlsweep.storage import contents, parts
from dlsweep.storage.duplicates import counted
from dlsweep.storage.parts import WEIGHTS, Damaged, Gone
from dlsweep.storage.store import QUARANTINE, Committed, Listed, Store


@parts.steadily
def scan(store: Store) -> tuple[Committed, dict[str, str], set[str]]:
    """Return the rows of the runs that count, and the reason for each stem whose parts do not. Change nothing.

    A part that was united with others does not count; the last value has the stems of such parts, and of others whose
    runs are all in further ones. Raise `Unreadable` if one of the files cannot be read at the moment: its runs are then
    unknown.
    """
    listed = store.listed()
    found, bad = Committed(), dict[str, str]()
    for stem, name in listed["runs"].items():
        try:
            if not store.is_beside(name):
                rows = store.read_runs(name)
                _check_others(store, listed, stem, rows)
                found[stem] = rows
        except Damaged as damage:
            bad[stem] = damage.fault
    told = counted(found, store.tables.given)
    mixed = dict.fromkeys(told.mixed, "it holds runs that are in another part")
    for stem, why in {**mixed, **told.conflicts}.items():
        bad[stem] = f"{store.folder}/{listed['runs'][stem]} does not count: {why}"
    bad = {stem: why for stem, why in bad.items() if stem not in told.replaced}
    return told.parts, bad, told.spare | told.replaced.intersection(listed["runs"])


def repair(store: Store) -> tuple[Committed, list[str]]:
    """Set aside the parts that do not count, delete those whose runs are in others, and clean.

    Return the rows of the runs that count, and notes.

    Everything is read before anything changes. The partners of a bad part in the other tables go with it; so do the
    weights of its runs, which `clean` finds to belong to no run.
    """
    committed, bad, spare = scan(store)
    store.set_aside(bad)
    store.remove(spare)
    clean(store)
    return committed, [f"{why}; it is set aside in {QUARANTINE}/ and its runs train again" for why in bad.values()]


def clean(store: Store) -> None:
    """Delete the remains of interrupted commits: unfinished files, and parts without a row in runs/.

    Weights of no run are set aside instead, since they may belong to the runs of a damaged part. Raise `Unreadable`
    before anything is deleted, if a file that decides this cannot be read at the moment.
    """
    listed, folder = store.listed(), store.folder
    counting = set(listed["runs"].values())
    for stem, name in listed["runs"].items():
        try:
            rows = store.read_runs(name, store.is_beside(name)) if store.tables.kept else None
        except Damaged:
            rows = None
        counting.update(listed[inside].get(key, "") for inside, key, _ in store.others(stem, rows))
    for inside in ("", *listed):
        folder.clean(inside)
    for inside in listed:
        for name in folder.list(inside):
            if name not in counting and inside == WEIGHTS:
                folder.move(name, f"{QUARANTINE}/{name}")
            elif name not in counting:
                folder.delete(name)


def _check_others(store: Store, listed: Listed, stem: str, rows: pa.Table) -> None:
    """Raise `Damaged` if another file of a chunk is missing or damaged; `Gone` if it was united meanwhile."""
    for inside, key, expected in store.others(stem, rows):
        if key not in listed[inside]:
            if (name := listed["runs"][stem]) in store.folder.list("runs"):
                raise Damaged(store.folder, name, f"lacks its part of {inside}/")
            raise Gone(f"cannot read {store.folder}/{name}: it was there a moment ago; nothing was changed")
        if isinstance(expected, int):
            parts.checked(store.folder, listed[inside][key], expected)
        else:
            contents.read_others(store.folder, listed[inside][key], expected, rows)
