"""Whole threads: listed, deleted, copied, pruned, rid of runs."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from redis.exceptions import ResponseError

from langchain_agentmem.errors import InvalidInputError, InvalidTypeError
from langchain_agentmem.thread.checkpoint import AgentMemorySaver
from langchain_agentmem.thread.threads import ThreadInfo
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection
from tests.thread.checkpoints import Thread, chat, checkpoint, config, ids_of, keys_in, name, values_of
from tests.thread.conftest import Call


async def put(call: Call, saver: AgentMemorySaver, thread_id: str, number: int = 1, **facts: Any) -> Any:
    return await call(saver.put, config(thread_id), checkpoint(number), facts, {})


def names(threads: Any) -> list[str]:
    return [thread.thread_id for thread in threads]


async def test_listed_by_last_activity(call: Call, server: Connection) -> None:
    saver = AgentMemorySaver(server)
    assert await call(saver.threads.list) == []
    before = time.time()
    for thread_id in ("a", "b", "c"):
        await put(call, saver, thread_id, step=1)
        await asyncio.sleep(0.002)  # the order is by milliseconds
    await call(saver.put, config("a", name(1)), checkpoint(2), {"step": 2}, {})
    found = await call(saver.threads.list)
    assert names(found) == ["a", "c", "b"]
    assert (found[0].checkpoint_id, found[0].metadata) == (name(2), {"step": 2})
    assert all(before - 0.01 < thread.updated_at.timestamp() < time.time() + 0.01 for thread in found)
    assert found[0].updated_at.tzinfo is UTC
    await call(saver.get_tuple, config("b"))
    assert names(await call(saver.threads.list)) == ["a", "c", "b"], "reading is no activity"


async def test_listed_by_user_and_metadata(call: Call, server: Connection) -> None:
    saver = AgentMemorySaver(server)
    users: list[dict[str, Any]] = [{"user_id": "ann"}, {"user_id": "b{o}b:*"}, {"user_id": 7}]
    users.append({"langgraph_auth_user_id": "x"})
    for number in range(12):
        where = config(f"{number:02}", user_id="ann") if number == 0 else config(f"{number:02}")
        facts = {"team": number % 3, "tags": [number % 2]} | (users[number % 4] if number else {})
        await call(saver.put, where, checkpoint(1), facts, {})
    found = {user: names(await call(saver.threads.list, user=user)) for user in ("ann", "b{o}b:*", "7", "x", "", "an")}
    expected = {
        "ann": ["00", "04", "08"],
        "b{o}b:*": ["01", "05", "09"],
        "7": ["02", "06", "10"],
        "x": ["03", "07", "11"],
    }
    assert {user: sorted(threads) for user, threads in found.items()} == {**expected, "": [], "an": []}
    assert sorted(names(await call(saver.threads.list, filter={"team": 1, "tags": [0]}))) == ["04", "10"]
    assert names(await call(saver.threads.list, user="ann", filter={"team": 1})) == ["04"]
    assert await call(saver.threads.list, filter={"absent": 1}) == []
    assert [len(await call(saver.threads.list, limit=limit)) for limit in (-1, 0, 1, 5, 99)] == [0, 0, 1, 5, 12]


async def test_a_thread_changes_hands(call: Call, saver: AgentMemorySaver) -> None:
    """A user may become known with any checkpoint; once deleted, nothing of it is left in the registries."""
    thread = Thread(saver)
    await call(saver.put, *thread.draft(n=1))
    await call(saver.put, *thread.draft({"user_id": "ann"}, n=2))
    assert names(await call(saver.threads.list, user="ann")) == ["thread"]
    await call(saver.put, *thread.draft(n=3))
    assert names(await call(saver.threads.list, user="ann")) == ["thread"]
    await call(saver.put, *thread.draft({"user_id": "bob"}, n=4))
    assert names(await call(saver.threads.list, user="bob")) == ["thread"]
    assert await call(saver.threads.list, user="ann") == [], "it is bob's now"
    await call(saver.delete_thread, "thread")
    assert keys_in(saver._redis) == []


async def test_a_user_is_text(call: Call, saver: AgentMemorySaver) -> None:
    with pytest.raises(InvalidInputError, match="user"):
        await call(saver.threads.list, user=7)


@pytest.mark.parametrize("together", [False, True])
async def test_pages(call: Call, saver: AgentMemorySaver, together: bool) -> None:
    """Without gap or repetition, also where hundreds of threads were active in one millisecond."""
    count = 260
    for number in range(count):
        await put(call, saver, f"{number}", odd=number % 2)
    if together:
        registry = saver._keys.threads()
        run(saver._redis.send(*[("ZADD", registry, 1_700_000_000_000, f"{number}") for number in range(count)]))
    everything = names(await call(saver.threads.list, limit=1000))
    assert sorted(everything) == sorted(str(number) for number in range(count))
    for size in (7, 100, 130, 259):
        pages, last = [], None
        while page := await call(saver.threads.list, limit=size, after=last):
            pages += names(page)
            last = page[-1]
        assert pages == everything
    odd = [thread for thread in everything if int(thread) % 2]
    assert names(await call(saver.threads.list, limit=1000, filter={"odd": 1})) == odd
    assert len(await call(saver.list, None)) == count


async def test_a_thread_of_subgraphs_only(call: Call, saver: AgentMemorySaver) -> None:
    await call(saver.put, config(ns="sub"), checkpoint(1), {"step": 1}, {})
    [thread] = await call(saver.threads.list)
    assert (thread.thread_id, thread.checkpoint_id, thread.metadata) == ("thread", None, {})


async def test_threads_that_have_gone_leave_the_listing(call: Call, plain: Connection) -> None:
    """And, as new ones come, the registry too."""
    saver = AgentMemorySaver(plain)
    for number in range(30):
        await put(call, saver, f"{number}", user_id="u")
    gone = [key for key in keys_in(plain, "*:thread:*") if "{1" in key]
    run(plain.send(("DEL", *gone)))
    assert len(await call(saver.threads.list)) == len(await call(saver.threads.list, user="u")) == 19
    [left] = run(plain.send(("ZCARD", saver._keys.threads())))
    assert left == 19
    for key in keys_in(plain, "*:thread:*"):
        run(plain.send(("DEL", key)))
    for number in range(300):
        await put(call, saver, f"new {number}")
        if run(plain.send(("ZCARD", saver._keys.threads())))[0] == number + 1:
            break
    else:
        pytest.fail("the dead stay in the registry")


async def test_one_that_came_back_stays(call: Call, plain: Connection) -> None:
    """An entry is dropped only as it was seen: the thread may be written to again meanwhile."""
    saver = AgentMemorySaver(plain)
    await put(call, saver, "a")
    [entry] = run(plain.send(("ZREVRANGE", saver._keys.threads(), 0, 0, "WITHSCORES")))
    await call(saver.delete_thread, "a")
    await asyncio.sleep(0.002)
    await put(call, saver, "a")
    seen = (b"a", int(float(entry[1] if len(entry) == 2 else entry[0][1])))
    run(saver.threads._drop(saver._keys.threads(), [seen]))
    assert names(await call(saver.threads.list)) == ["a"]


async def fill(call: Call, saver: AgentMemorySaver, thread_id: str = "thread") -> None:
    """Two namespaces of four checkpoints from two runs, with lists, writes, and writes that wait."""
    for ns in ("", "call:1", "sub"):
        thread = Thread(saver, thread_id, ns)
        for turn in range(1, 5):
            facts = {"run_id": f"run {turn // 3}", "user_id": "u", "parents": {"": name(turn)} if ns else {}}
            where = await call(saver.put, *thread.draft(facts, messages=chat(6 * turn), n=turn))
            await call(saver.put_writes, where, [("n", turn)], "task")
        await call(saver.put_writes, config(thread_id, name(9), ns), [("n", 9)], "early")


async def seen(call: Call, saver: AgentMemorySaver, thread_id: str) -> Any:
    """All there is of a thread, without its name."""
    found = await call(saver.list, config(thread_id, ns=None))
    parents = [one.parent_config and one.parent_config["configurable"]["checkpoint_id"] for one in found]
    spaces = [one.config["configurable"]["checkpoint_ns"] for one in found]
    return [(one.checkpoint, one.metadata, one.pending_writes) for one in found], parents, spaces


async def test_delete(call: Call, server: Connection) -> None:
    saver = AgentMemorySaver(server)
    await fill(call, saver, "other")
    before = await seen(call, saver, "other")
    for _ in range(2):
        await fill(call, saver)
        await call(saver.put_writes, config("thread", "x", "never"), [("n", 1)], "task")
        await call(saver.delete_thread, "thread")
        assert await seen(call, saver, "thread") == ([], [], [])
    assert [key for key in keys_in(server) if "{thread}" in key] == []
    assert names(await call(saver.threads.list)) == names(await call(saver.threads.list, user="u")) == ["other"]
    assert await seen(call, saver, "other") == before
    await call(saver.delete_thread, "never was")
    await call(saver.prune, ["other"], strategy="delete")
    assert keys_in(server) == []


async def test_copy(call: Call, server: Connection) -> None:
    saver = AgentMemorySaver(server)
    await fill(call, saver)
    source = await seen(call, saver, "thread")
    for target in ("copy", "cöpy:{x}"):
        await call(saver.put, *Thread(saver, target, "old").draft(messages=chat(9)))
        await call(saver.get_tuple, config(target))
        for _ in range(2):
            await call(saver.copy_thread, "thread", target)
            assert await seen(call, saver, target) == source
    assert sorted(names(await call(saver.threads.list, user="u"))) == ["copy", "cöpy:{x}", "thread"]

    # Each goes its own way: also the writes that wait for their checkpoint were copied.
    for thread_id, text in (("thread", "a"), ("copy", "b")):
        grown = Thread(saver, thread_id)
        grown.step, grown.versions = 8, {"messages": name(4), "n": name(4)}
        grown.values = {"messages": chat(24), "n": 4}
        await call(saver.put, *grown.draft(messages=[*chat(24), text]))
        found = await call(saver.get_tuple, config(thread_id))
        assert values_of(found) == {"messages": [*chat(24), text], "n": 4}
        assert found.pending_writes == [("early", "n", 9)]
    await call(saver.delete_thread, "thread")
    assert values_of(await call(saver.get_tuple, config("copy")))["messages"][-1] == "b"


async def test_copy_of_nothing_and_onto_itself(call: Call, saver: AgentMemorySaver) -> None:
    await fill(call, saver)
    before = await seen(call, saver, "thread")
    await call(saver.copy_thread, "nothing", "thread")
    await call(saver.copy_thread, "thread", "thread")
    await call(saver.copy_thread, "nothing", "new")
    assert await seen(call, saver, "thread") == before
    assert names(await call(saver.threads.list)) == ["thread"]


async def test_a_copy_that_the_server_refuses_leaves_the_target(
    call: Call, plain: Connection, plain_url: str, saver: AgentMemorySaver
) -> None:
    """Access lists count RESTORE among the dangerous commands, so a user may have all the others."""
    for thread_id in ("thread", "target"):
        await fill(call, saver, thread_id)
    run(plain.send(("XADD", saver._keys.events("target"), "*", "k", "v")))

    async def copied(*rules: str) -> bool:
        run(plain.send(("ACL", "SETUSER", "narrow", "reset", "on", ">s3same", "~*", "+@all", "-@dangerous", *rules)))
        before = run(plain.send(*(("DUMP", key) for key in keys_in(plain, "*{target}*"))))
        with Connection(plain_url, username="narrow", password="s3same") as narrow:
            if rules:
                await call(AgentMemorySaver(narrow).copy_thread, "thread", "target")
            else:
                with pytest.raises(ResponseError, match="restore"):
                    await call(AgentMemorySaver(narrow).copy_thread, "thread", "target")
        return run(plain.send(*(("DUMP", key) for key in keys_in(plain, "*{target}*")))) != before

    try:
        assert not await copied()
        assert await copied("+restore"), "its events have gone"
    finally:
        run(plain.send(("ACL", "DELUSER", "narrow")))


async def test_prune_keeps_the_newest(call: Call, server: Connection) -> None:
    """With its writes, without a parent. A call of a subgraph goes with the root checkpoint that made it."""
    saver = AgentMemorySaver(server)
    await fill(call, saver)
    old = Thread(saver, ns="call:0")
    await call(saver.put, *old.draft({"parents": {"": name(2)}}, messages=chat(9)))
    stranger = Thread(saver, ns="call:other")
    await call(saver.put, *stranger.draft({"parents": {"": "never stored"}}, n=1))
    newest = {ns: await call(saver.get_tuple, config(ns=ns)) for ns in ("", "call:1", "sub", "call:other")}
    for _ in range(2):
        await call(saver.prune, ["thread", "never was"])
        found = await call(saver.list, config(ns=None))
        assert {one.config["configurable"]["checkpoint_ns"]: one for one in found} == {
            ns: one._replace(parent_config=None) for ns, one in newest.items()
        }
    assert len(keys_in(server, "*:past")) == 3, "only the writes that wait for their checkpoints"
    await call(saver.put, config("thread", name(4)), checkpoint(9, {"n": 9}), {}, {"n": name(9)})
    assert (await call(saver.get_tuple, config())).pending_writes == [("early", "n", 9)]


async def test_prune_of_many_at_once(call: Call, saver: AgentMemorySaver) -> None:
    for thread_id in ("a", "b", "c"):
        await fill(call, saver, thread_id)
    await call(saver.prune, ["a", "b"])
    assert [len(await call(saver.list, config(thread_id))) for thread_id in "abc"] == [1, 1, 4]
    await call(saver.prune, [])


@pytest.mark.parametrize("strategy", ["", "keep", "KEEP_LATEST", None])
async def test_prune_by_an_unknown_strategy(call: Call, saver: AgentMemorySaver, strategy: Any) -> None:
    await fill(call, saver)
    with pytest.raises(InvalidInputError, match=r"strategy: .* is unknown; use .*keep_latest.*delete"):
        await call(saver.prune, ["thread"], strategy=strategy)
    assert len(await call(saver.list, config())) == 4


async def test_one_string_is_no_list(call: Call, saver: AgentMemorySaver) -> None:
    """Its letters would be taken for threads."""
    await fill(call, saver)
    for method, what in ((saver.prune, "thread_ids"), (saver.delete_for_runs, "run_ids")):
        with pytest.raises(InvalidTypeError, match=rf"{what}: pass a list of ids, not a str: \['thread'\]"):
            await call(method, "thread")
    assert len(await call(saver.list, config())) == 4


async def test_delete_for_runs(call: Call, server: Connection) -> None:
    """In every thread and namespace; a newest checkpoint that goes makes the one before it the newest."""
    saver = AgentMemorySaver(server)
    for thread_id in ("a", "b"):
        await fill(call, saver, thread_id)
    await put(call, saver, "c", run_id="another")
    await call(saver.delete_for_runs, [])
    await call(saver.delete_for_runs, ["never was"])
    assert len(await call(saver.list, config("a", ns=None))) == 12
    await call(saver.delete_for_runs, ["run 1"])
    for thread_id in ("a", "b"):
        for ns in ("", "call:1", "sub"):
            found = await call(saver.list, config(thread_id, ns=ns))
            assert ids_of(found) == [name(2), name(1)]
            assert found[0] == await call(saver.get_tuple, config(thread_id, ns=ns))
            assert values_of(found[0]) == {"messages": chat(12), "n": 2}
            assert found[0].pending_writes == [("task", "n", 2)]
    grown = checkpoint(5, {"messages": chat(14)})
    await call(saver.put, config("a", name(2)), grown, {"run_id": "new"}, grown["channel_versions"])
    assert values_of(await call(saver.get_tuple, config("a"))) == {"messages": chat(14)}
    await call(saver.delete_for_runs, ["run 0"])
    [left] = await call(saver.list, config("a", ns=None))
    assert left.parent_config is None
    await call(saver.delete_for_runs, ["new", "another"])
    assert keys_in(server) == []


async def test_a_run_in_the_middle(call: Call, saver: AgentMemorySaver) -> None:
    """What was made after it stays whole, and is an orphan."""
    thread = Thread(saver)
    for turn, run_id in enumerate("aabbcc", 1):
        await call(saver.put, *thread.draft({"run_id": run_id}, messages=chat(8 * turn), **{run_id: turn}))
    await call(saver.delete_for_runs, ["b"])
    found = await call(saver.list, config())
    assert ids_of(found) == [name(n) for n in (6, 5, 2, 1)]
    assert [len(values_of(one)["messages"]) for one in found] == [48, 40, 16, 8]
    assert values_of(found[1]) == {"messages": chat(40), "a": 2, "b": 4, "c": 5}
    assert [one.parent_config and one.parent_config["configurable"]["checkpoint_id"] for one in found] == [
        name(5), None, name(1), None
    ]  # fmt: skip


def test_ten_thousand_messages_and_channels(saver: AgentMemorySaver) -> None:
    """More than a script may pass on at once, of everything."""
    thread = Thread(saver)
    channels: dict[str, Any] = {f"channel {i}": i for i in range(5000)}
    saver.put(*thread.draft(messages=chat(10_000, 50), **channels))
    changed: dict[str, Any] = {key: -i for key, i in channels.items()}
    where = saver.put(*thread.draft(messages=chat(10_002, 50), **changed))
    saver.put_writes(where, [*channels.items()], "task")
    for i in range(1100):
        saver.put_writes(where, [("n", i)], f"task {i}")
    saver.put(*thread.draft(n=1))
    found = [*saver.list(config())]
    assert [len(values_of(one)["messages"]) for one in found] == [10_002, 10_002, 10_000]
    assert len(found[1].pending_writes or ()) == 6100
    assert values_of(found[2])["channel 4999"] == 4999
    saver.copy_thread("thread", "copy")
    saver.prune(["thread"])
    assert saver.get_tuple(config()) == found[0]._replace(parent_config=None)
    assert len([*saver.list(config("copy"))]) == 3


def test_the_place_in_a_listing() -> None:
    for milliseconds in (0, 1, 1_700_000_000_001, 1_790_000_000_999):
        moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
        assert ThreadInfo("t", moment, None, {}).score == milliseconds
