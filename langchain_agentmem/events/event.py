"""`Event`: something that happened in an agent, as a typed record and as the JSON document that a stream holds."""

from __future__ import annotations

import itertools
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

import orjson

from langchain_agentmem.errors import CorruptDataError

Status: TypeAlias = Literal["ok", "error", "interrupted", "cancelled"]

# An event on its way to the wire: the fields of an Event by name, None left out, `time` in seconds since the epoch.
Document: TypeAlias = dict[str, Any]


class _Ids:
    """Ids that no other process makes: a random prefix, made anew in a forked child, and a count."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        self._prefix = os.urandom(8).hex()
        self._count = itertools.count()

    def __call__(self) -> str:
        return f"{self._prefix}-{next(self._count):x}"


now = time.time
new_id = _Ids()
if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=new_id.renew)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened.

    | kind | written by | when |
    |---|---|---|
    | `run.start`, `run.end`, `run.error`, `run.interrupt`, `run.resume` | tracer | a whole run of a graph or chain |
    | `node.start`, `node.end`, `node.error`, `node.interrupt` | tracer | one execution of a node |
    | `tool.start`, `tool.end`, `tool.error` | tracer | a tool call |
    | `model.start`, `model.end`, `model.error` | tracer | a model call |
    | `checkpoint` | saver | a checkpoint was stored |
    | `memory.remembered`, `.recalled`, `.corrected`, `.forgotten`, `.promoted` | memory tiers | it was done |
    | `memory.injected` | recall node, middleware | a model was shown memories and facts |
    | `memory.failed` | recall node, middleware | an agent's turn went on without memory |
    | `promotion` | worker | an attempt to promote some turns of a thread ended, well or not |

    Any other kind is the user's own.

    Attributes:
        kind: What happened, as `subject.verb`.
        time: When it happened, by the clock of the process that saw it.
        id: Made by the writer and the same in every stream that holds the event. A repeated append writes it once.
        cursor: Where the event stands in the stream it was read from; empty before that. Ordered within one stream.
        thread_id: The LangGraph thread. Without one the event is in the tenant's feed only.
        user: Who ran it, as far as the run said so where it happened: see `wire.whose.user_of`.
        namespace: The checkpoint namespace of the graph it happened in: `""` is the root graph, None is no graph.
        node: The node it happened in.
        name: The name of the run, tool or model.
        step: LangGraph's super-step.
        task_id: LangGraph's id of the node's execution; retries of one execution share it.
        attempt: 1, and one more for each retry.
        checkpoint_id: The checkpoint written (`checkpoint`), or the one that the step runs from, where that is known.
        run_id: The run's id, as LangChain's callbacks and LangSmith have it.
        parent_run_id: The nearest run around it that has events too. A sub-graph's own run has none: what happens in
            it names the node that is the sub-graph.
        trace_id: The outermost run around it: LangSmith's trace id.
        duration: Seconds from start to end; on end, error and interrupt.
        status: How it ended.
        error_type: The exception's class.
        error: The exception's message, cut and with secrets removed.
        input_tokens: Tokens that a model read.
        output_tokens: Tokens that a model wrote.
        data: What else this kind has: a checkpoint's `source`, `channels`, `size`, `parent_id`; a memory event's
            `memories` as `[id, score]` and `scope`, the namespace that they are of.
        payload: Inputs or outputs, if the tracer was asked for them: cut and with secrets removed.
    """

    kind: str
    time: datetime = field(default_factory=lambda: datetime.now(UTC))
    id: str = field(default_factory=new_id)
    cursor: str = ""
    thread_id: str | None = None
    user: str | None = None
    namespace: str | None = None
    node: str | None = None
    name: str | None = None
    step: int | None = None
    task_id: str | None = None
    attempt: int = 1
    checkpoint_id: str | None = None
    run_id: str | None = None
    parent_run_id: str | None = None
    trace_id: str | None = None
    duration: float | None = None
    status: Status | None = None
    error_type: str | None = None
    error: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    payload: Any = None

    def document(self) -> Document:
        """The event as the wire has it."""
        document = {name: value for name in _NAMES if (value := getattr(self, name)) is not None}
        document["time"] = self.time.timestamp()
        return document


@dataclass(frozen=True, slots=True)
class UsedMemory:
    """A memory that was recalled in a step of a graph.

    Attributes:
        id: The memory's id.
        score: How well it matched; None where the recall had no scores.
        node: The node that recalled it.
        time: When.
    """

    id: str
    score: float | None
    node: str | None
    time: datetime


_NAMES = [item.name for item in fields(Event) if item.name != "cursor"]
_KNOWN = frozenset(_NAMES)


def dumps(value: Any) -> bytes:
    """A plain value as JSON.

    Raises:
        TypeError: A value has no JSON form.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:  # half a surrogate pair, or an integer beyond 64 bits (read as a float): json writes them
        return json.dumps(value, default=str).encode()


def loads(raw: bytes) -> Any:
    """Undo `dumps`.

    Raises:
        ValueError: The bytes are not JSON.
    """
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return json.loads(raw)


def decode(cursor: bytes, entry: Mapping[bytes, bytes]) -> Event:
    """The event that a stream entry holds. Fields that a later version may add are left out.

    Raises:
        CorruptDataError: The entry is not an event.
    """
    try:
        document = loads(entry[b"event"])
        document["time"] = datetime.fromtimestamp(document["time"], UTC)
        return Event(cursor=cursor.decode(), **{name: document[name] for name in document.keys() & _KNOWN})
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise CorruptDataError(
            f"stream entry {cursor!r} is not an event of this package; was it written here?"
        ) from error
