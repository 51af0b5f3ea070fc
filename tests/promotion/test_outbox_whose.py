"""What the outbox takes of a thread that it does not know whole: nothing that is another user's, and nothing as new."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langchain_core.utils.uuid import uuid7
from langgraph.checkpoint.base.id import uuid6

from langchain_agentmem.longterm.record import Scope
from langchain_agentmem.promotion.batch import Turn
from langchain_agentmem.promotion.outbox import Outbox
from langchain_agentmem.promotion.taking import dated
from langchain_agentmem.wire.bridge import run
from tests.promotion.scribe import ANN, Call, said
from tests.promotion.steps import apromoted, atake, conversation

BOB = Scope("bob")
JANUARY, NOW = datetime(2026, 1, 5, 9, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)


def turns(outbox: Outbox) -> dict[str, Turn]:
    return {turn.id: turn for lease in run(atake(outbox, due_only=False)) for turn in lease.batch.turns}


# --- whose it is


def test_what_another_user_said_before_is_left_alone(outbox: Outbox, call: Call) -> None:
    talk = [*conversation(1), *said("failed"), *conversation(1, 1)]
    call(outbox.aadd("t", talk[:2], ANN, "x@1"))
    assert call(outbox.aadd("t", talk, BOB, "x@1")) == 2
    talk += conversation(3, 2)
    assert call(outbox.aadd("t", talk, BOB, "x@1")) == 6, "his own turns in between are caught up on"
    assert call(apromoted(outbox)) == ["h0", "a0", *(f"{who}{i}" for i in range(1, 5) for who in "ha")]


def test_each_strategies_last_user_counts(outbox: Outbox, call: Call) -> None:
    """Two nodes of a graph may be for two scopes."""
    team = Scope(None, ("team",))
    for n in (1, 3):
        assert call(outbox.aadd("t", conversation(n), ANN, "x@1")) == (2 if n == 1 else 4)
        assert call(outbox.aadd("t", conversation(n), team, "y@1")) == (2 if n == 1 else 4)


def test_what_nobody_said_is_not_of_whoever_speaks_next(outbox: Outbox, call: Call) -> None:
    call(outbox.apass("t", conversation(1), ["x@1"]))
    assert outbox.stats().waiting == 0
    assert call(outbox.aadd("t", conversation(2), ANN, "x@1")) == 2
    assert call(outbox.apass("t", conversation(3), ["x@1"])) is None
    assert call(outbox.aadd("t", [*conversation(3), *said("failed"), *conversation(1, 3)], ANN, "x@1")) == 2
    assert call(apromoted(outbox)) == ["h1", "a1", "h3", "a3"]


def test_who_is_forgotten_is_no_longer_known_to_have_spoken(outbox: Outbox, call: Call) -> None:
    call(outbox.aadd("t", conversation(1), BOB, "x@1"))
    call(outbox.aadd("t", conversation(2), ANN, "x@1"))
    call(outbox.aforget(scope=ANN))
    state = run(outbox._redis.send(("HGETALL", outbox._keys.outbox_state("t"))))[0]
    assert b"ann" not in b"".join([*state, *state.values()])


def test_what_was_forgotten_is_not_of_whoever_shares_the_thread(outbox: Outbox, call: Call) -> None:
    call(outbox.aadd("t", conversation(1), BOB, "x@1"))
    call(outbox.aforget(scope=BOB))
    assert call(outbox.aadd("t", conversation(2), ANN, "x@1")) == 2
    assert call(apromoted(outbox)) == ["h1", "a1"]


# --- what is new


def test_new_strategies_go_on_where_others_are(outbox: Outbox, call: Call) -> None:
    call(outbox.aadd("t", conversation(2), ANN, "x@1"))
    assert call(outbox.aadd("t", conversation(4), ANN, "y@1")) == 4, "what nobody took is caught up on"
    assert call(outbox.aadd("t", conversation(6), ANN, "y@1")) == 4, "and then all of their own"


def test_images_and_files_stay_where_they_are(outbox: Outbox, call: Call) -> None:
    image = {"type": "image", "base64": "A" * 1_000, "mime_type": "image/png"}
    message = HumanMessage(["Look:", {"type": "text", "text": "I like it."}, image], id="h")
    call(outbox.aadd("t", [message], ANN, "x@1"))
    assert turns(outbox)["h"].message.content == ["Look:", {"type": "text", "text": "I like it."}, {"type": "image"}]
    assert message.content[2] == image


# --- when it was said


def ids_at(moment: datetime) -> list[str]:
    """Ids that tell a time, as LangChain and LangGraph make them."""
    seven = str(uuid7(int(moment.timestamp()) * 10**9))
    ticks = int((moment - datetime(1582, 10, 15, tzinfo=UTC)) / timedelta(microseconds=1)) * 10
    six = f"{ticks >> 28:08x}-{ticks >> 12 & 0xFFFF:04x}-6{ticks & 0xFFF:03x}-8000-0123456789ab"
    return [seven, f"lc_run--{seven}", f"lc_run--{seven}-0", six]


@pytest.mark.parametrize("name", ids_at(JANUARY), ids=["7", "run", "choice", "6"])
def test_a_message_was_said_no_later_than_the_next_one_that_tells(name: str) -> None:
    told = HumanMessage("c", id="c", additional_kwargs={"timestamp": (JANUARY - timedelta(days=1)).isoformat()})
    talk: list[AnyMessage] = [*said("a", "b"), told, *said("d"), AIMessage("e", id=name), *said("f")]
    times = [turn.time for turn in dated(talk, NOW)]
    assert times == [JANUARY - timedelta(days=1)] * 3 + [JANUARY] * 2 + [NOW]


def test_ids_that_langgraph_makes_tell_the_time() -> None:
    talk = [*said("a"), AIMessage("b", id=str(uuid6())), AIMessage("c", id=f"run--{uuid4()}")]
    past, made, latest = (turn.time for turn in dated(talk, NOW + timedelta(days=36_500)))
    assert past == made
    assert abs(made - datetime.now(UTC)) < timedelta(minutes=1)
    assert latest == NOW + timedelta(days=36_500)


def test_what_is_caught_up_on_keeps_its_time(outbox: Outbox, call: Call) -> None:
    answer = AIMessage("a", id=ids_at(JANUARY)[1])
    call(outbox.aadd("t", [*said("h"), answer, *said("i")], ANN, "x@1"))
    found = turns(outbox)
    assert found["h"].time == JANUARY
    assert abs(found["i"].time - datetime.now(UTC)) < timedelta(minutes=1)
