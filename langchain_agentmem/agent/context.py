"""What goes in front of the model: state first, recalled memories second, recent events third, within a token budget.

One assembly for the recall node, the middleware and whoever else hands memory to a model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.messages import BaseMessage
from langchain_core.runnables.config import RunnableConfig

from langchain_agentmem.agent.draft import Context, Draft
from langchain_agentmem.agent.rendering import Budget, CountTokens
from langchain_agentmem.agent.state import StateQuery, StateReader
from langchain_agentmem.agent.tolerance import OnError, Tolerance
from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.events.log import EventLog
from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.cost import count_tokens
from langchain_agentmem.longterm.recalling import Recalled
from langchain_agentmem.longterm.record import Scope
from langchain_agentmem.longterm.text import ends
from langchain_agentmem.promotion.guard import is_small_talk
from langchain_agentmem.promotion.taking import by_human, is_said
from langchain_agentmem.thread.sessions import Sessions
from langchain_agentmem.wire.bridge import sync_of
from langchain_agentmem.wire.connection import Command
from langchain_agentmem.wire.whose import running

DEFAULT_BUDGET = 800  # tokens


class Along:
    """Commands that travel with what an assembly asks, such as may be sent twice.

    Args:
        what: What they do, for the warning where they fail.
        commands: The commands.
        done: Called when they were sent.
    """

    def __init__(self, what: str, commands: Sequence[Command], done: Callable[[], object]) -> None:
        self.what, self.commands, self.sent = what, commands, False
        self._done = done

    def heard(self, replies: Sequence[Any] = ()) -> None:
        """The server has answered them."""
        if not self.sent:
            self.sent = True
            self._done()


class ContextAssembler:
    """Puts together what memory has to say to a model, for one question of one user.

    One round trip, or as many as the recall takes (among hundreds of memories): all state, which is facts, the thread's
    session and its events, comes along with the first. It is heard before any memory is ranked, because one that only
    restates a fact is not shown. Only where the recall fails is the state read in a round trip of its own. No model is
    called.

    What does not fit is left out, in this order: events, the oldest first; state beyond half of the budget (the end of
    the summary, old notes, facts that share no word with the question and have long been so); memories, the least
    relevant first. So state has half of the budget for itself, and memories have the other half.

    A memory is left out as well if it only restates a fact that is shown, if the last messages say it, or if one above
    it says the same. What is left out does not count as recalled, neither for its activation nor in
    `EventLog.memories_used`.

    Args:
        bank: Memories and facts.
        sessions: Working memories, for goal, scratchpad and summary; None: not shown.
        log: Events to show, and where is noted what was shown; None: neither.
        budget: Tokens that the block may take.
        count_tokens: Counts the tokens of a text. Default: about one for four characters, more outside of ASCII.
        limit: How many memories at most.
        kinds: Only memories of these kinds.
        pool: How many candidates each way of looking contributes to the recall, see `MemoryBank.recall`. A turn waits
            for it, so it is less than there: 60 instead of 100 take three quarters of the time and cost 1.5 points of
            recall@10.
        events: How many recent events of the thread at most; 0 is none. What
            only says that the graph ran, or what the conversation shows, is passed by.
        on_error: What a server or an embedder that fails does to the turn: `warn` lets it go on without memory, with a
            warning in the log and an event `memory.failed`; `raise` ends it.

    Raises:
        InvalidInputError: `budget` has no room for anything, `limit` or `events` is negative, or `pool` under 1.
    """

    def __init__(
        self,
        bank: MemoryBank,
        sessions: Sessions | None = None,
        log: EventLog | None = None,
        *,
        budget: int = DEFAULT_BUDGET,
        count_tokens: CountTokens = count_tokens,
        limit: int = 10,
        kinds: Sequence[str] = (),
        pool: int = 60,
        events: int = 5,
        on_error: OnError = "warn",
    ) -> None:
        if Budget(budget, count_tokens).left <= 0:
            raise InvalidInputError(f"budget: {budget} tokens have no room for a memory; give it 100 or more")
        if limit < 0 or events < 0 or pool < 1:
            raise InvalidInputError(f"limit, events, pool: 0, 0 and 1 or more, not {limit}, {events} and {pool}")
        self._bank, self._sessions, self._log = bank, sessions, log
        self._states = StateReader(bank, sessions, log, events)
        self._budget, self._count = budget, count_tokens
        self._wish: dict[str, Any] = {"limit": limit, "kinds": tuple(kinds), "pool": pool}
        self.tolerance = Tolerance(on_error, log)

    async def aassemble(
        self,
        query: str,
        scope: Scope,
        *,
        thread_id: str | None = None,
        messages: Sequence[BaseMessage] = (),
        along: Along | None = None,
    ) -> Context:
        """What memory has to say to a question.

        Args:
            query: What to recall for; where it says nothing, as thanks do, only state and events are shown.
            scope: Whose memories.
            thread_id: The thread whose session and events are shown.
            messages: The conversation that the model will see: what it says is not said twice.
            along: What else to send. It costs a round trip of its own only where the recall failed, and none where the
                server is away.

        Raises:
            Exception: What the server or the embedder raised, with `on_error="raise"`.
        """
        asked, searching = self._states.ask(scope, thread_id), bool(self._wish["limit"]) and _asks(query)
        draft = Draft(Budget(self._budget, self._count), query, messages, halve=searching)
        found, failure = await self._recall(query, asked, draft, along) if searching else ((), None)
        if draft.state is None:
            await self._read(asked, draft, thread_id, None if searching else along)
        if draft.state is None:
            return Context()
        if along is not None and not along.sent:
            await self.tolerance.attempt(along.what, self._ask(along.commands, along.heard), thread_id)
        if failure is not None:
            self.tolerance.bear("recalling", failure, thread_id)
        draft.fill()
        context = draft.finish(found, self._count)
        self.note(context, scope, thread_id)
        return context

    assemble = sync_of(aassemble)

    def changes(self, scope: Scope, thread_id: str | None) -> int:
        """A number that changes when this process writes what a context may show: memories, facts, a session's texts.

        Whoever writes it, be it a tool, a sub-agent or a worker. What other processes write is seen in the next turn.
        """
        of_thread = self._sessions.changes.count((thread_id,)) if self._sessions and thread_id is not None else 0
        return self._bank.store.changes.count(scope.path) + of_thread

    def note(self, context: Context, scope: Scope, thread_id: str | None) -> None:
        """Note in the event log that a context is in front of a model: `memory.injected`. Waits for nothing."""
        if self._log is not None and context.text:
            shown = {each.memory.id: each.score for each in context.memories}
            facts = {name: fact.version for name, fact in context.facts.items()}
            more = {"facts": facts, "tokens": context.tokens}
            self._log.soon(self._log.memory("injected", shown, thread_id=thread_id, scope=scope.path, more=more))

    async def _recall(
        self, query: str, asked: StateQuery, draft: Draft, along: Along | None
    ) -> tuple[Sequence[Recalled], Exception | None]:
        """The memories for a question, or what went wrong. The draft begins with the state that comes along."""
        commands, heard = _together(asked, draft, along)
        bank = self._bank.carrying(commands, heard)
        try:
            return await bank.arecall(query, asked.scope, **self._wish, accept=draft.takes_memory), None
        except Exception as error:  # noqa: BLE001 - borne or raised, once the state is there
            return (), error

    async def _read(self, asked: StateQuery, draft: Draft, thread_id: str | None, along: Along | None) -> None:
        """Begin the draft with the state alone."""
        commands, heard = _together(asked, draft, along)
        await self.tolerance.attempt("reading its state", self._ask(commands, heard), thread_id)

    async def _ask(self, commands: Sequence[Command], heard: Callable[[Sequence[Any]], object]) -> None:
        heard(await self._bank.store.connection.send(*commands))


def _together(
    asked: StateQuery, draft: Draft, along: Along | None
) -> tuple[Sequence[Command], Callable[[Sequence[Any]], None]]:
    """What is sent in one round trip, and what hears the replies."""
    number = len(asked.commands)

    def heard(replies: Sequence[Any]) -> None:
        if along is not None:
            along.heard()
        draft.begin(asked.read(replies[:number]))

    return [*asked.commands, *(along.commands if along else ())], heard


def _asks(query: str) -> bool:
    """Whether there is something to recall for. Any memory resembles a "thanks a lot!" as much as any other."""
    return "?" in query or not is_small_talk(query)


def question_of(messages: Sequence[BaseMessage]) -> str:
    """What the user said last: the texts of the last messages with none of a model between them.

    A question and its image may be two messages, a tool's result is no answer to it, and what a middleware sums up in a
    user's place is none. Of a long text it is the beginning and the end.
    """
    said: list[str] = []
    for message in filter(is_said, reversed(messages)):
        if by_human(message):
            said.append(message.text)
        elif said:
            break
    return ends("\n".join(each for each in reversed(said) if each.strip()), "\n")


def thread_of(config: RunnableConfig | None = None) -> str | None:
    """The thread of a run. Default: of the running code's."""
    thread_id = (running(config).get("configurable") or {}).get("thread_id")
    return None if thread_id is None else str(thread_id)
