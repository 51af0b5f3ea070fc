"""Which checkpoints are read: newest, by id, listed by namespace, bound, filter and limit. What the caller keeps."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from langchain_agentmem.thread.checkpoint import AgentMemorySaver
from langchain_agentmem.wire.connection import Connection
from tests.thread.checkpoints import Thread, chat, checkpoint, config, ids_of, name, values_of
from tests.thread.conftest import Call

SPACES = ["", "call:1", "call:1|inner:2", "sub"]


@pytest.fixture
async def full(call: Call, server: Connection) -> AgentMemorySaver:
    """Two threads of four namespaces with three checkpoints each; ids follow each other over them all."""
    saver, number = AgentMemorySaver(server), 0
    for thread_id in ("one", "two"):
        for ns in SPACES:
            where = config(thread_id, None, ns)
            for step in range(3):
                number += 1
                facts = {"source": "loop", "step": step, "ns": ns, "list": [step, {"k": None}], "null": None}
                values = {"n": number, "same": "kept"}
                versions = {"n": name(number), "same": "1"}
                new = versions if step == 0 else {"n": name(number)}
                where = await call(saver.put, where, checkpoint(number, values, versions), facts, new)
                await call(saver.put_writes, where, [("w", number)], f"task {number}")
    return saver


async def test_no_such_checkpoint(call: Call, full: AgentMemorySaver) -> None:
    for where in (config("three"), config("one", ns="other"), config("one", "x"), config("one", name(1), "sub")):
        assert await call(full.get_tuple, where) is None
        assert await call(full.list, where) == []
        assert await call(full.get, where) is None


async def test_newest_and_by_id(call: Call, full: AgentMemorySaver) -> None:
    for ns, last in zip(SPACES, (3, 6, 9, 12), strict=True):
        for asked in (None, "", name(last)):
            where = config("one", ns=ns)
            where["configurable"]["checkpoint_id"] = asked  # LangGraph passes None on
            found = await call(full.get_tuple, where)
            assert found.config == config("one", name(last), ns)
            assert found.parent_config == config("one", name(last - 1), ns)
            assert values_of(found) == {"n": last, "same": "kept"}
            assert found.pending_writes == [(f"task {last}", "w", last)]
        older = await call(full.get_tuple, config("one", name(last - 2), ns))
        assert values_of(older) == {"n": last - 2, "same": "kept"}
        assert older.parent_config is None
    absent = {"configurable": {"thread_id": "one"}}
    assert (await call(full.get_tuple, absent)).config == config("one", name(3))


async def test_list_scopes(call: Call, full: AgentMemorySaver) -> None:
    def numbers(found: list[Any]) -> list[int]:
        return [int(one) for one in ids_of(found)]

    assert numbers(await call(full.list, None)) == [*range(24, 0, -1)]
    assert numbers(await call(full.list, config("one", ns=None))) == [*range(12, 0, -1)]
    assert numbers(await call(full.list, config("one"))) == [3, 2, 1]
    assert numbers(await call(full.list, config("two", ns="sub"))) == [24, 23, 22]
    assert numbers(await call(full.list, config("one", name(5), ns=None))) == [5]
    assert numbers(await call(full.list, config("one", name(5), ns="call:1"))) == [5]
    assert numbers(await call(full.list, config("one", name(5)))) == []


@pytest.mark.parametrize("scope", [None, config("one", ns=None), config("two"), config("two", ns="sub")])
async def test_list_is_complete(call: Call, full: AgentMemorySaver, scope: Any) -> None:
    """Every listed checkpoint is what reading it by its id gives."""
    found = await call(full.list, scope)
    assert found == [await call(full.get_tuple, one.config) for one in found]
    assert found


async def test_before_and_limit(call: Call, full: AgentMemorySaver) -> None:
    for scope in (None, config("one", ns=None), config("one"), config("two", ns="sub")):
        everything = ids_of(await call(full.list, scope))
        for bound in (0, 1, 2, 5, 11, 24, 99):
            # The bound's thread and namespace play no part.
            before = config("elsewhere", name(bound), "other")
            expected = [one for one in everything if one < name(bound)]
            for limit in (None, 0, -1, 1, 2, 7, 100):
                found = ids_of(await call(full.list, scope, before=before, limit=limit))
                assert found == (expected if limit is None else expected[: max(limit, 0)])
        assert ids_of(await call(full.list, scope, before=config("x"))) == everything


async def test_filters(call: Call, full: AgentMemorySaver) -> None:
    async def found(limit: int | None = None, **wanted: Any) -> list[int]:
        return [int(one) for one in ids_of(await call(full.list, config("one", ns=None), filter=wanted, limit=limit))]

    assert await found() == [*range(12, 0, -1)]
    assert await found(step=1) == [11, 8, 5, 2]
    assert await found(step=1, limit=2) == [11, 8]
    assert await found(step=1, ns="sub") == [11]
    assert await found(list=[2, {"k": None}]) == [12, 9, 6, 3]
    assert await found(null=None) == [*range(12, 0, -1)]
    assert await found(source="loop", limit=1) == [12]
    assert await found(source="input") == await found(list=[]) == await found(step="1") == await found(absent=1) == []
    assert ids_of(await call(full.list, None, filter={"step": 0, "ns": ""})) == [name(13), name(1)]
    assert ids_of(await call(full.list, config("one", name(5), None), filter={"step": 0})) == []


@pytest.mark.parametrize("value", ["é{", 0, -1.5, True, None, [], {}, [1, [None, {"a": "b"}]], {"a": {"b": []}}, "\n"])
async def test_a_filter_of_any_json_value(call: Call, saver: AgentMemorySaver, value: Any) -> None:
    thread = Thread(saver)
    await call(saver.put, *thread.draft({"k:{}": value}))
    await call(saver.put, *thread.draft({"k:{}": "another"}))
    assert ids_of(await call(saver.list, config(), filter={"k:{}": value})) == [name(1)]


@pytest.mark.parametrize("count", [99, 100, 101, 250])
async def test_pages(call: Call, saver: AgentMemorySaver, count: int) -> None:
    """A listing crosses its pages of a hundred without gap or repetition, equal ids in several namespaces included."""
    for number in range(1, count // 2 + 1):
        await call(saver.put, config(), checkpoint(number), {"odd": number % 2}, {})
        await call(saver.put, config(ns="b"), checkpoint(number), {"odd": number % 2}, {})
    if count % 2:
        await call(saver.put, config(ns="c"), checkpoint(count), {"odd": 0}, {})  # so that a page ends within a pair
    found = await call(saver.list, config(ns=None))
    places = [(one.checkpoint["id"], one.config["configurable"]["checkpoint_ns"]) for one in found]
    assert len(set(places)) == len(places) == count
    assert [place[0] for place in places] == sorted((place[0] for place in places), reverse=True)
    assert len(await call(saver.list, config(ns=None), limit=count - 1)) == count - 1
    odd = await call(saver.list, config(ns=None), filter={"odd": 1})
    assert odd == [one for one in found if one.metadata["odd"] == 1]
    assert await call(saver.list, None) == found


async def test_pages_of_one_namespace(call: Call, saver: AgentMemorySaver) -> None:
    thread = Thread(saver)
    for _ in range(305):
        await call(saver.put, *thread.draft())
    expected = [name(number) for number in range(305, 0, -1)]
    assert ids_of(await call(saver.list, config())) == expected
    assert ids_of(await call(saver.list, config(), before=config(checkpoint_id=name(302)))) == expected[4:]
    assert ids_of(await call(saver.list, None, limit=250)) == expected[:250]


async def test_a_listing_left_early(saver: AgentMemorySaver) -> None:
    thread = Thread(saver)
    for _ in range(5):
        thread.put()
    listing = saver.list(None)
    assert next(listing).checkpoint["id"] == name(5)
    listing.close()  # type: ignore[attr-defined]
    async for found in saver.alist(None):
        assert found.checkpoint["id"] == name(5)
        break


async def test_arguments_are_neither_changed_nor_kept(call: Call, saver: AgentMemorySaver) -> None:
    """LangGraph goes on using, and changing, what it hands over."""
    where, stored = config(user_id="u"), checkpoint(1, {"messages": chat(20), "d": {"k": [1]}})
    facts: dict[str, Any] = {"source": "input", "step": -1, "parents": {"": "x"}}
    new = dict(stored["channel_versions"])
    writes = [("d", {"k": [2]}), ("__interrupt__", [1])]
    given = (where, stored, facts, new)
    before = copy.deepcopy((given, writes))
    saved = await call(saver.put, *given)
    await call(saver.put_writes, saved, writes, "task")
    assert (given, writes) == before
    stored["channel_values"]["d"]["k"].append(9)
    stored["channel_values"]["messages"].clear()
    stored["channel_versions"]["d"] = "changed"
    facts["parents"]["y"] = "z"
    new.clear()
    writes[0][1]["k"].append(9)  # type: ignore[index]
    found = await call(saver.get_tuple, config())
    _, expected, metadata, _ = before[0]
    assert found.checkpoint == expected
    assert found.metadata == {**metadata, "user_id": "u"}
    assert found.pending_writes == [("task", *write) for write in sorted(before[1])]


async def test_what_is_read_is_the_readers_own(call: Call, saver: AgentMemorySaver) -> None:
    """Two checkpoints that share a stored value, and two reads of one, share no object."""
    thread = Thread(saver)
    await call(saver.put, *thread.draft(messages=chat(10), d={"k": []}))
    await call(saver.put, *thread.draft(n=1))
    first, second = await call(saver.list, config())
    first.checkpoint["channel_values"]["d"]["k"].append(1)
    first.checkpoint["channel_values"]["messages"][0].content = "edited"
    first.checkpoint["channel_versions"].clear()
    assert values_of(second)["d"] == {"k": []}
    assert values_of(second)["messages"] == chat(10)
    assert values_of(await call(saver.get_tuple, config())) == {"messages": chat(10), "d": {"k": []}, "n": 1}


async def test_writes_first_or_last_wins(call: Call, saver: AgentMemorySaver) -> None:
    """An index is written once; errors, interrupts, resumes and schedules are replaced. Each write for itself."""
    where = await call(saver.put, config(), checkpoint(1), {}, {})
    await call(saver.put_writes, where, [("a", 1), ("__resume__", 1), ("b", 1)], "t")
    await call(saver.put_writes, where, [("a", 2), ("__resume__", 2), ("b", 2), ("c", 2)], "t")
    await call(saver.put_writes, where, [("__interrupt__", 1), ("__interrupt__", 2), ("__error__", 1)], "u", "path")
    await call(saver.put_writes, where, [("__error__", 2)], "u", "path")
    await call(saver.put_writes, where, [], "v")
    await call(saver.put_writes, where, [("__error__", 1), ("__error__", 2)], "w", "path")
    for _ in range(2):
        found = (await call(saver.get_tuple, where)).pending_writes
        assert found == [
            *[("t", "__resume__", 2), ("t", "a", 1), ("t", "b", 1), ("t", "c", 2)],
            *[("u", "__interrupt__", 2), ("u", "__error__", 2), ("w", "__error__", 2)],
        ]
        await call(saver.put, where, checkpoint(2), {}, {})  # the writes of an older checkpoint are the same


async def test_the_order_of_writes(call: Call, saver: AgentMemorySaver) -> None:
    """By path, then task, then number; 10 after 9."""
    where = config("thread", name(1))
    for task, path in [("b", "2"), ("a", "2"), ("z", "10"), ("c", ""), ("d", "~__pregel_pull, x")]:
        await call(saver.put_writes, where, [(str(i), i) for i in range(12)], task, path)
    await call(saver.put, config(), checkpoint(1), {}, {})
    found = (await call(saver.get_tuple, where)).pending_writes
    assert [(task, value) for task, _, value in found] == [(task, i) for task in "czabd" for i in range(12)]


async def test_the_highest_id_is_the_newest(call: Call, saver: AgentMemorySaver) -> None:
    """Not the one that came last; and the same id again replaces."""
    for number in (5, 3, 7, 1):
        await call(saver.put, config(), checkpoint(number, {"n": number}), {"step": number}, {"n": name(number)})
        await call(saver.put_writes, config("thread", name(number)), [("w", number)], "t")
    assert ids_of(await call(saver.list, config())) == [name(7), name(5), name(3), name(1)]
    assert values_of(await call(saver.get_tuple, config())) == {"n": 7}
    for number in (7, 3):
        again = checkpoint(number, {"m": HumanMessage("new")}, {"m": "1"})
        await call(saver.put, config(checkpoint_id=name(1)), again, {"step": 0}, {"m": "1"})
        found = await call(saver.get_tuple, config(checkpoint_id=name(number)))
        assert (values_of(found), found.metadata) == ({"m": HumanMessage("new")}, {"step": 0})
        assert found.parent_config == config(checkpoint_id=name(1))
        assert found.pending_writes == [("t", "w", number)]
    assert len(await call(saver.list, config())) == 4


async def test_two_tenants_and_two_prefixes(call: Call, plain: Connection) -> None:
    named: list[dict[str, Any]] = [{}, {"tenant": "b"}, {"prefix": "p"}, {"prefix": "p:", "tenant": "b"}]
    savers = [AgentMemorySaver(plain, **names) for names in [*named, {"prefix": "p", "tenant": ":b"}]]
    for number, saver in enumerate(savers, 1):
        assert await call(saver.get_tuple, config()) is None
        await call(saver.put, config(), checkpoint(number), {"user_id": "u"}, {})
    for number, saver in enumerate(savers, 1):
        assert ids_of(await call(saver.list, None)) == [name(number)]
        assert len(await call(saver.threads.list, user="u")) == 1
    await call(savers[0].delete_thread, "thread")
    assert [len(await call(saver.list, None)) for saver in savers] == [0, 1, 1, 1, 1]
