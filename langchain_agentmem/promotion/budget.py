"""How much model promotions may use in a day, and what they used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import uuid4

from langchain_agentmem.errors import BudgetExceededError, InvalidInputError
from langchain_agentmem.longterm.record import Scope
from langchain_agentmem.promotion.batch import Usage
from langchain_agentmem.wire.bridge import sync_of
from langchain_agentmem.wire.closing import ClosingOwn
from langchain_agentmem.wire.connection import Connection, Source
from langchain_agentmem.wire.keys import Keys
from langchain_agentmem.wire.scripts import Script

_RESERVE = Script("budget_reserve")
_SETTLE = Script("budget_settle")
_KEPT = timedelta(days=2)  # a day's counters outlive the day by one, for calls that are settled after midnight
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Reservation:
    """A model call that was set aside.

    Attributes:
        id: Made for this call.
        day: The day that it counts for, as `2026-11-21`.
        scope: For whose memories it is made.
    """

    id: str
    day: str
    scope: Scope


@dataclass(frozen=True, slots=True)
class Spent:
    """What was used on a day.

    Attributes:
        calls: Model calls.
        tokens: Tokens read and written; of calls still running, the estimate.
    """

    calls: int
    tokens: int


class Budget(ClosingOwn):
    """Limits on model calls and tokens for each day (UTC), counted at the server for all workers together.

    A call is set aside before it is made and settled after it, so workers that run side by side never pass a limit
    together: what they can pass it by is the error of their estimates. Without limits it only counts.

    Args:
        redis: A URL, a redis-py client of either colour, or a `Connection`.
        prefix: First segment of every key.
        tenant: Second segment.
        calls: Model calls for each scope and day.
        tokens: Tokens, read and written, for each scope and day.
        total_calls: Model calls for all scopes of the tenant together.
        total_tokens: Tokens for all scopes together.
        input_price: What a million tokens read cost, in your currency; for `cost` in the statistics.
        output_price: What a million tokens written cost.
        clock: What time it is.
        **options: For redis-py, with a URL.

    Raises:
        InvalidInputError: A limit or a price is below 0.
    """

    def __init__(
        self,
        redis: Source,
        *,
        prefix: str = "agentmem",
        tenant: str = "default",
        calls: int | None = None,
        tokens: int | None = None,
        total_calls: int | None = None,
        total_tokens: int | None = None,
        input_price: float = 0.0,
        output_price: float = 0.0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        **options: Any,
    ) -> None:
        self._limits = {"calls": calls, "tokens": tokens, "total_calls": total_calls, "total_tokens": total_tokens}
        for name, number in (self._limits | {"input_price": input_price, "output_price": output_price}).items():
            if number is not None and number < 0:
                raise InvalidInputError(f"{name} is {number}; it must not be below 0")
        self._owned = not isinstance(redis, Connection)
        self._redis = Connection.of(redis, **options)
        self._keys = Keys(prefix, tenant)
        self._prices = (input_price, output_price)
        self._clock = clock

    async def areserve(self, scope: Scope, tokens: int) -> Reservation:
        """Set a model call aside.

        Args:
            scope: For whose memories it is made.
            tokens: How many tokens it will read and write, as estimated.

        Raises:
            BudgetExceededError: A limit is reached; `until` is when the next day begins.
            InvalidInputError: It alone would take more than a whole day's tokens, so waiting cannot help.
        """
        for name in ("tokens", "total_tokens"):
            limit = self._limits[name]
            if limit is not None and tokens > limit:
                raise InvalidInputError(
                    f"{name}: one call of about {tokens} tokens is over a whole day's limit of {limit};"
                    " raise the limit, or promote smaller batches (batch_turns, batch_bytes)"
                )
        now = self._clock().astimezone(UTC)
        reservation = Reservation(uuid4().hex, now.date().isoformat(), scope)
        limits = ["" if limit is None else limit for limit in self._limits.values()]
        kept = int(_KEPT.total_seconds() * 1000)
        call = _RESERVE(self._days(reservation), [reservation.id, tokens, kept, *limits])
        if reached := (await self._redis.send(call))[0].decode():
            until = datetime.combine(now.date() + timedelta(days=1), time(), UTC)
            limit = self._limits[reached]
            raise BudgetExceededError(f"{reached}: the limit of {limit} a day is reached until {until}", until)
        return reservation

    reserve = sync_of(areserve)

    async def asettle(self, reservation: Reservation, usage: Usage, *, failed: bool = False) -> None:
        """Count what a call took, in the place of what was set aside for it. Settling it again changes nothing.

        Args:
            reservation: The call.
            usage: The tokens that it read and wrote; none where it failed before it read any.
            failed: Whether the model raised an error.
        """
        keys = [*self._days(reservation), self._keys.outbox_stats()]
        used = (usage.input_tokens, usage.output_tokens)
        await self._redis.send(_SETTLE(keys, [reservation.id, *used, int(failed), repr(self.cost(usage))]))

    settle = sync_of(asettle)

    async def aspent(self, scope: Scope | None = None) -> Spent:
        """What was used today: for a scope, or for all of them."""
        day = self._clock().astimezone(UTC).date().isoformat()
        key = self._keys.spent(day, scope.path if scope else ())
        calls, tokens = (await self._redis.send(("HMGET", key, "calls", "tokens")))[0]
        return Spent(int(calls or 0), int(tokens or 0))

    spent = sync_of(aspent)

    def cost(self, usage: Usage) -> float:
        """What some usage costs, by the prices given."""
        read, written = self._prices
        return (usage.input_tokens * read + usage.output_tokens * written) / _MILLION

    def _days(self, reservation: Reservation) -> list[str]:
        return [self._keys.spent(reservation.day, reservation.scope.path), self._keys.spent(reservation.day)]
