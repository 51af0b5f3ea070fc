"""A conversation that is sent again is not handed over again; without a checkpointer the client keeps it."""

from __future__ import annotations

import asyncio
import contextvars
import operator
from collections.abc import Iterator
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import entrypoint
from langgraph.graph import MessagesState
from langgraph.types import Command

from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.promotion import origin
from langchain_agentmem.promotion.extraction import ExtractionNode, Extractor
from langchain_agentmem.promotion.outbox import Outbox
from langchain_agentmem.thread.checkpoint import AgentMemorySaver
from langchain_agentmem.wire.connection import Connection
from tests.conftest import Do
from tests.promotion.graphs import config, failing, graph_of, told
from tests.promotion.talks import ANN

TALK = [
    *[("user", "I live in Berlin."), ("ai", "How nice."), ("user", "yes"), ("ai", "Noted."), ("user", "yes")],
    *[("ai", "Fine."), ("user", "I like tea.")],
]


def texts(found: list[tuple[str | None, str]]) -> list[str]:
    return [text for _, text in found]


# --- no checkpointer


@pytest.mark.parametrize("thread", ["t", None])
async def test_a_client_that_keeps_the_conversation(box: Outbox, node: Any, do: Do, thread: str | None) -> None:
    graph, where = graph_of(node), config(thread=thread)
    for n in (1, 3, 3, 5):
        await do(graph.invoke, {"messages": TALK[:n]}, where)
    await do(graph.invoke, {"messages": TALK[3:]}, where)  # again, and of the conversation only its end
    await do(graph.invoke, {"messages": TALK[3:]}, where)
    assert texts(await told(box)) == ["I live in Berlin.", "yes", "yes", "I like tea."]


async def test_what_others_said_there_is_not_the_users(box: Outbox, node: Any, do: Do) -> None:
    graph = graph_of(node)
    await do(graph.invoke, {"messages": TALK[:1]}, config("ada"))
    await do(graph.invoke, {"messages": TALK[:3]}, config("bob"))
    assert await told(box) == [("ada", "I live in Berlin."), ("bob", "yes")]


async def test_all_that_a_client_sends_without_an_answer_between(box: Outbox, node: Any, do: Do) -> None:
    graph = graph_of(node)
    await failing(do, graph, [*TALK[:2], ("user", "I fail to eat nuts.")], config())
    await do(graph.invoke, {"messages": [*TALK[:2], ("user", "I fail to eat nuts."), ("user", "And tea.")]}, config())
    assert texts(await told(box)) == ["I fail to eat nuts.", "And tea."]


async def test_such_a_client_may_say_the_same_again(box: Outbox, node: Any, do: Do) -> None:
    graph = graph_of(node)
    for said in ("I live in Berlin.", "I live in Rome.", "I live in Berlin."):
        await do(graph.invoke, {"messages": said}, config())
    assert texts(await told(box)) == ["I live in Berlin.", "I live in Rome.", "I live in Berlin."]


async def test_inline_without_an_outbox(bank: MemoryBank, do: Do) -> None:
    graph = graph_of(ExtractionNode(None, Extractor(bank, None, "verbatim"), mode="inline"))
    for n in (1, 3, 3, 7):
        await do(graph.invoke, {"messages": TALK[:n]}, config("ann"))
    assert sorted(each.text for each in bank.list(ANN)) == ["I like tea.", "I live in Berlin.", "yes"]


# --- a thread that the conversation is sent to again


async def test_a_thread_that_is_sent_its_own_history(box: Outbox, node: Any, saver: Any, do: Do) -> None:
    graph = graph_of(node, saver)
    for n in (1, 3, 5):
        await do(graph.invoke, {"messages": TALK[:n]}, config())
    await failing(do, graph, [*TALK[:5], ("ai", "Fine."), ("user", "I fail to eat nuts.")], config())
    await do(graph.invoke, {"messages": TALK}, config())
    assert texts(await told(box)) == ["I live in Berlin.", "yes", "yes", "I fail to eat nuts.", "I like tea."]


class Appended(TypedDict):
    messages: Annotated[list[AnyMessage], operator.add]


async def test_messages_without_ids(box: Outbox, node: Any, saver: Any, do: Do) -> None:
    graph = graph_of(node, saver, schema=Appended)
    for n, user in enumerate(("ada", "bob", "ada", "bob")):
        await failing(do, graph, [HumanMessage(f"I fail {n}.")], config(user))
        await do(graph.invoke, {"messages": [HumanMessage("yes")]}, config(user))
    said = [("ada", "I fail 0."), ("bob", "I fail 1."), ("ada", "I fail 2."), ("bob", "I fail 3.")]
    assert await told(box) == [each for user, text in said for each in ((user, text), (user, "yes"))]


# --- what an old thread gives


async def test_what_was_said_before_there_was_a_node(box: Outbox, node: Any, saver: Any, do: Do) -> None:
    bare = graph_of(lambda state: {}, saver)
    for user in ("ada", "bob", "ada"):
        await do(bare.invoke, {"messages": f"I am {user}."}, config(user))
    await do(graph_of(node, saver).invoke, {"messages": "I like tea."}, config("ada"))
    assert await told(box) == [("ada", "I am ada."), ("ada", "I am ada."), ("ada", "I like tea.")]


@pytest.mark.parametrize(("limit", "number"), [("_FAR", 6), ("_MUCH", 40)])
async def test_as_far_as_its_checkpoints_tell(
    box: Outbox, node: Any, saver: Any, do: Do, monkeypatch: pytest.MonkeyPatch, limit: str, number: int
) -> None:
    monkeypatch.setattr(origin, limit, number)
    graph = graph_of(node, saver)
    for n in range(6):
        await failing(do, graph, f"I fail {n}.", config())
    await do(graph.invoke, {"messages": "I like tea."}, config())
    found = texts(await told(box))
    assert found[-2:] == ["I fail 5.", "I like tea."]
    assert 2 < len(found) < 7


class Counting(InMemorySaver):
    read = 0

    def get_tuple(self, config: Any) -> Any:
        self.read += 1
        return super().get_tuple(config)


async def test_what_nobody_takes_each_looks_at_once(box: Outbox, node: Any, do: Do) -> None:
    saver = Counting()
    graph, numbers = graph_of(node, saver), list[int]()
    await do(graph.invoke, {"messages": [*TALK, ("ai", "Go on."), ("user", "yes")]}, config("eve"))
    await failing(do, graph, "I fail to eat nuts.", config("eve"))
    for n in range(6):
        before = saver.read
        await do(graph.invoke, {"messages": f"I say {n}."}, config(("ada", "bob")[n % 2]))
        numbers.append(saver.read - before)
    assert numbers[0] > 3
    assert numbers[2:] == [1, 1, 1, 1], "where the run goes on from"
    await failing(do, graph, "I failed my exam.", config("ada"))
    await do(graph.invoke, {"messages": "I like tea."}, config("bob"))
    await do(graph.invoke, {"messages": "I like jazz."}, config("ada"))
    assert texts(await told(box))[-3:] == ["I like tea.", "I failed my exam.", "I like jazz."]


async def test_of_a_thread_of_which_only_the_last_checkpoint_is_kept(
    box: Outbox, node: Any, search: Connection, do: Do
) -> None:
    class Shallow(AgentMemorySaver):
        async def aget_tuple(self, config: Any) -> Any:
            found = await super().aget_tuple(config)
            return found and found._replace(parent_config=None)

        def get_tuple(self, config: Any) -> Any:
            found = super().get_tuple(config)
            return found and found._replace(parent_config=None)

    graph = graph_of(node, Shallow(search))
    await failing(do, graph, "I fail to eat nuts.", config("ada"))
    await do(graph.invoke, {"messages": ["I like opera.", "But ask me."]}, config("bob"))
    await do(graph.invoke, Command(resume="yes"), config("bob"))
    assert "I fail to eat nuts." not in texts(await told(box))


async def test_strategies_that_fell_behind(box: Outbox, node: Any, bank: MemoryBank, saver: Any, do: Do) -> None:
    other = ExtractionNode(box, Extractor(bank, None, "rules"))
    both = graph_of(node, saver, first=other)
    only = graph_of(other, saver)
    await do(both.invoke, {"messages": "I like tea."}, config())
    await do(only.invoke, {"messages": "I like jazz."}, config())
    await do(both.invoke, {"messages": "I like rain."}, config())
    found = texts(await told(box))
    assert sorted(found) == sorted(["I like tea.", "I like jazz.", "I like rain."] * 2)


# --- however it is run


async def test_a_context_says_whose_a_run_is(box: Outbox, node: Any, search: Connection, do: Do) -> None:
    graph, where = graph_of(node, AgentMemorySaver(search)), config(None)
    for user in ("ada", "bob"):
        await failing(do, graph, f"I, {user}, fail.", where, context={"user_id": user})
    await do(graph.invoke, {"messages": "Please ask me."}, where, context={"user_id": "ada"})
    await do(graph.invoke, Command(resume="yes"), where, context={"user_id": "bob"})
    await do(graph.invoke, {"messages": "I like tea."}, where, context={"user_id": "ada"})
    assert await told(box) == [("ada", "I, ada, fail."), ("ada", "Please ask me."), ("ada", "I like tea.")]


def step(stream: Iterator[Any]) -> Any:
    """As a web framework does it: in a context of its own."""
    return contextvars.copy_context().run(lambda: next(stream, None))


async def test_streams_that_take_turns_in_one_thread(box: Outbox, node: Any, saver: Any) -> None:
    graph = graph_of(node, saver)
    with pytest.raises(TimeoutError):
        graph.invoke({"messages": "I fail to eat nuts."}, config("eve"))
    streams = [
        graph.stream({"messages": f"I am {user}."}, config(user), stream_mode="values") for user in ("ada", "bob")
    ]
    for _ in range(9):
        for each in streams:
            await asyncio.to_thread(step, each)
    assert sorted(await told(box)) == [("ada", "I am ada."), ("bob", "I am bob.")]


async def test_runs_at_the_same_time_in_one_thread(box: Outbox, node: Any, saver: Any) -> None:
    graph, users = graph_of(node, saver), [f"u{n}" for n in range(6)]
    await asyncio.gather(*(graph.ainvoke({"messages": f"I am {user}."}, config(user)) for user in users))
    await graph.ainvoke({"messages": "Hello."}, config("u0"))
    found = await told(box)
    assert sorted(found) == [("u0", "Hello."), *((user, f"I am {user}.") for user in users)]


async def test_a_workflow(box: Outbox, node: Any, saver: Any, do: Do) -> None:
    @entrypoint(checkpointer=saver)
    def flow(said: list[AnyMessage], *, previous: list[AnyMessage] | None = None) -> Any:
        talk = [*(previous or []), *said, AIMessage("I see.", id=f"a{len(previous or [])}")]
        node.invoke({"messages": talk})
        return entrypoint.final(value=None, save=talk)

    for n, user in enumerate(("ada", "bob", "ada")):
        await do(flow.invoke, [HumanMessage(f"I am {user}.", id=f"h{n}")], config(user))
    assert await told(box) == [("ada", "I am ada."), ("bob", "I am bob."), ("ada", "I am ada.")]


class Kept(MessagesState):
    asked: int


async def test_what_a_node_calls_itself(box: Outbox, node: Any, saver: Any, do: Do) -> None:
    def remember(state: Any) -> dict[str, Any]:
        node.invoke({"messages": state["messages"]})
        return {"asked": 1}

    graph = graph_of(remember, saver, schema=Kept)
    await failing(do, graph, "I fail to eat nuts.", config("ada"))
    await do(graph.invoke, {"messages": ["I like tea.", "And jazz."]}, config("bob"))
    assert await told(box) == [("bob", "I like tea."), ("bob", "And jazz.")]
