"""From a checkpoint and its writes to what the server's scripts take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, Self

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import WRITES_IDX_MAP, ChannelVersions, Checkpoint, CheckpointMetadata

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.thread.appends import payload
from langchain_agentmem.thread.beliefs import Belief, digest_of
from langchain_agentmem.thread.codec import Codec
from langchain_agentmem.thread.layout import Record, Row, Typed, pack_version
from langchain_agentmem.wire.connection import Command
from langchain_agentmem.wire.keys import escape
from langchain_agentmem.wire.whose import user_of

_STORED_ELSEWHERE = frozenset({"id", "channel_values", "channel_versions"})


class CheckpointEvents(Protocol):
    """Who wants to know of every checkpoint, in the same round trip that stores it: the event log."""

    def checkpoint(
        self,
        *,
        thread_id: str,
        checkpoint_ns: str,
        checkpoint_id: str,
        parent_id: str | None,
        step: int | None,
        source: str | None,
        channels: Sequence[str],
        size: int,
        run_id: str | None,
    ) -> Sequence[Command]:
        """The commands to send along with the put."""


class Place(NamedTuple):
    """What a config names: a thread, a namespace in it, and a checkpoint ("" = the newest)."""

    thread_id: str
    ns: str
    checkpoint_id: str

    @classmethod
    def of(cls, config: RunnableConfig) -> Self:
        """Read a config.

        Raises:
            InvalidInputError: It names no thread.
        """
        configurable = config.get("configurable", {})
        if configurable.get("thread_id") is None:
            raise InvalidInputError('config: name the thread, {"configurable": {"thread_id": "…"}}')
        ns, checkpoint_id = configurable.get("checkpoint_ns") or "", configurable.get("checkpoint_id") or ""
        return cls(str(configurable["thread_id"]), ns, str(checkpoint_id))


class Draft(NamedTuple):
    """A checkpoint ready to be put.

    Attributes:
        place: The thread, the namespace and the parent.
        checkpoint_id: Its id.
        record: Everything but the channel values, packed.
        run_id: The run that made it ("" = none).
        user: Whose thread it is ("" = nobody's).
        versions: The version of each channel.
        new: The channels with a new version.
        values: The serialized values of those that have one.
        unsent: The other channels that have a value: the server should hold it.
        may_log: The values are the stock serializer's bytes, so that a list's items can be told from its header.
    """

    place: Place
    checkpoint_id: str
    record: bytes
    run_id: str
    user: str
    versions: ChannelVersions
    new: ChannelVersions
    values: dict[str, Typed]
    unsent: ChannelVersions
    may_log: bool

    @classmethod
    def of(
        cls,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
        codec: Codec,
    ) -> Self:
        """Serialize everything now: LangGraph changes the checkpoint's dicts afterwards."""
        place, held, versions = Place.of(config), checkpoint["channel_values"], dict(checkpoint["channel_versions"])
        body = {key: value for key, value in checkpoint.items() if key not in _STORED_ELSEWHERE}
        record = Record(
            parent=place.checkpoint_id or None,
            versions=versions,
            body=codec.dumps_typed(body),
            metadata=codec.dumps_typed(metadata),
            run_id=str(metadata.get("run_id") or ""),
            root_id=str((metadata.get("parents") or {}).get("") or ""),
            delta_channels=tuple(metadata.get("counters_since_delta_snapshot") or ()),
        )
        return cls(
            place=place,
            checkpoint_id=checkpoint["id"],
            record=record.pack(),
            run_id=record.run_id,
            user=user_of(config, metadata),
            versions=versions,
            new=dict(new_versions),
            values={channel: codec.dumps_typed(held[channel]) for channel in new_versions if channel in held},
            unsent={name: versions[name] for name in held if name in versions and name not in new_versions},
            may_log=codec.stock,
        )

    def with_everything(self, checkpoint: Checkpoint, codec: Codec) -> Self:
        """The same, with a value for each channel that has one: for a server that has lost them."""
        held = checkpoint["channel_values"]
        lost = {channel: codec.dumps_typed(held[channel]) for channel in self.unsent}
        return self._replace(new={**self.new, **self.unsent}, values={**self.values, **lost}, unsent={})

    def arguments(self, ttl: int | str, head: Belief | None) -> tuple[list[Any], Belief]:
        """The arguments of `checkpoint_put.lua`, and what to believe of the head once it is stored.

        Args:
            ttl: Milliseconds, "" = never.
            head: What is believed of the namespace's current checkpoint.
        """
        parent = head if head and self._follows(head) else None
        digest = digest_of(self.checkpoint_id, self.record)
        args: list[Any] = [escape(self.place.ns), self.checkpoint_id, self.record, ttl, escape(self.place.thread_id)]
        args += [self.user and escape(self.user), self.run_id, "1" if self.unsent else ""]
        args += [digest, parent.digest if parent else b""]
        ends = {channel: end for channel, end in head.ends.items() if channel not in self.new} if head else {}
        for channel, version in self.new.items():
            before = parent.versions.get(channel) if parent else None
            sent, end = b"e", None
            if channel in self.values:
                sent, end = payload(self.values[channel], head and head.ends.get(channel), may_log=self.may_log)
            if end is not None:
                ends[channel] = end
            args += [channel, pack_version(version), "" if before is None else pack_version(before), sent]
        return args, Belief(self.checkpoint_id, digest, self.versions, ends)

    def _follows(self, head: Belief) -> bool:
        """Whether this is a newer child of that head, whose other channels stay as they are."""
        if not head.digest or not self.checkpoint_id > self.place.checkpoint_id == head.checkpoint_id:
            return False
        changed = all(head.versions.get(channel) != version for channel, version in self.new.items())
        return changed and self.versions == {**head.versions, **self.new}

    @property
    def size(self) -> int:
        """Bytes of the record and of all new values, sent or not."""
        return len(self.record) + sum(len(data) for _, data in self.values.values())


def pack_rows(writes: Sequence[tuple[str, Any]], task_id: str, task_path: str, codec: Codec) -> bytes:
    """One task's writes as rows. Special writes have fixed indices under 0, and the last of each wins."""
    rows = [
        Row(WRITES_IDX_MAP.get(channel, index), task_id, task_path, channel, codec.dumps_typed(value))
        for index, (channel, value) in enumerate(writes)
    ]
    unique = {row.position: row for row in rows}
    return b"".join([row.pack() for row in unique.values()])
