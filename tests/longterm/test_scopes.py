"""Whose memories a run is about: said by the application, in any of the usual forms, and by nobody else."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, TypedDict
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import BaseModel

from langchain_agentmem.errors import InvalidInputError, MissingScopeError
from langchain_agentmem.longterm.record import Scope
from langchain_agentmem.longterm.scopes import ScopeTemplate, template_of

ID = UUID("6ecd8c99-4036-403d-bf84-cf8400f67836")


@dataclass
class Caller:
    user_id: Any = None
    org: str = "acme"


class Model(BaseModel):
    user_id: str


@pytest.mark.parametrize(
    "context",
    [{"user_id": "anna"}, Caller("anna"), Model(user_id="anna"), SimpleNamespace(user_id="anna"), None, {}, Caller()],
)
def test_a_value_comes_from_the_context_else_from_configurable(context: Any) -> None:
    said = context["user_id"] if isinstance(context, dict) and context else getattr(context, "user_id", None)
    assert ScopeTemplate().resolve({"configurable": {} if said else {"user_id": "anna"}}, context) == Scope("anna")
    assert ScopeTemplate().resolve({"configurable": {"user_id": "anna"}}, context) == Scope("anna")  # both say so


@pytest.mark.parametrize("context", [{"user_id": "bob"}, Caller("bob"), Model(user_id="bob")])
def test_context_and_config_that_name_different_users_are_refused(context: Any) -> None:
    with pytest.raises(InvalidInputError, match=r"user_id: .*context.*configurable") as refused:
        ScopeTemplate().resolve({"configurable": {"user_id": "anna"}}, context)
    assert "anna" not in str(refused.value)
    assert ScopeTemplate().resolve({"configurable": {"user_id": "7"}}, {"user_id": 7}) == Scope("7")


@pytest.mark.parametrize("context", [{"langgraph_auth_user_id": "victim"}, SimpleNamespace(langgraph_auth_user_id="v")])
def test_whom_a_server_authenticated_no_context_can_say(context: Any) -> None:
    template = ScopeTemplate("memories", "{langgraph_auth_user_id}")
    config: Any = {"configurable": {"langgraph_auth_user_id": "mallory"}}
    assert template.resolve(config, context) == Scope("mallory")
    with pytest.raises(MissingScopeError):
        template.resolve({}, context)


@pytest.mark.parametrize(("value", "text"), [(7, "7"), (0, "0"), (ID, str(ID)), ("ä b:*", "ä b:*")])
def test_ids_are_taken_as_their_text(value: Any, text: str) -> None:
    assert ScopeTemplate("users", "{user_id}").resolve({}, {"user_id": value}) == Scope(text, ("users",))


@pytest.mark.parametrize("value", [None, "", "  ", "\n"])
def test_a_missing_or_empty_id_is_an_error_that_names_the_field(value: Any) -> None:
    with pytest.raises(MissingScopeError, match=r"customer: .*context=.*configurable"):
        ScopeTemplate("users", "{customer}").resolve({"configurable": {"customer": value}})


@pytest.mark.parametrize("value", [True, 1.5, b"x", ["anna"], {"id": 1}, object()])
def test_what_is_no_id_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInputError, match="user_id: an id is"):
        ScopeTemplate().resolve({}, {"user_id": value})


@pytest.mark.parametrize("value", ["{org}", "{user_id}", "{0.__class__}", "%s", "a.b", "a:b", "\0", "{{"])
def test_what_a_value_holds_is_data(value: str) -> None:
    context = {"user_id": value, "org": value}
    scope = ScopeTemplate("orgs", "{org}", "team-{org}-x", "{user_id}").resolve({}, context)
    assert scope.user == value
    assert len(scope.path) == 4
    assert scope.path[2] == f"team-{scope.path[1]}-x"


@given(st.text(min_size=1), st.text(min_size=1))
def test_two_values_never_make_one_scope(one: str, other: str) -> None:
    paths = []
    for value in (one, other):
        try:
            paths.append(ScopeTemplate("a", "b-{x}", "{y}").resolve({}, {"x": value, "y": value}).path)
        except MissingScopeError:
            assert not value.strip()
            return
    assert (paths[0] == paths[1]) == (one == other)


@pytest.mark.parametrize(
    "labels",
    [("{a}{b}",), ("{}",), ("{0}",), ("{a.b}",), ("{a[0]}",), ("{a!r}",), ("{a:>9}",), ("{_a}",), ("{",), ("",)],
)
def test_a_template_that_cannot_work_is_refused_at_once(labels: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInputError):
        ScopeTemplate(*labels)


def test_all_forms_are_accepted() -> None:
    config: Any = {"configurable": {"user_id": "anna", "org": "acme"}}
    assert template_of(Scope("bob")).resolve(config) == Scope("bob")
    assert template_of(("orgs", "{org}", "{user_id}")).resolve(config) == Scope("anna", ("orgs", "acme"))
    assert template_of(["{org}"]).resolve(config) == Scope(None, ("acme",))
    assert template_of(("team", "{{x}}")).resolve(config) == Scope(None, ("team", "{x}"))
    assert template_of(ScopeTemplate("m", "{org}", tenant="t")).resolve(config) == Scope("acme", ("m",), "t")
    assert template_of(template_of(Scope("bob"))).resolve() == Scope("bob")
    assert ScopeTemplate("{org}", "{user_id}", "{org}").fields == ("org", "user_id")
    for wrong in ("users", (), None, 5, (5,)):
        with pytest.raises(InvalidInputError):
            template_of(wrong)  # type: ignore[arg-type]


class State(TypedDict, total=False):
    user_id: str
    seen: list[str | None]


def graph() -> Any:
    def node(state: State, runtime: Runtime[Any]) -> State:
        return {"seen": [ScopeTemplate().resolve().user, ScopeTemplate().resolve(None, runtime.context).user]}

    inner = StateGraph(State).add_node("node", node).add_edge(START, "node").add_edge("node", END).compile()
    return StateGraph(State, context_schema=Caller).add_node("inner", inner).add_edge(START, "inner").compile()


async def test_in_a_running_graph_and_the_graphs_inside_it() -> None:
    lie: State = {"user_id": "mallory"}  # the state is not asked
    said: dict[str, Any] = {"context": Caller("anna")}
    assert graph().invoke(lie, **said)["seen"] == ["anna"] * 2
    assert (await graph().ainvoke(lie, **said))["seen"] == ["anna"] * 2
    assert graph().invoke(lie, {"configurable": {"user_id": "bob"}})["seen"] == ["bob"] * 2
    with pytest.raises(MissingScopeError):
        graph().invoke(lie)
