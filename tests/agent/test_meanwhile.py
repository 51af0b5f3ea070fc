"""What a turn is shown when memory is written to meanwhile: by any tool, a sub-agent, a worker of this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import StructuredTool

from langchain_agentmem import AgentMemory
from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.record import Memory, Scope
from tests.agent.scripted import ScriptedModel, asking, blocks, call, yes
from tests.conftest import Do

ANNA, BOB = Scope("anna"), Scope("bob")
CONFIG: RunnableConfig = {"configurable": {"thread_id": "t", "user_id": "anna"}}
ASKED = "Where does Anna like to hike?"

ANDES = "Anna likes to hike in the Andes"

Write = Callable[[AgentMemory], object]

WRITES: dict[str, Write] = {
    "a fact": lambda memory: memory.facts.set(ANNA, "hike", "Andes"),
    "a fact deleted": lambda memory: memory.facts.delete(ANNA, "hike"),
    "reinforced": lambda memory: memory.bank.reinforce("alps", ANNA),
    "pinned": lambda memory: memory.bank.pin("alps", ANNA),
    "undone": lambda memory: memory.bank.undo("alps", ANNA),
    "corrected": lambda memory: memory.bank.correct("alps", "Anna likes to hike in the Urals", ANNA),
    "retired": lambda memory: memory.bank.retire("alps", ANNA),
    "remembered": lambda memory: memory.bank.remember(ANDES, ANNA),
    "remembered below": lambda memory: memory.bank.remember(ANDES, Scope(namespace=(*ANNA.path, "trips"))),
    "forgotten": lambda memory: memory.bank.forget(ANNA, filter={}),
    "imported": lambda memory: memory.bank.import_(memory.bank.export(BOB), ANNA),
    "by another bank": lambda memory: MemoryBank(memory.store).remember(ANDES, ANNA),
    "put in the store": lambda memory: memory.store.put(ANNA.path, "x", {"text": ANDES}),
    "deleted from the store": lambda memory: memory.store.delete(ANNA.path, "x"),
    "a goal": lambda memory: memory.session("t").write(goal="Climb"),
    "a note": lambda memory: memory.session("t").note("Maps bought"),
    "a summary": lambda memory: memory.session("t").summarize("They met", memory.session("t").load()),
    "a session cleared": lambda memory: memory.session("t").clear(),
}
OTHERS: dict[str, Write] = {
    "another user": lambda memory: memory.bank.remember(ANDES, BOB),
    "another user's fact": lambda memory: memory.facts.set(BOB, "hike", "Andes"),
    "another thread": lambda memory: memory.session("u").note("Maps bought"),
    "what no block shows": lambda memory: memory.session("t").increment("tokens", by=3),
    "a turn of the session": lambda memory: memory.session("t").append("Hello."),
    "what only reads": lambda memory: memory.bank.list(ANNA) and memory.facts.all(ANNA),
}


def acting(memory: AgentMemory, acts: Mapping[str, Write]) -> StructuredTool:
    """A tool of the user's own."""

    def act(name: str) -> str:
        """Do something."""
        acts[name](memory)
        return "Done."

    return StructuredTool.from_function(act)


@pytest.fixture
def known(memory: AgentMemory) -> AgentMemory:
    """A memory that knows something, with a session."""
    memory.bank.remember(Memory(text="Anna likes to hike in the Alps", id="alps"), ANNA)
    memory.bank.remember("Bob likes to hike in the Pyrenees", BOB)
    memory.facts.set(ANNA, "boots", "42")
    memory.session("t").note("Weather looked up")
    return memory


def agent_of(memory: AgentMemory, model: ScriptedModel, *tools: Any) -> Any:
    return create_agent(model, tools=tools, middleware=[memory.middleware(promote=False)])


async def test_what_is_written_in_a_turn_is_seen_in_it(known: AgentMemory, do: Do, recalls: list[str]) -> None:
    had: list[int] = []

    def noting(write: Write) -> Write:
        def act(memory: AgentMemory) -> None:
            had.append(len(recalls))
            write(memory)

        return act

    tool = acting(known, {name: noting(write) for name, write in WRITES.items()})
    model = ScriptedModel(lines=[*(call("act", name=name) for name in WRITES), yes()])
    await do(agent_of(known, model, tool).invoke, {"messages": ASKED}, CONFIG)
    assert dict(zip(WRITES, had, strict=True)) == {name: number for number, name in enumerate(WRITES, 1)}
    assert recalls == [ASKED] * (len(WRITES) + 1)
    after = dict(zip(WRITES, blocks(model)[1:], strict=True))
    assert "hike: Andes" in after["a fact"]
    assert "hike: Andes" not in after["a fact deleted"]
    assert "Urals" in after["corrected"]
    assert "Urals" not in after["retired"]
    assert "Andes" in after["remembered"]
    assert "Maps bought" in after["a note"]


async def test_what_is_written_elsewhere_costs_no_recall(known: AgentMemory, do: Do, recalls: list[str]) -> None:
    model = ScriptedModel(lines=[*(call("act", name=name) for name in OTHERS), yes()])
    await do(agent_of(known, model, acting(known, OTHERS)).invoke, {"messages": ASKED}, CONFIG)
    assert recalls == [ASKED]
    assert len(set(blocks(model))) == 1


async def test_a_sub_agent_that_sets_a_fact(known: AgentMemory, do: Do) -> None:
    sub: Any = create_agent(
        ScriptedModel(lines=[call("set_fact", name="boots", value="43"), yes()]), tools=known.tools(names=["set_fact"])
    )
    model = ScriptedModel(lines=[call("ask_guide", question="Note the size."), yes()])
    await do(agent_of(known, model, asking(sub)).invoke, {"messages": ASKED}, CONFIG)
    assert ["boots: 42" in block for block in blocks(model)] == [True, False]
    assert "boots: 43" in blocks(model)[1]


async def test_a_tool_by_another_name(known: AgentMemory, do: Do) -> None:
    [tool] = known.tools(names=["set_fact"])
    tool.name = "note_down"
    model = ScriptedModel(lines=[call("note_down", name="boots", value="43"), yes()])
    await do(agent_of(known, model, tool).invoke, {"messages": ASKED}, CONFIG)
    assert "boots: 43" in blocks(model)[1]


async def test_what_a_worker_promotes_meanwhile(known: AgentMemory, do: Do) -> None:
    said = {"messages": ["I like to hike in the Andes in June."]}
    known.extraction_node(strategy="verbatim", scope=ANNA).invoke(said, {"configurable": {"thread_id": "before"}})
    model = ScriptedModel(lines=[call("act", name="promote"), yes()])
    tool = acting(known, {"promote": lambda memory: memory.promote_pending()})
    await do(agent_of(known, model, tool).invoke, {"messages": ASKED}, CONFIG)
    assert ["Andes" in block for block in blocks(model)] == [False, True]
