"""Limits hold for all workers together, for a scope and for everybody, for a day at a time."""

from __future__ import annotations

import asyncio
import pickle
from datetime import UTC, datetime, timedelta

import pytest

from langchain_agentmem.errors import BudgetExceededError, InvalidInputError
from langchain_agentmem.longterm.record import Scope
from langchain_agentmem.promotion.batch import Usage
from langchain_agentmem.promotion.budget import Budget, Spent
from langchain_agentmem.promotion.outbox import Outbox
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection
from tests.promotion.scribe import ANN, Call

BOB = Scope("bob")


def test_calls_have_a_limit_for_each_scope_and_day(plain: Connection, call: Call) -> None:
    now = [datetime(2026, 11, 21, 23, 30, tzinfo=UTC)]
    budget = Budget(plain, calls=2, clock=lambda: now[0])
    for _ in range(2):
        call(budget.areserve(ANN, 100))
    with pytest.raises(BudgetExceededError, match="calls: the limit of 2") as reached:
        call(budget.areserve(ANN, 100))
    assert reached.value.until == datetime(2026, 11, 22, tzinfo=UTC)
    call(budget.areserve(BOB, 100))
    now[0] += timedelta(hours=1)
    call(budget.areserve(ANN, 100))
    assert call(budget.aspent(ANN)) == Spent(1, 100)


def test_tokens_are_set_aside_and_settled(plain: Connection, call: Call) -> None:
    budget = Budget(plain, tokens=1_000)
    first = call(budget.areserve(ANN, 600))
    with pytest.raises(BudgetExceededError, match="tokens"):
        call(budget.areserve(ANN, 600))
    call(budget.asettle(first, Usage(1, 150, 50)))
    assert call(budget.aspent(ANN)) == Spent(1, 200)
    second = call(budget.areserve(ANN, 800))
    call(budget.asettle(second, Usage(1), failed=True))
    assert call(budget.aspent(ANN)) == Spent(2, 200)


def test_all_scopes_together_have_limits_too(plain: Connection, call: Call) -> None:
    budget = Budget(plain, calls=9, total_calls=2, total_tokens=5_000)
    call(budget.areserve(ANN, 4_000))
    with pytest.raises(BudgetExceededError, match="total_tokens"):
        call(budget.areserve(BOB, 4_000))
    call(budget.areserve(BOB, 10))
    with pytest.raises(BudgetExceededError, match="total_calls"):
        call(budget.areserve(ANN, 10))
    assert call(budget.aspent()) == Spent(2, 4_010)
    assert call(budget.aspent(BOB)) == Spent(1, 10)


def test_what_no_day_has_room_for_is_an_error_at_once(plain: Connection) -> None:
    with pytest.raises(InvalidInputError, match="whole day's limit of 10"):
        Budget(plain, tokens=10).reserve(ANN, 11)


@pytest.mark.parametrize("name", ["calls", "total_tokens", "output_price"])
def test_limits_are_checked(plain: Connection, name: str) -> None:
    with pytest.raises(InvalidInputError, match=name):
        Budget(plain, **{name: -1})  # type: ignore[arg-type]


def test_workers_side_by_side_never_pass_a_limit(plain: Connection) -> None:
    budget = Budget(plain, calls=7)

    async def everybody() -> list[object]:
        return await asyncio.gather(*(budget.areserve(ANN, 1) for _ in range(30)), return_exceptions=True)

    refused = [each for each in asyncio.run(everybody()) if isinstance(each, BudgetExceededError)]
    assert (len(refused), budget.spent(ANN)) == (23, Spent(7, 7))


def test_a_step_that_is_repeated_counts_once(plain: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    budget, send = Budget(plain, calls=5, input_price=1.0, output_price=2.0), Connection.send

    async def twice(self: Connection, *commands: object) -> list[object]:
        await send(self, *commands)  # type: ignore[arg-type]
        return await send(self, *commands)  # type: ignore[arg-type]

    monkeypatch.setattr(Connection, "send", twice)
    reservation = budget.reserve(ANN, 500)
    budget.settle(reservation, Usage(1, 100, 50))
    monkeypatch.undo()
    assert budget.spent(ANN) == Spent(1, 150)
    stats = Outbox(plain).stats()
    assert (stats.calls, stats.input_tokens, stats.output_tokens, stats.model_errors) == (1, 100, 50, 0)
    assert stats.cost == pytest.approx(0.0002)


def test_without_limits_it_only_counts(plain: Connection, call: Call) -> None:
    budget = Budget(plain)
    for i in range(3):
        call(budget.asettle(call(budget.areserve(ANN, 10**9)), Usage(1, 10, 1), failed=i == 0))
    stats = Outbox(plain).stats()
    assert (stats.calls, stats.model_errors, stats.input_tokens, stats.cost) == (3, 1, 30, 0.0)
    assert budget.spent() == Spent(3, 33)


def test_a_days_counters_expire(plain: Connection) -> None:
    Budget(plain).reserve(ANN, 1)
    keys = run(plain.send(("KEYS", "*:spent:*")))[0]
    assert len(keys) == 2
    assert all(86_400 < ttl <= 2 * 86_400 for ttl in run(plain.send(*(("TTL", key) for key in keys))))


def test_the_error_survives_a_process_pool() -> None:
    error = BudgetExceededError("calls: reached", datetime(2026, 11, 22, tzinfo=UTC))
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.until) == (str(error), error.until)


def test_it_closes_what_it_opened(plain: Connection, plain_url: str) -> None:
    async def use() -> None:
        async with Budget(plain_url, calls=1, client_name="budget") as budget:
            await budget.areserve(ANN, 1)

    with Budget(plain_url, calls=9, client_name="budget") as budget:
        budget.reserve(ANN, 1)
    with pytest.raises(BudgetExceededError):
        asyncio.run(use())
    assert b"budget" not in run(plain.send(("CLIENT", "LIST")))[0]
