"""What memory is recalled for: the user's question, wherever it stands among the messages, and all through its turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, SummarizationMiddleware, after_model, before_model
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import BaseMessage, ChatMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from langchain_agentmem import AgentMemory
from langchain_agentmem.agent.context import ContextAssembler, question_of
from langchain_agentmem.agent.middleware import RecallMiddleware
from langchain_agentmem.longterm.record import Scope
from langchain_agentmem.promotion.batch import RECALLED
from tests.agent.scripted import ScriptedModel, asking, blocks, call, calls, yes
from tests.conftest import Do

ANNA = Scope("anna")
CONFIG: RunnableConfig = {"configurable": {"thread_id": "t", "user_id": "anna"}}
ASKED = "Where does Anna like to hike?"
IMAGE = HumanMessage([{"type": "image", "url": "https://example.org/hut.png"}])
SUMMARY = HumanMessage("Here is a summary of it all.", additional_kwargs={"lc_source": "summarization"})
CALLING = call("weather", city="Oslo")
RESULT = ToolMessage("It rains.", tool_call_id="1")


@tool
def weather(city: str) -> str:
    """Tell the weather."""
    return f"It rains in {city}."


@pytest.mark.parametrize(
    ("messages", "question"),
    [
        ([], ""),
        ([HumanMessage("Hi."), yes(), HumanMessage(ASKED)], ASKED),
        ([HumanMessage("Hi."), yes(), HumanMessage(ASKED), IMAGE], ASKED),
        ([IMAGE, HumanMessage(ASKED)], ASKED),
        ([HumanMessage("A page."), HumanMessage(ASKED)], f"A page.\n{ASKED}"),
        ([HumanMessage(ASKED), IMAGE, CALLING, RESULT, CALLING, RESULT], ASKED),
        ([HumanMessage(ASKED), yes(), IMAGE, CALLING, RESULT], ""),
        ([SUMMARY, HumanMessage(ASKED)], ASKED),
        ([HumanMessage(ASKED), SUMMARY, CALLING, RESULT], ASKED),
        ([SUMMARY, CALLING, RESULT], ""),
        (
            [
                HumanMessage("Hi."),
                ChatMessage(content="Yes?", role="assistant"),
                ChatMessage(content=ASKED, role="user"),
            ],
            ASKED,
        ),
        ([HumanMessage(ASKED), SystemMessage("Be brief.")], ASKED),
        ([HumanMessage(ASKED), HumanMessage("Recalled.", additional_kwargs={RECALLED: True})], ASKED),
    ],
)
def test_which_messages_are_the_question(messages: Sequence[BaseMessage], question: str) -> None:
    assert question_of(messages) == question


def test_of_a_page_the_beginning_and_the_end_are_the_question() -> None:
    page = "lorem ipsum " * 10_000
    for said in ([HumanMessage(f"{ASKED} {page} Tell me!")], [HumanMessage(ASKED), HumanMessage(f"{page} Tell me!")]):
        question = question_of(said)
        assert len(question) <= 4_001
        assert question.startswith(ASKED)
        assert question.endswith("Tell me!")


async def test_an_image_beside_the_question(
    memory: AgentMemory, assembler: ContextAssembler, do: Do, recalls: list[str]
) -> None:
    memory.bank.remember("Anna likes to hike in the Alps", ANNA)
    model = ScriptedModel(lines=[call("weather", city="Oslo"), yes()])
    agent: Any = create_agent(model, tools=[weather], middleware=[RecallMiddleware(assembler)])
    await do(agent.invoke, {"messages": [HumanMessage(ASKED), IMAGE]}, CONFIG)
    assert recalls == [ASKED]
    assert ["Alps" in block for block in blocks(model)] == [True, True]


async def test_a_page_costs_the_embedder_no_more_than_a_question(
    memory: AgentMemory, assembler: ContextAssembler, do: Do, recalls: list[str]
) -> None:
    agent: Any = create_agent(ScriptedModel(lines=[yes()]), middleware=[RecallMiddleware(assembler)])
    await do(agent.invoke, {"messages": f"{ASKED} {'lorem ipsum ' * 10_000}"}, CONFIG)
    assert [len(query) <= 4_001 for query in recalls] == [True]


class Dated(AgentMiddleware[Any, Any, Any]):
    """Adds the date to what the model is sent."""

    def wrap_model_call(self, request: Any, handler: Any) -> Any:
        return handler(request.override(messages=[*request.messages, HumanMessage("Today is Monday.")]))

    async def awrap_model_call(self, request: Any, handler: Any) -> Any:
        return await handler(request.override(messages=[*request.messages, HumanMessage("Today is Monday.")]))


async def test_what_other_middleware_adds_to_the_call_is_no_question(
    assembler: ContextAssembler, do: Do, recalls: list[str]
) -> None:
    model = ScriptedModel(lines=[call("weather", city="Oslo"), yes()])
    agent: Any = create_agent(model, tools=[weather], middleware=[Dated(), RecallMiddleware(assembler)])
    await do(agent.invoke, {"messages": ASKED}, CONFIG)
    assert recalls == [ASKED]
    assert model.seen[1][-1].content == "Today is Monday."


async def test_a_turn_keeps_its_question(
    memory: AgentMemory, assembler: ContextAssembler, do: Do, recalls: list[str]
) -> None:
    @after_model(can_jump_to=["model"])
    def rejecting(state: Any, runtime: Any) -> dict[str, Any] | None:
        """Have the model answer once more."""
        if len(state["messages"]) > 2:
            return None
        return {"messages": [HumanMessage("That was no answer. Try again.")], "jump_to": "model"}

    model = ScriptedModel(lines=[yes() for _ in range(3)])
    agent: Any = create_agent(
        model, middleware=[rejecting, RecallMiddleware(assembler)], checkpointer=memory.checkpointer
    )
    await do(agent.invoke, {"messages": ASKED}, CONFIG)
    assert recalls == [ASKED]
    await do(agent.invoke, {"messages": "And when?"}, CONFIG)  # the same thread, another run
    assert recalls == [ASKED, "And when?"]


async def test_a_summary_in_the_middle_of_a_turn(
    memory: AgentMemory, assembler: ContextAssembler, do: Do, recalls: list[str]
) -> None:
    memory.bank.remember("Anna likes to hike in the Alps", ANNA)
    summing: Any = SummarizationMiddleware(
        FakeListChatModel(responses=["They spoke of the weather."]), trigger=("messages", 3), keep=("messages", 1)
    )
    model = ScriptedModel(lines=[call("weather", city="Oslo"), yes()])
    agent: Any = create_agent(model, tools=[weather], middleware=[summing, RecallMiddleware(assembler)])
    done = await do(agent.invoke, {"messages": ASKED}, CONFIG)
    assert done["messages"][0].additional_kwargs["lc_source"] == "summarization"
    assert not any(message.content == ASKED for message in done["messages"])
    assert recalls == [ASKED]
    assert ["Alps" in block for block in blocks(model)] == [True, True]


async def test_a_question_that_comes_later_in_the_run(
    memory: AgentMemory, assembler: ContextAssembler, do: Do, recalls: list[str]
) -> None:
    @before_model
    def transcribing(state: Any, runtime: Any) -> dict[str, Any] | None:
        """Put into words what was shown, once the model has looked at it."""
        return {"messages": [HumanMessage(ASKED)]} if len(state["messages"]) == 3 else None

    model = ScriptedModel(lines=[call("weather", city="Oslo"), yes()])
    agent: Any = create_agent(model, tools=[weather], middleware=[transcribing, RecallMiddleware(assembler)])
    await do(agent.invoke, {"messages": [IMAGE]}, CONFIG)
    assert recalls == [ASKED]


@pytest.mark.parametrize("checkpointer", [None, True, InMemorySaver()], ids=["none", "inherited", "own"])
async def test_sub_agents_of_one_run_have_questions_of_their_own(
    memory: AgentMemory, assembler: ContextAssembler, do: Do, recalls: list[str], checkpointer: Any
) -> None:
    sub: Any = create_agent(
        ScriptedModel(lines=[yes() for _ in range(9)]),
        middleware=[RecallMiddleware(assembler)],
        checkpointer=checkpointer,
    )

    hut, peak = ("ask_guide", {"question": "Which hut?"}), ("ask_guide", {"question": "Which peak?"})
    # Those that keep what was said share it: both at once, one of them would be asked two questions.
    first = [calls(hut), calls(peak)] if checkpointer else [calls(hut, peak)]
    lines = [*first, call("ask_guide", question="When?"), yes()]
    agent: Any = create_agent(ScriptedModel(lines=lines), tools=[asking(sub)], checkpointer=memory.checkpointer)
    await do(agent.invoke, {"messages": ASKED}, CONFIG)
    assert sorted(recalls) == ["When?", "Which hut?", "Which peak?"]


@pytest.mark.parametrize(
    ("said", "recalls"),
    [("Thanks a lot!", False), ("Hi there", False), ("\U0001f44b", False), ("Hello, and the hike?", True)],
)
async def test_a_greeting_recalls_nothing_and_shows_what_is_so(
    memory: AgentMemory, do: Do, said: str, recalls: bool
) -> None:
    memory.bank.remember(["Anna likes to hike in the Alps.", "Anna's dog is old."], ANNA)
    memory.facts.set(ANNA, "name", "Anna")
    context = await do(ContextAssembler(memory.bank).assemble, said, ANNA)
    assert "name: Anna" in context.text
    assert bool(context.memories) == recalls
