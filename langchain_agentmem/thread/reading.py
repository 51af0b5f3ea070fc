"""From the server's replies to checkpoint tuples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import Checkpoint, CheckpointTuple, DeltaChannelHistory, PendingWrite

from langchain_agentmem.thread.beliefs import Belief, End
from langchain_agentmem.thread.codec import Codec
from langchain_agentmem.thread.copies import copy_messages
from langchain_agentmem.thread.layout import Log, Record, is_log, load_rows, load_value, pack_version
from langchain_agentmem.wire.keys import unescape


def config_of(thread_id: str, ns: str, checkpoint_id: str) -> RunnableConfig:
    """The config that names one checkpoint."""
    return {"configurable": {"thread_id": thread_id, "checkpoint_ns": ns, "checkpoint_id": checkpoint_id}}


def _tuple(
    thread_id: str,
    ns: str,
    checkpoint_id: str,
    record: Record,
    values: dict[str, Any],
    writes: list[PendingWrite],
    codec: Codec,
) -> CheckpointTuple:
    body = codec.loads_typed(record.body)
    checkpoint = {**body, "id": checkpoint_id, "channel_versions": dict(record.versions), "channel_values": values}
    return CheckpointTuple(
        config=config_of(thread_id, ns, checkpoint_id),
        checkpoint=cast("Checkpoint", checkpoint),
        metadata=codec.loads_typed(record.metadata),
        parent_config=config_of(thread_id, ns, record.parent) if record.parent else None,
        pending_writes=writes,
    )


class Head:
    """The head hash of a namespace: its current checkpoint, with everything that belongs to it.

    Args:
        fields: The hash as HGETALL gave it.
    """

    def __init__(self, fields: Mapping[bytes, bytes]) -> None:
        self.checkpoint_id = fields[b"id"].decode()
        self._record = Record.unpack(fields[b"@"])
        self._digest = fields.get(b"d", b"")
        self._values: dict[str, bytes] = {}
        self._rows: list[bytes] = []
        self._chunks: list[tuple[bytes, bytes]] = []
        for field, value in fields.items():
            match field[:1]:
                case b"v":
                    self._values[field[1:].decode()] = value
                case b"w":
                    self._rows.append(value)
                case b"l":
                    self._chunks.append((field, value))

    def belief(self) -> Belief:
        """What to remember of it, so that the next put sends only what is new."""
        logs = {channel: Log.of(value) for channel, value in self._values.items() if is_log(value)}
        ends = {channel: End(log.length, log.digest) for channel, log in logs.items()}
        return Belief(self.checkpoint_id, self._digest, self._record.versions, ends)

    def load(self, thread_id: str, ns: str, codec: Codec) -> CheckpointTuple:
        """The checkpoint tuple."""
        logs: dict[int, list[bytes]] = {}
        for field, chunk in sorted(self._chunks):  # the names are big-endian numbers: generation, then position
            logs.setdefault(int.from_bytes(field[1:5], "big"), []).append(chunk)
        joined = {generation: b"".join(chunks) for generation, chunks in logs.items()}
        values = {channel: load_value(value, joined, codec) for channel, value in self._values.items()}
        return _tuple(thread_id, ns, self.checkpoint_id, self._record, values, load_rows(self._rows, codec), codec)


class Page:
    """A reply of `checkpoint_read.lua`: some checkpoints, and the values that they share."""

    def __init__(self, thread_id: str, reply: Sequence[Any], codec: Codec) -> None:
        self._thread_id, self._codec = thread_id, codec
        self._rows, blobs, logs = reply
        self._blobs = {(ns, channel.decode(), version.decode()): value for ns, channel, version, value in blobs}
        self._logs: dict[bytes, dict[int, bytes]] = {}
        for ns, generation, chunks in logs:
            self._logs.setdefault(ns, {})[generation] = b"".join(chunks)
        self._loaded: dict[tuple[bytes, int], list[Any]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def last(self) -> tuple[str, str]:
        """Id and escaped namespace of the last checkpoint: where the next page goes on."""
        ns, checkpoint_id, *_ = self._rows[-1]
        return checkpoint_id.decode(), ns.decode()

    def load(self, wanted: Mapping[str, Any]) -> Iterator[CheckpointTuple]:
        """The checkpoint tuples whose metadata has all of `wanted`. Each gets values of its own, never shared ones."""
        for ns, checkpoint_id, packed, rows in self._rows:
            record = Record.unpack(packed)
            if wanted and not _matches(self._codec.loads_typed(record.metadata), wanted):
                continue
            yield self._load_one(ns, checkpoint_id.decode(), record, rows)

    def _load_one(self, ns: bytes, checkpoint_id: str, record: Record, rows: bytes) -> CheckpointTuple:
        values = {}
        for channel, version in record.versions.items():
            value = self._blobs.get((ns, channel, pack_version(version)))
            if value is not None:
                values[channel] = self._load_log(ns, value) if is_log(value) else load_value(value, {}, self._codec)
        writes = load_rows([rows], self._codec)
        return _tuple(self._thread_id, unescape(ns), checkpoint_id, record, values, writes, self._codec)

    def _load_log(self, ns: bytes, value: bytes) -> Any:
        """A list whose beginning other checkpoints of the page may have, too: loaded once, and each gets a copy."""
        log = Log.of(value)
        items = self._loaded.get((ns, log.generation), [])
        if len(items) < log.items:
            items = load_value(value, self._logs.get(ns, {}), self._codec)
            if len(self._rows) == 1 or not self._codec.stock:
                return items
            self._loaded[ns, log.generation] = items
        copied = copy_messages(items[: log.items])
        return load_value(value, self._logs.get(ns, {}), self._codec) if copied is None else copied


def _matches(metadata: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(metadata.get(key) == value for key, value in wanted.items())


def load_delta_history(reply: Sequence[Any], channels: Sequence[str], codec: Codec) -> dict[str, DeltaChannelHistory]:
    """A reply of `checkpoint_delta.lua` as LangGraph takes it: writes oldest first, and the seed where there is one."""
    steps, seeds, logs = reply
    history: dict[str, DeltaChannelHistory] = {channel: {"writes": []} for channel in channels}
    for rows in reversed(steps):
        for write in load_rows([rows], codec):
            history[write[1]]["writes"].append(write)
    joined = {generation: b"".join(chunks) for generation, chunks in logs}
    for channel, value in seeds:
        history[channel.decode()]["seed"] = load_value(value, joined, codec)
    return history
