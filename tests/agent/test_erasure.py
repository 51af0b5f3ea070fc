"""Forgetting a user: nothing of theirs is left, and nothing of anybody else's is touched."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.base import empty_checkpoint

from langchain_agentmem import AgentMemory
from langchain_agentmem.agent.erasure import Receipt, aforget_user, forget_user
from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.events.event import Event
from langchain_agentmem.longterm.record import Scope
from langchain_agentmem.promotion.batch import Batch
from langchain_agentmem.promotion.worker import Worker
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection
from langchain_agentmem.wire.lane import Plan
from tests.agent.conftest import EMBEDDER
from tests.servers import serving_cluster
from tests.trips import watch_trips

Forget = Callable[..., Receipt]


def made(redis: Connection) -> AgentMemory:
    return AgentMemory(redis, embeddings=EMBEDDER, checkpoint_events=True, outbox={"lease": 0.2, "max_attempts": 1})


@pytest.fixture
def memory(request: pytest.FixtureRequest) -> Iterator[AgentMemory]:
    with made(request.getfixturevalue(getattr(request, "param", "plain"))) as memory:
        yield memory


@pytest.fixture(params=["sync", "async"])
def forget(request: pytest.FixtureRequest, memory: AgentMemory) -> Forget:
    def call(*args: Any, **named: Any) -> Receipt:
        if request.param == "sync":
            return forget_user(memory, *args, **named)
        return asyncio.run(aforget_user(memory, *args, **named))

    return call


# --- a user's data


def put(memory: AgentMemory, thread_id: str, user: str | None, number: int = 1) -> None:
    """Checkpoints in a thread."""
    config: Any = {"configurable": {"thread_id": thread_id, "checkpoint_ns": ""}, "metadata": {}}
    if user is not None:
        config["configurable"]["user_id"] = user
    for _ in range(number):
        checkpoint = empty_checkpoint() | {"channel_values": {"x": 1}, "channel_versions": {"x": str(uuid4())}}
        config |= memory.checkpointer.put(config, checkpoint, {}, checkpoint["channel_versions"])
        config["configurable"] |= {} if user is None else {"user_id": user}


def live(memory: AgentMemory, user: str, *, threads: tuple[str, str]) -> None:
    """Write something of a user to every tier."""
    scope, (first, second) = Scope(user), threads
    for thread_id in threads:
        put(memory, thread_id, user, 2)
        memory.events.append(Event(kind="node.end", thread_id=thread_id, node="model"))
    memory.session(first, user).write(goal="a holiday", scratchpad="...")
    memory.session(first, user).append(HumanMessage("hi"))
    memory.history(second).add_messages([HumanMessage("hi"), AIMessage("hello")])
    known, _, gone = memory.bank.remember([f"{user} is vegetarian", "lives in Rome", "flies to Oslo in May"], scope)
    memory.bank.correct(known.id, "eats everything", scope)
    memory.bank.forget(scope, [gone.id])  # it can be brought back for a day
    memory.store.put((*scope.path, "notes"), "n1", {"text": "below the scope"})
    for value in ("vegan", "vegetarian"):
        memory.facts.set(scope, "diet", value)
    memory.bank.recall("what to eat?", scope)  # an event of no thread
    memory.events.append(Event(kind="login", data={"user_id": user}))
    memory.outbox.add(second, [HumanMessage("hi"), AIMessage("hello")], scope, "discrete")
    memory.cache.set({(("node",), uuid4().hex): ("result", None)})
    memory.bank.flush()  # when they were recalled
    memory.events.flush()


READERS: dict[bytes, Callable[[bytes], tuple[Any, ...]]] = {
    b"hash": lambda key: ("HGETALL", key),
    b"list": lambda key: ("LRANGE", key, 0, -1),
    b"set": lambda key: ("SMEMBERS", key),
    b"zset": lambda key: ("ZRANGE", key, 0, -1),
    b"string": lambda key: ("GET", key),
    b"stream": lambda key: ("XRANGE", key, "-", "+"),
}
TRANSIENT = (":cache", ":done:", ":stats", ":jobs")  # everybody's, or gone by themselves in a moment


def everything(redis: Connection) -> dict[bytes, Any]:
    """All that the server holds."""

    async def read() -> dict[bytes, Any]:
        keys = sorted({key async for page in redis.scan("*") for key in page})
        keys = [key for key in keys if not any(part in key.decode() for part in TRANSIENT)]
        keys = [key for key in keys if not (b":feed:" in key and key.endswith(b":seen"))]
        types = await redis.send(*(("TYPE", key) for key in keys))
        values: Any = await redis.send(*(READERS[type_](key) for key, type_ in zip(keys, types, strict=True)))
        found = zip(keys, values, strict=True)
        return {key: sorted(value) if isinstance(value, set) else value for key, value in found if value}

    return run(read())


# --- forgetting


@pytest.mark.parametrize("memory", ["search", "plain"], indirect=True)
def test_after_it_all_is_as_if_the_user_had_never_been(memory: AgentMemory, forget: Forget) -> None:
    live(memory, "u10", threads=("a", "b"))
    live(memory, "u", threads=("c", "d"))
    before = everything(memory.connection)
    live(memory, "u1", threads=("e", "f"))
    receipt = forget("u1")
    assert receipt.clean, receipt.residue
    assert everything(memory.connection) == before
    assert receipt.threads == ("e", "f")
    assert dict(receipt.erased) | {"keys": 0} == {
        "threads": 2,
        "checkpoints": 4,
        "sessions": 1,
        "messages": 2,
        "items": 3,
        "versions": 3,
        "facts": 1,
        "events": 17,
        "turns": 2,
        "cached": 4,
        "keys": 0,
    }
    assert str(receipt).startswith("forgot 'u1': 2 threads, 4 checkpoints, 1 sessions")
    assert str(receipt).endswith("nothing is left.")
    assert receipt.walks == 2
    assert memory.bank.recall("what to eat?", Scope("u1")) == []
    assert memory.bank.count(Scope("u10")) == 3


def test_again_there_is_nothing_to_forget(memory: AgentMemory, forget: Forget) -> None:
    live(memory, "u1", threads=("e", "f"))
    forget("u1")
    again = forget(Scope("u1"))
    assert (again.clean, any(again.erased.values()), again.walks) == (True, False, 1)
    assert forget("nobody").clean


def test_the_user_has_to_be_named(forget: Forget) -> None:
    with pytest.raises(InvalidInputError, match="names the user"):
        forget(Scope())
    with pytest.raises(InvalidInputError):
        forget("")


def test_it_tells_how_far_it_is(memory: AgentMemory, forget: Forget) -> None:
    live(memory, "u1", threads=("e", "f"))
    told: list[tuple[str, int]] = []
    forget("u1", on_progress=lambda what, number: told.append((what, number)))
    assert [what for what, _ in told] == ["looked at", *["erased"] * (len(told) - 2), "looked at"]


# Ids that contain each other, or what separates parts of keys.
IDS = st.one_of(
    st.sampled_from(
        ["u1", "u10", "1", "10", "u", "memories", "threads", "a:b", "a", "b}", "{a", "%", "%3A", "ü", "🙂", "*"]
    ),
    st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=6),  # LangGraph takes NULs out of metadata
)


@settings(deadline=None, max_examples=20, suppress_health_check=list(HealthCheck))
@given(st.lists(IDS, min_size=3, max_size=3, unique=True))
@example(["u1", "u10", "u"])
@example(["a", "notes", "memories"])
@example(["u.1", "u%2E1", "u"])
@example(["u1", "u10", "\ud800"])
def test_whoever_is_forgotten_nobody_else_is_touched(plain: Connection, ids: list[str]) -> None:
    run(plain.send(("FLUSHALL",)))
    memory = made(plain)
    *others, user = ids
    for other in others:
        live(memory, other, threads=(f"{other}-1", f"{other}-{user}"))
    before = everything(plain)
    live(memory, user, threads=(user, f"{user}:2"))
    receipt = forget_user(memory, user)
    assert everything(plain) == before
    assert receipt.clean, receipt.residue


# --- whose a thread is


def test_a_thread_is_theirs_whose_metadata_named_it_last(memory: AgentMemory, forget: Forget) -> None:
    put(memory, "was hers", "anna")
    put(memory, "was hers", "bob")
    put(memory, "is hers", "bob")
    put(memory, "is hers", "anna")
    receipt = forget("anna")
    assert receipt.threads == ("is hers",)
    assert receipt.clean
    assert [each.thread_id for each in memory.threads()] == ["was hers"]
    assert run(memory.connection.send(("ZRANGE", memory.keys.threads("bob"), 0, -1)))[0] == [b"was%20hers"]


def test_a_thread_that_names_nobody_is_theirs_by_its_session_or_its_promotion(
    memory: AgentMemory, forget: Forget
) -> None:
    for thread_id in ("by session", "by promotion", "of a group", "of nobody"):
        put(memory, thread_id, None)
    memory.session("by session", "anna").note("x")
    for thread_id, user in (("by promotion", "anna"), ("of a group", "anna"), ("of a group", "bob")):
        memory.outbox.add(thread_id, [HumanMessage(f"{user} says hi", id=user)], Scope(user), "discrete")
    receipt = forget("anna")
    assert receipt.threads == ("by promotion", "by session")
    assert receipt.clean
    assert {each.thread_id for each in memory.threads()} == {"of a group", "of nobody"}
    assert memory.outbox.stats().waiting == 1  # bob's


def test_in_somebody_elses_thread_only_their_session_goes(memory: AgentMemory, forget: Forget) -> None:
    put(memory, "bob's", "bob")
    memory.session("bob's", "anna").note("x")
    receipt = forget("anna")
    assert (receipt.erased["sessions"], receipt.erased["threads"], receipt.clean) == (1, 0, True)
    assert [each.thread_id for each in memory.threads()] == ["bob's"]


def test_a_thread_whose_registry_is_lost_is_found_all_the_same(memory: AgentMemory, forget: Forget) -> None:
    put(memory, "t", "anna")
    run(memory.connection.send(("DEL", memory.keys.threads("anna"))))
    assert forget("anna").threads == ("t",)
    assert memory.threads() == []


def test_further_threads_and_scopes_may_be_named(memory: AgentMemory, forget: Forget) -> None:
    put(memory, "t", None)
    memory.history("h").add_messages([HumanMessage("hi")])
    memory.store.put(("anna", "notes"), "n", {"text": "the user's label first"})
    receipt = forget("anna", also=[Scope(None, ("anna",))], threads=["t", "h"])
    assert receipt.clean
    assert (receipt.erased["threads"], receipt.erased["messages"], receipt.erased["items"]) == (1, 1, 1)
    assert everything(memory.connection) == {}


# --- what is left is told


def test_what_names_the_user_elsewhere_is_told(memory: AgentMemory, forget: Forget) -> None:
    memory.store.put(("anna", "notes"), "n", {"text": "the user's label first"})
    memory.store.put(("users",), "anna", {"name": "Anna"})
    memory.store.put(("users",), "bob", {"name": "Bob"})
    receipt = forget("anna")
    assert not receipt.clean
    assert [line.partition(" ")[0] for line in sorted(receipt.residue)] == [
        "agentmem:default:item:{anna:notes}:n",
        "agentmem:default:item:{users}:anna",
        "agentmem:default:items:{anna:notes}",
    ]
    assert "left: agentmem" in str(receipt)


def test_a_thread_in_which_their_memories_were_used_is_told(memory: AgentMemory, forget: Forget) -> None:
    put(memory, "a group's", None)
    used = memory.events.memory("recalled", ["m1"], scope=Scope("anna").path, thread_id="a group's")
    memory.events.send(used)
    receipt = forget("anna")
    assert receipt.residue == (
        "thread \"a group's\" used the user's memories, and is not known to be theirs; if it is, pass it as threads=",
    )
    assert forget("anna", threads=["a group's"]).clean


# --- when things go wrong


def test_wherever_it_breaks_off_it_can_go_on(plain: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    memory, execute = made(plain), Plan.execute
    for steps in count():
        live(memory, "u1", threads=("e", "f"))
        left = iter(range(steps))

        def break_off(*args: Any, left: Iterator[int] = left) -> list[Any]:
            if next(left, None) is None:
                raise KeyboardInterrupt
            return execute(*args)

        with monkeypatch.context() as patch:
            patch.setattr(Plan, "execute", break_off)
            try:
                whole = forget_user(memory, "u1").clean
            except KeyboardInterrupt:
                whole = False
        assert forget_user(memory, "u1").clean
        assert everything(plain) == {}
        if whole:
            break
    assert steps > 15


def test_what_is_written_meanwhile_is_erased_too(memory: AgentMemory, forget: Forget) -> None:
    live(memory, "u1", threads=("e", "f"))
    late = iter(["g", "h"])

    def write(what: str, number: int) -> None:
        if what == "erased" and (thread_id := next(late, None)):
            put(memory, thread_id, "u1")

    receipt = forget("u1", on_progress=write)
    assert receipt.clean
    assert receipt.walks > 2
    assert memory.threads() == []


def test_one_who_writes_without_end_is_told_of(plain: Connection) -> None:
    memory = made(plain)
    memory.facts.set(Scope("u1"), "diet", "none")
    receipt = forget_user(memory, "u1", on_progress=lambda *_: memory.facts.set(Scope("u1"), uuid4().hex, "x"))
    assert not receipt.clean
    assert "agentmem:default:facts:{memories:u1} is the user's" in receipt.residue


class Failing:
    """An extractor that no batch passes."""

    async def aplan(self, batch: Batch) -> Any:
        raise ValueError("no")

    def loads(self, data: bytes) -> Any:
        raise AssertionError

    async def aapply(self, plan: Any) -> Sequence[Any]:
        raise AssertionError


async def test_dead_letters_are_forgotten(plain: Connection) -> None:
    memory = made(plain)
    live(memory, "u1", threads=("e", "f"))
    consumer = memory.events.consume("g", "c", stuck_after=0.001, max_deliveries=1)
    while not await consumer.adead_letters():
        await consumer._take(100)
    while not memory.outbox.dead():
        await Worker(memory.outbox, Failing()).apromote_pending()
    receipt = await aforget_user(memory, "u1")
    assert receipt.clean
    assert receipt.erased["turns"] == 2
    assert await consumer.adead_letters() == []
    assert memory.outbox.dead() == []


def test_caches_go_whole(memory: AgentMemory, forget: Forget) -> None:
    live(memory, "u1", threads=("e", "f"))
    memory.cache.set({(("node",), "k"): ("result", None)})
    run(memory.connection.send(("SET", f"{memory.keys.base}:answers:a", "of the semantic cache")))
    forget("nobody")
    assert memory.cache.get([(("node",), "k")])
    assert forget("u1").erased["cached"] > 0
    assert not memory.cache.get([(("node",), "k")])
    assert everything(memory.connection) == {}


# --- how much it takes


def test_many_threads_take_few_round_trips(plain: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = made(plain)
    run(plain.send(*(("HSET", memory.keys.thread(f"t{n}"), "user", "anna", "created", 1) for n in range(5_000))))
    run(plain.send(("ZADD", memory.keys.threads("anna"), *(part for n in range(5_000) for part in (n, f"t{n}")))))
    trips: list[Any] = []
    watch_trips(monkeypatch, trips.append)
    assert forget_user(memory, "anna").erased["threads"] == 5_000
    assert len(trips) < 60


def test_on_a_cluster() -> None:
    with serving_cluster(3) as servers:
        url = "redis+cluster://" + ",".join(f"127.0.0.1:{server.port}" for server in servers)
        with Connection(url) as redis, made(redis) as memory:
            live(memory, "u10", threads=("a", "b"))
            before = everything(redis)
            for colour in (forget_user, lambda *args: asyncio.run(aforget_user(*args))):
                live(memory, "u1", threads=("e", "f"))
                receipt = colour(memory, "u1")
                assert receipt.clean, receipt.residue
                assert everything(redis) == before
