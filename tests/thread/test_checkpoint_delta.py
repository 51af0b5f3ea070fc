"""Delta channels: a value that is rebuilt from the writes of ancestors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.channels.delta import DeltaChannel
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.types import _DeltaSnapshot
from langgraph.graph import START, StateGraph

from langchain_agentmem.thread.checkpoint import AgentMemorySaver
from langchain_agentmem.wire.connection import Connection
from tests.thread.checkpoints import chat, checkpoint, config, ids_of, name
from tests.thread.conftest import Call

Step = tuple[dict[str, Any], Sequence[tuple[str, Any]]]


async def chain(call: Call, saver: Any, steps: Sequence[Step], thread_id: str = "thread", **facts: Any) -> Any:
    """Checkpoints that follow each other, each with stored values and with writes; the config of the last."""
    where = config(thread_id)
    for number, (values, writes) in enumerate(steps, 1):
        versions = dict.fromkeys(values, f"{number}.x")
        metadata = {"step": number, "counters_since_delta_snapshot": {"a": (1, 1), "b": [1, 1]}} | facts
        where = await call(saver.put, where, checkpoint(number, values, versions), metadata, versions)
        for i, write in enumerate(writes):
            await call(saver.put_writes, where, [write], f"task {i}", f"path {i}")
    return where


def written(history: Any, channel: str) -> list[Any]:
    return [write[2] for write in history[channel]["writes"]]


SNAPSHOT = _DeltaSnapshot(["seed"])
PLAIN = [("a", 1), ("b", 2)]


async def test_back_to_the_nearest_value(call: Call, server: Connection) -> None:
    """Oldest first, with the writes of the ancestor that holds the value; each channel goes back as far as it must."""
    saver = AgentMemorySaver(server)
    steps: list[Step] = [
        ({"a": SNAPSHOT}, [("a", "too old")]),
        ({"b": ["plain"]}, [("a", 1), ("b", 1)]),
        ({"a": SNAPSHOT}, [("b", 2), ("a", 2), ("other", 9), ("a", 3)]),
        ({}, [("a", 4), ("b", 3)]),
        ({}, [("a", "pending")]),
    ]
    last = await chain(call, saver, steps)
    for where in (config(), last):
        history = await call(saver.get_delta_channel_history, config=where, channels=["a", "b", "none"])
        assert (history["a"]["seed"], written(history, "a")) == (SNAPSHOT, [2, 3, 4])
        assert (history["b"]["seed"], written(history, "b")) == (["plain"], [1, 2, 3])
        assert history["a"]["writes"][0] == ("task 1", "a", 2)
        assert history["none"] == {"writes": []}
        assert (await call(saver.get_delta_channel_history, config=where, channels=["b"])) == {"b": history["b"]}
    early = await call(saver.get_delta_channel_history, config=config(checkpoint_id=name(2)), channels=["a"])
    assert written(early, "a") == ["too old"]


async def test_to_the_root_and_to_nothing(call: Call, saver: AgentMemorySaver) -> None:
    await chain(call, saver, [({}, PLAIN), ({}, PLAIN), ({}, PLAIN)])
    history = await call(saver.get_delta_channel_history, config=config(), channels=["a", "a"])
    assert history == {"a": {"writes": [("task 0", "a", 1)] * 2}}
    root = await call(saver.get_delta_channel_history, config=config(checkpoint_id=name(1)), channels=["a"])
    nothing = [config("other"), config(checkpoint_id="x"), config(ns="x")]
    found = [await call(saver.get_delta_channel_history, config=where, channels=["a"]) for where in nothing]
    assert [root, *found] == [{"a": {"writes": []}}] * 4
    assert await call(saver.get_delta_channel_history, config=config(), channels=[]) == {}


async def test_along_the_branch_asked_for(call: Call, saver: AgentMemorySaver) -> None:
    await chain(call, saver, [({"a": SNAPSHOT}, [("a", 1)]), ({}, [("a", 2)]), ({}, [("a", 3)])])
    fork = await call(saver.put, config(checkpoint_id=name(1)), checkpoint(9), {}, {})
    for where, expected in ((fork, [1]), (config(checkpoint_id=name(3)), [1, 2])):
        assert written(await call(saver.get_delta_channel_history, config=where, channels=["a"]), "a") == expected


async def test_a_long_list_as_seed(call: Call, saver: AgentMemorySaver) -> None:
    """One that lies in chunks, of which a later checkpoint has made more."""
    await chain(call, saver, [({"a": chat(40)}, []), ({"a": chat(60)}, [("a", 1)]), ({}, []), ({}, [])])
    for where, seed in ((config(), chat(60)), (config(checkpoint_id=name(2)), chat(40))):
        assert (await call(saver.get_delta_channel_history, config=where, channels=["a"]))["a"]["seed"] == seed


async def test_as_the_base_class_walks(call: Call, server: Connection) -> None:
    """LangGraph's own walk by get_tuple finds the same, also along 300 checkpoints."""
    saver = AgentMemorySaver(server)
    steps: list[Step] = [({"a": SNAPSHOT} if i % 150 == 20 else {}, [("a", i), ("b", -i)][: i % 3]) for i in range(300)]
    last = await chain(call, saver, steps)
    for number in (300, 171, 170, 21, 2):
        where = config(checkpoint_id=name(number)) if number < 300 else last
        expected = await BaseCheckpointSaver.aget_delta_channel_history(saver, config=where, channels=["a", "b"])
        assert await call(saver.get_delta_channel_history, config=where, channels=["a", "b"]) == expected


@pytest.mark.parametrize("ids", [[1], [1, 2], [1, 2, 3]])
async def test_a_checkpoint_that_is_its_own_ancestor(call: Call, saver: AgentMemorySaver, ids: list[int]) -> None:
    """Put again, under the config that a put returned. The server must not walk in circles."""
    steps: list[Step] = [({}, [("a", number)]) for number in ids]
    last = await chain(call, saver, steps, run_id="r")
    facts = {"counters_since_delta_snapshot": {"a": (1, 1)}, "run_id": "r"}
    await call(saver.put, last, checkpoint(1), facts, {})
    history = await call(saver.get_delta_channel_history, config=last, channels=["a"])
    assert sorted(written(history, "a")) == ids
    await call(saver.delete_for_runs, ["another", "r2"])
    await call(saver.prune, ["thread"])
    assert len(await call(saver.list, config())) == len(ids)


async def test_pruning_keeps_what_a_value_is_rebuilt_from(call: Call, server: Connection) -> None:
    saver = AgentMemorySaver(server)
    values: list[dict[str, Any]] = [{"a": SNAPSHOT, "b": SNAPSHOT}, {}, {"a": SNAPSHOT}, {"b": chat(20)}, {}]
    steps: list[Step] = [*[(stored, PLAIN) for stored in values], ({}, [])]
    await chain(call, saver, steps)
    channels = ["a", "b"]
    before = await call(saver.get_delta_channel_history, config=config(), channels=channels)
    for _ in range(2):
        await call(saver.prune, ["thread"])
        assert ids_of(await call(saver.list, config())) == [name(n) for n in (6, 5, 4, 3)]
        assert await call(saver.get_delta_channel_history, config=config(), channels=channels) == before


async def test_runs_that_others_need_stay(call: Call, saver: AgentMemorySaver) -> None:
    """Until those go too."""
    await chain(call, saver, [({"a": SNAPSHOT}, [("a", 1)]), ({}, [("a", 2)])], run_id="old")
    where = config(checkpoint_id=name(2))
    facts = {"run_id": "new", "counters_since_delta_snapshot": {"a": (3, 3)}}
    await call(saver.put, where, checkpoint(3), facts, {})
    await call(saver.delete_for_runs, ["old"])
    assert written(await call(saver.get_delta_channel_history, config=config(), channels=["a"]), "a") == [1, 2]
    await call(saver.delete_for_runs, ["new"])
    await call(saver.delete_for_runs, ["old"])
    assert await call(saver.list, None) == []


def concatenated(value: list[str], writes: Sequence[list[str]]) -> list[str]:
    return [*value, *[item for write in writes for item in write]]


class State(TypedDict):
    log: Annotated[list[str], DeltaChannel(concatenated, snapshot_frequency=5)]
    n: int


def graph_of(saver: Any) -> Any:
    builder = StateGraph(State)
    builder.add_node("one", lambda state: {"log": [f"one {len(state['log'])}"], "n": 1})
    builder.add_node("two", lambda state: {"log": [f"two {len(state['log'])}"]})
    builder.add_edge(START, "one")
    builder.add_edge("one", "two")
    return builder.compile(checkpointer=saver)


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
async def test_a_graph(call: Call, server: Connection, durability: str) -> None:
    """As with InMemorySaver; and pruned, copied and forked its state is what it was."""
    saver = AgentMemorySaver(server)
    ours, theirs = graph_of(saver), graph_of(InMemorySaver())
    for turn in range(7):
        said = {"log": [f"said {turn}"]}
        found = await call(ours.invoke, said, config("t"), durability=durability)
        assert found == await call(theirs.invoke, said, config("t"), durability=durability)
        seen = [
            [state.values for state in await call(graph.get_state_history, config("t"))] for graph in (ours, theirs)
        ]
        assert seen[0] == seen[1]
        values = (await call(ours.get_state, config("t"))).values
        assert values["log"] == found["log"]
        await call(saver.copy_thread, "t", "copy")
        await call(saver.prune, ["copy"])
        assert (await call(ours.get_state, config("copy"))).values == values
    for graph in (ours, theirs):
        history = await call(graph.get_state_history, config("t"))
        forked = await call(graph.update_state, history[3].config, {"log": ["changed"]}, as_node="one")
        await call(graph.invoke, None, forked)
        await call(graph.invoke, None, history[4].config)
    expected = (await call(theirs.get_state, config("t"))).values
    assert (await call(ours.get_state, config("t"))).values == expected
    await call(saver.prune, ["t"])
    assert (await call(ours.get_state, config("t"))).values == expected
    assert (await call(ours.invoke, {"log": ["on"]}, config("t")))["log"][: len(expected["log"])] == expected["log"]
