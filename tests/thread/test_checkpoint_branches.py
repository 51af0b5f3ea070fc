"""Branches of a thread: which value belongs to which checkpoint, when the newest one goes back to older values."""

from __future__ import annotations

from typing import Any

import pytest

from langchain_agentmem.thread.beliefs import digest_of
from langchain_agentmem.thread.checkpoint import AgentMemorySaver
from langchain_agentmem.thread.layout import is_log
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection
from tests.thread.checkpoints import Thread, chat, checkpoint, config, ids_of, name, values_of
from tests.thread.conftest import Call

CHUNK = 8192


class Tree:
    """Puts checkpoints under any parent, as a run that went back in time does, and knows what each must hold."""

    def __init__(self, call: Call, *savers: AgentMemorySaver) -> None:
        self.call, self.savers = call, savers
        self.known: dict[int, tuple[dict[str, Any], dict[str, Any]]] = {0: ({}, {})}

    async def put(
        self, number: int, parent: int, worker: int = 0, /, gone: tuple[str, ...] = (), **changed: Any
    ) -> None:
        values, versions = self.known[parent]
        new = {channel: f"{number}.{channel}" for channel in (*changed, *gone)}
        values = {channel: value for channel, value in (values | changed).items() if channel not in gone}
        versions = versions | new
        where = config(checkpoint_id=name(parent) if parent else None)
        await self.call(self.savers[worker].put, where, checkpoint(number, values, versions), {"step": number}, new)
        self.known[number] = values, versions

    async def read(self, worker: int = 0) -> Any:
        return await self.call(self.savers[worker].get_tuple, config())

    async def check(self) -> None:
        """Every checkpoint, by every way of reading, to a process that knows nothing yet too."""
        numbers = sorted((number for number in self.known if number), reverse=True)
        for saver in (*self.savers, AgentMemorySaver(self.savers[0]._redis)):
            listed = await self.call(saver.list, config())
            assert ids_of(listed) == [name(number) for number in numbers]
            for number, found in zip(numbers, listed, strict=True):
                assert values_of(found) == self.known[number][0], number
                by_id = await self.call(saver.get_tuple, config(checkpoint_id=name(number)))
                assert by_id == found
            assert await self.call(saver.get_tuple, config()) == listed[0]
        self.check_head()

    def check_head(self) -> None:
        """The newest checkpoint's hash holds the chunks of the lists that it names, and no others."""
        saver = self.savers[0]
        [fields] = run(saver._redis.send(("HGETALL", saver._keys.head("thread", ""))))
        logs = {value[1:5] for field, value in fields.items() if field[:1] == b"v" and is_log(value)}
        assert {field[1:5] for field in fields if field[:1] == b"l"} == logs


@pytest.fixture
def tree(call: Call, saver: AgentMemorySaver) -> Tree:
    return Tree(call, saver, AgentMemorySaver(saver._redis))


LONG, OTHER = chat(40), [*chat(20), *["other " * 50] * 20]


@pytest.mark.parametrize("reading", [False, True])
@pytest.mark.parametrize("more", [["x"], ["x" * 300], ["x" * 3 * CHUNK]])
async def test_an_older_list_continued_otherwise(tree: Tree, reading: bool, more: list[str]) -> None:
    """The newest checkpoint reads the beginning of a list that went on: what follows must not land behind that."""
    await tree.put(1, 0, messages=LONG, n=1)
    await tree.put(2, 1, messages=[*LONG, *["first " * 300] * 9])
    await tree.put(3, 1, n=3)
    if reading:
        await tree.read()
    await tree.put(4, 3, messages=[*LONG, *more])
    await tree.check()
    await tree.put(5, 4, messages=[*LONG, *more, "y"])
    await tree.put(6, 2, messages=[*LONG, *["first " * 300] * 9, "z"])
    await tree.check()


async def test_an_older_list_that_ends_with_a_chunk(tree: Tree) -> None:
    """The next chunk is another branch's, though nothing of it is in use."""
    items = ["x" * 1021] * 8  # with its header each has 1024 bytes
    await tree.put(1, 0, items=items, n=1)
    await tree.put(2, 1, items=[*items, "first"])
    await tree.put(3, 1, n=3)
    await tree.read()
    await tree.put(4, 3, items=[*items, "other"])
    await tree.check()


async def test_an_older_list_beside_an_unrelated_one(tree: Tree) -> None:
    """Its chunks come back with it, and those of the other leave."""
    await tree.put(1, 0, messages=LONG, other=OTHER, n=1)
    await tree.put(2, 1, messages=OTHER)
    await tree.put(3, 1, n=3)
    await tree.check()
    await tree.put(4, 2, n=4)
    await tree.check()
    await tree.put(5, 4, messages=[*OTHER, "more"], other=LONG)
    await tree.put(6, 3, messages=[*LONG, "more"])
    await tree.check()


async def test_a_remembered_end_of_another_list_of_equal_length(tree: Tree) -> None:
    first, second = (["a" * 100] * 20, ["b" * 100] * 20)
    await tree.put(1, 0, messages=first)
    await tree.put(2, 1, messages=second)
    await tree.put(3, 1, n=3)
    await tree.put(4, 3, messages=[*second, "more"])
    await tree.check()


async def test_another_worker_came_between(tree: Tree) -> None:
    """A child of what this process takes for the newest, which is not the newest any more."""
    for values in ({"n": 0, "messages": LONG}, {"n": 0}):
        number = max(tree.known)
        await tree.put(number + 1, 0, 0, **values)
        await tree.read(1)
        await tree.put(number + 2, number + 1, 1, n=number + 2, m="second")
        await tree.put(number + 3, number + 1, 0, n=number + 3)
        await tree.put(number + 4, number + 2, 1, n=number + 4, messages=[*LONG, "b"])
        await tree.put(number + 5, number + 3, 0, messages=[*LONG, "a"])
        await tree.check()


async def test_the_newest_was_deleted_under_a_worker_that_goes_on(call: Call, saver: AgentMemorySaver) -> None:
    """What its next checkpoint does not name anew went with its parent, so it sends that again."""
    other, thread = AgentMemorySaver(saver._redis), Thread(saver)
    await call(saver.put, *thread.draft({"run_id": "a"}, n=1, messages=LONG))
    await call(saver.put, *thread.draft({"run_id": "b"}, n=2, messages=[*LONG, "x"]))
    await call(other.delete_for_runs, ["b"])
    await call(saver.put, *thread.draft({"run_id": "c"}, m=3))
    newest, oldest = await call(saver.list, config())
    assert values_of(newest) == {"n": 2, "messages": [*LONG, "x"], "m": 3}
    assert values_of(oldest) == {"n": 1, "messages": LONG}


async def test_the_same_list_under_a_new_version(tree: Tree) -> None:
    await tree.put(1, 0, 0, messages=LONG)
    await tree.put(2, 1, 1, messages=LONG)
    await tree.put(3, 2, 1, messages=LONG)
    await tree.put(4, 3, 0, messages=LONG)
    await tree.check()


@pytest.mark.parametrize("long", [False, True])
async def test_values_of_every_kind_follow_each_other(tree: Tree, long: bool) -> None:
    """In one channel: a list, a short list, another value, none, None; from the newest and from a fork."""
    kinds: list[Any] = [LONG, [1], "text", None, OTHER, 7, LONG, [*LONG, "x"]]
    number = 0
    for value in kinds:
        await tree.put(number + 1, number, number % 2 if long else 0, v=value, n=number)
        await tree.put(number + 2, number + 1, gone=("v",))
        await tree.put(number + 3, number + 2, v=value)
        await tree.put(number + 4, max(number - 4, 0), m=number)
        number += 4
        await tree.check()


async def test_any_kind_after_any_other(tree: Tree) -> None:
    """From the newest, which is the short way, and from one before it."""
    kinds: list[Any] = [LONG, [1], "text", None, OTHER, ...]
    number = 0
    for first in kinds:
        for second in kinds:
            for value in (first, second):
                parent = number if number % 5 else max(number - 1, 0)
                number += 1
                if value is ... and "v" in tree.known[parent][0]:
                    await tree.put(number, parent, gone=("v",))
                elif value is ...:
                    await tree.put(number, parent, n=number)
                else:
                    await tree.put(number, parent, v=value)
                tree.check_head()
    await tree.check()


async def test_a_put_that_comes_late(tree: Tree) -> None:
    """With an id that is not the newest: it changes nothing of what is."""
    await tree.put(5, 0, messages=LONG, n=5)
    await tree.put(9, 5, messages=[*LONG, "x"])
    await tree.put(6, 5, messages=[*LONG, "y"], m=[1])
    await tree.put(7, 6, 1, gone=("messages",), n=7)
    await tree.put(4, 0, messages=OTHER)
    await tree.check()
    await tree.put(10, 6, messages=[*LONG, "y", "z"])
    await tree.check()


@pytest.mark.parametrize("knowing", [True, False])
async def test_branches_that_share_a_version(call: Call, saver: AgentMemorySaver, knowing: bool) -> None:
    """Whole numbers as versions, as other savers had them: a version has one value, the last that was put."""
    other = AgentMemorySaver(saver._redis)

    async def put(number: int, version: int, worker: AgentMemorySaver = saver, **values: Any) -> None:
        made = checkpoint(number, values, {"v": version})
        if not knowing:
            worker = AgentMemorySaver(saver._redis)
        await call(worker.put, config(checkpoint_id=name(number - 1)), made, {}, {"v": version})

    async def values(*numbers: int) -> list[Any]:
        found = [await call(saver.get_tuple, config(checkpoint_id=name(number))) for number in numbers]
        return [values_of(one).get("v", "absent") for one in found]

    for first, second in ((LONG, OTHER), ("a", "b"), (LONG, "b"), ("a", OTHER)):
        await call(saver.delete_thread, "thread")
        await put(1, 1, v=first)
        await put(5, 1, v=second)
        assert await values(1, 5) == [second, second]
        await put(3, 1, other, v=first)
        assert await values(1, 3, 5) == [first, first, first]
        await put(6, 2, v=second)
        await put(7, 3, v="three")
        await put(8, 2)
        assert await values(6, 7, 8) == ["absent", "three", "absent"]
        await put(9, 4, v="four")
        assert await values(1, 5, 6, 7, 8, 9) == [first, first, "absent", "three", "absent", "four"]


async def test_a_new_version_that_the_checkpoint_does_not_name(call: Call, saver: AgentMemorySaver) -> None:
    """Its value is stored under it, for a checkpoint that will."""
    for thread_id, value in (("a", LONG), ("b", "text")):
        first = await call(saver.put, config(thread_id), checkpoint(1, {"v": 1}, {"v": "1"}), {}, {"v": "1"})
        second = await call(saver.put, first, checkpoint(2, {"v": value}, {"v": "1"}), {}, {"v": "2"})
        assert values_of(await call(saver.get_tuple, config(thread_id))) == {"v": 1}
        await call(saver.put, second, checkpoint(3, {}, {"v": "2"}), {}, {})
        assert [values_of(one)["v"] for one in await call(saver.list, config(thread_id))] == [value, 1, 1]


def commands_of(connection: Connection) -> int:
    """Commands that the server has run since the last call of this."""
    [stats] = run(connection.send(("INFO", "commandstats")))
    run(connection.send(("CONFIG", "RESETSTAT")))
    return sum(entry["calls"] for entry in stats.values())


async def test_the_usual_put_is_the_short_way(call: Call, saver: AgentMemorySaver) -> None:
    """A turn more of a chat: the server runs the same few commands, however long the thread and its list are."""
    thread, counted = Thread(saver), []
    for turn in range(1, 80):
        draft = thread.draft(messages=chat(10 + turn, 40), n=turn)
        commands_of(saver._redis)
        await call(saver.put, *draft)
        counted.append(commands_of(saver._redis))
        digest = run(saver._redis.send(("HGET", saver._keys.head("thread", ""), "d")))[0]
        head = run(saver._redis.send(("HGET", saver._keys.head("thread", ""), "@")))[0]
        assert digest == digest_of(name(turn), head)
    assert sorted(counted[2:])[len(counted) // 2] <= 12, "most turns fill no chunk"
