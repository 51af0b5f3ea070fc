"""Arguments of a wrong type: an error that names them, and nothing is changed."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from langgraph.store.base import GetOp, ListNamespacesOp, PutOp, SearchOp

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.record import Memory, Scope
from langchain_agentmem.longterm.store import AgentMemoryStore
from tests.conftest import Do

ANNA: Any = Scope("anna")
DEEP: Any = json.loads("[" * 200 + "]" * 200)
WRONG: list[tuple[str, tuple[Any, ...], dict[str, Any], str]] = [
    ("remember", (None, ANNA), {}, "memories"),
    ("remember", ({"text": "x"}, ANNA), {}, "memories"),
    ("remember", (["fine", None], ANNA), {}, "memories"),
    ("remember", ("x", None), {}, "scope"),
    ("remember", ("x", "anna"), {}, "scope"),
    ("remember", ("x", ("memories", "anna")), {}, "scope"),
    ("remember", ("x", ANNA), {"operation": 5}, "operation"),
    ("remember", ("x", ANNA), {"operation": ""}, "operation"),
    ("remember", (["fine", Memory(text="x", topics="abc")], ANNA), {}, "topics"),
    ("remember", (["fine", Memory(text="x", kind="")], ANNA), {}, "kind"),
    ("remember", (["fine", Memory(text="x", data={"x": object()})], ANNA), {}, "data"),
    ("remember", (["fine", Memory(text="x", value={1})], ANNA), {}, "value"),
    ("remember", (["fine", Memory(text="x", state="s", value=[math.nan])], ANNA), {}, "value"),
    ("remember", (["fine", Memory(text="x", metadata={"x": math.inf})], ANNA), {}, "metadata"),
    ("remember", (["fine", Memory(text="x", data={"x": DEEP})], ANNA), {}, "data"),
    ("remember", (["fine", Memory(text="x", event_time="today")], ANNA), {}, "event_time"),  # type: ignore[arg-type]
    ("remember", (["fine", Memory(text="x", source={"thread_id": "t"})], ANNA), {}, "source"),  # type: ignore[arg-type]
    ("remember", (["fine", Memory(text="x", state=5)], ANNA), {}, "state"),  # type: ignore[arg-type]
    ("recall", (None, ANNA), {}, "query"),
    ("recall", ("x", None), {}, "scope"),
    ("recall", ("x", ANNA), {"limit": "5"}, "limit"),
    ("recall", ("x", ANNA), {"limit": -1}, "limit"),
    ("recall", ("x", ANNA), {"limit": True}, "limit"),
    ("recall", ("x", ANNA), {"pool": 0}, "pool"),
    ("recall", ("x", ANNA), {"kinds": "episodic"}, "kinds"),
    ("recall", ("x", ANNA), {"topics": [1]}, "topics"),
    ("recall", ("x", ANNA), {"since": "2024-01-01"}, "since"),
    ("recall", ("x", ANNA), {"as_of": 5}, "as_of"),
    ("recall", ("x", ANNA), {"token_budget": 1.5}, "token_budget"),
    ("get", (None, ANNA), {}, "id"),
    ("get", ("a", ANNA), {"version": "1"}, "version"),
    ("history", (7, ANNA), {}, "id"),
    ("list", (ANNA,), {"limit": "5"}, "limit"),
    ("list", (ANNA,), {"offset": None}, "offset"),
    ("list", (ANNA,), {"order_by": "age"}, "order_by"),
    ("list", (ANNA,), {"filter": "x"}, "filter"),
    ("count", (None,), {}, "scope"),
    ("correct", ("a", None, ANNA), {}, "text"),
    ("correct", ("a", "x", ANNA), {"value": object()}, "value"),
    ("correct", (None, "x", ANNA), {}, "id"),
    ("retire", ("a", ANNA), {"at": "now"}, "at"),
    ("retire", (["a"], ANNA), {}, "id"),
    ("reinforce", ("a", ANNA), {"source": "t"}, "source"),
    ("undo", (None, ANNA), {}, "id"),
    ("pin", (["a"], ANNA), {}, "id"),
    ("forget", (ANNA, "abc"), {}, "ids"),
    ("forget", (ANNA, [None]), {}, "ids"),
    ("forget", (ANNA,), {"before": 5}, "before"),
    ("forget", (ANNA,), {"filter": ["kind"]}, "filter"),
    ("forget", (None, ["a"]), {}, "scope"),
    ("export", ("anna",), {}, "scope"),
    ("import_", ('{"text": "x"}', ANNA), {}, "lines"),
    ("import_", (None, ANNA), {}, "lines"),
    ("facts.set", (None, "diet", 1), {}, "scope"),
    ("facts.set", (ANNA, 5, 1), {}, "name"),
    ("facts.set", (ANNA, "diet", 1), {"expected_version": "1"}, "expected_version"),
    ("facts.set", (ANNA, "diet", 1), {"source": {"thread_id": "t"}}, "source"),
    ("facts.set", (Scope("anna", tenant="other"), "diet", 1), {}, "tenant"),
    ("facts.get", (ANNA, None), {}, "name"),
    ("facts.all", ("anna",), {}, "scope"),
    ("facts.history", (ANNA, ["diet"]), {}, "name"),
    ("facts.delete", (ANNA, ""), {}, "name"),
]


async def test_the_bank_names_what_is_wrong(bank: MemoryBank, do: Do) -> None:
    bank.remember(Memory(text="Anna likes tea", id="a", state="drink"), ANNA)
    before = [list(bank.export(Scope())), bank.history("a", ANNA)]
    for method, args, named, argument in WRONG:
        owner: Any = bank
        for name in method.split("."):
            owner = getattr(owner, name)
        with pytest.raises(InvalidInputError, match=argument):
            await do(owner, *args, **named)
        assert [list(bank.export(Scope())), bank.history("a", ANNA)] == before, (method, args, named)


def made_of(kind: Any) -> Any:
    """A class, for calls that its types forbid."""
    return kind


OPS: list[tuple[Any, str]] = [
    (SearchOp("memories"), "namespace_prefix"),  # type: ignore[arg-type]
    (SearchOp(None), "namespace_prefix"),  # type: ignore[arg-type]
    (SearchOp((), limit="5"), "limit"),  # type: ignore[arg-type]
    (SearchOp((), offset=-1), "offset"),
    (SearchOp((), query=5), "query"),  # type: ignore[arg-type]
    (SearchOp((), filter="x"), "filter"),  # type: ignore[arg-type]
    (GetOp("memories", "a"), "namespace"),  # type: ignore[arg-type]
    (PutOp("memories", "a", {}), "namespace"),  # type: ignore[arg-type]
    (PutOp(("m",), "a", "text"), "value"),  # type: ignore[arg-type]
    (PutOp(("m",), "a", {}, ttl="x"), "ttl"),  # type: ignore[arg-type]
    (PutOp(("m",), "a", {}, index="text"), "index"),  # type: ignore[arg-type]
    (ListNamespacesOp(limit=None), "limit"),  # type: ignore[arg-type]
    (ListNamespacesOp(max_depth="1"), "max_depth"),  # type: ignore[arg-type]
    ("get", "ops"),
]


async def test_the_store_names_what_is_wrong(store: AgentMemoryStore, do: Do) -> None:
    for op, argument in OPS:
        with pytest.raises(InvalidInputError, match=argument):
            await do(store.batch, [PutOp(("m",), "b", {"text": "fine"}), op])
    assert await do(store.search, ()) == []


@pytest.mark.parametrize(
    ("made", "argument"),
    [
        (lambda: made_of(Scope)(5), "user"),
        (lambda: made_of(Scope)(""), "user"),
        (lambda: made_of(Scope)(namespace="memories"), "namespace"),
        (lambda: made_of(Scope)(namespace=("a", 5)), "namespace"),
        (lambda: made_of(Scope)(namespace=()), "namespace"),
        (lambda: made_of(Scope)(tenant=5), "tenant"),
        (lambda: made_of(Memory)(text=None), "text"),
        (lambda: made_of(Memory)(text="x", importance="0.5"), "importance"),
        (lambda: made_of(Memory)(text="x", metadata=None), "metadata"),
        (lambda: made_of(Memory)(text="x", data=["a"]), "data"),
        (lambda: made_of(MemoryBank)(AgentMemoryStore("redis://x"), ttls={"episodic": "x"}), "ttls.'episodic'"),
        (lambda: made_of(MemoryBank)(AgentMemoryStore("redis://x"), history_ttl=None), "history_ttl"),
        (lambda: made_of(MemoryBank)(AgentMemoryStore("redis://x"), undo_ttl=-1), "undo_ttl"),
    ],
)
def test_what_is_made_wrong_is_refused(made: Any, argument: str) -> None:
    with pytest.raises(InvalidInputError, match=argument):
        made()


def test_a_namespace_may_be_a_list() -> None:
    assert Scope(None, ["a", "b"]).path == ("a", "b")  # type: ignore[arg-type]
