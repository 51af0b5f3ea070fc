"""Real graphs: interrupt and resume, forks, time travel, fan-out, subgraphs, every durability."""

from __future__ import annotations

import asyncio
import operator
from collections.abc import Callable
from typing import Annotated, Any, Literal

import pytest
from langchain_core.messages import AnyMessage, HumanMessage
from langchain_core.runnables import RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph, add_messages
from langgraph.types import Command, Durability, Send, interrupt
from typing_extensions import TypedDict

from langchain_agentmem.thread.checkpoint import AgentMemorySaver
from langchain_agentmem.wire.connection import Connection
from tests.thread.checkpoints import chat
from tests.thread.conftest import Call

DURABILITIES: list[Durability] = ["sync", "async", "exit"]


class State(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]
    log: Annotated[list[str], operator.add]
    n: int


def config(thread_id: str) -> Any:
    return {"configurable": {"thread_id": thread_id}}


def compiled(saver: Any, nodes: dict[str, Any], edges: dict[str, str | list[str]], **options: Any) -> Any:
    builder = StateGraph(State)
    for name, node in nodes.items():
        builder.add_node(name, node)
    for start, ends in edges.items():
        for end in [ends] if isinstance(ends, str) else ends:
            builder.add_edge(start, end)
    return builder.compile(checkpointer=saver, **options)


def ask(state: State) -> State:
    first = interrupt(f"first {state['n']}")
    second = interrupt(f"second {state['n']}")
    return {"log": [f"{state['n']}: {first}, {second}"]}


def count(state: State) -> State:
    return {"n": state.get("n", 0) + 1}


def asking(saver: Any) -> Any:
    return compiled(saver, {"count": count, "ask": ask}, {START: "count", "count": "ask"})


def waiting(state: Any) -> list[Any]:
    return [one.value for task in state.tasks for one in task.interrupts]


def test_250_interrupts_on_one_thread_sync(plain: Connection) -> None:
    """Two interrupts a turn, each seen and each resumed, in LangGraph's default durability."""
    graph = asking(AgentMemorySaver(plain))
    for turn in range(1, 126):
        graph.invoke({"messages": []}, config("t"))
        assert waiting(graph.get_state(config("t"))) == [f"first {turn}"]
        result = graph.invoke(Command(resume="a"), config("t"))
        assert [one.value for one in result["__interrupt__"]] == [f"second {turn}"]
        result = graph.invoke(Command(resume="b"), config("t"))
        assert "__interrupt__" not in result
        assert result["log"][-1] == f"{turn}: a, b"
    assert graph.get_state(config("t")).values["log"] == [f"{turn}: a, b" for turn in range(1, 126)]


def test_500_interrupts_sync(plain: Connection) -> None:
    graph = asking(AgentMemorySaver(plain))
    for turn in range(250):
        where = config(f"{turn}")
        graph.invoke({"n": turn}, where)
        graph.invoke(Command(resume="a"), where)
        assert waiting(graph.get_state(where)) == [f"second {turn + 1}"]
        assert graph.invoke(Command(resume="b"), where)["log"] == [f"{turn + 1}: a, b"]


async def test_500_interrupts_async(plain: Connection) -> None:
    """Ten threads at a time."""
    graph = asking(AgentMemorySaver(plain))

    async def talk(thread: int) -> None:
        where = config(f"{thread}")
        for turn in range(1, 26):
            await graph.ainvoke({"messages": []}, where)
            assert waiting(await graph.aget_state(where)) == [f"first {turn}"]
            await graph.ainvoke(Command(resume="a"), where)
            assert waiting(await graph.aget_state(where)) == [f"second {turn}"]
            assert (await graph.ainvoke(Command(resume="b"), where))["log"][-1] == f"{turn}: a, b"

    await asyncio.gather(*[talk(thread) for thread in range(10)])


async def test_parallel_interrupts_are_resumed_by_id(call: Call, saver: AgentMemorySaver) -> None:
    def node(name: str) -> Callable[[State], State]:
        return lambda state: {"log": [f"{name} {interrupt(name)}"]}

    graph = compiled(saver, {name: node(name) for name in "abc"}, {START: [*"abc"]})
    await call(graph.invoke, {"n": 1}, config("t"))
    state = await call(graph.get_state, config("t"))
    assert sorted(waiting(state)) == ["a", "b", "c"]
    for name in "ba":
        state = await call(graph.get_state, config("t"))
        [asked] = [one for task in state.tasks for one in task.interrupts if one.value == name]
        await call(graph.invoke, Command(resume={asked.id: f"answer {name}"}), config("t"))
    result = await call(graph.invoke, Command(resume="answer c"), config("t"))
    assert result["log"] == [f"{name} answer {name}" for name in "abc"]


@pytest.mark.parametrize("durability", DURABILITIES)
async def test_an_interrupt_within_nested_subgraphs(
    call: Call, saver: AgentMemorySaver, durability: Durability
) -> None:
    inner = compiled(None, {"count": count, "ask": ask}, {START: "count", "count": "ask"})
    middle = compiled(None, {"inner": inner}, {START: "inner"})
    graph = compiled(
        saver, {"middle": middle, "after": lambda state: {"log": ["after"]}}, {START: "middle", "middle": "after"}
    )
    for turn in range(3):
        await call(graph.invoke, {"n": 10 * turn}, config("t"), durability=durability)
        state = await call(graph.get_state, config("t"), subgraphs=True)
        assert waiting(state) == [f"first {10 * turn + 1}"]
        within = state.tasks[0].state.tasks[0].state
        assert within.values["n"] == 10 * turn + 1
        await call(graph.invoke, Command(resume="a"), config("t"), durability=durability)
        result = await call(graph.invoke, Command(resume="b"), config("t"), durability=durability)
        assert result["log"][-2:] == [f"{10 * turn + 1}: a, b", "after"]


@pytest.mark.parametrize("durability", DURABILITIES)
async def test_a_subgraph_with_a_memory_of_its_own(call: Call, saver: AgentMemorySaver, durability: Durability) -> None:
    """checkpointer=True: its state lasts from call to call."""
    inner = compiled(True, {"count": count}, {START: "count"})

    async def aouter(state: State) -> State:
        return {"log": [str((await inner.ainvoke({"log": ["x"]}))["n"])]}

    def outer(state: State) -> State:
        return {"log": [str(inner.invoke({"log": ["x"]})["n"])]}

    graph = compiled(saver, {"outer": RunnableLambda(outer, aouter)}, {START: "outer"})
    for turn in range(1, 6):
        result = await call(graph.invoke, {}, config("t"), durability=durability)
        assert result["log"] == [str(n) for n in range(1, turn + 1)]


@pytest.mark.parametrize("durability", DURABILITIES)
async def test_a_conversation(call: Call, server: Connection, durability: Durability) -> None:
    """A second worker goes on where the first ended; the history is InMemorySaver's."""

    def answer(state: State) -> State:
        return {"messages": [HumanMessage(f"answer {len(state['messages'])} " + "x" * 300)], "n": 1}

    def graph_of(saver: Any) -> Any:
        return compiled(saver, {"answer": answer, "count": count}, {START: "answer", "answer": "count"})

    workers = [graph_of(AgentMemorySaver(server)) for _ in range(2)]
    reference = graph_of(InMemorySaver())
    for turn in range(12):
        said: Any = {"messages": [HumanMessage(f"question {turn} " + "y" * 300, id=f"q{turn}")]}
        found = await call(workers[turn % 2].invoke, said, config("t"), durability=durability)
        expected = await call(reference.invoke, said, config("t"), durability=durability)
        assert [message.content for message in found["messages"]] == [
            message.content for message in expected["messages"]
        ]
    ours, theirs = [await call(graph.get_state_history, config("t")) for graph in (workers[0], reference)]
    assert [_seen(state) for state in ours] == [_seen(state) for state in theirs]


def _seen(state: Any) -> Any:
    said = [message.content for message in state.values.get("messages", [])]
    return said, state.values.get("n"), state.next, state.metadata["source"], state.metadata["step"]


async def test_time_travel_and_forks(call: Call, saver: AgentMemorySaver) -> None:
    steps = {f"s{i}": (lambda state, i=i: {"log": [f"s{i}"], "n": i}) for i in range(3)}
    graph = compiled(saver, steps, {START: "s0", "s0": "s1", "s1": "s2"})
    await call(graph.invoke, {"log": ["in"], "messages": chat(20)}, config("t"))
    history = await call(graph.get_state_history, config("t"))
    assert [state.next for state in history] == [(), ("s2",), ("s1",), ("s0",), ("__start__",)]
    before_s1 = history[2]

    # Replay, then a fork with another value, then a fork of that fork.
    replayed = await call(graph.invoke, None, before_s1.config)
    assert replayed["log"] == ["in", "s0", "s1", "s2"]
    forked = await call(
        graph.update_state, before_s1.config, {"log": ["changed"], "messages": [HumanMessage("new", id="x")]}
    )
    result = await call(graph.invoke, None, forked)
    assert result["log"] == ["in", "s0", "changed", "s1", "s2"]
    assert len(result["messages"]) == 21
    copied = await call(graph.update_state, forked, None, as_node="__copy__")
    again = await call(graph.invoke, None, copied)
    assert again["log"] == ["in", "s0", "changed", "s1", "s2"]

    # The first history is as it was.
    for state in history:
        now = await call(graph.get_state, state.config)
        assert (now.values, now.next, now.metadata) == (state.values, state.next, state.metadata)
    assert (await call(graph.get_state, config("t"))).values["log"] == again["log"]
    filtered = await call(graph.get_state_history, config("t"), filter={"source": "update"})
    assert [state.values["log"] for state in filtered] == [["in", "s0", "changed"]]
    older = await call(graph.get_state_history, config("t"), before=before_s1.config, limit=1)
    assert older[0].config == history[3].config


async def test_update_state_on_an_interrupt(call: Call, saver: AgentMemorySaver) -> None:
    graph = asking(saver)
    await call(graph.invoke, {"n": 0}, config("t"))
    await call(graph.update_state, config("t"), {"n": 41}, as_node="count")
    result = await call(graph.invoke, None, config("t"))
    assert [one.value for one in result["__interrupt__"]] == ["first 41"]
    await call(graph.update_state, config("t"), {"log": ["skipped"]}, as_node="ask")
    state = await call(graph.get_state, config("t"))
    assert (state.next, state.values["log"], waiting(state)) == ((), ["skipped"], [])


async def test_commands(call: Call, saver: AgentMemorySaver) -> None:
    """Commands returned by a node, and given from outside."""

    def route(state: State) -> Command[Literal["left", "right"]]:
        return Command(goto="left" if state["n"] % 2 else "right", update={"log": ["routed"]})

    nodes = {"route": route, "left": lambda state: {"log": ["left"]}, "right": lambda state: {"log": ["right"]}}
    graph = compiled(saver, nodes, {START: "route"})
    assert (await call(graph.invoke, {"n": 1}, config("t")))["log"] == ["routed", "left"]
    assert (await call(graph.invoke, {"n": 2}, config("t")))["log"][2:] == ["routed", "right"]
    result = await call(graph.invoke, Command(update={"log": ["outside"]}, goto="left"), config("t"))
    assert result["log"][4:] == ["outside", "left"]


async def test_sends(call: Call, saver: AgentMemorySaver) -> None:
    """A fan-out whose tasks save side by side; one of them fails once, and what was saved does not run again."""
    runs: list[int] = []

    def worker(state: Any) -> State:
        runs.append(state["item"])
        if state["item"] == 19 and runs.count(19) == 1:
            raise ValueError("once")
        return {"log": [f"item {state['item']}"]}

    builder = StateGraph(State)
    builder.add_node("worker", worker)
    builder.add_conditional_edges(START, lambda state: [Send("worker", {"item": i}) for i in range(20)])
    graph = builder.compile(checkpointer=saver)
    with pytest.raises(ValueError, match="once"):
        await call(graph.invoke, {"log": ["in"]}, config("t"))
    found = await call(saver.get_tuple, config("t"))
    saved = [int(value[0][5:]) for _, channel, value in found.pending_writes if channel == "log"]
    assert saved
    assert 19 not in saved
    result = await call(graph.invoke, None, config("t"))
    assert result["log"] == ["in", *[f"item {i}" for i in range(20)]]
    assert [runs.count(item) for item in saved] == [1] * len(saved)
    assert runs.count(19) == 2


async def test_a_state_read_by_a_node_of_its_own_run(saver: AgentMemorySaver) -> None:
    """Nodes of an async run may ask for the state in the sync colour, from a thread, while the loop runs."""
    seen: list[Any] = []

    def node(state: State) -> State:
        seen.append(graph.get_state(config("t")).values)
        return {"n": 1}

    graph = compiled(saver, {"node": node}, {START: "node"})
    await graph.ainvoke({"n": 0}, config("t"), durability="sync")
    assert seen == [{"n": 0, "messages": [], "log": []}]
