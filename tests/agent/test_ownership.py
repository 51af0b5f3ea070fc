"""Whose a thread is: what lies in somebody else's is neither shown nor changed, and one's own are known as theirs."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, TypedDict
from uuid import UUID

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool
from langgraph.graph import START, StateGraph

from langchain_agentmem import AgentMemory
from langchain_agentmem.agent.ownership import is_anothers, is_for, owner_of, runner
from langchain_agentmem.events.event import Event
from langchain_agentmem.longterm.record import Scope
from langchain_agentmem.longterm.scopes import ScopeTemplate
from tests.agent.scripted import ScriptedModel, calls
from tests.conftest import Do

SCOPES = [("memories", "{user_id}"), ("{user_id}", "memories")]
ID = UUID("6ecd8c99-4036-403d-bf84-cf8400f67836")


class State(TypedDict):
    x: int


def config(user: Any, thread: str = "shared") -> RunnableConfig:
    return {"configurable": {"thread_id": thread, "user_id": user}}


def agent(memory: AgentMemory, scope: tuple[str, ...], *lines: AIMessage) -> tuple[Any, ScriptedModel]:
    """An agent without a checkpointer, whose model says these lines."""
    model = ScriptedModel(lines=[*lines, AIMessage("Yes.")])
    return create_agent(model, memory.tools(scope=scope), middleware=[memory.middleware(scope=scope)]), model


@pytest.mark.parametrize("scope", SCOPES, ids=["user last", "user first"])
async def test_notes_and_events_of_somebody_elses_session(memory: AgentMemory, scope: tuple[str, ...], do: Do) -> None:
    hers, _ = agent(memory, scope, calls(("update_scratchpad", {"text": "PIN 9999"})))
    await do(hers.invoke, {"messages": "Note my PIN 9999."}, config("anna"))
    memory.events.append(Event(kind="tool.error", thread_id="shared", name="bank", error="no account of ANNA"))
    asking = calls(("update_scratchpad", {"text": "x"}), ("recall_events", {}))
    for user, seen in (("bob", False), ("anna", True)):
        other, model = agent(memory, scope, asking)
        told = await do(other.invoke, {"messages": "What did I note?"}, config(user))
        answers = [each for each in told["messages"] if isinstance(each, ToolMessage)]
        said = "\n".join(str(each.content) for each in [*model.seen[0], *answers])
        assert ("PIN 9999" in said, "ANNA" in said) == (seen, seen)
        assert [each.status for each in answers] == ["success" if seen else "error"] * 2
        notes = (await do(memory.session("shared").load)).scratchpad
        assert notes == ("PIN 9999\nx" if seen else "PIN 9999")


async def test_events_of_somebody_elses_thread(memory: AgentMemory, do: Do) -> None:
    graph: Any = StateGraph(State).add_node("n", lambda state: state).add_edge(START, "n")
    graph = graph.compile(checkpointer=memory.checkpointer)
    await do(graph.invoke, {"x": 1}, config("anna"))
    memory.events.append(Event(kind="tool.error", thread_id="shared", name="bank", error="no account of ANNA"))
    for user, seen in (("bob", False), ("anna", True)):
        other, model = agent(memory, SCOPES[0], calls(("recall_events", {})))
        told = await do(other.invoke, {"messages": "What happened?"}, config(user))
        assert ("ANNA" in str(model.seen[0]), "ANNA" in str(told["messages"])) == (seen, seen)


@tool
def bank() -> str:
    """Look at the account."""
    raise ValueError("no account of ANNA")


async def test_events_of_somebody_elses_run_in_a_thread_of_nobody(memory: AgentMemory, do: Do) -> None:
    """Without a checkpointer or a session nothing but the events themselves says whose they are."""
    hers: Any = create_agent(ScriptedModel(lines=[calls(("bank", {}))]), [bank])
    with pytest.raises(ValueError, match="ANNA"):
        await do(hers.invoke, {"messages": "My account?"}, {**config("anna"), "callbacks": [memory.tracer]})
    memory.tracer.flush()
    recorded = await do(memory.events.recent, "shared")
    assert {each.user for each in recorded if each.kind in ("tool.error", "model.end")} == {"anna"}
    for user, seen in (("bob", False), ("anna", True)):
        other, model = agent(memory, SCOPES[0], calls(("recall_events", {"limit": 50})))
        told = await do(other.invoke, {"messages": "What happened?"}, config(user))
        assert ("ANNA" in str(model.seen[0]), "ANNA" in str(told["messages"])) == (seen, seen)
    receipt = await do(memory.forget_user, "anna")
    assert [event for event in await do(memory.events.recent) if event.user == "anna"] == []
    assert "shared" in str(receipt)  # whose thread it is nobody knows, so it stays, and is told of


async def test_a_run_that_runs_for_several_is_nobodys(memory: AgentMemory, do: Do) -> None:
    inner: Any = create_agent(ScriptedModel(lines=[AIMessage("Yes."), AIMessage("Yes.")]))

    def batch(state: State) -> State:
        for user in ("anna", "bob"):
            inner.invoke({"messages": "Hi."}, config(user, "job"))
        return state

    outer: Any = StateGraph(State).add_node("batch", batch).add_edge(START, "batch").compile()
    await do(outer.invoke, {"x": 1}, {"configurable": {"thread_id": "job"}, "callbacks": [memory.tracer]})
    memory.tracer.flush()
    recorded = await do(memory.events.recent, "job")
    assert [each.user for each in recorded if each.kind == "model.end"] == ["anna", "bob"]
    assert recorded[-1].kind == "run.end"
    assert recorded[-1].user is None


@dataclass
class Caller:
    user_id: Any


@pytest.mark.parametrize(
    ("given", "context", "user"),
    [
        ({}, {"user_id": "carl"}, "carl"),
        ({}, Caller("carl"), "carl"),
        ({}, Caller(ID), str(ID)),
        ({"user_id": ID}, None, str(ID)),
        ({"langgraph_auth_user_id": "carl"}, {"langgraph_auth_user_id": "victim"}, "carl"),
    ],
)
async def test_a_thread_belongs_to_whom_its_run_names(
    memory: AgentMemory, given: dict[str, Any], context: Any, user: str, do: Do
) -> None:
    model = ScriptedModel(lines=[AIMessage("Yes.")])
    made = create_agent(model, context_schema=type(context) if context else None, checkpointer=memory.checkpointer)
    named: RunnableConfig = {"configurable": {"thread_id": "t", **given}}
    await do(made.invoke, {"messages": "My card is 4711"}, named, context=context)
    assert [each.thread_id for each in await do(memory.checkpointer.threads.list, user=user)] == ["t"]
    receipt = await do(memory.forget_user, user)
    assert (receipt.clean, receipt.threads) == (True, ("t",))
    assert made.get_state(named).values == {}


async def test_a_team_shares_its_notes_and_events(memory: AgentMemory, do: Do) -> None:
    team, model = Scope(None, ("team", "red")), ScriptedModel(lines=[])
    for user in ("anna", "bob"):
        model = ScriptedModel(lines=[calls(("update_scratchpad", {"text": f"note of {user}"})), AIMessage("Yes.")])
        both: Any = create_agent(model, memory.tools(scope=team), middleware=[memory.middleware(scope=team)])
        await do(both.invoke, {"messages": "Note it."}, config(user))
    assert "note of anna" in str(model.seen[0])
    assert (await do(memory.session("shared").load)).scratchpad == "note of anna\nnote of bob"


async def test_what_is_forgotten_in_a_turn_is_not_shown_again_in_it(memory: AgentMemory, do: Do) -> None:
    await do(memory.bank.remember, "Anna has diabetes", Scope("anna"))

    @tool
    async def forget_me() -> str:
        """Forget the user."""
        return str((await memory.aforget_user("anna")).clean)

    forget_me.func = lambda: str(memory.forget_user("anna").clean)
    model = ScriptedModel(lines=[calls(("forget_me", {})), AIMessage("Done.")])
    made: Any = create_agent(model, [forget_me], middleware=[memory.middleware(promote=False)])
    await do(made.invoke, {"messages": "What illness has Anna? Forget me."}, config("anna"))
    assert ["diabetes" in str(seen[0]) for seen in model.seen] == [True, False]


def test_an_empty_name_is_nobodys() -> None:
    context = SimpleNamespace(context={"user_id": "anna"})
    assert runner({"configurable": {"user_id": "", "langgraph_auth_user_id": "bob"}}) == "bob"
    assert runner({"configurable": {"user_id": "", "__pregel_runtime": context}}) == "anna"
    assert ScopeTemplate().resolve({"configurable": {"user_id": " "}}, context.context) == Scope("anna")


def test_who_runs_and_to_whom_things_belong() -> None:
    named = config("anna")
    context: RunnableConfig = {"configurable": {"__pregel_runtime": SimpleNamespace(context={"user_id": "anna"})}}
    assert [runner(named), runner(context), runner({}), runner()] == ["anna", "anna", None, None]
    assert owner_of(Scope("bob"), named) == "bob"
    assert owner_of(Scope(None, ("anna", "memories")), named) == "anna"
    assert owner_of(Scope(None, ("team",)), named) is None  # it is all of theirs
    assert owner_of(Scope(None, ("team",)), {}) is None
    for session, thread, others in (
        (None, None, False),
        ("anna", b"anna", False),
        ("bob", None, True),
        (None, b"bob", True),
        (None, b"anna%20b", True),
    ):
        assert is_anothers(Scope("anna"), session, thread, named) is others
    for shared in (Scope(None, ("team",)), Scope("red", ("teams",))):  # whoever of the team ran the thread last
        assert not is_anothers(shared, shared.user, b"bob", named)
    assert not is_anothers(Scope(None, ("team",)), "anna", b"anna", {})  # nobody says who runs
    told = [is_for(Event(kind="x", user=user), who) for user in (None, "anna") for who in (None, "anna", "bob")]
    assert told == [True, True, True, True, True, False]
