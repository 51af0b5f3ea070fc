"""Whose a thread is. A run may name any thread; what lies in somebody else's it neither sees nor changes.

A thread has up to two owners on record: whoever ran it last, which its checkpoints say, and the user whose notes its
session keeps. An event says itself in whose run it happened, as far as the run did.
"""

from __future__ import annotations

from langchain_core.runnables.config import RunnableConfig

from langchain_agentmem.events.event import Event
from langchain_agentmem.longterm.record import Scope, escape_label
from langchain_agentmem.wire.keys import unescape
from langchain_agentmem.wire.whose import running, user_of


def runner(config: RunnableConfig | None = None) -> str | None:
    """Who runs the code that is running, or that a config belongs to; None: it does not say."""
    return user_of(running(config)) or None


def owner_of(scope: Scope, config: RunnableConfig | None = None) -> str | None:
    """To whom belongs what a run notes in its thread: the user of its scope; None: to all who share the scope."""
    who = runner(config)
    return scope.user or (who if _names(scope, who) else None)


def is_anothers(scope: Scope, session: str | None, thread: bytes | None, config: RunnableConfig | None = None) -> bool:
    """Whether a thread belongs to somebody else than a run.

    Args:
        scope: Whose memories the run is about.
        session: The user of the thread's session.
        thread: The field `user` of the thread's hash.
        config: The run's config. Default: that of the running code.
    """
    owner, who = owner_of(scope, config), runner(config)
    if session and owner and session != owner:
        return True
    # In a scope that is shared, as a team's is, the thread may be another's of the team.
    return bool(thread and who and _names(scope, who) and unescape(thread) != who)


def _names(scope: Scope, who: str | None) -> bool:
    """Whether a scope is this user's, wherever it names them."""
    return who is not None and (scope.user == who or escape_label(who) in scope.namespace)


def is_for(event: Event, who: str | None) -> bool:
    """Whether an event may be shown to whoever runs: not one of somebody else's run."""
    return event.user is None or who is None or event.user == who
