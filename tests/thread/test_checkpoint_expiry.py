"""A thread expires as a whole, counted from its last use; pinned, it stays."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.thread.checkpoint import AgentMemorySaver
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection
from tests.thread.checkpoints import Thread, chat, checkpoint, config, expiries_in, ids_of, keys_in, name, values_of
from tests.thread.conftest import Call

HOUR = 3_600_000


def remaining(connection: Connection, pattern: str = "*:thread:*") -> list[int]:
    """Milliseconds that are left to the keys of threads, once for each instant at which some expire; -1 = for ever."""
    now = time.time() * 1000
    return sorted({-1 if at < 0 else round(at - now) for at in expiries_in(connection, pattern).values()})


def age(connection: Connection, milliseconds: int) -> None:
    """Let a thread be as if that much time had passed."""
    expiring = {key: at for key, at in expiries_in(connection, "*:thread:*").items() if at > 0}
    for key, at in expiring.items():
        run(connection.send(("PEXPIREAT", key, at - milliseconds)))
        if key.endswith("}"):
            run(connection.send(("HSET", key, "at", at - milliseconds)))


def about(milliseconds: float) -> Any:
    return pytest.approx(milliseconds, abs=3000)


async def fill(call: Call, saver: AgentMemorySaver, spaces: int = 1, **configurable: Any) -> Thread:
    """A thread with a past, a list in chunks, writes, and writes that wait for their checkpoint."""
    root = Thread(saver, **configurable)
    for space in range(spaces):
        thread = Thread(saver, ns=f"call:{space}", **configurable) if space else root
        for turn in range(2):
            where = await call(saver.put, *thread.draft({"user_id": "u", "run_id": "r"}, messages=chat(9 * turn + 9)))
            await call(saver.put_writes, where, [("n", 1)], "task")
        await call(saver.put_writes, config("thread", name(99), f"call:{space}", **configurable), [("n", 1)], "task")
    return root


@pytest.mark.parametrize("spaces", [1, 3, 40])
@pytest.mark.parametrize("ttl", [None, 3600, 3600.5])
async def test_all_keys_expire_together(call: Call, server: Connection, spaces: int, ttl: float | None) -> None:
    """One instant for all; with many namespaces it may be up to an eighth later. No key is left without."""
    await fill(call, AgentMemorySaver(server, ttl=ttl), spaces)
    if ttl is None:
        assert remaining(server) == [-1]
        return
    [left] = remaining(server)
    assert left == about(ttl * 1000) if spaces <= 16 else ttl * 1000 - 3000 <= left <= ttl * 1125


async def test_it_really_goes(call: Call, plain: Connection) -> None:
    saver = AgentMemorySaver(plain, ttl=0.05)
    await fill(call, saver, 20)
    await asyncio.sleep(0.2)
    assert keys_in(plain, "*:thread:*") == []
    assert await call(saver.get_tuple, config()) is None
    assert await call(saver.list, config(ns=None)) == []
    assert await call(saver.list, None) == []
    assert await call(saver.threads.list) == []
    assert await call(saver.threads.list, user="u") == []
    assert keys_in(plain) == [], "listing drops what has gone from the registries"


async def test_a_thread_that_expired_begins_anew(call: Call, plain: Connection) -> None:
    """What a process believes the server to hold has gone; the next put sends all there is."""
    saver = AgentMemorySaver(plain)
    thread = await fill(call, saver)
    await call(saver.put, *thread.draft(kept="value"))
    for key in keys_in(plain):
        run(plain.send(("PEXPIRE", key, 1)))
    await asyncio.sleep(0.02)
    await call(saver.put, *thread.draft(messages=chat(19)))
    found = await call(saver.get_tuple, config())
    assert values_of(found) == {"messages": chat(19), "kept": "value"}
    assert ids_of(await call(saver.list, config())) == [name(4)]


async def test_use_moves_the_expiry_on(call: Call, server: Connection) -> None:
    """Writes always; reads only where that was asked for."""
    for reading in (False, True):
        run(server.send(("FLUSHALL",)))
        saver = AgentMemorySaver(server, ttl=3600, refresh_on_read=reading)
        thread = await fill(call, saver, 3)
        uses: list[tuple[bool, Any]] = [
            (True, lambda: call(saver.put_writes, thread.here, [("m", 1)], "task 2")),  # noqa: B023
            (True, lambda: call(saver.put, *thread.draft(n=1))),  # noqa: B023
            (reading, lambda: call(saver.get_tuple, config())),  # noqa: B023
            (reading, lambda: call(saver.get_tuple, thread.here)),  # noqa: B023
            (reading, lambda: call(saver.list, config())),  # noqa: B023
            (False, lambda: call(saver.threads.list)),  # noqa: B023
        ]
        for counts, use in uses:
            age(server, 60_000)
            [before] = remaining(server)
            await use()
            assert remaining(server) == [about(HOUR) if counts else about(before)]


async def test_reading_a_thread_of_many_namespaces(call: Call, plain: Connection) -> None:
    """The expiry moves in steps, and a step moves every key."""
    saver = AgentMemorySaver(plain, ttl=3600, refresh_on_read=True)
    await fill(call, saver, 20)
    [first] = remaining(plain)
    assert first == about(HOUR * 9 / 8)
    age(plain, HOUR // 16)
    await call(saver.get_tuple, config())
    assert remaining(plain) == [about(first - HOUR / 16)], "still more than the ttl: nothing to do"
    age(plain, HOUR // 8)
    await call(saver.get_tuple, config())
    assert remaining(plain) == [about(HOUR * 9 / 8)]
    age(plain, HOUR // 4)
    await call(saver.put_writes, config("thread", name(2), "call:7"), [("m", 1)], "late")
    assert remaining(plain) == [about(HOUR * 9 / 8)]


async def test_one_call_overrides(call: Call, plain: Connection) -> None:
    saver = AgentMemorySaver(plain, ttl=3600)
    thread = await fill(call, saver, 2, thread_ttl=60)
    assert remaining(plain) == [about(60_000)]
    thread.configurable = {}
    await call(saver.put, *thread.draft(n=1))
    assert remaining(plain) == [about(HOUR)]
    thread.configurable = {"thread_ttl": None}
    await call(saver.put, *thread.draft(n=2))
    assert remaining(plain) == [-1]
    thread.configurable = {"thread_ttl": 60}
    await call(saver.put_writes, thread.here, [("m", 1)], "t")
    assert remaining(plain) == [about(60_000)]


@pytest.mark.parametrize("ttl", [0, -1, float("inf"), float("nan"), "60", True, [1]])
async def test_what_is_no_ttl(call: Call, plain: Connection, ttl: Any) -> None:
    with pytest.raises(InvalidInputError, match=r"ttl: pass seconds over 0, or None for never"):
        AgentMemorySaver(plain, ttl=ttl)
    with pytest.raises(InvalidInputError, match="ttl"):
        await call(AgentMemorySaver(plain).put, config(thread_ttl=ttl), checkpoint(1), {}, {})
    assert keys_in(plain) == []


async def test_pin_and_unpin(call: Call, server: Connection) -> None:
    saver = AgentMemorySaver(server, ttl=3600, refresh_on_read=True)
    assert await call(saver.pin, "thread") is False
    assert keys_in(server) == []
    thread = await fill(call, saver, 3)
    assert await call(saver.pin, "thread") is True
    assert remaining(server) == [-1]
    await call(saver.put, *thread.draft(n=1))
    await call(saver.put, config(ns="another"), checkpoint(1), {}, {})
    await call(saver.put_writes, thread.here, [("m", 1)], "t")
    await call(saver.get_tuple, config())
    await call(saver.list, config(ns=None))
    await call(saver.prune, ["thread"])
    assert remaining(server) == [-1], "nothing that is done to a pinned thread lets it expire"
    assert await call(saver.pin, "thread", pinned=False) is True
    assert remaining(server) == [about(HOUR)]


async def test_a_ttl_given_while_pinned_counts_once_unpinned(call: Call, plain: Connection) -> None:
    saver = AgentMemorySaver(plain)
    thread = await fill(call, saver)
    await call(saver.pin, "thread")
    thread.configurable = {"thread_ttl": 60}
    await call(saver.put, *thread.draft(n=1))
    assert remaining(plain) == [-1]
    await call(saver.pin, "thread", pinned=False)
    assert remaining(plain) == [about(60_000)]


@pytest.mark.parametrize("write", ["put", "put_writes"])
async def test_never_given_while_pinned_counts_too(call: Call, plain: Connection, write: str) -> None:
    saver = AgentMemorySaver(plain)
    thread = await fill(call, saver, thread_ttl=60)
    await call(saver.pin, "thread")
    thread.configurable = {}
    if write == "put":
        await call(saver.put, *thread.draft(n=1))
    else:
        await call(saver.put_writes, thread.here, [("m", 1)], "another")
    await call(saver.pin, "thread", pinned=False)
    assert remaining(plain) == [-1]


async def test_a_thread_without_ttl_stays_unpinned_too(call: Call, plain: Connection) -> None:
    saver = AgentMemorySaver(plain)
    await fill(call, saver)
    for pinned in (True, False):
        await call(saver.pin, "thread", pinned=pinned)
        assert remaining(plain) == [-1]


@pytest.mark.parametrize("ttl", [None, 3600])
async def test_writes_whose_checkpoint_never_comes_expire(call: Call, plain: Connection, ttl: float | None) -> None:
    """Also after the thread was deleted; and with their checkpoint they live as long as it."""
    saver = AgentMemorySaver(plain, ttl=ttl)
    await call(saver.put_writes, config("thread", name(1)), [("n", 1)], "task")
    assert remaining(plain) == [about(24 * HOUR)]
    await call(saver.put, config(), checkpoint(1), {}, {})
    assert remaining(plain) == [-1 if ttl is None else about(HOUR)]
    await call(saver.delete_thread, "thread")
    await call(saver.put_writes, config("thread", name(1)), [("n", 1)], "task")
    assert remaining(plain) == [about(24 * HOUR)]
    await call(saver.put_writes, config("thread", name(2), "sub"), [("n", 1)], "task")
    assert remaining(plain) == [about(24 * HOUR)]


async def test_a_copy_has_the_ttl_of_its_source(call: Call, server: Connection) -> None:
    """Counted from the copy on; a pinned thread's copy is pinned."""
    saver = AgentMemorySaver(server, ttl=3600)
    await fill(call, saver, 20)
    for pinned, left in ((False, about(HOUR * 9 / 8)), (True, -1)):
        await call(saver.pin, "thread", pinned=pinned)
        age(server, 60_000)
        await call(saver.copy_thread, "thread", "copy")
        assert remaining(server, "*{copy}*") == [left]


async def test_a_copy_of_a_thread_without_ttl(call: Call, plain: Connection) -> None:
    saver = AgentMemorySaver(plain)
    await fill(call, saver)
    await call(saver.copy_thread, "thread", "copy")
    assert remaining(plain) == [-1]


# --- a user's registry of threads


def registries(connection: Connection) -> dict[str, int]:
    """Milliseconds that each user's registry has to live; -1 = for ever."""
    now = time.time() * 1000
    found = expiries_in(connection, "*:threads:*")
    return {key.rpartition(":")[2]: -1 if at < 0 else round(at - now) for key, at in found.items()}


async def test_a_users_registry_lives_as_long_as_the_last_of_the_threads(call: Call, plain: Connection) -> None:
    saver, facts = AgentMemorySaver(plain), {"user_id": "u"}

    async def put(thread_id: str, **configurable: Any) -> Thread:
        thread = Thread(saver, thread_id, **configurable)
        await call(saver.put, *thread.draft(facts, n=1))
        return thread

    await put("short", thread_ttl=600)
    assert registries(plain) == {"u": about(600_000)}
    long = await put("long", thread_ttl=3600)
    await put("short again", thread_ttl=60)
    assert registries(plain) == {"u": about(HOUR)}
    await call(saver.put_writes, config("long", name(1), thread_ttl=7200), [("n", 1)], "task")
    assert registries(plain) == {"u": about(2 * HOUR)}
    long.configurable["thread_ttl"] = 10_800
    await call(saver.put, *long.draft(n=2))  # without a word about the user
    assert registries(plain) == {"u": about(3 * HOUR)}
    await put("for ever")
    assert registries(plain) == {"u": -1}
    await put("short", thread_ttl=600)
    assert registries(plain) == {"u": -1}


@pytest.mark.parametrize("how", ["get", "list", "pin", "copy"])
async def test_a_registry_outlives_a_thread_whose_expiry_moves(call: Call, plain: Connection, how: str) -> None:
    saver = AgentMemorySaver(plain, ttl=3600, refresh_on_read=True)
    await call(saver.put, *Thread(saver).draft({"user_id": "u"}, n=1))
    age(plain, HOUR // 2)
    [registry] = keys_in(plain, "*:threads:u")
    run(plain.send(("PEXPIRE", registry, HOUR // 2)))
    match how:
        case "get":
            await call(saver.get_tuple, config())
        case "list":
            await call(saver.list, config(ns=""))
        case "copy":
            await call(saver.copy_thread, "thread", "copy")
        case "pin":
            await call(saver.pin, "thread")
    assert registries(plain) == {"u": -1 if how == "pin" else about(HOUR)}


async def test_the_registry_of_a_user_who_comes_no_more_goes(call: Call, plain: Connection) -> None:
    saver = AgentMemorySaver(plain, ttl=0.1)
    for user in "abc":
        await call(saver.put, *Thread(saver, f"of {user}").draft({"user_id": user}, n=1))
    await asyncio.sleep(0.2)
    assert keys_in(plain, "*:threads:*") == []


async def test_new_threads_of_a_user_sweep_the_users_registry(call: Call, plain: Connection) -> None:
    saver = AgentMemorySaver(plain)
    registry = saver._keys.threads("u")
    await plain.send(*(("ZADD", registry, number, f"gone{number}") for number in range(5)))
    for number in range(100):
        await call(saver.put, *Thread(saver, f"{number}").draft({"user_id": "u"}, n=1))
        if (await plain.send(("ZCARD", registry)))[0] == number + 1:
            return
    raise AssertionError("what is gone stays in the registry")
