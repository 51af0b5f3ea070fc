"""The real memory bank as a `Recaller` of `benchmarks.recall`, and the store's plain vector search beside it.

An application may hand its turns over in several forms, so each is measured: all that the bank has fields for; the
message ids of a thread; or nothing but "Anna: I moved".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from langchain_core.embeddings import Embeddings

from benchmarks.dialogues import Question, Turn
from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.record import Memory, Scope, Source
from langchain_agentmem.longterm.store import AgentMemoryStore
from langchain_agentmem.wire.connection import Connection

Form = Callable[[Turn], str | Memory]


def complete(turn: Turn) -> Memory:
    """A turn with its place in the conversation."""
    source = Source(thread_id=turn.session, session=turn.session, sequence=turn.sequence)
    return Memory(text=turn.text, kind="episodic", speaker=turn.speaker, event_time=turn.when, source=source)


def with_state(turn: Turn) -> Memory:
    """The same, and which fact it tells, where it tells one that changes."""
    memory = complete(turn)
    return Memory(**{name: getattr(memory, name) for name in _GIVEN}, state=turn.state)


_GIVEN = ("text", "kind", "speaker", "event_time", "source")


def messages(turn: Turn) -> Memory:
    """A turn that names its thread and message; its order is that of remembering."""
    source = Source(thread_id=turn.session, message_ids=(turn.id,))
    return Memory(text=turn.text, kind="episodic", speaker=turn.speaker, event_time=turn.when, source=source)


def dated(turn: Turn) -> Memory:
    """The speaker before the text, and when it was said."""
    return Memory(text=plain(turn), kind="episodic", event_time=turn.when)


def plain(turn: Turn) -> str:
    """The speaker before the text, and nothing else."""
    return f"{turn.speaker}: {turn.text}"


FORMS: tuple[Form, ...] = (complete, with_state, messages, dated, plain)


class _Served:
    """A store of its own for each recaller, on one server."""

    def __init__(self, encoder: Embeddings, connection: Connection, tenant: str) -> None:
        dims = len(encoder.embed_query("dimensions"))
        self.store = AgentMemoryStore(connection, index={"dims": dims, "embed": encoder}, tenant=tenant)


class Bank(_Served):
    """`MemoryBank` with its defaults.

    Attributes:
        merged: Ids of the turns that the bank took for one that it had.
    """

    def __init__(self, encoder: Embeddings, connection: Connection, form: Form = complete) -> None:
        super().__init__(encoder, connection, form.__name__)
        self.bank = MemoryBank(self.store)
        self.form = form
        self.merged: set[str] = set()
        self._turns: dict[tuple[str, str], str] = {}

    def index(self, memories: Sequence[Turn]) -> None:
        """Remembers the turns of each user in order; a memory stands for the turn that it was added or changed by."""
        own: dict[str, list[Turn]] = defaultdict(list)
        for turn in memories:
            own[turn.user].append(turn)
        for user, turns in own.items():
            done = self.bank.remember([self.form(turn) for turn in turns], Scope(user))
            for turn, what in zip(turns, done, strict=True):
                if what.outcome == "reinforced":
                    self.merged.add(turn.id)
                else:
                    self._turns[user, what.id] = turn.id

    def recall(self, question: Question, k: int) -> Sequence[str]:
        """What the bank recalls."""
        found = self.bank.recall(question.text, Scope(question.user), limit=k)
        return [self._turns[question.user, each.memory.id] for each in found]


class StoreSearch(_Served):
    """`AgentMemoryStore.search`, which looks at vectors alone."""

    def __init__(self, encoder: Embeddings, connection: Connection) -> None:
        super().__init__(encoder, connection, "search")

    def index(self, memories: Sequence[Turn]) -> None:
        """Puts every turn."""
        for turn in memories:
            self.store.put((turn.user,), turn.id, {"text": plain(turn)}, index=["text"])

    def recall(self, question: Question, k: int) -> Sequence[str]:
        """The nearest."""
        return [item.key for item in self.store.search((question.user,), query=question.text, limit=k)]
