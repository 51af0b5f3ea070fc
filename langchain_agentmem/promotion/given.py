"""What a run was given. Of a conversation's last messages only these are sure to be the user's who runs it.

A node sees one list of messages, in which those that a run was given stand behind those of its thread. A run that
failed leaves what it was given, with no answer behind it, so the list alone does not tell where the next one's begin.
And an agent inside a graph may be told what a model wrote. LangChain tells callbacks what a run is given when it
starts; from the first `listen()` on that is noted by the run's id, and known to all runs below it. Not in a context:
who steps through a stream may do each step in another one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from threading import Lock
from typing import Any, Final
from uuid import UUID, uuid4

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import BaseMessage
from langchain_core.tracers.context import register_configure_hook
from langgraph.types import Command

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.promotion.taking import last_words
from langchain_agentmem.wire.whose import running

_MOST = 4_096  # runs that go on in one process


@dataclass(frozen=True, slots=True)
class _Given:
    """What a run was given.

    Attributes:
        number: How many messages of a user's, in a row and last.
        texts: What these say.
        goes_on: Whether it goes on with what an earlier run was given.
        ids: Their ids, once the graph has given them some, also where they are told on to a graph inside. Whatever
            becomes of the text, as where it is redacted.
        first: Their ids in the graph that was given them.
        run: A name of the run.
    """

    number: int
    texts: frozenset[str] = frozenset()
    goes_on: bool = False
    ids: set[str] = field(default_factory=set)
    first: set[str] = field(default_factory=set)
    run: str = field(default_factory=lambda: uuid4().hex)

    def meet(self, messages: Sequence[BaseMessage]) -> None:
        """Learn the ids of those that are among these."""
        latest = [each.id for each in messages[-self.number :] if each.id and each.text in self.texts]
        if not self.first and len(latest) == self.number:
            self.first.update(latest)
        self.ids.update(each.id for each in messages if each.id and each.text in self.texts)

    def has(self, message: BaseMessage) -> bool:
        """Whether this is one of them."""
        return message.id in self.ids or message.text in self.texts


class _Runs:
    """What the runs that go on were given, each run below one too."""

    def __init__(self) -> None:
        self._noted: OrderedDict[UUID, _Given | None] = OrderedDict()
        self._lock = Lock()

    def get(self, run_id: UUID | None) -> _Given | None:
        """What a run was given, as far as that is known."""
        return self._noted.get(run_id) if run_id is not None else None

    def put(self, run_id: UUID, given: _Given | None) -> None:
        """Note it."""
        with self._lock:
            self._noted[run_id] = given
            while len(self._noted) > _MOST:  # streams that nobody reads to their end
                self._noted.popitem(last=False)

    def end(self, run_id: UUID) -> None:
        """Forget it."""
        with self._lock:
            self._noted.pop(run_id, None)


_RUNS: Final = _Runs()


class _Listener(BaseCallbackHandler):
    """Hears of the start and the end of runs only."""

    run_inline = True  # or what a run is given would be noted after its first step

    ignore_llm = ignore_chat_model = ignore_agent = ignore_retriever = ignore_retry = ignore_custom_event = True

    def on_chain_start(
        self,
        serialized: dict[str, Any],
        inputs: Any,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Note what a run is given; of one inside a graph, what the graph was. What that tells its own is not given."""
        inside = "langgraph_node" in (metadata or {})
        noted = _RUNS.get(parent_run_id) if inside else _read(inputs)
        _RUNS.put(run_id, noted)
        if inside and noted is not None and noted.texts:
            noted.meet(_words_in(inputs) or [])

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """Forget it."""
        _RUNS.end(run_id)

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """Forget it."""
        _RUNS.end(run_id)


_LISTENER: Final = _Listener()
_HOOK: ContextVar[BaseCallbackHandler | None] = ContextVar("agentmem_listener", default=_LISTENER)


@cache
def listen() -> None:
    """Hear of the runs of this process from now on."""
    register_configure_hook(_HOOK, inheritable=True)


def given() -> int | None:
    """How many messages in a row, the last ones, a user gave to the run; None: nobody knows, or not to this run only.

    A graph whose own input is none of messages may have been given anything, and one that goes on with what its thread
    holds, after a pause or a failure, was given it before.
    """
    noted = _noted()
    return None if noted is None or noted.goes_on else noted.number


def given_ids() -> frozenset[str]:
    """Ids of the messages that a user gave to the run, as the graph has them, as far as that is known."""
    noted = _noted()
    return frozenset() if noted is None or noted.goes_on else frozenset(noted.first)


def run_name() -> str:
    """A name of the run, the same in all its steps and in the graphs inside; a new one where nobody knows of it."""
    noted = _noted()
    return uuid4().hex if noted is None else noted.run


def goes_on() -> bool:
    """Whether the run goes on with what an earlier run was given."""
    noted = _noted()
    return noted is not None and noted.goes_on


def may_be_given(message: BaseMessage) -> bool:
    """Whether a user gave this message to the run, or nobody knows what was given."""
    noted = _noted()
    return noted is None or not noted.number or noted.has(message)


def is_given(message: BaseMessage) -> bool:
    """Whether it is known that a user gave this message to the run."""
    noted = _noted()
    return noted is not None and noted.has(message)


def _noted() -> _Given | None:
    callbacks = running().get("callbacks")
    return _RUNS.get(getattr(callbacks, "parent_run_id", None))


def _read(inputs: Any) -> _Given | None:
    goes_on = inputs is None or isinstance(inputs, Command)
    words = _words_in(inputs.update if isinstance(inputs, Command) else inputs)
    if words is None and not goes_on:
        return None
    return _Given(len(words or ()), frozenset(each.text for each in words or ()), goes_on)


def _words_in(inputs: Any) -> list[BaseMessage] | None:
    """What a user says in the input of a run; None: it is none of messages."""
    if isinstance(inputs, list):
        messages: Any = inputs if any(isinstance(each, BaseMessage) for each in inputs) else None
    else:  # a state may be an object, whose properties are not for us to run
        messages = (inputs if isinstance(inputs, Mapping) else getattr(inputs, "__dict__", {})).get("messages")
    if messages is None:
        return None  # a graph with a state of its own
    try:
        return last_words(messages if isinstance(messages, list) else [messages], lambda _: True)
    except InvalidInputError:
        return None  # which the graph will refuse, or read in its own way
