"""Operations on memories as events: what is told, where it happened, and that no operation waits for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, StateGraph

from langchain_agentmem import AgentMemory
from langchain_agentmem.events.log import EventLog
from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.items import Namespace
from langchain_agentmem.longterm.record import Scope
from langchain_agentmem.longterm.store import AgentMemoryStore
from langchain_agentmem.thread.checkpoint import AgentMemorySaver
from langchain_agentmem.wire.connection import Command, Connection
from langchain_agentmem.wire.scripts import ScriptCall
from tests.conftest import Do
from tests.longterm.conftest import EMBEDDER, Trips

ANNA = Scope("anna")


class Told:
    """Keeps what it is told."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.told: list[tuple[Any, ...]] = []
        self.scopes: list[Namespace | None] = []
        self.scripts: list[Command] = []

    def memory(
        self,
        action: str,
        memories: Mapping[str, float | None] | Sequence[str],
        *,
        scope: Namespace | None = None,
        query: str | None = None,
    ) -> Sequence[Command]:
        self.scopes.append(scope)
        return [(action, *([query] if query is not None else []), list(memories))]

    def soon(self, commands: Sequence[Command]) -> None:
        self.told += [each for each in commands if not isinstance(each, ScriptCall)]
        self.scripts += [each for each in commands if isinstance(each, ScriptCall)]

    async def aflush(self) -> bool:
        return True


def made(server: Connection, events: Any) -> MemoryBank:
    store = AgentMemoryStore(server, index={"dims": 256, "embed": EMBEDDER, "fields": ["text"]})
    return MemoryBank(store, events=events)


async def test_every_change_and_every_recall_is_told(server: Connection, do: Do) -> None:
    events = Told(server)
    bank = made(server, events)
    one, other = (each.id for each in await do(bank.remember, ["Anna plays the cello", "Anna's dog is Bruno"], ANNA))
    await do(bank.remember, "anna plays the CELLO", ANNA)
    found = await do(bank.recall, "cello", ANNA)
    await do(bank.recall, "x", Scope("bob"))
    await do(bank.correct, one, "Anna plays the viola", ANNA)
    await do(bank.undo, one, ANNA)
    assert await do(bank.undo, "nobody", ANNA) is None
    await do(bank.forget, ANNA, filter={}, dry_run=True)
    assert await do(bank.forget, ANNA, ["nobody"]) == []
    await do(bank.forget, ANNA, [other, "nobody"])
    assert events.told == [
        ("remembered", [one, other]),
        ("remembered", [one]),
        ("recalled", "cello", [each.memory.id for each in found]),
        ("recalled", "x", []),
        ("corrected", [one]),
        ("corrected", [one]),
        ("forgotten", [other]),
    ]
    assert events.scopes == [ANNA.path if told[1] != "x" else ("memories", "bob") for told in events.told]


async def test_it_costs_no_round_trip(search: Connection, do: Do, trips: Trips) -> None:
    async def cost(bank: MemoryBank) -> list[int]:
        await do(bank.recall, "warm up", ANNA)
        trips.taken()
        tea = (await do(bank.remember, "Anna likes tea", ANNA))[0].id
        counts = [trips.taken()]
        await do(bank.recall, "tea", ANNA)
        counts.append(trips.taken())
        await do(bank.correct, tea, "Anna likes coffee", ANNA)
        counts.append(trips.taken())
        await do(bank.forget, ANNA, [tea])
        return [*counts, trips.taken()]

    await cost(made(search, None))  # the server learns the scripts
    plainly, told = await cost(made(search, None)), await cost(made(search, Told(search)))
    assert told == plainly
    assert told[:2] == [1, 1]


async def test_that_memories_were_used_is_written_along_with_the_events(server: Connection, do: Do) -> None:
    events = Told(server)
    bank = made(server, events)
    tea = (await do(bank.remember, "Anna likes tea", ANNA))[0].id
    await do(bank.recall, "tea", ANNA)
    assert bank._accesses.take() == []  # nothing waits for the next call
    assert (await do(bank.get, tea, ANNA)).access_count == 0
    await server.send(*events.scripts)
    assert (await do(bank.get, tea, ANNA)).access_count == 1
    with EventLog(server) as log:
        eager = MemoryBank(bank.store, events=log, access_interval=0)
        await do(eager.recall, "tea", ANNA)
        await do(eager.flush)
        assert (await do(bank.get, tea, ANNA)).access_count == 2


async def test_accesses_go_to_the_server_of_the_memories(search: Connection, plain: Connection, do: Do) -> None:
    with EventLog(plain) as elsewhere:
        bank = made(search, elsewhere)
        tea = (await do(bank.remember, "Anna likes tea", ANNA))[0].id
        await do(bank.recall, "tea", ANNA)
        await do(bank.flush)
        assert (await do(bank.get, tea, ANNA)).access_count == 1


async def test_many_memories_are_told_in_events_of_200(server: Connection, do: Do) -> None:
    events = Told(server)
    bank = made(server, events)
    ids = [each.id for each in await do(bank.remember, [f"number {n} is {n * n}" for n in range(450)], ANNA)]
    assert [told[-1] for told in events.told] == [ids[:200], ids[200:400], ids[400:]]


class State(TypedDict, total=False):
    found: list[Any]


@pytest.mark.parametrize("colour", ["sync", "async"])
async def test_which_memories_were_in_front_of_the_model(server: Connection, colour: str) -> None:
    log = EventLog(server)
    bank = made(server, log)
    bank.remember(["Anna plays the cello", "Anna likes tea"], ANNA)

    def recall(state: State) -> State:
        return {"found": bank.recall("Which instrument does Anna play?", ANNA)}

    async def arecall(state: State) -> State:
        return {"found": await bank.arecall("Which instrument does Anna play?", ANNA)}

    graph = StateGraph(State)
    graph.add_node("recall", recall if colour == "sync" else arecall)
    graph.add_edge(START, "recall")
    compiled: Any = graph.compile(checkpointer=AgentMemorySaver(server))
    config: RunnableConfig = {"configurable": {"thread_id": "t"}}
    found = (compiled.invoke({}, config) if colour == "sync" else await compiled.ainvoke({}, config))["found"]

    (before,) = [s for s in compiled.get_state_history(config) if s.next == ("recall",)]
    step = before.config["configurable"]["checkpoint_id"]
    used = log.memories_used("t", step) if colour == "sync" else await log.amemories_used("t", step)
    assert [(memory.id, memory.score, memory.node) for memory in used] == [
        (each.memory.id, each.score, "recall") for each in found
    ]
    assert found[0].memory.text == "Anna plays the cello"
    (event,) = log.recent("t")
    assert (event.kind, event.checkpoint_id, event.step) == ("memory.recalled", step, 1)
    assert event.data["query"] == "Which instrument does Anna play?"
    assert event.parent_run_id


async def test_listeners_hear_of_changes(server: Connection, do: Do) -> None:
    log = EventLog(server)
    bank = made(server, log)
    with log.signals.subscribe("memory:*", idle=5) as inbox:
        tea = (await do(bank.remember, "Anna likes tea", ANNA))[0].id
        await do(bank.recall, "tea", ANNA)
        await do(bank.correct, tea, "Anna likes coffee", ANNA)
        await do(bank.forget, ANNA, [tea])
        heard = [signal for _, signal in zip(range(3), inbox, strict=False)]
    assert [signal.topic for signal in heard] == ["memory:updated"] * 3
    assert [event.kind for event in log.recent()] == [
        "memory.remembered",
        "memory.recalled",
        "memory.corrected",
        "memory.forgotten",
    ]


async def test_closing_writes_what_still_waits(plain: Connection, plain_url: str) -> None:
    def kinds() -> list[str]:
        return [event.kind for event in EventLog(plain).recent()]

    with AgentMemory(plain_url) as memory:
        memory.bank.remember("Anna likes tea", ANNA)
    assert kinds() == ["memory.remembered"]
    async with AgentMemory(plain_url) as memory:
        await memory.bank.arecall("tea", ANNA)
    assert kinds() == ["memory.remembered", "memory.recalled"]


async def test_a_log_that_is_closed_has_written_all(
    server: Connection, plain: Connection, plain_url: str, do: Do
) -> None:
    log = EventLog(plain_url)
    await do(made(server, log).remember, "Anna likes tea", ANNA)
    await do(log.close)
    assert [event.kind for event in EventLog(plain).recent()] == ["memory.remembered"]
