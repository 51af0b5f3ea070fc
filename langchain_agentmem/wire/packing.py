"""Values as the msgpack that Lua scripts read.

It is an old form, without the type for bytes that today's packers use: there, a text is any bytes. It carries lists of
lists; what is flat travels quicker as arguments of its own, which hiredis packs in C.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def packed(value: Any) -> bytes:
    """A value, or a list of values and of such lists; whatever is no list becomes a text."""
    return array([packed(each) for each in value]) if isinstance(value, list | tuple) else text(value)


def text(part: Any) -> bytes:
    """One value as a text."""
    data = part if type(part) is bytes else str(part).encode()
    return b"\xdb" + len(data).to_bytes(4) + data


def array(parts: Sequence[bytes]) -> bytes:
    """A list of what is packed already."""
    return b"\xdd" + len(parts).to_bytes(4) + b"".join(parts)
