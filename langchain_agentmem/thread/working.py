"""WorkingMemory: what a thread is about right now, in one hash that one command reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.messages import MessageLikeRepresentation
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.thread.codec import Codec
from langchain_agentmem.thread.data import Path, ancestors, dump_leaf, field_of, leaves
from langchain_agentmem.thread.lifetime import milliseconds
from langchain_agentmem.thread.messages import at_least_one, dump_messages, new_operation, read_messages
from langchain_agentmem.thread.session import Session
from langchain_agentmem.wire.bridge import sync_of
from langchain_agentmem.wire.changes import Changes
from langchain_agentmem.wire.closing import ClosingOwn
from langchain_agentmem.wire.connection import Command, Connection, Source
from langchain_agentmem.wire.keys import Keys, escape
from langchain_agentmem.wire.scripts import Script, ScriptCall

_WRITE = Script("session_write")
_NOTE = Script("session_note")
_INCREMENT = Script("session_increment")
_APPEND = Script("session_append")
_FOLD = Script("session_fold")
_REGISTER = Script("registry_note")

DEFAULT_WINDOW = 20  # turns; these two are those of Redis' own guide to agent memory
DEFAULT_TTL = 3600.0  # seconds


class _Unchanged:
    """The type of an argument that was not given, where None means to clear."""

    def __repr__(self) -> str:
        return "UNCHANGED"


UNCHANGED = _Unchanged()


class WorkingMemory(ClosingOwn):
    """The working memory of one thread: goal, scratchpad, summary, data and recent turns.

    Everything is in one hash: `load` is one HGETALL. Each write is one step of the server, which also moves the expiry
    on, in one round trip; none reads first, so writers at once lose nothing.

    Args:
        redis: A Redis URL, your own redis-py client (sync, async or cluster), or a `Connection` to share.
        thread_id: The thread.
        prefix: First segment of every key.
        tenant: Second segment of every key; tenants never see each other's sessions.
        user: The user it belongs to, for `Sessions.list(user=...)`. None leaves what is stored.
        window: How many recent turns are kept.
        ttl: Seconds after the last write at which the session expires; None = never.
        serde: Serializer of the turns, `JsonPlusSerializer` by default. The other fields are plain text and JSON.
        changes: Counts the changes of goal, scratchpad and summary.
        **options: For redis-py, where `redis` is a URL.

    Raises:
        ConfigurationError: `redis` is none of the above.
        InvalidInputError: `thread_id` is no text, `window` is below 1 or `ttl` is not positive.
    """

    def __init__(
        self,
        redis: Source,
        thread_id: str,
        *,
        prefix: str = "agentmem",
        tenant: str = "default",
        user: str | None = None,
        window: int = DEFAULT_WINDOW,
        ttl: float | None = DEFAULT_TTL,
        serde: SerializerProtocol | None = None,
        changes: Changes | None = None,
        **options: Any,
    ) -> None:
        if not isinstance(thread_id, str):
            raise InvalidInputError(f"thread_id is a {type(thread_id).__name__}; it must be text")
        self.thread_id = thread_id
        self.user = user
        self._owned = not isinstance(redis, Connection)
        self._redis, self._changes = Connection.of(redis, **options), changes or Changes()
        self._window = at_least_one("window", window)
        self._ttl = milliseconds(ttl)
        self._codec = Codec(serde or JsonPlusSerializer())
        keys = Keys(prefix, tenant)
        self._keys, self._key = keys, keys.session(thread_id)
        self._registries = [keys.sessions(), *([] if user is None else [keys.sessions(user)])]

    async def aload(self) -> Session:
        """Read the whole session. One HGETALL."""
        return self.read((await self._redis.send(self.command))[0])

    load = sync_of(aload)

    @property
    def command(self) -> Command:
        """What reads the session, for a pipeline of others; `read` takes the reply."""
        return ("HGETALL", self._key)

    def read(self, reply: Mapping[bytes, bytes]) -> Session:
        """The session in a reply to `command`."""
        return Session(self.thread_id, reply, self._codec)

    # --- text

    async def awrite(
        self,
        *,
        goal: str | _Unchanged | None = UNCHANGED,
        scratchpad: str | _Unchanged | None = UNCHANGED,
        summary: str | _Unchanged | None = UNCHANGED,
    ) -> None:
        """Set the given texts, all in one step; None clears one.

        Args:
            goal: What the thread is to achieve.
            scratchpad: Working notes.
            summary: What earlier turns said. `asummarize` also takes those turns out of the window.
        """
        texts = {"goal": goal, "scratchpad": scratchpad, "summary": summary}
        await self._step([part for name, text in texts.items() for part in _set_text(name, text)])
        self._changes.note((self.thread_id,))

    write = sync_of(awrite)

    async def anote(self, line: str) -> None:
        """Add a line to the scratchpad."""
        await self._once(_NOTE, _text("line", line))
        self._changes.note((self.thread_id,))

    note = sync_of(anote)

    # --- data

    async def aset(self, data: Mapping[str, Any]) -> None:
        """Set entries of the data. What an entry held before goes, all in one step.

        Args:
            data: JSON values by key.

        Raises:
            InvalidInputError: A value has no form in JSON, or a key is no text.
        """
        cleared = [part for key in data for part in _remove((key,))]
        await self._step([*cleared, *(part for path, value in leaves(data) for part in _set_leaf(path, value))])

    set = sync_of(aset)

    async def amerge(self, data: Mapping[str, Any]) -> None:
        """Merge into the data, deeply and in one step: dicts are merged key by key, anything else takes the old place.

        Args:
            data: JSON values by key. None is a value.

        Raises:
            InvalidInputError: A value has no form in JSON, or a key is no text.
        """
        await self._step([part for path, value in leaves(data) for part in _merge_leaf(path, value)])

    merge = sync_of(amerge)

    async def adelete(self, *path: str) -> None:
        """Delete an entry of the data and all below it: `adelete("usage", "tokens")`. A dict goes with its last."""
        await self._step(_remove(path))

    delete = sync_of(adelete)

    async def aincrement(self, *path: str, by: float = 1) -> int | float:
        """Add to a number in the data, where nothing counts as 0.

        Args:
            *path: Where it is: `aincrement("usage", "tokens", by=5)`.
            by: What to add. Two whole numbers make a whole one, of 64 bits.

        Returns:
            The sum.

        Raises:
            InvalidInputError: Something else than a number is there or above it, or the sum is too large.
        """
        added = dump_leaf(path, by)
        total = await self._once(_INCREMENT, field_of(path), added, *ancestors(path))
        if total is None:
            raise InvalidInputError(f"path: {'.'.join(path)} holds no number that {by} can be added to; set it first")
        return float(total) if b"." in total or b"e" in total else int(total)

    increment = sync_of(aincrement)

    # --- turns

    async def aappend(self, *turns: MessageLikeRepresentation) -> int:
        """Append turns, in the order of arrival; the oldest beyond the window go.

        Args:
            *turns: Messages, strings, (role, text) pairs or dicts.

        Returns:
            How many turns there ever were.

        Raises:
            InvalidInputError: One of them is no message.
        """
        messages = read_messages(turns)
        kept = messages[-self._window :]
        skipped = len(messages) - len(kept)
        return int(await self._once(_APPEND, self._window, skipped, *dump_messages(kept, self._codec)))

    append = sync_of(aappend)

    async def aneeds_summary(self, max_tokens: int) -> bool:
        """Whether the summary and the recent turns are more than `max_tokens`, approximately. Reads the session."""
        return (await self.aload()).needs_summary(max_tokens)

    needs_summary = sync_of(aneeds_summary)

    async def asummarize(self, summary: str, told: Session, *, keep: int = 0) -> int:
        """Put a summary in the place of the turns that it tells of; turns that came since `told` was loaded stay.

        So do all turns of a session that began anew since then, because the other one expired or was cleared.

        Args:
            summary: The new summary. It takes the place of the old one, so it must tell that too.
            told: The session that it was made from.
            keep: How many of that session's newest turns stay all the same.

        Returns:
            How many turns went.

        Raises:
            InvalidInputError: `keep` is below 0.
        """
        if keep < 0:
            raise InvalidInputError(f"keep is {keep}; it must not be below 0")
        upto = max(0, told.turn_count - keep)
        began = round(told.created_at.timestamp() * 1000) if told.created_at else ""
        gone = await self._send(_FOLD([self._key], [*self._signature(), _text("summary", summary), upto, began]))
        self._changes.note((self.thread_id,))
        return int(gone)

    summarize = sync_of(asummarize)

    async def aclear(self) -> None:
        """Forget the session."""
        gone = [("ZREM", registry, escape(self.thread_id)) for registry in self._registries]
        await self._redis.send(("UNLINK", self._key), *gone)
        self._changes.note((self.thread_id,))

    clear = sync_of(aclear)

    async def _step(self, steps: list[str | bytes]) -> None:
        if steps:
            await self._send(_WRITE([self._key], [*self._signature(), *steps]))

    async def _once(self, script: Script, *args: Any) -> Any:
        keys = [self._key, self._keys.done(self._key, new_operation())]
        return await self._send(script(keys, [*self._signature(), *args]))

    async def _send(self, write: ScriptCall) -> Any:
        # The registries lie in other slots of a cluster, so they are written beside the session, in the same pipeline.
        noted = [_REGISTER([registry], [escape(self.thread_id), self._ttl]) for registry in self._registries]
        return (await self._redis.send(write, *noted))[0]

    def _signature(self) -> list[Any]:
        """What every script is told: when the session expires, and whose it is."""
        return [self._ttl, _text("user", self.user or "")]


def _text(name: str, text: str) -> bytes:
    if not isinstance(text, str):
        raise InvalidInputError(f"{name} is a {type(text).__name__}; it must be text")
    return text.encode("utf-8", "surrogatepass")


def _set_text(name: str, text: str | _Unchanged | None) -> list[str | bytes]:
    if isinstance(text, _Unchanged):
        return []
    return ["-", name] if text is None else ["=", name, _text(name, text)]


def _remove(path: Path) -> list[str | bytes]:
    """The steps that take away a leaf, or all leaves of a dict."""
    return ["-", field_of(path), "/", field_of(path)]


def _set_leaf(path: Path, value: Any) -> list[str | bytes]:
    return ["=", field_of(path), dump_leaf(path, value)]


def _merge_leaf(path: Path, value: Any) -> list[str | bytes]:
    """The steps that put a leaf where perhaps a leaf above it, or leaves below it, stand in its way."""
    above = [part for name in ancestors(path) for part in ("-", name)]
    below = [] if value == {} else ["/", field_of(path)]  # to merge an empty dict into a dict changes nothing
    return [*above, *below, *_set_leaf(path, value)]
