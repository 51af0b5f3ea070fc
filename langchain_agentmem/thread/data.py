"""A tree of data as the fields of a hash, one for each leaf, so that a leaf is changed without reading the rest.

The field of a leaf is `d:` and its path, whose segments are escaped and joined by `:`; its value is JSON. A dict is no
leaf, except when it is empty.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.wire.keys import escape, unescape

Path: TypeAlias = tuple[str, ...]
_HEAD = "d:"


def field_of(path: Sequence[str]) -> str:
    """The field of a leaf.

    Raises:
        InvalidInputError: The path is empty, or one of its segments is no text.
    """
    if not path:
        raise InvalidInputError("path: name at least one key of the data")
    for segment in path:
        if not isinstance(segment, str):
            raise InvalidInputError(f"data: a key is {segment!r}; keys must be text, as in JSON")
    return _HEAD + ":".join(map(escape, path))


def leaves(data: Mapping[str, Any], above: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every leaf with its path. An empty dict is one."""
    for key, value in data.items():
        path = (*above, key)
        if isinstance(value, Mapping) and value:
            yield from leaves(value, path)
        else:
            yield path, value


def ancestors(path: Path) -> list[str]:
    """The fields that a leaf above this one would have."""
    return [field_of(path[:depth]) for depth in range(1, len(path))]


def dump_leaf(path: Path, value: Any) -> bytes:
    """A leaf's stored form.

    Raises:
        InvalidInputError: JSON has no form for it.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"data: {'.'.join(path)} cannot be stored as JSON: {error}") from None
    return text.encode("utf-8", "surrogatepass")


def load_data(fields: Mapping[bytes, bytes]) -> dict[str, Any]:
    """The tree whose leaves are among the fields of a hash."""
    tree: dict[str, Any] = {}
    head = _HEAD.encode()
    for field in sorted(name for name in fields if name.startswith(head)):  # an empty dict before what came into it
        *above, last = map(unescape, field[len(head) :].split(b":"))
        place = tree
        for segment in above:
            place = place.setdefault(segment, {})
        place[last] = json.loads(fields[field].decode("utf-8", "surrogatepass"))
    return tree
