"""From a checkpoint and its writes to what the server's scripts take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, Self

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import WRITES_IDX_MAP, ChannelVersions, Checkpoint, CheckpointMetadata

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.thread.appends import End, payload
from langchain_agentmem.thread.codec import Codec
from langchain_agentmem.thread.layout import Record, Row, Typed, pack_version
from langchain_agentmem.wire.connection import Command

_STORED_ELSEWHERE = frozenset({"id", "channel_values", "channel_versions"})
_USER_KEYS = ("user_id", "langgraph_auth_user_id")


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
        record: Everything but the channel values, packed.
        versions: The channels with a new version.
        values: The serialized values of those that have one.
        unsent: The other channels that have a value: the server should hold it.
    """

    record: bytes
    versions: ChannelVersions
    values: dict[str, Typed]
    unsent: ChannelVersions

    @classmethod
    def of(
        cls,
        place: Place,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
        codec: Codec,
    ) -> Self:
        """Serialize everything now: LangGraph changes the checkpoint's dicts afterwards."""
        held = checkpoint["channel_values"]
        values = {channel: codec.dumps_typed(held[channel]) for channel in new_versions if channel in held}
        body = {key: value for key, value in checkpoint.items() if key not in _STORED_ELSEWHERE}
        record = Record(
            parent=place.checkpoint_id or None,
            versions=checkpoint["channel_versions"],
            body=codec.dumps_typed(body),
            metadata=codec.dumps_typed(metadata),
            run_id=str(metadata.get("run_id") or ""),
            root_id=str((metadata.get("parents") or {}).get("") or ""),
            delta_channels=tuple(metadata.get("counters_since_delta_snapshot") or ()),
        )
        versions = checkpoint["channel_versions"]
        unsent = {name: versions[name] for name in held if name in versions and name not in new_versions}
        return cls(record.pack(), new_versions, values, unsent)

    def with_everything(self, checkpoint: Checkpoint, codec: Codec) -> Self:
        """The same, with a value for each channel that has one: for a server that has lost them."""
        held = checkpoint["channel_values"]
        lost = {channel: codec.dumps_typed(held[channel]) for channel in self.unsent}
        return self._replace(versions={**self.versions, **self.unsent}, values={**self.values, **lost}, unsent={})

    def changes(self, known: Callable[[str], End | None], *, may_log: bool) -> tuple[list[Any], dict[str, End]]:
        """The new values as arguments of `checkpoint_put.lua`, and where the logs among them will end.

        Args:
            known: Where a channel's log is believed to end.
            may_log: The values are the stock serializer's bytes.
        """
        args: list[Any] = []
        ends: dict[str, End] = {}
        for channel, version in self.versions.items():
            sent, end = b"e", None
            if channel in self.values:
                sent, end = payload(self.values[channel], known(channel), may_log=may_log)
            if end is not None:
                ends[channel] = end
            args += [channel, pack_version(version), sent]
        return args, ends

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


def user_of(metadata: CheckpointMetadata) -> str:
    """Whose thread it is, by its metadata: `user_id`, or whom a LangGraph server authenticated ("" = nobody)."""
    named = (metadata.get(key) for key in _USER_KEYS)
    return next((str(user) for user in named if isinstance(user, str | int)), "")
