"""Whole graphs: conversations turn by turn, and many at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypedDict

from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages

from benchmarks.chats import conversation
from benchmarks.harness import Samples, rotated
from benchmarks.peers import SHALLOW, Saver, thread_ids

_THREADS = thread_ids()
_SCRIPT = conversation(1000)
_TASKS, _TASK_NODES, _TASK_TURNS = 32, 2, 4


class State(TypedDict):
    """A chat with a note that later nodes change."""

    messages: Annotated[list[BaseMessage], add_messages]
    note: str


def chat_graph(saver: Saver, nodes: int) -> Any:
    """A graph of so many nodes in a row: the first answers, the others take notes. No model is called."""

    def answer(state: State) -> dict[str, Any]:
        return {"messages": [_SCRIPT[len(state["messages"])]]}

    def note(state: State) -> dict[str, Any]:
        return {"note": f"{len(state['messages'])} messages so far"}

    graph = StateGraph(State)
    for i in range(nodes):
        graph.add_node(f"node{i}", note if i else answer)
        graph.add_edge(f"node{i - 1}" if i else START, f"node{i}")
    return graph.compile(checkpointer=saver)


def fresh() -> RunnableConfig:
    """The config of a new thread."""
    return {"configurable": {"thread_id": next(_THREADS)}}


def ask(turn: int) -> dict[str, Any]:
    """What the user says in one turn: messages 0, 2, 4... of the script."""
    return {"messages": [_SCRIPT[2 * turn]]}


def talk(saver: Saver, nodes: int, turns: int) -> RunnableConfig:
    """One conversation. Returns the config of its thread."""
    graph, config = chat_graph(saver, nodes), fresh()
    for turn in range(turns):
        graph.invoke(ask(turn), config)
    return config


def measure(samples: Samples, savers: Mapping[str, Saver], nodes: Sequence[int], turns: int, repeats: int) -> None:
    """Time conversations in the sync colour; contenders take turns after each turn of talk."""
    contenders = {name: saver for name, saver in savers.items() if name != SHALLOW}
    for size in nodes:
        for _ in range(repeats):
            talks = {name: (chat_graph(saver, size), fresh()) for name, saver in contenders.items()}
            spent = dict.fromkeys(talks, 0.0)
            for turn in range(turns):
                question = ask(turn)
                for name, (graph, config) in rotated(list(talks.items()), turn):
                    start = time.perf_counter()
                    graph.invoke(question, config)
                    spent[name] += time.perf_counter() - start
            _note(samples, f"{size} nodes, sync, per super-step", spent, turns * (size + 1))


async def measure_async(
    samples: Samples, savers: Mapping[str, Saver], nodes: Sequence[int], turns: int, repeats: int
) -> None:
    """The same in the async colour."""
    for size in nodes:
        for _ in range(repeats):
            talks = {name: (chat_graph(saver, size), fresh()) for name, saver in savers.items()}
            spent = dict.fromkeys(talks, 0.0)
            for turn in range(turns):
                question = ask(turn)
                for name, (graph, config) in rotated(list(talks.items()), turn):
                    start = time.perf_counter()
                    await graph.ainvoke(question, config)
                    spent[name] += time.perf_counter() - start
            _note(samples, f"{size} nodes, async, per super-step", spent, turns * (size + 1))


async def measure_tasks(samples: Samples, savers: Mapping[str, Saver], repeats: int) -> None:
    """Time waves of tasks at once, each with a thread of its own."""
    for wave in range(repeats + 1):
        spent = {}
        for name, saver in rotated(list(savers.items()), wave):
            graph = chat_graph(saver, _TASK_NODES)
            start = time.perf_counter()
            await asyncio.gather(*(_converse(graph) for _ in range(_TASKS)))
            spent[name] = time.perf_counter() - start
        if wave:  # the first opens connections
            _note(samples, f"{_TASKS} tasks at once, per turn", spent, _TASKS * _TASK_TURNS)


async def _converse(graph: Any) -> None:
    config = fresh()
    for turn in range(_TASK_TURNS):
        await graph.ainvoke(ask(turn), config)


def _note(samples: Samples, row: str, spent: Mapping[str, float], parts: int) -> None:
    for name, seconds in spent.items():
        samples.add(row, name, seconds / parts * 1e6)
