"""Signals reach who listens now, in the tenant, by pattern, in both colours."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import redis

from langchain_agentmem.errors import CorruptDataError, InvalidInputError
from langchain_agentmem.events.event import Event
from langchain_agentmem.events.log import EventLog
from langchain_agentmem.events.signals import Signal, Signals
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection
from langchain_agentmem.wire.keys import Keys

Listen = Callable[..., list[Signal]]


@pytest.fixture
def signals(plain: Connection) -> Signals:
    return Signals(plain, Keys())


@pytest.fixture(params=["sync", "async"])
def listen(request: pytest.FixtureRequest) -> Listen:
    """The signals that arrive for some patterns while an action runs."""

    def sync(signals: Signals, action: Callable[[], Any], *patterns: str) -> list[Signal]:
        with signals.subscribe(*patterns, idle=0.3) as inbox:
            action()
            return list(inbox)

    def in_a_loop(signals: Signals, action: Callable[[], Any], *patterns: str) -> list[Signal]:
        async def go() -> list[Signal]:
            async with signals.subscribe(*patterns, idle=0.3) as inbox:
                action()
                return [signal async for signal in inbox]

        return asyncio.run(go())

    return sync if request.param == "sync" else in_a_loop


def test_a_signal_arrives_as_it_was_sent(signals: Signals, listen: Listen) -> None:
    sent = [Signal("order:placed", {"n": 1, "who": "é"}), Signal("order:paid", {})]
    assert listen(signals, lambda: [signals.publish(s.topic, s.body) for s in sent]) == sent


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["memory:*"], ["memory:updated", "memory:lost"]),
        (["task:started"], ["task:started"]),
        (["memory:l?st", "task:*"], ["memory:lost", "task:started"]),
        (["nothing:*"], []),
        ([], ["memory:updated", "memory:lost", "task:started"]),
    ],
)
def test_patterns_choose_topics(signals: Signals, listen: Listen, patterns: list[str], expected: list[str]) -> None:
    def publish() -> None:
        for topic in ("memory:updated", "memory:lost", "task:started"):
            signals.publish(topic)

    assert [signal.topic for signal in listen(signals, publish, *patterns)] == expected


def test_tenants_do_not_hear_each_other(plain: Connection, signals: Signals, listen: Listen) -> None:
    other = Signals(plain, Keys(tenant="other"))
    assert listen(signals, lambda: other.publish("a:b")) == []


async def test_publishing_says_how_many_were_reached(signals: Signals) -> None:
    assert await signals.apublish("a:b") == 0
    async with signals.subscribe("x:*"), signals.subscribe():
        assert await signals.apublish("a:b") == 2
        assert signals.publish("a:b") == 2


def test_what_came_before_is_not_heard(signals: Signals, listen: Listen) -> None:
    signals.publish("a:early")
    assert [signal.topic for signal in listen(signals, lambda: signals.publish("a:late"))] == ["a:late"]


def test_iterating_subscribes_by_itself(signals: Signals) -> None:
    heard: list[str] = []
    inbox = signals.subscribe("a:*", idle=5)

    def read() -> None:
        for signal in inbox:
            heard.append(signal.topic)
            break

    reader = threading.Thread(target=read)
    reader.start()
    while not signals.publish("a:b"):
        time.sleep(0.005)
    reader.join()
    assert heard == ["a:b"]


def test_a_lost_connection_is_taken_up_again(plain_url: str, signals: Signals) -> None:
    with signals.subscribe("a:*", idle=10) as inbox, redis.Redis.from_url(plain_url) as killer:
        killer.execute_command("CLIENT KILL TYPE pubsub")
        heard = iter(inbox)
        stop = threading.Event()

        def publish() -> None:
            while not stop.is_set():
                signals.publish("a:b")
                time.sleep(0.01)

        publisher = threading.Thread(target=publish)
        publisher.start()
        try:
            assert next(heard).topic == "a:b"
        finally:
            stop.set()
            publisher.join()


def test_events_that_are_signals_too(log: EventLog, listen: Listen, plain: Connection) -> None:
    def happen() -> None:
        log.append(
            Event(kind="run.start", thread_id="t", run_id="r"),
            Event(kind="node.start", thread_id="t"),
            Event(kind="tool.error", name="search", status="error", error_type="TimeoutError", error="secret"),
            Event(kind="run.end", thread_id="t", status="ok"),
        )
        run(plain.send(*log.memory("remembered", ["m1"], thread_id="t"), *log.memory("recalled", ["m1"])))

    heard = listen(log.signals, happen)
    assert [signal.topic for signal in heard] == ["task:started", "tool:failed", "task:finished", "memory:updated"]
    assert heard[0].body["run_id"] == "r"
    assert heard[1].body["name"] == "search"
    assert "error" not in heard[1].body
    assert heard[3].body["data"] == {"memories": [["m1", None]]}
    assert {signal.body["id"] for signal in heard} <= {event.id for event in log.recent()}


def test_messages_of_others_are_refused(plain: Connection, signals: Signals) -> None:
    with signals.subscribe(idle=1) as inbox:
        run(plain.send(("PUBLISH", Keys().signals(), "hello")))
        with pytest.raises(CorruptDataError, match="signals channel"):
            list(inbox)


def test_a_signal_needs_a_topic(signals: Signals) -> None:
    with pytest.raises(InvalidInputError, match="topic"):
        signals.publish("")
