"""What can be asked in a chat besides talking: lines that begin with a slash."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from langchain_agentmem.agent.citing import afind_cited
from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.serve.output import ago
from langchain_agentmem.wire.bridge import run

if TYPE_CHECKING:
    from langchain_agentmem.serve.chat.talk import Talk

_MOST = 20


class Leave(Exception):  # noqa: N818 - it is no error
    """The user has had enough."""


class Slash(NamedTuple):
    """A command.

    Attributes:
        act: Does it, with what stands behind its name.
        usage: How it is written.
        about: What it does.
    """

    act: Callable[[Talk, str], None]
    usage: str
    about: str


def _help(talk: Talk, _: str) -> None:
    talk.view.table("commands", ["command", "about"], [(each.usage, each.about) for each in SLASH.values()])


def _memories(talk: Talk, query: str) -> None:
    talk.settle()
    bank = talk.memory.bank
    found = [each.memory for each in bank.recall(query, talk.scope)] if query else bank.list(talk.scope, limit=_MOST)
    rows = [(each.id, each.kind, each.text, ago(each.updated)) for each in found]
    talk.view.table("memories", ["id", "kind", "says", "when"], rows)


def _facts(talk: Talk, _: str) -> None:
    talk.settle()
    facts = talk.memory.facts.all(talk.scope).values()
    talk.view.table("facts", ["name", "value", "since"], [(each.name, each.value, ago(each.since)) for each in facts])


def _forget(talk: Talk, id: str) -> None:
    talk.settle()
    found = run(afind_cited(talk.memory.bank, id, talk.scope))
    if len(found) != 1:
        talk.view.note("/forget ID: the id of one memory, or its first 8 characters or more; /memories shows them")
        return
    talk.memory.bank.forget(talk.scope, [found[0].id])
    talk.view.note(f"forgot {found[0].id}")


def _threads(talk: Talk, _: str) -> None:
    found = talk.memory.threads(user=talk.scope.user, limit=_MOST)
    talk.view.table("threads", ["thread", "when"], [(each.thread_id, ago(each.updated_at)) for each in found])


def _new(talk: Talk, name: str) -> None:
    talk.settle()
    try:
        talk.enter(name or None)
    except InvalidInputError as error:
        talk.view.note(str(error))


def _events(talk: Talk, _: str) -> None:
    talk.memory.tracer.flush()
    rows = [
        (f"{each.time.astimezone():%H:%M:%S}", each.kind, each.node or each.name or "")
        for each in talk.memory.events.recent(talk.thread, _MOST)
    ]
    talk.view.table("events", ["time", "kind", "what"], rows)


def _quit(_talk: Talk, _: str) -> None:
    raise Leave


SLASH: Mapping[str, Slash] = {
    "help": Slash(_help, "/help", "what can be asked"),
    "memories": Slash(_memories, "/memories [QUERY]", "what is remembered of you, or what answers a question"),
    "facts": Slash(_facts, "/facts", "what is true of you now"),
    "forget": Slash(_forget, "/forget ID", "forget a memory; agentmem memories undo brings it back, for a day"),
    "threads": Slash(_threads, "/threads", "your conversations"),
    "new": Slash(_new, "/new [NAME]", "another conversation, or back to one"),
    "events": Slash(_events, "/events", "what the agent did in this conversation"),
    "quit": Slash(_quit, "/quit", "leave; so does Ctrl-D"),
}
