from __future__ import annotations

import asyncio
import time

import pytest

from langchain_agentmem.errors import ConfigurationError, InvalidInputError
from langchain_agentmem.thread.sessions import Sessions
from langchain_agentmem.thread.working import WorkingMemory
from langchain_agentmem.wire.connection import Connection
from langchain_agentmem.wire.keys import Keys
from tests.conftest import Do


async def test_sessions_are_listed_by_user(plain: Connection) -> None:
    sessions = Sessions(plain, ttl=100)
    for thread, user in (("1", "ann"), ("2:{}", "bob"), ("3", "ann"), ("4", None)):
        memory = sessions.open(thread, user)
        memory.write(goal=f"goal {thread}")
        await memory.aappend("hi", "ho")
        await asyncio.sleep(0.003)
    sessions.open("1").append("once more, from a place that does not know the user")
    everyone = sessions.list()
    assert [session.thread_id for session in everyone] == ["1", "4", "3", "2:{}"]
    assert [session.user for session in everyone] == ["ann", None, "ann", "bob"]
    assert (everyone[3].goal, everyone[3].turn_count) == ("goal 2:{}", 2)
    assert everyone[0].created_at < everyone[0].updated_at
    assert {session.thread_id for session in await sessions.alist(user="ann")} == {"1", "3"}
    assert await sessions.alist(user="nobody") == []
    assert [session.thread_id for session in await sessions.alist(limit=2, offset=1)] == ["4", "3"]
    with pytest.raises(InvalidInputError, match="limit"):
        sessions.list(limit=0)
    with pytest.raises(InvalidInputError, match="offset"):
        sessions.list(offset=-1)


def test_a_session_that_changed_hands_is_its_new_users(plain: Connection) -> None:
    sessions = Sessions(plain)
    sessions.open("t", "ann").append("hi")
    sessions.open("t", "bob").append("hi")
    assert sessions.list(user="ann") == []
    assert [session.user for session in sessions.list(user="bob")] == ["bob"]


def test_tenants_and_threads_do_not_meet(plain: Connection) -> None:
    one, other, third = (
        WorkingMemory(plain, thread, tenant=tenant) for thread, tenant in (("t", "a"), ("t", "b"), ("u", "a"))
    )
    one.write(goal="one")
    assert (other.load().exists, third.load().exists) == (False, False)
    assert Sessions(plain, keys=Keys(tenant="b")).list() == []


async def test_a_url_will_do_and_what_it_opened_is_closed(plain: Connection, plain_url: str, do: Do) -> None:
    with WorkingMemory(plain_url, "t", client_name="working") as memory:
        memory.write(goal="tea")
    async with WorkingMemory(plain_url, "t", client_name="working") as memory:
        assert (await memory.aload()).goal == "tea"
    assert b"working" not in (await plain.send(("CLIENT", "LIST")))[0]
    with WorkingMemory(plain, "t") as shared:
        assert (await do(shared.load)).goal == "tea"
    assert plain._sync is not None
    with pytest.raises(ConfigurationError):
        WorkingMemory(plain_url.encode(), "t")  # type: ignore[arg-type]


def test_a_summary_of_a_session_that_is_gone_removes_no_turn_of_the_next(plain: Connection) -> None:
    memory = WorkingMemory(plain, "t")
    memory.append("old 1", "old 2")
    told = memory.load()
    memory.clear()
    time.sleep(0.002)  # sessions are told apart by the millisecond in which they began
    memory.append("new 1", "new 2")
    assert memory.summarize("what was old", told) == 0
    assert [turn.content for turn in memory.load().turns] == ["new 1", "new 2"]
    assert memory.summarize("what is new", memory.load()) == 2
