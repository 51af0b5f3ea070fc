"""The outbox takes each turn once, says when it is due, and lets it go when it is stored and not before."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, AnyMessage, ChatMessage, HumanMessage, SystemMessage, ToolMessage

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.longterm.record import Scope
from langchain_agentmem.promotion import outbox as module
from langchain_agentmem.promotion.batch import RECALLED
from langchain_agentmem.promotion.outbox import Forgotten, Outbox
from langchain_agentmem.promotion.taking import current_turn
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection
from tests.promotion.scribe import ANN, Call, said
from tests.promotion.steps import QUICK, apromoted, atake, conversation, names
from tests.trips import watch_trips


class Wire:
    """What goes to the server."""

    def __init__(self) -> None:
        self.trips, self.bytes = 0, 0

    def count(self, commands: Any) -> None:
        self.trips += 1
        self.bytes += sum(len(part) for command in commands for part in command if isinstance(part, bytes | str))


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    counted = Wire()
    watch_trips(monkeypatch, counted.count)
    return counted


# --- taking


def test_a_turn_is_taken_once(outbox: Outbox, call: Call) -> None:
    assert call(outbox.aadd("t", conversation(1), ANN, "verbatim@1")) == 2
    assert call(outbox.aadd("t", conversation(1), ANN, "verbatim@1")) == 0
    assert call(outbox.aadd("t", conversation(2), ANN, "verbatim@1")) == 2
    assert call(outbox.aadd("other", conversation(2), ANN, "verbatim@1")) == 4
    assert call(apromoted(outbox)) == ["h0", "a0", "h1", "a1"] * 2


def test_strategies_take_a_turn_each(outbox: Outbox, call: Call) -> None:
    """Two nodes of a graph may look for different things in one thread; a new version goes on where they are."""
    for number in (1, 2):
        for strategies in ("facts@1", ["summary@1", "facts@1"]):
            assert call(outbox.aadd("t", conversation(number), ANN, strategies)) == 2
    assert call(outbox.aadd("t", conversation(2), ANN, "facts@2")) == 2
    assert call(apromoted(outbox)) == ["h0", "a0"] * 2 + ["h1", "a1"] * 3


def test_both_colours_are_one(outbox: Outbox) -> None:
    assert outbox.add("t", said("a"), ANN, "x@1") == 1
    assert outbox.stats().waiting == run(outbox.astats()).waiting == 1
    assert outbox.forget(["t"]) == Forgotten(1, 1, 0)
    assert outbox.dead() == []
    assert outbox.replay() == outbox.discard([]) == 0


def test_only_the_current_turn_travels(outbox: Outbox, call: Call, wire: Wire) -> None:
    """One round trip of a constant size, at any length of the thread."""
    messages, sizes = conversation(1_000), []
    call(outbox.aadd("t", messages, ANN, "x@1"))
    for i in range(1_000, 1_003):
        messages += conversation(1, i)
        wire.trips = wire.bytes = 0
        assert call(outbox.aadd("t", messages, ANN, "x@1")) == 2
        assert wire.trips == 1
        sizes.append(wire.bytes)
    assert max(sizes) < 5_000
    assert max(sizes) - min(sizes) < 8


def test_what_is_missing_in_between_is_taken_too(outbox: Outbox, call: Call, wire: Wire) -> None:
    call(outbox.aadd("t", conversation(1), ANN, "x@1"))
    wire.trips = 0
    assert call(outbox.aadd("t", conversation(4), ANN, "x@1")) == 6
    assert wire.trips == 2
    assert call(apromoted(outbox)) == [f"{who}{i}" for i in range(4) for who in "ha"]


def test_a_turn_may_be_offered_before_it_is_complete(outbox: Outbox) -> None:
    messages = conversation(2)
    assert [outbox.add("t", messages[:n], ANN, "x@1") for n in (1, 2, 3, 3, 4)] == [1, 1, 1, 0, 1]


def test_ids_of_old_messages_may_be_forgotten(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_IDS_KEPT", 10)
    outbox.add("t", conversation(50), ANN, "x@1")
    run(apromoted(outbox))
    assert outbox.add("t", conversation(54), ANN, "x@1") == 8  # offers all of them, and most of their ids are gone
    assert run(apromoted(outbox)) == [f"{who}{i}" for i in range(50, 54) for who in "ha"]
    seen = outbox._keys.outbox() + ":seen:t"
    assert run(outbox._redis.send(("ZCARD", seen))) == [10]


def test_only_what_somebody_said_is_taken(outbox: Outbox, call: Call) -> None:
    recalled = HumanMessage("Ann likes tea", id="r", additional_kwargs={RECALLED: True})
    plan = AIMessage("", id="p", tool_calls=[{"name": "search", "args": {}, "id": "1"}])
    messages = [
        SystemMessage("be kind", id="s"),
        recalled,
        HumanMessage("Here is a summary", id="sum", additional_kwargs={"lc_source": "summarization"}),
        *said("h"),
        plan,
        ToolMessage("Ann likes tea", tool_call_id="1"),
    ]
    assert call(outbox.aadd("t", messages, ANN, "x@1")) == 2
    assert call(outbox.aadd("t", [recalled], ANN, "x@1")) == 0
    assert call(apromoted(outbox)) == ["h", "p"]


@pytest.mark.parametrize("user", ["\ud800", 'a"b', "a\\", "ü{}"])
def test_any_text_may_be_the_id_of_a_user(outbox: Outbox, call: Call, user: str) -> None:
    scope = Scope(user, ("notes", user))
    assert call(outbox.aadd("t", said("a"), scope, "x@1")) == 1
    assert call(outbox.aforget(scope=scope)) == Forgotten(threads=1, turns=1, dead_letters=0)


@pytest.mark.parametrize("role", ["user", "human"])
def test_whose_turn_it_is_a_chat_message_says_by_its_role_and_an_answer_cannot(role: str) -> None:
    asked, answer = ChatMessage(content="hi", role=role, id="h"), AIMessage("hello", id="a", role=role)
    offer = current_turn([*said("before"), asked, answer], "t")
    assert ([message.id for message in offer.messages], offer.before) == (["h", "a"], "before")


def test_messages_without_ids_get_the_same_ones_each_time(outbox: Outbox, call: Call) -> None:
    talk = [("human", "yes"), ("ai", "yes"), ("human", "yes"), ("ai", "yes")]
    assert [call(outbox.aadd("t", talk[:n], ANN, "x@1")) for n in (2, 4, 4)] == [2, 2, 0]
    assert call(outbox.aadd("u", ["yes", "yes", {"role": "user", "content": "yes"}], ANN, "x@1")) == 3
    ids = call(apromoted(outbox))
    assert len(set(ids)) == len(ids) == 7


def test_a_turn_knows_when_it_was_said(outbox: Outbox) -> None:
    told, then = datetime(2024, 5, 1, 9, tzinfo=UTC), datetime(2023, 5, 8, 13, 56, tzinfo=UTC)
    own = HumanMessage("a", id="own", additional_kwargs={"timestamp": then.isoformat()})
    seconds = HumanMessage("b", id="seconds", response_metadata={"created_at": then.timestamp()})
    outbox.add("t", [own], ANN, "x@1")
    outbox.add("t", [own, seconds], ANN, "x@1")
    outbox.add("t", [own, seconds, *said("told")], ANN, "x@1", time=told, checkpoint_id="c")
    outbox.add("t", [own, seconds, *said("told", "now")], ANN, "x@1")
    turns = {turn.id: turn for turn in run(atake(outbox))[0].batch.turns}
    assert turns["own"].time == turns["seconds"].time == then
    assert (turns["told"].time, turns["told"].checkpoint_id) == (told, "c")
    assert abs(turns["now"].time - datetime.now(UTC)) < timedelta(minutes=1)
    assert turns["own"].message == own


@pytest.mark.parametrize(
    ("arguments", "names_"),
    [
        ({"thread_id": ""}, "thread_id"),
        ({"thread_id": 3}, "thread_id"),
        ({"scope": ("users", "{user}")}, "scope"),
        ({"time": datetime(2024, 1, 1)}, "time"),  # noqa: DTZ001
        ({"messages": [3]}, "messages"),
    ],
)
def test_bad_input_is_named(outbox: Outbox, arguments: dict[str, Any], names_: str) -> None:
    given_: dict[str, Any] = {"thread_id": "t", "messages": said("a"), "scope": ANN, "strategies": "x@1"} | arguments
    with pytest.raises(InvalidInputError, match=names_):
        outbox.add(**given_)


@pytest.mark.parametrize("name", ["quiet", "max_turns", "lease", "max_attempts", "batch_turns", "retention"])
def test_settings_are_checked(plain: Connection, name: str) -> None:
    with pytest.raises(InvalidInputError, match=name):
        Outbox(plain, **cast("dict[str, Any]", {name: -1}))


class Talk:
    """A conversation that grows and is offered in every way that a graph may offer it."""

    def __init__(self, outbox: Outbox) -> None:
        self.outbox, self.messages, self.offered = outbox, list[AnyMessage](), 0

    def step(self, grow: int, back: int) -> None:
        for _ in range(grow):
            i = len(self.messages)
            kind = HumanMessage if i % 3 == 0 else AIMessage
            self.messages.append(kind(f"{i}", id=f"m{i}"))
        # All of them, or the latest ones, but none is left out.
        start = max(0, min(self.offered, len(self.messages) - back))
        self.outbox.add("t", self.messages[start:] if back < 20 else self.messages, ANN, "x@1")
        self.offered = len(self.messages)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 25)), min_size=1, max_size=8), st.booleans())
def test_however_they_are_offered_each_is_taken_once_in_order(
    plain: Connection, steps: list[tuple[int, int]], promote: bool
) -> None:
    run(plain.send(("FLUSHALL",)))
    outbox = Outbox(plain, **QUICK | {"batch_turns": 3})
    talk, taken = Talk(outbox), list[str]()
    for grow, back in steps:
        talk.step(grow, back)
        taken += run(apromoted(outbox)) if promote else []
    taken += run(apromoted(outbox))
    assert taken == [message.id for message in talk.messages]


# --- when it is due


def test_a_thread_is_due_after_some_quiet(plain: Connection, call: Call) -> None:
    outbox = Outbox(plain, **QUICK | {"quiet": 0.25})
    for name in "abc":
        outbox.add("t", said(*"abc"[: "abc".index(name) + 1]), ANN, "x@1")
        assert call(atake(outbox)) == []
        time.sleep(0.1)
    time.sleep(0.2)
    reborn = Outbox(plain, **QUICK | {"quiet": 0.25})  # another process, after a restart
    assert [names(lease) for lease in call(atake(reborn))] == [["a", "b", "c"]]


def test_enough_turns_are_due_at_once(plain: Connection, call: Call) -> None:
    outbox = Outbox(plain, quiet=60, max_turns=3)
    outbox.add("t", said(*"ab"), ANN, "x@1")
    assert call(atake(outbox)) == []
    outbox.add("t", said(*"abc"), ANN, "x@1")
    assert [names(lease) for lease in call(atake(outbox))] == [["a", "b", "c"]]


def test_a_thread_that_is_never_quiet_is_due_all_the_same(plain: Connection) -> None:
    outbox = Outbox(plain, quiet=60, max_wait=0.2)
    for n in range(6):
        outbox.add("t", said(f"m{n}"), ANN, "x@1")
        time.sleep(0.05)
    assert [names(lease)[0] for lease in run(atake(outbox))] == ["m0"]


def test_a_failed_batch_waits_longer_each_time(plain: Connection) -> None:
    outbox = Outbox(plain, quiet=0, backoff=100, max_backoff=1_000)
    due, key = [], outbox._keys.outbox_due()
    for i in range(4):
        outbox.add("t", said(*(f"m{j}" for j in range(i + 1))), ANN, "x@1")  # which does not bring it forward
        (lease,) = run(atake(outbox, due_only=False))
        assert lease.attempt == i + 1
        now = time.time()
        assert run(outbox.jobs.afail(lease, ValueError())) == "retry"
        due.append(float(run(outbox._redis.send(("ZSCORE", key, "t")))[0]) / 1000 - now)
    longest = [100, 400, 1_000, 1_000]
    assert all(most / 2 - 1 < wait < most + 1 for wait, most in zip(due, longest, strict=True))
