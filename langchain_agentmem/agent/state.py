"""What is known without searching: the facts of a scope, a thread's session and what happened in it last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from langchain_agentmem.agent.ownership import is_anothers, is_for, runner
from langchain_agentmem.events.event import Event, decode
from langchain_agentmem.events.log import EventLog
from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.facts import Fact, read_all
from langchain_agentmem.longterm.record import Scope, path_of
from langchain_agentmem.thread.session import Session
from langchain_agentmem.thread.sessions import Sessions
from langchain_agentmem.thread.working import WorkingMemory
from langchain_agentmem.wire.connection import Command

_SEEN = 40  # events that are looked at to find those worth showing
_PLUMBING = (  # kinds of events that say only that the graph ran, or what the conversation itself shows
    *("checkpoint", "run.", "model.", "node.start", "node.end", "tool.start", "tool.end"),
    *("memory.recalled", "memory.injected", "memory.failed"),
)
_BEGINNINGS = tuple(f'{{"kind":"{kind}'.encode() for kind in _PLUMBING)  # of such events, as they are written here


@dataclass(slots=True)
class State:
    """What is known without searching.

    Attributes:
        facts: The facts by name, sorted.
        session: The session of the thread.
        events: Events worth showing, newest first.
    """

    facts: Mapping[str, Fact] = field(default_factory=dict)
    session: Session | None = None
    events: Sequence[Event] = ()


class StateReader:
    """Says which commands read a state.

    Args:
        bank: The facts.
        sessions: The sessions; None: without.
        log: The events; None: without.
        events: How many events at most.
    """

    def __init__(self, bank: MemoryBank, sessions: Sessions | None, log: EventLog | None, events: int) -> None:
        self._bank, self._sessions = bank, sessions
        self._events = events if log else 0

    def ask(self, scope: Scope, thread_id: str | None) -> StateQuery:
        """What to send for the state of a scope and a thread.

        Raises:
            InvalidInputError: It is no scope, or one of another tenant.
        """
        session = self._sessions.open(thread_id) if self._sessions and thread_id is not None else None
        store = self._bank.store
        commands: list[Command] = [self._bank.facts.command(path_of(scope, store.keys))]
        commands += [session.command] if session else []
        if thread_id is not None:
            commands.append(("HGET", store.keys.thread(thread_id), "user"))
        if self._events and thread_id is not None:
            commands.append(("XREVRANGE", store.keys.events(thread_id), "+", "-", "COUNT", _SEEN))
        return StateQuery(commands, scope, session, self._events, runner())


@dataclass(frozen=True, slots=True)
class StateQuery:
    """The commands that read a state, and whose it is."""

    commands: Sequence[Command]
    scope: Scope
    session: WorkingMemory | None
    events: int
    who: str | None

    def read(self, replies: Sequence[Any]) -> State:
        """The state in the replies; of a thread that is another user's only the facts.

        Raises:
            CorruptDataError: Another program wrote into it.
        """
        facts, *rest = replies
        session = self.session.read(rest.pop(0)) if self.session else None
        thread, *streams = rest or (None,)
        if is_anothers(self.scope, session.user if session else None, thread):
            return State(read_all(facts))
        events = [event for reply in streams for event in islice(_worth_showing(reply, self.who), self.events)]
        return State(read_all(facts), session, events)


def _worth_showing(reply: Sequence[tuple[bytes, Mapping[bytes, bytes]]], who: str | None) -> Iterator[Event]:
    """Read one by one, and what is plumbing by its beginning already not at all: that is most of them."""
    entries = (each for each in reply if not each[1].get(b"event", b"").startswith(_BEGINNINGS))
    events = (decode(cursor, entry) for cursor, entry in entries)
    return (event for event in events if not event.kind.startswith(_PLUMBING) and is_for(event, who))
