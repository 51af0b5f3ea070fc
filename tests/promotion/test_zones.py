"""Days are those of who speaks, wherever his turns are promoted."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import ormsgpack
import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.promotion.batch import Turn
from langchain_agentmem.promotion.conversation import Conversation
from langchain_agentmem.promotion.extraction import Extractor
from langchain_agentmem.promotion.outbox import Outbox
from langchain_agentmem.promotion.worker import Worker
from langchain_agentmem.thread.codec import Codec
from langchain_agentmem.thread.messages import dump_messages
from langchain_agentmem.wire.connection import Connection
from tests.conftest import Do
from tests.openai_stub import OpenAIStub
from tests.promotion.steps import QUICK
from tests.promotion.talks import ANN, batch, says, trip, turns


@pytest.mark.parametrize("said", ["2025-09-03T07:00:00+09:00", "2025-09-03T23:30:00-07:00", "2025-09-03T12:00:00Z"])
async def test_tomorrow_is_counted_in_the_zone_of_who_says_it(
    bank: MemoryBank, plain: Connection, stub: OpenAIStub, do: Do, said: str
) -> None:
    stub.answer = says(discrete=[trip("User flies to Rome tomorrow.", 1)])
    extractor, outbox = Extractor(bank, stub.chat_model(), "discrete"), Outbox(plain, **QUICK)
    message = HumanMessage("I'm flying to Rome tomorrow.", id="1", additional_kwargs={"timestamp": said})
    await do(outbox.add, "t1", [message], ANN, strategies=extractor.names)
    await do(Worker(outbox, extractor).promote_pending)
    (memory,) = bank.list(ANN)
    assert memory.text == "User flies to Rome tomorrow (2025-09-04)."
    assert memory.event_time is not None
    assert memory.event_time.isoformat() == datetime.fromisoformat(said).replace(day=4, hour=0, minute=0).isoformat()
    zone = datetime.fromisoformat(said).strftime("%Z")
    assert f"turn 1, 2025-09-03 (Wednesday) {said[11:16]} {zone}, user: " in stub.requests[0].text


def test_a_turn_that_an_older_version_stored() -> None:
    codec = Codec(JsonPlusSerializer())
    (turn,) = turns("Hello")
    body = dump_messages([turn.message], codec)[0]
    old = ormsgpack.packb((body, round(turn.time.timestamp() * 1000), turn.checkpoint_id))
    assert Turn.loads(old, codec) == turn
    assert turn.dumps(codec) == old, "an older version can read it too"
    east = replace(turn, time=turn.time.astimezone(timezone(timedelta(hours=9))))
    again = Turn.loads(east.dumps(codec), codec)
    assert (again, again.time.utcoffset()) == (east, timedelta(hours=9))


def test_a_clock_that_is_ahead_keeps_its_zone() -> None:
    zone = timezone(timedelta(hours=9))
    ahead = batch("I fly tomorrow", start=datetime(2199, 1, 1, tzinfo=zone))
    talk = Conversation(ahead, lambda text: text)
    assert talk.time(talk.lines).tzinfo == zone
    assert talk.time(talk.lines) <= datetime.now(UTC)
