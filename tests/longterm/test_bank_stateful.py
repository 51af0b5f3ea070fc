"""Changes to memories and facts, in a row or at once: what must always hold, and that an undo takes back just one."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Iterator
from itertools import count, pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.record import Memory, Scope
from langchain_agentmem.longterm.store import AgentMemoryStore
from langchain_agentmem.wire.connection import Connection

ANNA = Scope("anna")
IDS = st.sampled_from(["a", "b", "c"])
TEXTS = st.sampled_from(["one thing", "another", "more", "else"])
STATES = st.sampled_from([None, None, "home", "diet"])
VALUES = st.sampled_from(["x", "y", {"z": ""}])

Shown = tuple[Any, ...]


class Changes(RuleBasedStateMachine):
    """Random changes to three memories and two facts."""

    bank: MemoryBank
    copies = 0

    def shown(self, scope: Scope = ANNA) -> dict[str, Any]:
        """What there is, as far as an undo brings it back: all but versions and times."""
        memories = {each.id: _told(each) for each in self.bank.list(scope)}
        facts = {name: (fact.value, fact.memory_id) for name, fact in self.bank.facts.all(scope).items()}
        return {"memories": memories, "facts": facts}

    def past(self, scope: Scope = ANNA) -> list[Any]:
        """What there was."""
        memories = [
            (each.id, each.version, each.text, each.superseded_by, each.valid_to)
            for name in "abc"
            for each in self.bank.history(name, scope)
        ]
        return [*memories, *(fact for name in ("home", "diet") for fact in self.bank.facts.history(scope, name))]

    def and_back(self, change: Callable[[], Any], name: str, back: bool) -> None:
        """Make a change; then, perhaps, undo it: all must be as it was."""
        before = self.shown()
        try:
            change()
        except InvalidInputError:
            assert name not in before["memories"]
            assert self.shown() == before
            return
        if back:
            self.bank.undo(name, ANNA)
            assert self.shown() == before

    @rule(name=IDS, text=TEXTS, state=STATES, value=VALUES, back=st.booleans())
    def remember(self, name: str, text: str, state: str | None, value: Any, back: bool) -> None:
        before = self.shown()
        memory = Memory(text=text, id=name, state=state, value=value if state else None)
        done = self.bank.remember(memory, ANNA)[0]
        now = self.bank.get(done.id, ANNA)
        assert now is not None
        assert now.text == text
        if state:
            fact = self.bank.facts.get(ANNA, state)
            assert fact is not None
            assert (fact.value, fact.memory_id) == (value, done.id)
        if back and done.outcome != "added":
            self.bank.undo(done.id, ANNA)
            assert self.shown() == before

    @rule(name=IDS, text=TEXTS, back=st.booleans())
    def correct(self, name: str, text: str, back: bool) -> None:
        self.and_back(lambda: self.bank.correct(name, text, ANNA), name, back)

    @rule(name=IDS, back=st.booleans())
    def reinforce(self, name: str, back: bool) -> None:
        self.and_back(lambda: self.bank.reinforce(name, ANNA), name, back)

    @rule(name=IDS, back=st.booleans())
    def retire(self, name: str, back: bool) -> None:
        self.and_back(lambda: self.bank.retire(name, ANNA), name, back)

    @rule(name=IDS, back=st.booleans())
    def forget(self, name: str, back: bool) -> None:
        history, before = self.bank.history(name, ANNA), self.shown()
        assert self.bank.forget(ANNA, [name]) == ([name] if history else [])
        assert self.bank.get(name, ANNA) is None
        assert self.bank.history(name, ANNA) == []
        assert name not in {fact.memory_id for fact in self.bank.facts.all(ANNA).values()}
        if back and history:
            self.bank.undo(name, ANNA)
            assert self.shown() == before
            assert self.bank.history(name, ANNA) == history

    @rule(name=IDS)
    def erase(self, name: str) -> None:
        self.bank.forget(ANNA, [name], erase=True)
        assert self.bank.undo(name, ANNA) is None
        assert self.bank.history(name, ANNA) == []

    @rule(name=IDS)
    def undo(self, name: str) -> None:
        self.bank.undo(name, ANNA)

    @rule(name=st.sampled_from(["home", "diet"]), value=VALUES)
    def set_fact(self, name: str, value: Any) -> None:
        before = self.bank.facts.get(ANNA, name)
        version = self.bank.facts.set(ANNA, name, value)
        now = self.bank.facts.get(ANNA, name)
        assert now is not None
        assert (now.value, now.version) == (value, version)
        if before and before.value == value:
            assert now == before
        else:
            assert now.memory_id is None

    @rule(name=st.sampled_from(["home", "diet"]))
    def delete_fact(self, name: str) -> None:
        self.bank.facts.delete(ANNA, name)
        assert self.bank.facts.get(ANNA, name) is None

    @rule()
    def copy(self) -> None:
        """An export taken in elsewhere is the same, with all it was."""
        self.copies += 1
        copy, lines = Scope(f"copy {self.copies}"), list(self.bank.export(ANNA))
        for _ in range(2):
            self.bank.import_(lines, copy)
            assert self.shown(copy) == self.shown()
            assert self.past(copy) == self.past()

    @invariant()
    def facts_and_memories_agree(self) -> None:
        memories = {each.id: each for each in self.bank.list(ANNA)}
        facts = self.bank.facts.all(ANNA)
        assert self.bank.count(ANNA) == len(memories)
        for fact in facts.values():
            if fact.memory_id:
                memory = memories[fact.memory_id]
                assert memory.state == fact.name
                assert fact.value == (memory.text if memory.value is None else memory.value)
        for memory in memories.values():
            if memory.state:
                assert facts[memory.state].memory_id == memory.id

    @invariant()
    def nothing_is_there_twice(self) -> None:
        texts = [each.text for each in self.bank.list(ANNA) if not each.state]
        assert len(texts) == len(set(texts))

    @invariant()
    def histories_are_in_order(self) -> None:
        for name in "abc":
            history = self.bank.history(name, ANNA)
            versions = [each.version for each in history]
            assert versions == sorted(set(versions), reverse=True)
            assert [each.superseded for each in history[1:]] == [True] * len(history[1:])
            for newer, older in pairwise(history):
                assert (older.superseded_by == f"{name}@{newer.version}") == (
                    newer.supersedes == f"{name}@{older.version}"
                )
                assert self.bank.get(name, ANNA, version=older.version) == older
        for name in ("home", "diet"):
            past = self.bank.facts.history(ANNA, name)
            assert [each.version for each in past] == sorted({each.version for each in past}, reverse=True)
            assert all(each.until for each in past[1:])


def _told(memory: Memory) -> Shown:
    return memory.text, memory.state, memory.value, memory.hits, memory.confidence, memory.sources, memory.pinned


@pytest.fixture(scope="module", params=["search", "plain"])
def fresh(request: pytest.FixtureRequest) -> Iterator[Callable[[], MemoryBank]]:
    """Makes banks on one connection, each empty."""
    number = count()
    with Connection(request.getfixturevalue(f"{request.param}_url")) as connection:
        yield lambda: MemoryBank(AgentMemoryStore(connection, prefix=f"stateful{next(number)}"))


def test_any_sequence_of_changes(fresh: Callable[[], MemoryBank]) -> None:
    class OnServer(Changes):
        def __init__(self) -> None:
            super().__init__()
            self.bank = fresh()

    run_state_machine_as_test(
        OnServer,
        settings=settings(
            max_examples=15,
            stateful_step_count=20,
            deadline=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        ),
    )


async def change_at_random(bank: MemoryBank, rng: random.Random) -> None:
    name, text = rng.choice("abc"), rng.choice(["one thing", "another", "more", "else"])
    state = rng.choice([None, None, "home", "diet"])
    changes: list[Callable[[], Awaitable[Any]]] = [
        lambda: bank.aremember(Memory(text=text, id=name, state=state), ANNA),
        lambda: bank.acorrect(name, text, ANNA),
        lambda: bank.aretire(name, ANNA),
        lambda: bank.areinforce(name, ANNA),
        lambda: bank.aforget(ANNA, [name]),
        lambda: bank.aundo(name, ANNA),
        lambda: bank.facts.aset(ANNA, state or "home", text),
    ]
    with contextlib.suppress(InvalidInputError):  # there is no such memory
        await rng.choices(changes, weights=[4, 1, 1, 1, 1, 1, 1])[0]()


async def test_changes_that_race_leave_no_contradiction(fresh: Callable[[], MemoryBank]) -> None:
    after = Changes()
    after.bank = fresh()
    rng = random.Random(7)
    for _ in range(10):
        await asyncio.gather(*(change_at_random(after.bank, rng) for _ in range(20)))
        await asyncio.to_thread(after.facts_and_memories_agree)
        await asyncio.to_thread(after.nothing_is_there_twice)
        await asyncio.to_thread(after.histories_are_in_order)
