"""What becomes of an agent's turn when its memory fails: by default it goes on, and says loudly what it lacks."""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from typing import Literal, TypeAlias, TypeVar

from langchain_agentmem.errors import ConfigurationError, InvalidInputError, UnsupportedServerError
from langchain_agentmem.events.event import now
from langchain_agentmem.events.here import here, traced_run
from langchain_agentmem.events.log import EventLog
from langchain_agentmem.events.redact import redact_secrets

T = TypeVar("T")
OnError: TypeAlias = Literal["warn", "raise"]

_log = logging.getLogger(__name__)


class Tolerance:
    """Says whether a failure of memory ends the agent's turn.

    An agent without its memory answers less well; an agent that a lost connection stops answers nothing. So a server or
    an embedder that fails costs the turn what memory would have given, with a warning in the log (`logging`) and an
    event `memory.failed` for whoever watches. How memory is set up or called wrongly is always raised.

    Args:
        on_error: `warn` to go on, or `raise`.
        log: Where the event goes, if anywhere.
    """

    def __init__(self, on_error: OnError = "warn", log: EventLog | None = None) -> None:
        if on_error not in ("warn", "raise"):
            raise InvalidInputError(f'on_error: "warn" or "raise", not {on_error!r}')
        self._raises, self._log = on_error == "raise", log

    async def attempt(self, what: str, step: Awaitable[T], thread_id: str | None) -> T | None:
        """Await a step, and bear with its failure.

        Args:
            what: What the step does, for the warning.
            step: The step.
            thread_id: The thread that the event belongs to.

        Returns:
            What the step returns; None when it failed.
        """
        try:
            return await step
        except Exception as error:  # noqa: BLE001 - whatever an embedder of the user's raises
            self.bear(what, error, thread_id)
            return None

    def bear(self, what: str, error: Exception, thread_id: str | None) -> None:
        """Go on without what failed, and say so.

        Raises:
            Exception: The error, where it is to end the turn.
        """
        mistaken = isinstance(error, ConfigurationError | InvalidInputError)
        if self._raises or (mistaken and not isinstance(error, UnsupportedServerError)):
            raise error
        said = redact_secrets(str(error))
        _log.warning("the agent goes on without memory: %s failed (%s: %s)", what, type(error).__name__, said)
        self._note(what, error, thread_id)

    def _note(self, what: str, error: Exception, thread_id: str | None) -> None:
        if self._log is not None:
            place = here() | ({} if thread_id is None else {"thread_id": thread_id})
            failed = {"status": "error", "error_type": type(error).__name__, "error": str(error)}
            data = {"what": what, "checkpoints": place.pop("checkpoints", [])}
            document = {"kind": "memory.failed", "time": now(), **place, **traced_run(), **failed, "data": data}
            self._log.soon(self._log.commands([document]))
