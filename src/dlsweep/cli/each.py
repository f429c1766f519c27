"""Act on each sweep of the folders that a command names."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlsweep.cli.terminal import say
from dlsweep.errors import DlsweepError, UsageError
from dlsweep.tabular import Form

if TYPE_CHECKING:
    from dlsweep.storage.results import Results as Sweep


HEADINGS: dict[Form, str] = {"plain": "{}\n", "markdown": "## {}\n\n", "latex": "% {}\n"}


def each(paths: Iterable[str | Path], do: str, act: Callable[[Sweep], None], *, begun: bool = True) -> None:
    """Act on each sweep of some folders. begun: only on those that have runs to plot or to show; report the others.

    A sweep that cannot be read does not stop the others; the error at the end has a sentence for each. If some sweeps
    suit the request, a sweep that does not is reported, and is no error. A folder without results is an error.
    """
    from dlsweep.storage.opening import open_each

    done, lost = 0, list[DlsweepError]()
    waiting: list[str] = []
    opened = [one for path in paths for one in open_each(path)]
    for sweep in opened:
        try:
            if isinstance(sweep, DlsweepError):
                raise sweep
            if begun and sweep.runs.empty:
                waiting.append(f"there is nothing to {do} in {sweep.folder}: no run is done yet")
            else:
                act(sweep)
                done += 1
        except DlsweepError as error:
            lost.append(error)
    if len(waiting) == len(opened):
        raise UsageError("\n".join(waiting))
    for sentence in waiting:
        say(sentence)
    for sweep in opened if begun else ():
        if not isinstance(sweep, DlsweepError) and sweep.record.shard:
            say(f"{sweep.folder} is shard {sweep.record.shard} of its sweep; dlsweep merge unites the shards")
    for one in [one for one in lost if done and isinstance(one, UsageError) and one not in opened]:
        say(str(one))
        lost.remove(one)
    if lost:
        raise together(lost)


def together(lost: Sequence[DlsweepError]) -> DlsweepError:
    """Return one error for several, with the sentences of all."""
    if len(lost) == 1:
        return lost[0]
    error = DlsweepError("\n".join(dict.fromkeys(map(str, lost))))
    error.exit_code = max(one.exit_code for one in lost)
    return error


def divided(arguments: Collection[str]) -> tuple[list[str], dict[str, Any]]:
    """Return the folders among the arguments of a command, and the partial arm of the others: `activation=relu`."""
    levels = [one for one in arguments if "=" in one and "://" not in one and not Path(one).exists()]
    folders = [one for one in arguments if one not in levels]
    if not folders:
        raise UsageError(f"{levels[0]!r} is a level; give the folder of a sweep before it, such as results/my-sweep")
    return list(dict.fromkeys(folders)), partial_arm(levels)


def partial_arm(arguments: Iterable[str], option: str = "") -> dict[str, Any]:
    """Return the levels that some arguments or an option have; a factor that is given several times has several.

    >>> partial_arm(["activation=relu,init=he", "init=xavier"])
    {'activation': 'relu', 'init': ['he', 'xavier']}
    """
    levels: dict[str, list[str]] = {}
    for pair in filter(None, (pair for one in arguments for pair in re.split(r",(?=[^,=]+=)", one))):
        factor, equals, level = pair.partition("=")
        if not equals:
            raise UsageError(f"{option} must have levels such as activation=relu,init=he, got {pair!r}")
        levels.setdefault(factor.strip(), []).append(level.strip())
    return {factor: own[0] if len(own) == 1 else own for factor, own in levels.items()}


def print_each(told: Sequence[tuple[Sweep, str]], form: Form) -> None:
    """Print the text of each sweep; of several, under a heading."""
    several = len(told) > 1
    heads = (HEADINGS[form].format(f"{sweep.name} ({sweep.folder})") * several for sweep, _ in told)
    print("\n\n".join(head + text for head, (_, text) in zip(heads, told)))
