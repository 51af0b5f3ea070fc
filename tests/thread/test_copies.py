from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, reject
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, HumanMessageChunk
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from langchain_agentmem.thread.codec import Codec
from langchain_agentmem.thread.copies import copy_messages
from tests.thread.state_values import messages

CODEC = Codec(JsonPlusSerializer())


def mutable_parts(value: Any) -> set[int]:
    """The identities of all lists and dicts within a value."""
    if isinstance(value, dict):
        return {id(value)}.union(*map(mutable_parts, value.values()))
    if isinstance(value, list):
        return {id(value)}.union(*map(mutable_parts, value))
    return set()


@given(messages())
def test_a_copy_is_what_loading_again_gives(message: BaseMessage) -> None:
    try:
        stored = CODEC.dumps_typed([message])
    except TypeError:  # it holds what the serializer refuses
        reject()
    [loaded] = CODEC.loads_typed(stored)
    copied = copy_messages([loaded])
    if copied is not None:
        [again] = CODEC.loads_typed(stored)
        assert repr(copied[0].__dict__) == repr(again.__dict__)  # repr: NaN differs from itself
        assert {**copied[0].__getstate__(), "__dict__": {}} == {**again.__getstate__(), "__dict__": {}}
        assert type(copied[0]) is type(again)
        assert not mutable_parts(copied[0].__dict__) & mutable_parts(loaded.__dict__)


def test_plain_messages_are_copied() -> None:
    call = {"name": "tool", "args": {"deep": [1]}, "id": "1", "type": "tool_call"}
    loaded = CODEC.loads_typed(CODEC.dumps_typed([HumanMessage("hi", id="a"), AIMessage("", tool_calls=[call])]))
    copied = copy_messages(loaded)
    assert copied == loaded
    copied[1].tool_calls[0]["args"]["deep"].append(2)  # type: ignore[index,union-attr]
    assert loaded[1].tool_calls[0]["args"] == {"deep": [1]}


def test_an_id_that_is_no_text_is_copied() -> None:
    message = HumanMessage("hi", id="a")
    message.id = [1, [2]]  # type: ignore[assignment]
    [loaded] = CODEC.loads_typed(CODEC.dumps_typed([message]))
    copied = copy_messages([loaded])
    assert copied is None or not mutable_parts(copied[0].__dict__) & mutable_parts(loaded.__dict__)


@pytest.mark.parametrize(
    "odd",
    [
        "no message",
        HumanMessageChunk(content="a chunk"),
        HumanMessage("not every field was given"),
        HumanMessage("a set", additional_kwargs={"odd": {1}}),
    ],
)
def test_what_is_not_plain_is_not_copied(odd: Any) -> None:
    assert copy_messages([odd]) is None
