"""`dlsweep init`: the configs that come with the package, to run, to copy and to change."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

import dlsweep
from dlsweep.cli.terminal import print_paths, say
from dlsweep.errors import UnknownName, UsageError
from dlsweep.tabular import table
from dlsweep.text import nearest

PREFIX = "example:"


def init(
    name: Annotated[str | None, Option("--from", metavar="NAME", help="Write this example.")] = None,
    file: Annotated[Path | None, Argument(metavar="FILE", help="Default: NAME.yaml.", show_default=False)] = None,
) -> None:
    """Write an example config to a file; without a name, list the examples."""
    if name is not None:
        source, path = example(f"{PREFIX}{name}"), file or Path(f"{name}.yaml")
        try:
            with path.open("xb") as written:
                written.write(source.read_bytes())
        except FileExistsError:
            raise UsageError(f"{path} exists; for another file: dlsweep init --from {name} FILE") from None
        print_paths([path])
    elif file is not None:
        raise UsageError(f"name an example for {file}: dlsweep init --from NAME {file}")
    else:
        print(table(["name", "question"], [[stem, _question(path)] for stem, path in sorted(_examples().items())]))
        say(f"dlsweep run {PREFIX}NAME runs an example; dlsweep init --from NAME writes it to NAME.yaml")


def example(config: Path | str) -> Path:
    """Return the path of a config; `example:NAME` is one that comes with the package."""
    name = str(config).removeprefix(PREFIX)
    if name == str(config):
        return Path(config)
    examples = _examples()
    if name not in examples:
        raise UnknownName(f"there is no example {name!r}{nearest(name, examples)}")
    return examples[name]


def _examples() -> dict[str, Path]:
    """Return the examples by name: of the installed package, or of the repository around it."""
    package = Path(dlsweep.__path__[0])
    folders = (package / "configs", package.parents[1] / "configs")
    return {path.stem: path for folder in folders for path in folder.glob("*.yaml")}


def _question(path: Path) -> str:
    """Return the question of an example, which is the first line of its comment."""
    return path.read_text("utf-8").partition("\n")[0].removeprefix("# ")
