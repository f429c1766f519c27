"""`key=value` from the command line: small changes to a config before it is checked.

The values are YAML; commas at the top level make a list. What an override puts into the config is checked like
everything else, its place being "command line".
"""

from __future__ import annotations

from collections.abc import Iterable

from dlsweep.config.document import COMMAND_LINE, Key, Node, Place, Reading, gather, whole
from dlsweep.config.reader import read_yaml
from dlsweep.config.settings import named_settings
from dlsweep.config.words import KEYS, OTHER_NAMES, OUTSIDE, SECTIONS, TRAIN, dotted_names, meant, registry
from dlsweep.factors import BY_NAME, STANDARD
from dlsweep.randomness import SOURCES
from dlsweep.text import did_you_mean, nearest, similar

_PLACE = Place(COMMAND_LINE)


def override(document: Node, overrides: Iterable[str]) -> Reading[Node]:
    """Return the document with the overrides made, in their order."""
    for text in overrides:
        path, equals, value = text.partition("=")
        if not equals or not all(path.split(".")):
            yield _PLACE.mistake(f"an override is key=value, such as train.iterations=200, got {text!r}")
            continue
        changed, mistakes = gather(_changed(document, path, value))
        document = changed or document
        yield from (_PLACE.mistake(f"{text}: {mistake.message}") for mistake in mistakes)
    return document


def _changed(document: Node, path: str, value: str) -> Reading[Node | None]:
    # In brackets a comma separates items, but not within brackets or quotes of its own.
    node = yield from whole(read_yaml)(f"[{value}\n]".encode(errors="replace"), COMMAND_LINE, lines=False)
    if node is None:
        return None
    if not node.value:
        raise _PLACE.refused("there is no value after the equals sign")
    return _put(document, path, node.value[0] if len(node.value) == 1 else node)


def _put(document: Node, path: str, value: Node) -> Node:
    head, _, rest = path.partition(".")
    if head not in KEYS:
        raise _PLACE.refused(f"there is no key {head!r}{_meant(path)}")
    if not rest:
        return _with(document, head, value)
    inner = document.value.get(head)
    if inner is not None and inner.value is None:
        inner = None  # a key with nothing after it
    if head == "grid":
        return _with(document, head, _put_into_grids(inner, rest, value))
    if head == "seeds":
        return _with(document, head, _with(inner, rest, value))
    if head in SECTIONS:
        return _with(document, head, _without_rivals(_with(inner, rest, value), head, rest))
    if head not in OUTSIDE:
        raise _PLACE.refused(f"{head} has no parts; write {head}=… instead")
    name, _, setting = rest.partition(".")
    usual = BY_NAME[head].default
    old = inner or Node(usual, _PLACE, usual)
    level = _put_into_level(head, old, name, setting, value) if setting else None
    if level is not None:
        return _with(document, head, level)
    example = "mnist.train" if head == "data" else "mlp.hidden"
    told = f"{head} is {old.text or old} here; its settings are set by name, such as {head}.{example}=…"
    raise _PLACE.refused(told)


def _meant(path: str) -> str:
    """The end of a sentence about a key that is not there: the whole path of what has such a name further inside."""
    levels = [f"grid.{f.field}={f.choice}" for f in meant(path) if not f.setting]
    inner = [known for known in _inner_paths() if not (levels and _is_seed(known))]
    ends = {known.split(".", dots)[-1] for known in inner for dots in range(1, known.count(".") + 1)}
    for word in filter(None, (OTHER_NAMES.get(path, path), similar(path, ends.union(KEYS)) if not levels else None)):
        if word in ends.difference(KEYS):
            fitting = sorted((known for known in inner if known.endswith(f".{word}")), key=_is_seed)
            shortest = min(known.count(".") for known in fitting)
            shown = [*levels, *(known for known in fitting if known.count(".") == shortest)]
            return did_you_mean(*shown[:3])
    return did_you_mean(*levels) or nearest(path.partition(".")[0], KEYS)


def _is_seed(path: str) -> bool:
    return path.startswith("seeds.")


def _inner_paths() -> list[str]:
    """The paths that an override can set below the keys of the config."""
    parts = (f"{name}.{setting}" for name, section in SECTIONS.items() for setting in section.settings)
    seeds = (f"seeds.{source}" for source in SOURCES)
    outside = (name for field in OUTSIDE for name in dotted_names(field) if name.count(".") == 2)
    standard = (f"grid.{name}" for field in STANDARD for name in (field, *dotted_names(field)))
    return [*parts, *seeds, *outside, *standard]


def _with(node: Node | None, key: str, value: Node) -> Node:
    """A mapping with one key set; whatever else it has keeps its place."""
    mapping = node.value if node is not None and node.is_mapping else {}
    place = node.place if node is not None else _PLACE
    old = next((k for k in mapping if k == key), Key(key, _PLACE))
    return Node({**mapping, old: value}, place)


def _without_rivals(node: Node, head: str, setting: str) -> Node:
    """Epochs on the command line replace iterations in the file."""
    rivals = TRAIN.spellings(setting) if head == "train" else ()
    return Node({key: value for key, value in node.value.items() if key == setting or key not in rivals}, node.place)


def _put_into_grids(grid: Node | None, path: str, value: Node) -> Node:
    """Set a factor, or a setting in the levels of that name, in every grid."""
    grids = [Node({}, _PLACE)] if grid is None else list(grid.items())
    changed = [_put_into_grid(one, path, value) for one in grids]
    if not any(changed):
        field, _, rest = path.partition(".")
        raise _PLACE.refused(f"no level of {field} in the grid is called {rest.partition('.')[0]!r}")
    kept = tuple(new or old for new, old in zip(changed, grids))
    return Node(kept, grid.place) if grid is not None and grid.is_list else kept[0]


def _put_into_grid(grid: Node, path: str, value: Node) -> Node | None:
    """One grid with the override made; None where it has the factor, but no level of that name."""
    if not grid.is_mapping:
        return None
    field, _, rest = path.partition(".")
    name, _, setting = rest.partition(".")
    axes = {key: [part.strip() for part in key.split(",")] for key in grid.value}
    for key, factors in axes.items():
        if path in factors and len(factors) > 1:
            raise _PLACE.refused(f"{path} moves together with others in {str(key)!r}; change it in the file")
    if not setting or path in grid.value:
        return _with(grid, path, value)
    own = next((key for key, factors in axes.items() if field in factors), None)
    if own is not None:
        column = axes[own].index(field) if len(axes[own]) > 1 else None
        levels = grid.value[own]
        changed = [_put_into_row(one, column, field, name, setting, value) for one in levels.items()]
        kept = tuple(new or old for new, old in zip(changed, levels.items()))
        return Node({**grid.value, own: Node(kept, levels.place)}, grid.place) if any(changed) else None
    if field in STANDARD:
        return _with(grid, field, _with(None, name, _with(None, setting, value)))
    return _with(grid, path, value)


def _put_into_row(row: Node, column: int | None, field: str, name: str, setting: str, value: Node) -> Node | None:
    """A level, or a row of levels that move together, with one setting changed; None where none is of that name."""
    if column is None:
        return _put_into_level(field, row, name, setting, value)
    if not row.is_list or column >= len(row.value):
        return None
    changed = _put_into_level(field, row.value[column], name, setting, value)
    return changed and Node((*row.value[:column], changed, *row.value[column + 1 :]), row.place)


def _put_into_level(field: str, level: Node, name: str, setting: str, value: Node) -> Node | None:
    """A level with one setting changed; None where it is not of that name."""
    if level.value == name:
        level = Node({Key(name, level.place): Node(None, level.place)}, level.place)
    if not level.is_mapping or name not in level.value:
        return None
    inner = level.value[name]
    if name in registry(field):
        inner = named_settings(registry(field)[name], inner)
    return _with(level, name, _with(inner, setting, value))
