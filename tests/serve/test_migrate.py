"""Moving in: from what the other packages wrote, as it was recorded, and from themselves where they are installed."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import CliRunner
from langchain_core.embeddings import Embeddings
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.base import CheckpointTuple
from langgraph.types import Command

from langchain_agentmem import AgentMemory
from langchain_agentmem.serve import commands
from langchain_agentmem.serve.migrate import Migration, Outcome
from langchain_agentmem.serve.migrate.values import TheirSerializer
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection
from tests.serve import peers

THEIRS = ("type", "pending_sends")  # what that package adds to a checkpoint


class Lengths(Embeddings):
    """Embeds a text as its length."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return [float(len(text)), 1.0]


@pytest.fixture
def source(search: Connection) -> Connection:
    """A server with what was recorded."""
    peers.play(search)
    return search


@pytest.fixture
def memory(plain: Connection) -> AgentMemory:
    """An empty memory on another server."""
    return AgentMemory(plain, embeddings=Lengths(), dims=2)


def everything(redis: Connection) -> dict[bytes, Any]:
    """All that a server holds. DUMP gives the fields of a hash in an order that changes by itself."""
    keys = run(redis.send(("KEYS", "*")))[0]
    kinds = run(redis.send(*(("TYPE", key) for key in keys)))
    asked = [("HGETALL" if kind == b"hash" else "DUMP", key) for key, kind in zip(keys, kinds, strict=True)]
    return dict(zip(keys, run(redis.send(*asked)), strict=True))


def comparable(found: CheckpointTuple) -> dict[str, Any]:
    ids = {"thread_id", "checkpoint_ns", "checkpoint_id"}
    parent = found.parent_config["configurable"] if found.parent_config else {}
    return {
        "config": {name: found.config["configurable"][name] for name in ids},
        "parent": {name: parent.get(name) for name in ids} if parent else None,
        "checkpoint": {
            name: value for name, value in found.checkpoint.items() if name not in ("type", "pending_sends")
        },
        "metadata": dict(found.metadata),
    }


# --- threads ---


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_agents_go_on_where_they_were(source: Connection, memory: AgentMemory, colour: str) -> None:
    migration = Migration(memory, source)
    outcome = migration.threads() if colour == "sync" else _in_a_loop(migration.athreads())
    assert (outcome.groups, outcome.moved, outcome.kept, outcome.problems) == (4, outcome.found, 0, [])
    graph = peers.agent(memory.checkpointer)
    trip = graph.get_state(peers.config("trip")).values
    assert [message.id for message in trip["messages"]] == ["h1", "ai", "t", "h2"]
    assert (trip["plan"], trip["tags"], trip["blob"]) == (peers.Plan("Oslo", 3), {"north"}, b"\x00\xff")
    [waiting] = graph.get_state(peers.config("waits")).interrupts
    assert waiting.value == {"question": "sure?"}
    assert graph.invoke(Command(resume="yes"), peers.config("waits"))["answers"] == ["you said yes"]
    assert graph.invoke(Command(resume="go"), peers.config("fan"))["answers"] == ["been there"] * 2
    history = [*graph.get_state_history(peers.config("trip"))]
    assert [state.metadata["step"] for state in history] == [6, 5, 4, 3, 2, 1, 0, -1]


def _in_a_loop(coroutine: Coroutine[Any, Any, Outcome]) -> Outcome:
    import asyncio

    return asyncio.run(coroutine)


def test_threads_are_listed_in_the_order_in_which_they_were_active(source: Connection, memory: AgentMemory) -> None:
    Migration(memory, source).threads()
    assert [thread.thread_id for thread in memory.threads()] == ["trip", "fan", "waits", "a:b/ü [x]"]


def test_the_threads_of_a_shallow_saver(source: Connection, memory: AgentMemory) -> None:
    outcome = Migration(memory, source).threads(prefix="shallow", write_prefix="shallow_w")
    assert (outcome.groups, outcome.moved, outcome.problems) == (1, 1, [])
    answered = peers.agent(memory.checkpointer).invoke(Command(resume="yes"), peers.config("brief"))
    assert answered["answers"] == ["you said yes"]


def test_moving_again_changes_nothing(source: Connection, memory: AgentMemory) -> None:
    before = everything(source)
    migration = Migration(memory, source)
    for move in (migration.threads, migration.store, migration.histories):
        assert move().moved > 0
        there = everything(memory.connection)
        again = move()
        assert (again.moved, again.kept, again.problems) == (0, again.found, [])
        assert everything(memory.connection) == there
    assert everything(source) == before


def test_what_came_since_is_moved_and_what_was_said_here_stays(source: Connection, memory: AgentMemory) -> None:
    Migration(memory, source).threads()
    graph = peers.agent(memory.checkpointer)
    graph.invoke(Command(resume="yes"), peers.config("waits"))
    here = [comparable(found) for found in memory.checkpointer.list(peers.config("waits"))]
    key = next(key for key in everything(source) if key.startswith(b"checkpoint:trip:__empty__:"))
    newer = json.loads(run(source.send(("JSON.GET", key)))[0])
    newer["checkpoint_id"] = newer["checkpoint"]["id"] = "ffffffff-0000-6000-8000-000000000000"
    run(source.send(("JSON.SET", "checkpoint:trip:__empty__:new", "$", json.dumps(newer))))
    outcome = Migration(memory, source).threads()
    assert (outcome.moved, outcome.kept, outcome.problems) == (1, outcome.found - 1, [])
    assert [comparable(found) for found in memory.checkpointer.list(peers.config("waits"))] == here


def test_a_migration_that_broke_off_is_completed(source: Connection, memory: AgentMemory) -> None:
    lost = [key for key in everything(source) if key.startswith(b"checkpoint_write:waits:")]
    lost += [max(key for key in everything(source) if key.startswith(b"checkpoint:trip:__empty__:"))]
    run(source.send(("DEL", *lost)))
    Migration(memory, source).threads()
    peers.play(source)
    assert Migration(memory, source).threads().moved == 1
    graph = peers.agent(memory.checkpointer)
    assert graph.invoke(Command(resume="yes"), peers.config("waits"))["answers"] == ["you said yes"]
    assert graph.get_state(peers.config("trip")).metadata["step"] == 6


def test_a_thread_that_was_to_expire_still_does(source: Connection, memory: AgentMemory) -> None:
    keys = [key for key in everything(source) if key.startswith((b"checkpoint:fan:", b"checkpoint_write:fan:"))]
    run(source.send(*(("EXPIRE", key, 1000) for key in keys)))
    Migration(memory, source).threads()
    here = {key: run(memory.connection.send(("TTL", key)))[0] for key in everything(memory.connection)}
    assert {ttl > 0 for key, ttl in here.items() if b"{fan}" in key} == {True}
    assert {ttl for key, ttl in here.items() if b"{trip}" in key} == {-1}
    metadata = memory.threads()[1].metadata
    assert "thread_ttl" not in metadata


def test_a_thread_that_cannot_be_read_is_told_and_the_others_move(source: Connection, memory: AgentMemory) -> None:
    odd = json.dumps({"thread_id": "odd", "checkpoint_ns": "", "checkpoint_id": "1"})
    run(source.send(("JSON.SET", "checkpoint:odd:__empty__:1", "$", odd)))
    run(source.send(("SET", "checkpoint:a:string", "of another program")))
    outcome = Migration(memory, source).threads()
    assert [problem.split(":")[0] for problem in outcome.problems] == ["thread 'odd'"]
    assert outcome.moved == outcome.found - 1


def test_sends_of_older_checkpoints_get_their_channel(source: Connection, memory: AgentMemory) -> None:
    keys = [key for key in everything(source) if key.startswith(b"checkpoint:fan:")]
    for key in keys:
        run(
            source.send(
                ("JSON.SET", key, "$.checkpoint.v", "3"),
                ("JSON.DEL", key, "$.checkpoint.channel_values.__pregel_tasks"),
            )
        )
    Migration(memory, source).threads()
    newest = memory.checkpointer.get_tuple(peers.config("fan"))
    assert newest is not None
    sends = newest.checkpoint["channel_values"]["__pregel_tasks"]
    assert [send.arg for send in sends] == [{"answers": ["Oslo"]}, {"answers": ["Rome"]}]
    assert newest.checkpoint["channel_versions"]["__pregel_tasks"] == max(
        newest.checkpoint["channel_versions"].values()
    )


@pytest.mark.parametrize(
    "envelope",
    [
        {"id": ["gone", "Plan"], "kwargs": {"city": "Oslo"}},
        {"id": ["subprocess", "Popen"], "args": ["true"]},
        {"id": ["tests", "serve", "peers", "Plan"], "kwargs": {"unknown": 1}},
    ],
)
def test_a_class_that_cannot_be_made_here_stays_plain_data(envelope: dict[str, Any]) -> None:
    given = {"lc": 2, "type": "constructor", **envelope}
    assert TheirSerializer().loads(json.dumps(given)) == given


def test_where_langgraph_is_strict_stored_data_imports_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = {"id": ["tests", "serve", "peers", "Plan"], "kwargs": {"city": "Oslo", "nights": 1}}
    given = {"lc": 2, "type": "constructor", **plan}
    assert TheirSerializer().loads(json.dumps(given)) == peers.Plan("Oslo")
    monkeypatch.setattr("langgraph.checkpoint.serde._msgpack.STRICT_MSGPACK_ENABLED", True)
    assert TheirSerializer().loads(json.dumps(given)) == given


# --- the store ---


def test_items_keep_value_place_times_and_life(source: Connection, memory: AgentMemory) -> None:
    outcome = Migration(memory, source).store()
    assert (outcome.groups, outcome.found, outcome.moved, outcome.problems) == (3, 5, 5, [])
    likes = memory.store.get(("users", "ada@x-org"), "likes")
    assert likes is not None
    assert likes.value == {"text": "tea", "n": 1.5}
    [recorded] = [each for each in recordings("store:") if each["key"] == "likes"]
    times = [int(moment.timestamp() * 1_000_000 + 0.5) for moment in (likes.created_at, likes.updated_at)]
    assert times == [recorded["created_at"], recorded["updated_at"]]
    assert [item.key for item in memory.store.search(("notes",))] == ["brief", "message", "quiet"]
    message = memory.store.get(("notes",), "message")
    assert message is not None
    assert TheirSerializer().loads(json.dumps(message.value)) == {"said": HumanMessage("hi", id="m")}
    asked = [("TTL", memory.keys.item(("notes",), key)) for key in ("brief", "quiet")]
    assert run(memory.connection.send(*asked)) == [pytest.approx(3600, abs=60), -1]


def recordings(prefix: str) -> list[dict[str, Any]]:
    lines = map(json.loads, peers.RECORDING.read_text("utf-8").splitlines())
    return [line["json"] for line in lines if line["key"].startswith(prefix)]


def test_only_items_that_had_a_vector_get_one(source: Connection, memory: AgentMemory) -> None:
    Migration(memory, source).store()
    fields = {
        key: run(memory.connection.send(("HEXISTS", memory.keys.item(("notes",), key), "x")))[0]
        for key in ("brief", "quiet")
    }
    assert fields == {"brief": 1, "quiet": 0}


def test_the_newer_of_two_items_counts(source: Connection, memory: AgentMemory) -> None:
    Migration(memory, source).store()
    memory.store.put(("notes",), "quiet", {"text": "changed here"})
    later = int(datetime.now(UTC).timestamp() * 1_000_000)
    [key] = [key for key, each in _documents(source, "store:*") if each["key"] == "likes"]
    run(source.send(("JSON.SET", key, "$.value.text", '"mate"'), ("JSON.SET", key, "$.updated_at", later)))
    outcome = Migration(memory, source).store()
    assert (outcome.moved, outcome.kept) == (1, 4)
    texts = [item.value["text"] for item in memory.store.search((), limit=10) if "text" in item.value]
    assert set(texts) == {"changed here", "mate", "coffee", "soon gone"}


def _documents(redis: Connection, pattern: str) -> list[tuple[bytes, dict[str, Any]]]:
    keys = run(redis.send(("KEYS", pattern)))[0]
    return [(key, json.loads(run(redis.send(("JSON.GET", key)))[0])) for key in keys]


def test_an_item_that_cannot_be_kept_is_told_and_the_others_move(source: Connection, memory: AgentMemory) -> None:
    odd = {"prefix": "a\\.\\.b", "key": "odd", "value": {"x": 1}, "created_at": 1, "updated_at": 1}
    run(source.send(("JSON.SET", "store:odd", "$", json.dumps(odd))))
    worse = odd | {"prefix": "a", "key": "worse", "value": [1]}
    run(source.send(("JSON.SET", "store:worse", "$", json.dumps(worse))))
    run(source.send(("JSON.SET", "store:other", "$", '{"sku": 1}')))
    for name, times in {"late": ("yesterday", 1), "later": ([1], 1), "last": (10**30, 1), "first": (1, 10**30)}.items():
        dated = odd | {"prefix": "a", "key": name, "updated_at": times[0], "created_at": times[1]}
        run(source.send(("JSON.SET", f"store:{name}", "$", json.dumps(dated))))
    outcome = Migration(memory, source).store()
    told = {problem.split(":")[0] for problem in outcome.problems}
    assert told == {f"item {name!r} of 'a'" for name in ("first", "last", "late", "later", "worse")} | {
        "item 'odd' of 'a..b'"
    }
    assert (outcome.found, outcome.moved) == (11, 5)
    assert len(memory.store.search((), limit=20)) == 5


# --- histories ---

SAID = [HumanMessage("hi"), AIMessage("hello"), ToolMessage("done", tool_call_id="c1")]


def test_histories(source: Connection, memory: AgentMemory) -> None:
    outcome = Migration(memory, source).histories()
    assert (outcome.groups, outcome.found, outcome.moved, outcome.problems) == (2, 4, 4, [])
    assert memory.history("chat: one").messages == SAID
    assert memory.history("two").messages == [HumanMessage("other")]


def test_a_history_that_has_gone_on_here_stays(source: Connection, memory: AgentMemory) -> None:
    Migration(memory, source).histories()
    memory.history("chat: one").add_user_message("and on")
    memory.history("two").clear()
    memory.history("two").add_user_message("something else")
    outcome = Migration(memory, source).histories()
    assert (outcome.moved, outcome.kept) == (0, 3)
    assert [problem.split(":")[0] for problem in outcome.problems] == ["session 'two'"]
    assert memory.history("chat: one").messages == [*SAID, HumanMessage("and on")]
    assert memory.history("two").messages == [HumanMessage("something else")]


def test_what_was_said_there_since_is_added(source: Connection, memory: AgentMemory) -> None:
    memory.history("chat: one").add_messages(SAID[:1])
    outcome = Migration(memory, source).histories()
    assert (outcome.moved, outcome.kept) == (3, 1)
    assert memory.history("chat: one").messages == SAID


def test_a_message_that_cannot_be_read_is_told_and_the_others_move(source: Connection, memory: AgentMemory) -> None:
    for name, moment in {"chat:other": "soon", "chat:odd": {}}.items():
        odd = json.dumps({"session_id": "two", "timestamp": moment})
        run(source.send(("JSON.SET", name, "$", odd)))
    outcome = Migration(memory, source).histories()
    told = sorted(outcome.problems)
    assert told == [f"message 'chat:{name}': its timestamp is no number" for name in ("odd", "other")]
    assert (outcome.found, outcome.moved) == (6, 4)
    assert memory.history("two").messages == [HumanMessage("other")]


# --- all of it ---


def test_a_dry_run_reads_all_and_writes_nothing(source: Connection, memory: AgentMemory) -> None:
    seen: list[tuple[int, int]] = []
    migration = Migration(memory, source, dry_run=True)
    for move, expected in ((migration.threads, 4), (migration.store, 3), (migration.histories, 2)):
        outcome = move(on_progress=lambda done, total: seen.append((done, total)))
        assert (outcome.groups, outcome.moved, outcome.problems) == (expected, outcome.found, [])
        assert seen[-1] == (outcome.found, outcome.found)
    assert everything(memory.connection) == {}


def test_on_one_server_and_from_its_own_prefix(source: Connection) -> None:
    memory = AgentMemory(source, embeddings=Lengths(), dims=2, prefix="p", tenant="a:b")
    migration = Migration(memory)
    assert [move().problems for move in (migration.threads, migration.store, migration.histories)] == [[], [], []]
    assert {thread.thread_id for thread in memory.threads()} == set(peers.THREADS)


def test_the_command(source: Connection, search_url: str, plain: Connection, plain_url: str) -> None:
    args = ["migrate", "--source", search_url, "--url", plain_url]
    tried = CliRunner().invoke(commands.agentmem, [*args, "threads", "--dry-run", "--json"])
    assert tried.exit_code == 0, tried.output
    assert everything(plain) == {}
    told = json.loads(tried.stdout)
    assert (told.keys(), told["dry_run"], told["threads"]["groups"]) == ({"dry_run", "threads"}, True, 4)
    done = CliRunner().invoke(commands.agentmem, [*args, "threads", "histories"])
    assert done.exit_code == 0, done.output
    assert "4 threads" in done.stdout
    assert "2 sessions" in done.stdout
    AgentMemory(plain).history("two").clear()
    AgentMemory(plain).history("two").add_user_message("something else")
    failed = CliRunner().invoke(commands.agentmem, [*args, "histories"])
    assert failed.exit_code == 1
    assert failed.stderr.startswith("agentmem: not moved: session 'two'")


# --- from the packages themselves ---


@pytest.fixture
def theirs(search: Connection, search_url: str) -> Any:
    """Their saver, on a server with what they write."""
    redis_saver = pytest.importorskip("langgraph.checkpoint.redis")
    pytest.importorskip("langchain_redis")
    from redis import Redis

    with warnings.catch_warnings(action="ignore"):  # that class is deprecated
        peers.write_all(search_url)
    with Redis.from_url(search_url, protocol=2) as client:
        saver = redis_saver.RedisSaver(redis_client=client)
        saver.setup()
        yield saver


def test_every_checkpoint_is_what_their_own_class_reads(theirs: Any, search: Connection, memory: AgentMemory) -> None:
    assert Migration(memory, search).threads().problems == []
    for thread_id in peers.THREADS:
        listed = memory.checkpointer.list(peers.config(thread_id))
        for ours, one in zip(listed, theirs.list(peers.config(thread_id)), strict=True):
            assert comparable(ours) == comparable(theirs.get_tuple(one.config))  # their list leaves values unread
            assert Counter(map(repr, ours.pending_writes or ())) == Counter(map(repr, one.pending_writes))


def test_the_recording_is_what_they_write(theirs: Any, search_url: str) -> None:
    lines = map(json.loads, peers.RECORDING.read_text("utf-8").splitlines())
    assert Counter(map(shape, peers.record(search_url).items())) == Counter(
        shape((line["key"], line)) for line in lines
    )


def shape(entry: tuple[str, dict[str, Any]]) -> tuple[str, frozenset[str]]:
    key, found = entry
    return key.partition(":")[0], frozenset(found["json"])
