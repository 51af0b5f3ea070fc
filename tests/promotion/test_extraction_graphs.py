"""What the extraction node hands over in graphs of many shapes that several users share."""

from __future__ import annotations

from contextlib import suppress
from random import Random
from typing import Annotated, Any

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, RemoveMessage
from langchain_core.runnables import RunnableLambda
from langgraph.errors import EmptyInputError
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.graph.message import REMOVE_ALL_MESSAGES, add_messages
from langgraph.types import Command, Send
from typing_extensions import TypedDict

from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.promotion.extraction import ExtractionNode, Extractor
from langchain_agentmem.promotion.outbox import Outbox
from tests.conftest import Do
from tests.delta import Appended, Merged
from tests.promotion.graphs import answering, config, failing, graph_of, told


class Chat(TypedDict):
    chat: Annotated[list[AnyMessage], add_messages]


class Counted(MessagesState):
    n: int


class Question(MessagesState):
    question: str


# --- pauses


async def test_a_graph_that_always_stops_before_it_answers(box: Outbox, node: Any, saver: Any, do: Do) -> None:
    graph = graph_of(node, saver)
    graph.interrupt_before_nodes = ["answer"]
    await do(graph.invoke, {"messages": ["I like tea.", "And cake."]}, config("ada"))
    await do(graph.invoke, None, config("bob"))
    assert await told(box) == []
    await do(graph.invoke, {"messages": "I like jazz."}, config("bob"))
    await do(graph.invoke, {"messages": "I like rock."}, config("ada"))
    await do(graph.invoke, None, config("ada"))
    assert await told(box) == [("ada", "I like tea."), ("ada", "And cake."), ("ada", "I like rock.")]
    await do(graph.invoke, {"messages": "I like pop."}, config("bob"))
    await do(graph.invoke, None, config("bob"))
    assert await told(box) == [("bob", "I like jazz."), ("bob", "I like pop.")]


# --- graphs in graphs


async def test_a_subgraph_with_a_memory_of_its_own(box: Outbox, node: Any, saver: Any, do: Do) -> None:
    inner = graph_of(node, True)

    async def acall(state: Any) -> dict[str, Any]:
        await inner.ainvoke({"messages": [state["chat"][-1]]})
        return {}

    def call(state: Any) -> dict[str, Any]:
        inner.invoke({"messages": [state["chat"][-1]]})
        return {}

    shared: Any = StateGraph(MessagesState)
    shared.add_node("talk", inner).add_edge(START, "talk")
    called: Any = StateGraph(Chat)
    called.add_node("talk", RunnableLambda(call, acall)).add_edge(START, "talk")
    for key, built in (("messages", shared), ("chat", called)):
        graph = built.compile(checkpointer=saver)
        await do(graph.invoke, {key: [("user", "I like jazz.")]}, config("bob", key))
        with pytest.raises(TimeoutError):
            await do(graph.invoke, {key: [("user", "I fail to eat nuts.")]}, config("ada", key))
        await do(graph.invoke, {key: [("user", "I like rock.")]}, config("bob", key))
        await do(graph.invoke, {key: [("user", "Please ask me.")]}, config("ada", key))
        await do(graph.invoke, Command(resume="yes"), config("bob", key))
        assert await told(box) == [("bob", "I like jazz."), ("bob", "I like rock.")]
        await do(graph.invoke, {key: [("user", "I like tea.")]}, config("ada", key))
        assert await told(box) == [("ada", text) for text in ("I fail to eat nuts.", "Please ask me.", "I like tea.")]


# --- the way through a graph


async def test_a_node_on_the_way_and_in_a_loop(box: Outbox, node: Any, saver: Any, do: Do) -> None:
    built: Any = StateGraph(Counted)
    built.add_node("first", node).add_node("remember", node)
    built.add_node("answer", lambda state: {"messages": [AIMessage("Ok.")], "n": state.get("n", 0) + 1})
    built.add_edge(START, "first").add_edge("first", "answer").add_edge("answer", "remember")
    built.add_conditional_edges("remember", lambda state: "answer" if state["n"] % 3 else END)
    graph, users = built.compile(checkpointer=saver), ("ada", "bob", "ada")
    for user in users:
        await do(graph.invoke, {"messages": [f"I am {user}.", "yes"]}, config(user))
    assert box.stats().waiting == 15
    assert await told(box) == [(user, text) for user in users for text in (f"I am {user}.", "yes")]


async def test_nodes_side_by_side(box: Outbox, node: Any, saver: Any, do: Do) -> None:
    built: Any = StateGraph(MessagesState)
    for one in ("a", "b"):
        built.add_node(one, answering).add_node(f"after {one}", node)
        built.add_edge(START, one).add_edge(one, f"after {one}")
    graph = built.compile(checkpointer=saver)
    await failing(do, graph, "I fail to eat nuts.", config("ada"))
    for user in ("bob", "ada"):
        await do(graph.invoke, {"messages": f"I am {user}."}, config(user))
    assert await told(box) == [("bob", "I am bob."), ("ada", "I fail to eat nuts."), ("ada", "I am ada.")]


async def test_each_message_to_a_node_of_its_own(box: Outbox, node: Any, saver: Any, do: Do) -> None:
    def sends(state: Any) -> list[Send]:
        return [Send("remember", {"messages": [each]}) for each in state["messages"]]

    built: Any = StateGraph(MessagesState)
    built.add_node("remember", node).add_conditional_edges(START, sends, ["remember"])
    await do(built.compile(checkpointer=saver).invoke, {"messages": ["I like tea.", "And jazz."]}, config())
    assert sorted(await told(box)) == [("ada", "And jazz."), ("ada", "I like tea.")]


async def test_what_is_said_anew(box: Outbox, node: Any, saver: Any, do: Do) -> None:
    graph = graph_of(node, saver)

    async def last() -> str:
        return str((await do(graph.get_state, config())).values["messages"][-1].id)

    await do(graph.invoke, {"messages": "I like tea."}, config("ada"))
    await do(graph.invoke, {"messages": [RemoveMessage(await last()), HumanMessage("I like jazz.")]}, config("ada"))
    await do(graph.invoke, {"messages": [RemoveMessage(await last())]}, config("ada"))
    await do(graph.invoke, {"messages": [RemoveMessage(REMOVE_ALL_MESSAGES), HumanMessage("Hello.")]}, config("bob"))
    assert await told(box) == [("ada", "I like tea."), ("ada", "I like jazz."), ("bob", "Hello.")]


# --- states of one's own


async def test_messages_under_another_key(box: Outbox, bank: MemoryBank, saver: Any, do: Do) -> None:
    def answer(state: Any) -> dict[str, Any]:
        return {"chat": answering({"messages": state["chat"]})["messages"]}

    built: Any = StateGraph(Chat)
    node = ExtractionNode(box, Extractor(bank, None, "verbatim"), messages_key="chat")
    built.add_sequence([("answer", answer), ("remember", node)]).add_edge(START, "answer")
    graph = built.compile(checkpointer=saver)
    with pytest.raises(TimeoutError):
        await do(graph.invoke, {"chat": [("user", "I fail to eat nuts.")]}, config("ada"))
    for said, user in ((["I like tea.", "And jazz."], "bob"), (["I like rock."], "bob"), (["I like pop."], "ada")):
        await do(graph.invoke, {"chat": [("user", text) for text in said]}, config(user))
    bobs = [("bob", text) for text in ("I like tea.", "And jazz.", "I like rock.")]
    assert await told(box) == [*bobs, ("ada", "I fail to eat nuts."), ("ada", "I like pop.")]
    talk = [("user", "I like tea."), ("ai", "I see."), ("user", "And jazz.")]
    for n in (1, 3, 3):
        await do(built.compile().invoke, {"chat": talk[:n]}, config())
    assert [text for _, text in await told(box)] == ["I like tea.", "And jazz."]


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
async def test_an_input_that_is_none_of_messages(box: Outbox, node: Any, saver: Any, do: Do, durability: str) -> None:
    def hear(state: Any) -> dict[str, Any]:
        return {"messages": [HumanMessage(each) for each in state["question"].split("|")]}

    graph, users = graph_of(node, saver, schema=Question, hear=hear), ("ada", "bob", "ada")
    for user in users:
        with pytest.raises(TimeoutError):
            await do(graph.invoke, {"question": f"I, {user}, fail."}, config(user), durability=durability)
        await do(graph.invoke, {"question": f"I am {user}.|yes"}, config(user), durability=durability)
    assert await told(box) == [(user, text) for user in users for text in (f"I, {user}, fail.", f"I am {user}.", "yes")]


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
@pytest.mark.parametrize("schema", [Appended, Merged])
async def test_a_delta_channel(box: Outbox, node: Any, saver: Any, do: Do, schema: Any, durability: str) -> None:
    graph, how = graph_of(node, saver, schema=schema), {"durability": durability}
    await failing(do, graph, "I fail to eat nuts.", config("ada"), **how)
    await do(graph.invoke, {"messages": ["I like opera.", "But ask me."]}, config("bob"), **how)
    await do(graph.invoke, Command(resume="yes"), config("eve"), **how)
    for user in ("bob", "ada", "bob"):
        await do(graph.invoke, {"messages": f"I am {user}."}, config(user), **how)
    bobs, adas = ["I like opera.", "But ask me.", "I am bob."], ["I fail to eat nuts.", "I am ada."]
    assert await told(box) == [
        *[("bob", text) for text in bobs],
        *[("ada", text) for text in adas],
        ("bob", "I am bob."),
    ]


async def test_a_thread_of_a_delta_channel(box: Outbox, bank: MemoryBank, saver: Any, do: Do) -> None:
    built: Any = StateGraph(Merged)
    graph = built.add_node("answer", answering).add_edge(START, "answer").compile(checkpointer=saver)
    for text in ("I like tea.", "I like jazz."):
        await do(graph.invoke, {"messages": text}, config())
    node = ExtractionNode(box, Extractor(bank, None, "verbatim"), checkpointer=saver)
    await do(node.invoke, "t", config())
    assert await told(box) == [("ada", "I like tea."), ("ada", "I like jazz.")]


# --- whatever happens


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
@pytest.mark.parametrize("seed", range(4))
async def test_each_word_is_its_users_and_taken_once(
    box: Outbox, node: Any, saver: Any, do: Do, seed: int, durability: str
) -> None:
    """Runs end, fail, pause and go on by chance; in the end each user speaks once more."""
    chance, graph, found = Random(seed), graph_of(node, saver), list[tuple[str | None, str]]()
    said: list[tuple[str, str]] = []
    for step in range(17):
        user = ("ada", "bob", "eve")[step - 14] if step >= 14 else chance.choice(["ada", "bob", "eve"])
        ways: list[Any] = ["yes", "yes", "fail", "ask", None, Command(resume="yes")]
        way = "yes" if step >= 14 else chance.choice(ways)
        given: Any = way
        if isinstance(way, str):
            given = {"messages": [f"{user} {step} {n} {way}" for n in range(chance.choice([1, 1, 2]))]}
            said += [(user, text) for text in given["messages"]]
        with suppress(TimeoutError, EmptyInputError):
            await do(graph.invoke, given, config(user), durability=durability)
        found += await told(box) if chance.random() < 0.3 else []
    assert sorted([*found, *await told(box)]) == sorted(said)
