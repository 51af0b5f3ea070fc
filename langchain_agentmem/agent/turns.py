"""What this process keeps of the turns that are under way."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Any, Generic, NamedTuple, TypeVar

from langchain_agentmem.events.here import here
from langchain_agentmem.longterm.record import Scope
from langchain_agentmem.wire.whose import running

T = TypeVar("T")

_MOST = 256  # that wait for their next step in one process; whichever is forgotten is begun anew


class TurnKey(NamedTuple):
    """What makes two steps of one run belong to one turn of one user.

    Several agents may be at work in one run, also under one namespace: the task that each was called by tells them
    apart. Messages do not. Middleware adds some, and sums up those at the beginning.
    """

    thread_id: str | None
    namespace: str
    called_by: str
    path: tuple[str, ...]

    @classmethod
    def of(cls, scope: Scope, thread_id: str | None) -> TurnKey:
        """That of the running code."""
        metadata = running().get("metadata") or {}
        return cls(thread_id, here().get("namespace") or "", str(metadata.get("checkpoint_ns") or ""), scope.path)


class Turns(Generic[T]):
    """What is known of the turns that are under way: few, and each only for the run that it was noted in.

    LangGraph gives every run a control object of its own; holding it here keeps another run from getting the same one.
    """

    def __init__(self) -> None:
        self._held: OrderedDict[TurnKey, tuple[Any, T]] = OrderedDict()
        self._lock = Lock()

    def get(self, turn: TurnKey, of: Any) -> T | None:
        """What was noted of a turn in this run."""
        with self._lock:
            control, noted = self._held.get(turn, (None, None))
        return noted if of is not None and control is of else None

    def put(self, turn: TurnKey, of: Any, noted: T) -> None:
        """Note it."""
        with self._lock:
            self._held[turn] = (of, noted)
            self._held.move_to_end(turn)
            if len(self._held) > _MOST:
                self._held.popitem(last=False)
