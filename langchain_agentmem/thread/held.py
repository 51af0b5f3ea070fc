"""What a channel holds at a checkpoint, also where only what was written to it since an earlier one is stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from langchain_core.messages import BaseMessage, RemoveMessage
from langgraph.channels.delta import DeltaChannel
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple, PendingWrite
from langgraph.graph.message import REMOVE_ALL_MESSAGES

from langchain_agentmem.thread.messages import read_messages
from langchain_agentmem.wire.bridge import either

_COUNTERS = "counters_since_delta_snapshot"  # metadata of a checkpoint: its delta channels that store no value there


async def messages_at(saver: BaseCheckpointSaver[Any], found: CheckpointTuple, channel: str) -> list[BaseMessage]:
    """The messages that a channel holds; none where it holds something else.

    A delta channel, as deepagents has it for messages, costs a call of the saver more.

    Raises:
        InvalidInputError: It holds a list of something else.
    """
    held, writes = found.checkpoint["channel_values"].get(channel), list[PendingWrite]()
    facts: Mapping[str, Any] = found.metadata
    if held is None and channel in (facts.get(_COUNTERS) or {}):
        read = partial(saver.get_delta_channel_history, config=found.config, channels=[channel])
        aread = partial(saver.aget_delta_channel_history, config=found.config, channels=[channel])
        history = (await either(read, aread))[channel]
        held, writes = history.get("seed", []), history["writes"]
    rebuilt: DeltaChannel[Any] = DeltaChannel(_merged).from_checkpoint(held)
    rebuilt.replay_writes(writes)
    return read_messages(rebuilt.get()) if isinstance(rebuilt.get(), list | tuple) else []


def _merged(held: Iterable[Any], writes: Sequence[Any]) -> list[BaseMessage]:
    """Messages after further ones were written: one with a known id takes the place of that one."""
    told = [each for write in writes for each in (write if isinstance(write, list) else [write])]
    said = dict[Any, BaseMessage]()
    for each in read_messages([*held, *told]):
        if not isinstance(each, RemoveMessage):
            said[each.id or id(each)] = each
        elif each.id == REMOVE_ALL_MESSAGES:
            said.clear()
        else:
            said.pop(each.id, None)
    return [*said.values()]
