"""The bank under strain: races, a server that dies, words that look like queries, scopes that must not meet."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.record import Memory, Scope
from langchain_agentmem.longterm.store import AgentMemoryStore
from langchain_agentmem.wire.connection import LOST_CONNECTION, Connection
from tests.longterm.conftest import EMBEDDER
from tests.servers import serving

ANNA = Scope("anna")
# What Redis Search reads as syntax, stop words that crash it in the wrong place, and what no encoding likes.
NASTY = st.one_of(
    st.text("@{}[]()|-~*%$:;,.<>='\"\\/!?#&^+ \n\0\ud800éa1", min_size=1, max_size=12),
    st.lists(st.sampled_from("is a the of to and or not AND OR NOT @t:x {x} [1 2] => KNN $v".split()), max_size=8).map(
        " ".join
    ),
    st.text(max_size=20),
)
SAYING = NASTY.filter(str.strip)


def make_bank(source: Any, **options: Any) -> MemoryBank:
    return MemoryBank(AgentMemoryStore(source, index={"dims": 256, "embed": EMBEDDER, "fields": ["text"]}, **options))


@pytest.fixture(scope="module", params=["search", "plain"])
def fresh(request: pytest.FixtureRequest) -> Iterator[Callable[[], MemoryBank]]:
    """Makes banks on one connection, each empty."""
    number = count()
    with Connection(request.getfixturevalue(f"{request.param}_url")) as connection:
        yield lambda: make_bank(connection, prefix=f"hard{next(number)}")


async def test_fifty_workers_that_remember_the_same_leave_one_record(server: Connection) -> None:
    banks = [make_bank(server) for _ in range(50)]
    done = await asyncio.gather(*(bank.aremember("Anna likes jazz.", ANNA) for bank in banks))
    assert sorted(each[0].outcome for each in done) == ["added"] + ["reinforced"] * 49
    assert len({each[0].id for each in done}) == 1
    assert (await banks[0].alist(ANNA))[0].hits == 50


def test_threads_that_remember_paraphrases_leave_one_record(search: Connection) -> None:
    # The same words with other commas: other identities, one vector. Only looking and writing in one step is safe.
    said = [
        "Anna, who is a nurse, likes jazz",
        "Anna who is a nurse likes jazz -",
        "Anna who is - a nurse - likes jazz",
    ]
    threads = [
        threading.Thread(target=lambda text=said[i % 3]: make_bank(search).remember(text, ANNA)) for i in range(24)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = make_bank(search).list(ANNA)
    assert (len(kept), kept[0].hits) == (1, 24)


async def test_workers_that_set_one_state_make_one_chain(server: Connection) -> None:
    bank = make_bank(server)
    cities = [f"City{i}" for i in range(20)]
    await asyncio.gather(
        *(bank.aremember(Memory(text=f"Anna lives in {each}", state="home", value=each), ANNA) for each in cities)
    )
    current = (await bank.alist(ANNA))[0]
    assert await bank.acount(ANNA) == 1
    assert sorted(str(each.value) for each in await bank.ahistory(current.id, ANNA)) == sorted(cities)
    fact = await bank.facts.aget(ANNA, "home")
    assert fact is not None
    assert (fact.value, fact.version, fact.memory_id) == (current.value, 20, current.id)
    assert len(await bank.facts.ahistory(ANNA, "home")) == 20


async def test_concurrent_corrections_lose_nothing(server: Connection) -> None:
    bank = make_bank(server)
    made = (await bank.aremember("Version 0", ANNA))[0].id
    await asyncio.gather(*(make_bank(server).acorrect(made, f"Version {i}", ANNA) for i in range(1, 11)))
    history = await bank.ahistory(made, ANNA)
    assert [each.version for each in history] == list(range(11, 0, -1))
    assert {each.text for each in history} == {f"Version {i}" for i in range(11)}


async def test_a_replayed_call_changes_nothing(server: Connection) -> None:
    bank = make_bank(server)
    send, lost = server.send, []

    async def twice(*commands: Any, **options: Any) -> Any:
        if any(
            getattr(command, "script", None) is not None and command.script.name == "memory_put" for command in commands
        ):
            lost.append(await send(*commands, **options))  # the reply that never came
        return await send(*commands, **options)

    server.send = twice  # type: ignore[method-assign]
    for memory in (
        Memory(text="Anna likes tea"),
        Memory(text="anna likes tea"),
        Memory(text="Anna lives in Rome", state="home"),
        Memory(text="Anna lives in Oslo", state="home"),
    ):
        done = await bank.aremember(memory, ANNA)
        assert lost.pop()[0][:3] == [done[0].outcome.encode(), done[0].id.encode(), done[0].version]
    server.send = send  # type: ignore[method-assign]
    assert sorted((each.text, each.hits, each.version) for each in await bank.alist(ANNA)) == [
        ("Anna likes tea", 2, 1),
        ("Anna lives in Oslo", 1, 2),
    ]


def test_a_server_killed_while_we_remember_loses_and_doubles_nothing(tmp_path: Path) -> None:
    said = [f"Fact number {i} is known" for i in range(300)]
    with serving("--appendonly", "yes", "--appendfsync", "always") as server:
        bank = make_bank(server.url, exact_search_limit=0)
        bank.remember(said[:1], ANNA)
        acknowledged: list[str] = said[:1]

        def kill() -> None:
            server.kill()

        timer = threading.Timer(0.02, kill)
        timer.start()
        try:
            for text in said[1:]:
                bank.remember(text, ANNA)
                acknowledged.append(text)
        except LOST_CONNECTION:
            pass
        timer.join()
        server.start()
        there = [each.text for each in bank.list(ANNA, limit=1000)]
        assert set(acknowledged) <= set(there)
        assert len(there) == len(set(there)) <= len(acknowledged) + 1
        bank.remember(said, ANNA)
        assert sorted(each.text for each in bank.list(ANNA, limit=1000)) == sorted(said)


@settings(max_examples=60, deadline=None)
@given(NASTY, SAYING, SAYING, st.lists(NASTY, max_size=2), NASTY)
@example("is a the group", "is a the group", "a", ["|"], "*")
@example("@t:(is|a|the|group)", "x", "}) @n:{*", ["} | @n:{*"], "'")
def test_no_words_are_query_syntax(
    fresh: Callable[[], MemoryBank], query: str, text: str, kind: str, topics: list[str], label: str
) -> None:
    bank = fresh()
    mine, other = Scope(label or None), Scope(label + "x", ("other",))
    made = bank.remember(Memory(text=text, kind=kind, topics=topics, speaker=label or None, state=label or None), mine)
    bank.remember("something else", other)
    wishes: list[dict[str, Any]] = [{}, {"kinds": [kind]}, {"topics": topics}, {"kinds": [query]}]
    for more in (*wishes, {"topics": [query, label]}):
        found = bank.recall(query, mine, **more)
        assert {each.memory.id for each in found} <= {made[0].id}
    assert bank.count(mine, filter={"text": text}) == bank.count(mine) == 1
    assert [each.id for each in bank.list(mine, filter={"kind": kind})] == [made[0].id]
    assert bank.store.search(mine.path, query=query, filter={"text": query}) == [] or text == query
    assert len(bank.store.search(mine.path, query=query)) == 1


LABELS = st.text("ab1.:{}*|%é\0 ", min_size=1, max_size=3)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(LABELS, st.sampled_from(["cat", "dog", "cat and dog"])), min_size=2, max_size=8))
@example([("1", "cat"), ("10", "cat"), ("1 ", "dog"), ("a.b", "cat"), ("a", "dog"), ("a%2Eb", "cat")])
def test_no_scope_sees_another(fresh: Callable[[], MemoryBank], said: list[tuple[str, str]]) -> None:
    bank = fresh()
    for user, word in said:
        bank.remember(f"{word} of {user}", Scope(user))
    for user in {user for user, _ in said}:
        own = {f"{word} of {name}" for name, word in said if name == user}
        scope = Scope(user)
        for texts in (
            [each.memory.text for each in bank.recall("cat dog", scope, limit=50)],
            [each.text for each in bank.list(scope)],
            [item.value["text"] for item in bank.store.search(scope.path, limit=50)],
            [item.value["text"] for item in bank.store.search(scope.path, query="cat", limit=50)],
        ):
            assert set(texts) <= own
        assert {each.text for each in bank.list(scope)} == {each.text for each in bank.list(scope, filter={})}


def test_a_fact_that_changed_thousands_of_times_is_forgotten_and_comes_back(plain: Connection) -> None:
    bank = MemoryBank(AgentMemoryStore(plain))
    done = bank.remember([Memory(text=f"{n} steps", state="steps", value=n) for n in range(4100)], ANNA)
    made = done[-1].id
    assert bank.forget(ANNA, [made]) == [made]
    assert (bank.facts.all(ANNA), bank.facts.history(ANNA, "steps")) == ({}, [])
    assert bank.undo(made, ANNA)
    assert [each.value for each in bank.facts.history(ANNA, "steps")] == list(range(4099, -1, -1))
    assert len(bank.history(made, ANNA)) == 4100


@pytest.mark.parametrize("change", ["pin", "reinforce", "correct", "retire"])
async def test_what_changes_while_it_is_looked_up_is_not_forgotten(
    server: Connection, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    bank, other = make_bank(server), make_bank(server)
    kept, gone = (each.id for each in await bank.aremember(["Anna likes tea", "Anna plays chess"], ANNA))
    more = ["Anna likes coffee"] if change == "correct" else []
    send = bank.store.connection.send

    async def late(*commands: Any, **options: Any) -> list[Any]:
        """In between, another process changes one of the two."""
        if any(getattr(getattr(each, "script", None), "name", "") == "store_drop" for each in commands):
            monkeypatch.setattr(bank.store.connection, "send", send)
            await getattr(other, f"a{change}")(kept, *more, ANNA)
        return await send(*commands, **options)

    monkeypatch.setattr(bank.store.connection, "send", late)
    assert await bank.aforget(ANNA, filter={}) == [gone]
    assert len(await bank.ahistory(kept, ANNA)) == 1 + len(more)
    assert await bank.aforget(ANNA, [kept]) == [kept], "by its id, whatever it is"
