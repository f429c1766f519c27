"""Open the results in a folder: of one sweep, or of several."""

from __future__ import annotations

from pathlib import Path

from dlsweep.errors import DlsweepError, UsageError, warn
from dlsweep.storage import compatibility, record
from dlsweep.storage.folder import open_folder
from dlsweep.storage.location import is_remote, located
from dlsweep.storage.results import Results
from dlsweep.text import did_you_mean, similar


def open_results(path: str | Path) -> Results:
    """Return the results in the folder `path`, such as `results/activation-init`.

    >>> import dlsweep
    >>> config = {"name": "one", "data": {"mnist": {"train": 100, "test": 100}}, "train": {"iterations": 2}, "seeds": 1}
    >>> _ = dlsweep.run(config, executor="inline")
    >>> open_results("results/one").runs["status"].tolist()
    ['done']
    """
    folder = located(path)
    if not is_remote(folder) and folder.is_file():
        meant = folder.parent if folder.name == record.FILE else Path("results", folder.stem)
        raise UsageError(f"{folder} is a file; give the folder of a sweep, such as {meant}")
    found, damage = compatibility.open_record(open_folder(folder))
    if damage:
        warn(damage)
    if found is None and open_folder(folder).list("runs"):
        advice = "copy this file, too, from where the runs come from"
        raise compatibility.without_record(open_folder(folder), advice)
    if found is None:
        raise UsageError(f"there are no results in {folder}{_elsewhere(folder)}")
    return Results(folder, found, damage)


def _elsewhere(folder: Path) -> str:
    """Return a hint at results within a folder, or at those with the nearest name beside it; "" without any."""
    if inside := open_folder(folder).subfolders(record.FILE):
        return f"; there are some in {', '.join(map(str, inside))}"
    beside = open_folder(folder.parent).subfolders(record.FILE) if folder.parent.is_dir() else []
    near = similar(folder.name, [Path(str(own)).name for own in beside])
    return did_you_mean(near and str(folder.with_name(near)))


def open_all(path: str | Path) -> list[Results]:
    """Return the results in the folder `path`; if it is a folder of sweeps, those of each sweep, by name.

    Of several sweeps, one that cannot be opened is left out with a warning.

    >>> import dlsweep
    >>> config = {"data": {"mnist": {"train": 100, "test": 100}}, "train": {"iterations": 2}, "seeds": 1}
    >>> for name in ("one", "two"):
    ...     _ = dlsweep.run({"name": name, **config}, executor="inline")
    >>> [results.folder.name for results in open_all("results")]
    ['one', 'two']
    """
    found = open_each(path)
    opened = [one for one in found if isinstance(one, Results)]
    lost = [one for one in found if isinstance(one, DlsweepError)]
    if not opened:
        raise lost[0]
    for error in lost:
        warn(str(error))
    return opened


def open_each(path: str | Path) -> list[Results | DlsweepError]:
    """Return the results as `open_all` does; in place of a sweep that cannot be opened, its error."""
    folder = open_folder(located(path))
    inside = folder.subfolders(record.FILE)
    found: list[Results | DlsweepError] = []
    for one in [path] if not inside or record.FILE in folder.list() else map(str, inside):
        try:
            found.append(open_results(one))
        except DlsweepError as error:
            found.append(error)
    return found
