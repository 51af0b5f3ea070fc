"""Where a run's turns are handed over, and under which names: what is sent again is known again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self

from langchain_core.messages import BaseMessage
from langchain_core.runnables.config import RunnableConfig

from langchain_agentmem.events.here import here
from langchain_agentmem.longterm.record import Scope
from langchain_agentmem.promotion.batch import Turn, digest
from langchain_agentmem.promotion.given import run_name
from langchain_agentmem.promotion.origin import checkpointer_of
from langchain_agentmem.promotion.taking import dated
from langchain_agentmem.wire.whose import running


class Place(NamedTuple):
    """Where a run's turns are handed over.

    Attributes:
        thread_id: The thread; without one all that a user says is in one.
        path: Whose they are.
        keeps_ids: Whether messages keep their ids from run to run, as a checkpointer keeps them.
    """

    thread_id: str
    path: tuple[str, ...]
    keeps_ids: bool

    @classmethod
    def of(cls, scope: Scope, config: RunnableConfig | None = None) -> Self:
        """That of a run.

        Args:
            scope: Whose memories its turns become.
            config: The run's config. Default: that of the running code.
        """
        thread_id = (running(config).get("configurable") or {}).get("thread_id")
        name = f"messages-{digest(scope.path)}" if thread_id in (None, "") else str(thread_id)
        return cls(name, scope.path, checkpointer_of(config) is not None)

    def turns(self, messages: Sequence[BaseMessage], before: BaseMessage | str | None) -> list[Turn]:
        """Messages in a row as turns, each with a name.

        Without a checkpointer the client sends the whole conversation, or what it still has of it, and LangGraph gives
        new ids to all of it in each run. There a message is known by its day, by what it says, and by the one before
        it, so that what is sent again is not taken again. One that stands alone may be said again, and another run's is
        taken again.

        Args:
            messages: The messages.
            before: What stands before them, or its name; None or "": nothing does.
        """
        before, named = digest(_words(before)) if isinstance(before, BaseMessage) else before, list[BaseMessage]()
        before = before or run_name()
        for each in messages:
            if not (self.keeps_ids and each.id):
                before = digest([self.thread_id, datetime.now(UTC).date().isoformat(), before, *_words(each)])
                each = each.model_copy(update={"id": before})  # noqa: PLW2901 - the same under another name
            named.append(each)
        return dated(named, datetime.now(UTC), here().get("checkpoint_id"))


def _words(message: BaseMessage) -> tuple[str, Any]:
    return message.type, message.content
