"""Single operations of a checkpointer on threads as LangGraph makes them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any

from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointMetadata, create_checkpoint, empty_checkpoint

from benchmarks.chats import conversation
from benchmarks.harness import Probe, Samples, rotated
from benchmarks.peers import FLOOR, SHALLOW, Addresses, Floor, Saver, thread_ids

_LISTED = 10
_THREADS = thread_ids()


class Thread:
    """One thread of a saver, written as LangGraph's loop writes it."""

    def __init__(self, saver: Saver) -> None:
        self._saver = saver
        self._steps = count()
        self._checkpoint = empty_checkpoint()
        self.thread_id = next(_THREADS)
        self.config: RunnableConfig = {"configurable": {"thread_id": self.thread_id, "checkpoint_ns": ""}}

    def newest(self) -> RunnableConfig:
        """The config that asks for the newest checkpoint."""
        return {"configurable": {"thread_id": self.thread_id, "checkpoint_ns": ""}}

    def step(self, messages: list[BaseMessage] | None, probe: Probe, row: str) -> None:
        """Put the next checkpoint, with these messages or (None) with those it has; only the put itself is probed."""
        saver, old = self._saver, self._checkpoint
        step = next(self._steps)
        changed = {"branch:to:agent": None} | ({} if messages is None else {"messages": messages})
        new = create_checkpoint(old, None, step)
        new["channel_values"] = {**old["channel_values"], **changed}
        fresh = {name: saver.get_next_version(old["channel_versions"].get(name), None) for name in changed}
        new["channel_versions"] = {**old["channel_versions"], **fresh}
        new["versions_seen"] = {"__input__": {}, "agent": {"branch:to:agent": fresh["branch:to:agent"]}}
        new["updated_channels"] = sorted(changed)
        metadata: CheckpointMetadata = {"source": "loop", "step": step, "parents": {}}
        with probe(row):
            self.config = saver.put(self.config, new, metadata, fresh)
        self._checkpoint = new


@contextmanager
def unprobed(row: str) -> Iterator[None]:
    """A probe that measures nothing."""
    del row
    yield


def visit(saver: Saver, messages: Sequence[BaseMessage], probe: Probe, *, by_id: bool = True) -> None:
    """Every operation on a fresh thread of one message less than `messages`, which is removed at the end."""
    thread, rows = Thread(saver), f"{len(messages)} messages"
    thread.step([*messages[:-1]], unprobed, "")
    earlier = thread.config
    saver.get_tuple(thread.newest())
    thread.step([*messages], probe, f"put, {rows}")
    for _ in range(2):
        thread.step(None, probe, f"put, unchanged, {rows}")
    with probe(f"get latest, {rows}"):
        found = saver.get_tuple(thread.newest())
    _check(found, len(messages))
    if by_id:
        with probe(f"get by id, {rows}"):
            found = saver.get_tuple(earlier)
        _check(found, len(messages) - (not isinstance(saver, Floor)))
    writes: list[tuple[str, Any]] = [("messages", [messages[-1]]), ("branch:to:agent", None)]
    with probe(f"put_writes, {rows}"):
        saver.put_writes(thread.config, writes, str(uuid.uuid4()), "~__pregel_pull, agent")
    with probe(f"get latest with writes, {rows}"):
        saver.get_tuple(thread.newest())
    saver.delete_thread(thread.thread_id)


def _check(found: Any, length: int) -> None:
    got = len(found.checkpoint["channel_values"]["messages"])
    if got != length:
        raise AssertionError(f"read {got} messages, not {length}")


def measure(samples: Samples, savers: Mapping[str, Saver], at: Addresses, sizes: Sequence[int], rounds: int) -> None:
    """Time every operation at every size."""
    contenders: dict[str, Saver] = {**savers, FLOOR: Floor(at.search)}
    for size in sizes:
        messages = conversation(size)
        for name, saver in contenders.items():
            visit(saver, messages, unprobed, by_id=name != SHALLOW)
        for turn in range(rounds):
            for name, saver in rotated(list(contenders.items()), turn):
                visit(saver, messages, samples.stopwatch(name), by_id=name != SHALLOW)
        _measure_list(samples, contenders, messages, rounds)


def grown(saver: Saver, messages: Sequence[BaseMessage], checkpoints: int) -> Thread:
    """A thread of so many checkpoints, each with one message more, the last with all."""
    thread = Thread(saver)
    for length in range(len(messages) - checkpoints + 1, len(messages) + 1):
        thread.step([*messages[:length]], unprobed, "")
    return thread


def _measure_list(
    samples: Samples, contenders: Mapping[str, Saver], messages: Sequence[BaseMessage], rounds: int
) -> None:
    threads = {
        name: grown(saver, messages, _LISTED) for name, saver in contenders.items() if name != SHALLOW
    }  # which keeps no history
    for turn in range(rounds):
        for name, thread in rotated(list(threads.items()), turn):
            with samples.stopwatch(name)(f"list 10, {len(messages)} messages"):
                found = list(contenders[name].list(thread.newest(), limit=_LISTED))
            if len(found) != _LISTED:
                raise AssertionError(f"{name} listed {len(found)} checkpoints, not {_LISTED}")


def measure_deletes(
    samples: Samples, savers: Mapping[str, Saver], at: Addresses, lengths: Sequence[int], repeats: int
) -> None:
    """Time the removal of threads of as many checkpoints as messages."""
    contenders: dict[str, Saver] = {**savers, FLOOR: Floor(at.search)}
    for length in lengths:
        messages = conversation(length)
        for turn in range(2 * repeats + 1):
            for name, saver in rotated(list(contenders.items()), turn):
                thread = grown(saver, messages, length)
                with samples.stopwatch(name)(f"delete_thread, {length} checkpoints"):
                    saver.delete_thread(thread.thread_id)
