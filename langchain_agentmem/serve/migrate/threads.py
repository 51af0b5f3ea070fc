"""From RedisSaver, AsyncRedisSaver and their shallow forms (langgraph-checkpoint-redis 0.2 to 0.5) to our checkpoints.

| their key | what it holds |
|---|---|
| `checkpoint:{thread}:{ns}:{id}` | JSON: ids, parent, `checkpoint` with its channel values, `metadata` as JSON text |
| `checkpoint:{thread}:{ns}` | the same of a shallow saver: only the newest, without a parent |
| `checkpoint_write:{thread}:{ns}:{id}:{task}:{index}` | JSON: one pending write, its value as a type and base64 |

Pointers to the newest, key registries and search indices follow from these and are not read. An empty namespace is
`__empty__`. A thread's last checkpoint says when it was last active: threads are moved in that order and so listed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointTuple

from langchain_agentmem.serve.migrate.documents import PAGE, fields_of, keys_with, read
from langchain_agentmem.serve.migrate.outcome import Outcome, Progress, move_groups
from langchain_agentmem.serve.migrate.values import TheirSerializer
from langchain_agentmem.thread.checkpoint import AgentMemorySaver
from langchain_agentmem.wire.connection import Connection

Ids: TypeAlias = tuple[str, str, str]  # thread, namespace, checkpoint
Savers: TypeAlias = Callable[[float | None], AgentMemorySaver]

_EMPTY_NS = "__empty__"
_EMPTY_ID = "00000000-0000-0000-0000-000000000000"
_TASKS = "__pregel_tasks"
_SENDS_IN_CHANNEL = 4  # the version of checkpoints from which on sends lie in a channel of their own
_NOT_OURS = frozenset(("type", "pending_sends"))  # what that package adds to a checkpoint


class Stored(NamedTuple):
    """A checkpoint of the source."""

    ids: Ids
    key: bytes


class Write(NamedTuple):
    """A pending write of the source."""

    position: int
    channel: str
    value: Any
    path: str


class ThreadMover:
    """Moves threads.

    Args:
        source: Where they are.
        saver: Makes the saver that takes them, with the seconds that a thread lives; None: for ever.
        prefix: What their keys begin with, without the colon.
        write_prefix: What the keys of their writes begin with.
        dry_run: Read everything, write nothing.
    """

    def __init__(self, source: Connection, saver: Savers, *, prefix: str, write_prefix: str, dry_run: bool) -> None:
        self._source, self._dry_run = source, dry_run
        self._saver = lru_cache(maxsize=1)(saver)  # one, as long as what it takes has no end
        self._prefix, self._write_prefix = f"{prefix}:", f"{write_prefix}:"
        self._theirs = TheirSerializer()
        self._writes: dict[Ids, list[bytes]] = {}

    async def move(self, on_progress: Progress | None) -> Outcome:
        """Move all threads, those that were active last at the end."""
        return await move_groups("thread", await self._find(), self._move_thread, on_progress)

    async def _find(self) -> dict[str, list[Stored]]:
        """The checkpoints of each thread, oldest first, as the threads are; their writes go to `_writes`."""
        names = ("thread_id", "checkpoint_ns", "checkpoint_id")
        for_writes = await keys_with(self._source, self._write_prefix)
        async for key, ids in fields_of(self._source, for_writes, *names):
            self._writes.setdefault(_ids(ids), []).append(key)
        threads: dict[str, list[Stored]] = {}
        async for key, ids in fields_of(self._source, await keys_with(self._source, self._prefix), *names):
            if None not in ids:
                threads.setdefault(_ids(ids)[0], []).append(Stored(_ids(ids), key))
        for stored in threads.values():
            stored.sort(key=lambda each: each.ids[2])  # ids grow with time
        return dict(sorted(threads.items(), key=lambda entry: entry[1][-1].ids[2]))

    async def _move_thread(self, thread_id: str, stored: Sequence[Stored], outcome: Outcome) -> None:
        everything: RunnableConfig = {"configurable": {"thread_id": thread_id}}
        there = {_place(each): _written(each) async for each in self._saver(None).alist(everything)}
        wanted = [each for each in stored if not self._is_complete(each.ids, there.get(each.ids[1:]))]
        outcome.kept += len(stored) - len(wanted)
        versions: dict[tuple[str, str], Mapping[str, Any]] = {}
        for start in range(0, len(wanted), PAGE):
            page = wanted[start : start + PAGE]
            documents = await read(self._source, [each.key for each in page])
            writes = await self._read_writes([each.ids for each in page])
            for each, (text, seconds) in zip(page, documents, strict=True):
                if text is not None:
                    is_new = each.ids[1:] not in there
                    await self._move_one(each, text, seconds, versions, is_new=is_new)
                    await self._move_writes(each.ids, writes[each.ids], there.get(each.ids[1:], Counter()), seconds)
                    outcome.moved += is_new
                    outcome.kept += not is_new

    def _is_complete(self, ids: Ids, there: Counter[tuple[str, str]] | None) -> bool:
        """Whether a checkpoint and all of its writes are there already."""
        return there is not None and there.total() >= len(self._writes.get(ids, ()))

    async def _move_one(
        self,
        stored: Stored,
        text: bytes,
        seconds: float | None,
        versions: dict[tuple[str, str], Mapping[str, Any]],
        *,
        is_new: bool,
    ) -> None:
        thread_id, ns, checkpoint_id = stored.ids
        document = self._theirs.loads(text)
        parent = _id(document.get("parent_checkpoint_id"))
        checkpoint = {name: value for name, value in document["checkpoint"].items() if name not in _NOT_OURS}
        if checkpoint.get("v", _SENDS_IN_CHANNEL) < _SENDS_IN_CHANNEL and parent:
            await self._take_sends((thread_id, ns, parent), checkpoint)
        metadata = document["metadata"]
        metadata = self._theirs.loads(metadata) if isinstance(metadata, str) else metadata
        versions[ns, checkpoint_id] = now = checkpoint["channel_versions"]
        before = versions.get((ns, parent), {})
        new = {channel: version for channel, version in now.items() if before.get(channel) != version}
        if is_new and not self._dry_run:
            place = {"thread_id": thread_id, "checkpoint_ns": ns, "checkpoint_id": parent}
            await self._saver(seconds).aput({"configurable": place}, checkpoint, metadata, new)  # type: ignore[arg-type]

    async def _take_sends(self, parent: Ids, checkpoint: dict[str, Any]) -> None:
        """Put the sends that older checkpoints have among their parent's writes into their channel."""
        found = (await self._read_writes([parent]))[parent]
        ordered = [write for task in sorted(found) for write in sorted(found[task], key=lambda write: write.position)]
        sends = [write.value for write in ordered if write.channel == _TASKS]
        if sends:
            checkpoint["channel_values"][_TASKS] = sends
            checkpoint["channel_versions"][_TASKS] = max(checkpoint["channel_versions"].values())

    async def _move_writes(
        self, ids: Ids, tasks: Mapping[str, Sequence[Write]], there: Counter[tuple[str, str]], seconds: float | None
    ) -> None:
        thread_id, ns, checkpoint_id = ids
        place = {"thread_id": thread_id, "checkpoint_ns": ns, "checkpoint_id": checkpoint_id}
        for task_id, writes in tasks.items():
            missing = Counter((task_id, write.channel) for write in writes) - there
            if missing and not self._dry_run:
                # Those with an index of their own first: it is their place in the call. Special ones are below zero.
                ordered = sorted(writes, key=lambda write: (write.position < 0, write.position))
                values = [(write.channel, write.value) for write in ordered]
                await self._saver(seconds).aput_writes({"configurable": place}, values, task_id, writes[0].path)

    async def _read_writes(self, wanted: Sequence[Ids]) -> dict[Ids, dict[str, list[Write]]]:
        """The pending writes of checkpoints by task."""
        keys = [(ids, key) for ids in wanted for key in self._writes.get(ids, ())]
        texts = await read(self._source, [key for _, key in keys])
        found: dict[Ids, dict[str, list[Write]]] = {ids: {} for ids in wanted}
        for (ids, _), (text, _) in zip(keys, texts, strict=True):
            if text is not None:
                document = json.loads(text)
                value = self._theirs.loads_blob(document["type"], document["blob"])
                write = Write(int(document["idx"]), document["channel"], value, document.get("task_path") or "")
                found[ids].setdefault(document["task_id"], []).append(write)
        return found


def _ids(found: Sequence[Any]) -> Ids:
    thread_id, ns, checkpoint_id = map(str, found)
    return thread_id, "" if ns == _EMPTY_NS else ns, checkpoint_id


def _id(found: Any) -> str:
    return "" if found in (None, "None", _EMPTY_ID) else str(found)


def _place(found: CheckpointTuple) -> tuple[str, str]:
    return found.config["configurable"]["checkpoint_ns"], found.config["configurable"]["checkpoint_id"]


def _written(found: CheckpointTuple) -> Counter[tuple[str, str]]:
    return Counter((task_id, channel) for task_id, channel, _ in found.pending_writes or ())
