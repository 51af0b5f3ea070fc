"""How a checkpoint becomes the fields of a hash, and back. Pure; the server's side of it is `checkpoint.lua`.

Byte strings are joined as frames: a length of 4 bytes, big-endian, then the bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import ormsgpack
from langgraph.checkpoint.base import PendingWrite, writes_sort_key

from langchain_agentmem.errors import CorruptDataError
from langchain_agentmem.thread.codec import Codec, array_header

Version: TypeAlias = str | int | float
Typed: TypeAlias = tuple[str, bytes]

_INDEX = struct.Struct(">i")
_LENGTH = struct.Struct(">I")
_LOG = struct.Struct(">III16s")


def join(*parts: bytes) -> bytes:
    """Bytes that `split` takes apart again."""
    return b"".join([piece for part in parts for piece in (_LENGTH.pack(len(part)), part)])


def split(data: bytes, start: int = 0) -> Iterator[bytes]:
    """The frames of `data` from `start` on.

    Raises:
        CorruptDataError: The bytes end within a frame.
    """
    while start < len(data):
        begin = start + 4
        start = begin + int.from_bytes(data[start:begin], "big")
        if start > len(data):
            raise CorruptDataError("stored bytes end within a frame: they were cut, or another program wrote them")
        yield data[begin:start]


def pack_typed(typed: Typed) -> bytes:
    """A serializer's (type, bytes) as one byte string: `p`, the type's length and name, the bytes."""
    name = typed[0].encode()
    return b"p%c%b%b" % (len(name), name, typed[1])


def unpack_typed(value: bytes) -> Typed:
    """Undo `pack_typed`."""
    end = 2 + value[1]
    return value[2:end].decode(), value[end:]


VERSION_WIDTH = 32  # digits of the count in a text version, as LangGraph's savers write it


@lru_cache(maxsize=4096, typed=True)  # a channel keeps its version over many checkpoints; 1 is not 1.0
def pack_version(version: Version) -> str:
    """A channel version as text that remembers its type: LangGraph compares versions, so `1` must not become `"1"`.

    A text version of LangGraph's usual form, 32 digits and a fraction, is stored without its leading zeros.
    """
    if not isinstance(version, str):
        return f"{type(version).__name__[0]}{version or abs(version)!r}"  # one zero: LangGraph sees no difference
    count, point, chance = version.partition(".")
    if point and len(count) == VERSION_WIDTH and count.isascii() and count.isdecimal():
        return f"z{count.lstrip('0')}.{chance}"
    return f"s{version}"


@lru_cache(maxsize=4096)
def unpack_version(token: str) -> Version:
    """Undo `pack_version`."""
    kind, text = token[0], token[1:]
    if kind == "z":
        count, _, chance = text.partition(".")
        return f"{count.zfill(VERSION_WIDTH)}.{chance}"
    return text if kind == "s" else int(text) if kind == "i" else float(text)


class Log(NamedTuple):
    """Where a list's serialized items lie: the first `length` bytes of the chunks of one generation."""

    generation: int
    length: int
    items: int
    digest: bytes

    @classmethod
    def of(cls, value: bytes) -> Log:
        """Read the stored descriptor, `L` and four numbers."""
        return cls(*_LOG.unpack_from(value, 1))

    def typed(self, chunks: bytes) -> Typed:
        """The list as the stock serializer wrote it."""
        if len(chunks) < self.length:
            raise CorruptDataError("a list's stored bytes are shorter than its checkpoint says")
        return "msgpack", array_header(self.items) + chunks[: self.length]


def is_log(value: bytes) -> bool:
    """Whether a stored value is the descriptor of a log rather than the value itself."""
    return value[:1] == b"L"


class Record(NamedTuple):
    """What is stored of a checkpoint apart from its channel values.

    Attributes:
        parent: Id of the parent checkpoint, or None.
        versions: Version of each channel.
        body: The rest of the checkpoint, serialized.
        metadata: The metadata, serialized.
        run_id: Run that made it ("" = none); with the next two in plain, for the server's scripts.
        root_id: In a subgraph, id of the root graph's checkpoint ("" = none).
        delta_channels: Channels that may have to be rebuilt from the writes of ancestors.
    """

    parent: str | None
    versions: Mapping[str, Version]
    body: Typed
    metadata: Typed
    run_id: str = ""
    root_id: str = ""
    delta_channels: tuple[str, ...] = ()

    def pack(self) -> bytes:
        """The stored form."""
        flat = [text for channel, version in self.versions.items() for text in (channel, pack_version(version))]
        aux = [self.run_id, self.root_id, *self.delta_channels]
        return join(
            (self.parent or "").encode(),
            ormsgpack.packb(flat),
            ormsgpack.packb(aux),
            pack_typed(self.body),
            pack_typed(self.metadata),
        )

    @classmethod
    def unpack(cls, data: bytes) -> Record:
        """Read the stored form."""
        parent, versions, _, body, metadata = split(data)
        flat = ormsgpack.unpackb(versions)
        named = {channel: unpack_version(token) for channel, token in zip(flat[::2], flat[1::2], strict=True)}
        return cls(parent.decode() or None, named, unpack_typed(body), unpack_typed(metadata))


class Row(NamedTuple):
    """One pending write."""

    position: int
    task_id: str
    path: str
    channel: str
    value: Typed

    def pack(self) -> bytes:
        """The stored form: its key first, so that a script knows which write of which task it is."""
        key = _INDEX.pack(self.position) + self.task_id.encode()
        return join(join(key, self.path.encode(), self.channel.encode()) + pack_typed(self.value))

    @classmethod
    def unpack(cls, body: bytes) -> Row:
        """Read the stored form, without its outer frame."""
        at, parts = 0, []
        for _ in range(3):
            end = at + 4 + _LENGTH.unpack_from(body, at)[0]
            parts.append(body[at + 4 : end])
            at = end
        key, path, channel = parts
        task_id = key[4:].decode()
        return cls(_INDEX.unpack_from(key)[0], task_id, path.decode(), channel.decode(), unpack_typed(body[at:]))


def load_rows(stored: Iterable[bytes], codec: Codec) -> list[PendingWrite]:
    """The pending writes in stored rows, in the order in which a run applies them."""
    rows = [Row.unpack(body) for rows in stored for body in split(rows)]
    rows.sort(key=lambda row: writes_sort_key(row.path, row.task_id, row.position))
    return [(row.task_id, row.channel, codec.loads_typed(row.value)) for row in rows]


def load_value(value: bytes, logs: Mapping[int, bytes], codec: Codec) -> Any:
    """A channel's value from its stored form; `logs` holds the chunks of each generation, joined."""
    if is_log(value):
        log = Log.of(value)
        return codec.loads_typed(log.typed(logs.get(log.generation, b"")))
    return codec.loads_typed(unpack_typed(value))
