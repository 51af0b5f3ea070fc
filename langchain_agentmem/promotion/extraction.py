"""`ExtractionNode`: the node of a graph that hands what was said over to long-term memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import takewhile
from typing import Any, Literal, NamedTuple, TypeAlias, get_args
from uuid import uuid4

from langchain_core.messages import MessageLikeRepresentation
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.config import ensure_config
from langgraph.checkpoint.base import BaseCheckpointSaver

from langchain_agentmem.errors import ConfigurationError, InvalidInputError
from langchain_agentmem.events.here import here
from langchain_agentmem.longterm.record import Scope
from langchain_agentmem.longterm.scopes import DEFAULT_SCOPE, ScopeLike, scope_of_run, template_of
from langchain_agentmem.promotion.batch import Batch, Turn, digest
from langchain_agentmem.promotion.changes import Promoted
from langchain_agentmem.promotion.current import amissing, aturn, said
from langchain_agentmem.promotion.extractor import Extractor
from langchain_agentmem.promotion.given import is_given, listen
from langchain_agentmem.promotion.naming import Place
from langchain_agentmem.promotion.origin import of_scope
from langchain_agentmem.promotion.outbox import Outbox
from langchain_agentmem.promotion.promoting import Promoter, Promotion
from langchain_agentmem.promotion.taking import current_turn, dated, everything
from langchain_agentmem.thread.held import messages_at
from langchain_agentmem.thread.working import WorkingMemory
from langchain_agentmem.wire.bridge import either, run
from langchain_agentmem.wire.scripts import ScriptCall

__all__ = ["ExtractionNode", "Extractor", "Mode"]

Mode: TypeAlias = Literal["background", "inline"]
Messages: TypeAlias = Sequence[MessageLikeRepresentation]


class Talk(NamedTuple):
    """What is handed over.

    Attributes:
        messages: The conversation.
        thread_id: Its thread, where it is known.
        checkpoint_id: The checkpoint that holds it, where there is one.
        latest: When it was said at the latest, for messages that do not say it themselves; None: now.
        whole: Whether all of it is new, as far as the caller knows, or only its current turn.
    """

    messages: Messages
    thread_id: str | None
    checkpoint_id: str | None = None
    latest: datetime | None = None
    whole: bool = True


class ExtractionNode(Runnable[Any, Any]):
    """Hands the turns of a conversation to long-term memory: to the outbox, or through a model at once.

    As a node of a graph, `builder.add_node("remember", node)`, it reads the state's messages and changes nothing in the
    state. It can as well be called with a list of messages or with the id of a thread, and all of it in a batch.

    Where and whose the turns are it learns from the run: thread and checkpoint from its config, the scope through
    `scope` from its context or config. In a graph it hands over what the run was given and what follows, and catches up
    on what earlier runs of the same user have left in the thread; what others have left it never takes. A list of
    messages without a thread is known by the message it begins with.

    Args:
        outbox: Where turns wait for a worker. None: with `inline` only, and then what fails is not kept.
        extractor: Whose strategies find memories in them.
        scope: Whose memories: a template that each run fills in, or a scope for all.
        mode: `background` writes to the outbox, in one round trip however long the thread is. `inline` also promotes
            at once what the thread has waiting, before it returns; what fails then stays in the outbox, too.
        messages_key: The key of the state that holds the conversation.
        required: Whether a run that does not say whose memories it is about is an error. False: it is skipped.
        checkpointer: Where a thread given by its id is read.
        sessions: Opens the working memory of a thread given by its id that has no checkpoint: `memory.session`.

    Raises:
        ConfigurationError: There is no such mode, or it needs an outbox.
    """

    def __init__(
        self,
        outbox: Outbox | None,
        extractor: Extractor,
        *,
        scope: ScopeLike = DEFAULT_SCOPE,
        mode: Mode = "background",
        messages_key: str = "messages",
        required: bool = True,
        checkpointer: BaseCheckpointSaver[Any] | None = None,
        sessions: Callable[[str], WorkingMemory] | None = None,
    ) -> None:
        if mode not in get_args(Mode):
            raise ConfigurationError(f"mode: background or inline, not {mode!r}")
        if mode == "background" and outbox is None:
            raise ConfigurationError("outbox: background mode needs one; without: mode='inline'")
        self._outbox, self._extractor, self._mode = outbox, extractor, mode
        self._scope, self._required, self._messages_key = template_of(scope), required, messages_key
        self._checkpointer, self._sessions = checkpointer, sessions
        listen()

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """Hand over a conversation.

        Args:
            input: A graph's state (a dict or an object), a list of messages, or the id of a thread.
            config: The run's config.
            **kwargs: Ignored.

        Returns:
            `{}` for a state, so that nothing is added to it; else what was promoted, a list of `Promoted`, which is
            empty in background mode.

        Raises:
            MissingScopeError: The run does not say whose memories it is about.
            InvalidInputError: The input is none of these, or there is no such thread.
            ExtractionError: Inline: the model gave no usable answer. Its own errors are raised as they are.
        """
        config = config and ensure_config(config)  # without one, all below look up that of the running code
        is_state = not isinstance(input, str | list | tuple)
        scope = scope_of_run(self._scope, config, required=self._required)
        if scope is None:
            if is_state:
                await self._pass_by(self._messages(input), config)
            return {} if is_state else []
        if is_state and "namespace" in here(config):  # in a graph's run
            done = await self._hand_over_turn(self._messages(input), scope, config)
        else:
            talk = await self._thread(input) if isinstance(input, str) else self._given(input, is_state, config)
            done = await self._hand_over(talk, scope) if talk.messages else []
        return {} if is_state else done

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """Sync form of `ainvoke`."""
        return run(self.ainvoke(input, config, **kwargs))

    def taking(self, thread_id: str, turns: Sequence[Turn], scope: Scope) -> ScriptCall | None:
        """The command that hands these turns over and no others, in whatever round trip; None without an outbox.

        Args:
            thread_id: Their thread.
            turns: The turns, at least one.
            scope: Whose memories they become.
        """
        if self._outbox is None:
            return None
        return self._outbox.taking(thread_id, turns, scope, self._extractor.names)

    async def atake(self, thread_id: str, turns: Sequence[Turn], scope: Scope) -> list[Promoted]:
        """Hand these turns over and no others. One round trip.

        Args:
            thread_id: Their thread.
            turns: The turns.
            scope: Whose memories they become.

        Returns:
            What was promoted; nothing in background mode.
        """
        if self._outbox is None:
            return await self._promote(thread_id, turns, scope) if turns else []
        await self._outbox.atake(thread_id, turns, scope, self._extractor.names)
        return await self._promote_waiting(self._outbox, thread_id) if self._mode == "inline" else []

    def _given(self, input: Any, is_state: bool, config: RunnableConfig | None) -> Talk:
        place = here(config)
        messages = self._messages(input) if is_state else input
        return Talk(messages, place.get("thread_id"), place.get("checkpoint_id"), whole=not is_state)

    def _messages(self, state: Any) -> Messages:
        name = self._messages_key
        found = state.get(name) if isinstance(state, dict) else getattr(state, name, None)
        if not isinstance(found, list | tuple):
            raise InvalidInputError(f"messages_key: the state has no messages under {name!r}; name the key that has")
        return found

    async def _thread(self, thread_id: str) -> Talk:
        """A thread's messages, from its newest checkpoint or from its working memory."""
        if self._checkpointer is not None:
            of_thread = RunnableConfig(configurable={"thread_id": thread_id, "checkpoint_ns": ""})
            found = await either(self._checkpointer.get_tuple, self._checkpointer.aget_tuple, of_thread)
            if found is not None:
                checkpoint = found.checkpoint
                held = await messages_at(self._checkpointer, found, self._messages_key)
                messages = held or self._messages(checkpoint["channel_values"])
                return Talk(messages, thread_id, checkpoint["id"], datetime.fromisoformat(checkpoint["ts"]))
        if self._sessions is not None:
            session = await self._sessions(thread_id).aload()
            if session.exists:
                return Talk(session.turns, thread_id, latest=session.updated_at)
        raise InvalidInputError(
            f"input: there is no thread {thread_id!r} with messages; a thread is read from the checkpointer and the"
            " sessions that this node was given"
        )

    async def _pass_by(self, messages: Messages, config: RunnableConfig | None) -> None:
        """What nobody said is not said by whoever signs in next, in the same thread of a graph."""
        thread_id = here(config).get("thread_id")
        if self._outbox is None or not thread_id or not messages:
            return
        turn = await aturn(said(messages, thread_id), of_scope(self._scope, None), self._messages_key, config)
        await self._outbox.apass(thread_id, turn, self._extractor.names)

    async def _hand_over_turn(self, messages: Messages, scope: Scope, config: RunnableConfig | None) -> list[Promoted]:
        """What a run of a graph has said, and its user; and what earlier runs of the same user have left."""
        place, mine = Place.of(scope, config), of_scope(self._scope, scope)
        all_of_it = said(messages, place.thread_id)
        turn = await aturn(all_of_it, mine, self._messages_key, config)
        if not turn:
            return []
        before = [*takewhile(lambda each: each is not turn[0], all_of_it)]
        turns = place.turns(turn, before[-1] if before else None)
        if self._outbox is None or not place.keeps_ids:
            return await self.atake(place.thread_id, turns, scope)
        names, ids = self._extractor.names, [each.id or "" for each in before]
        if await self._outbox.aown(place.thread_id, turns, scope, names, ids[-1] if ids else "", 0) < 0:
            untaken = await self._outbox.auntaken(place.thread_id, ids, scope, names)
            missing = await amissing(before, untaken, mine, self._messages_key, config)
            turns = place.turns([*missing, *turn], None)
            await self._outbox.aown(place.thread_id, turns, scope, names, "", len(missing))
        return await self._promote_waiting(self._outbox, place.thread_id) if self._mode == "inline" else []

    async def _hand_over(self, talk: Talk, scope: Scope) -> list[Promoted]:
        thread_id = talk.thread_id or _name_of(talk.messages, scope)
        if self._outbox is None:
            read = everything if talk.whole else current_turn
            offer = read(talk.messages, thread_id, is_given)
            turns = dated(offer.messages, talk.latest or datetime.now(UTC), talk.checkpoint_id)
            return await self._promote(thread_id, turns, scope)
        await self._outbox.aadd(
            thread_id,
            talk.messages,
            scope,
            self._extractor.names,
            checkpoint_id=talk.checkpoint_id,
            latest=talk.latest,
        )
        return await self._promote_waiting(self._outbox, thread_id) if self._mode == "inline" else []

    async def _promote(self, thread_id: str, turns: Sequence[Turn], scope: Scope) -> list[Promoted]:
        plan = await self._extractor.aplan(Batch(thread_id, scope, turns, self._extractor.names))
        return await self._extractor.aapply(plan)

    async def _promote_waiting(self, outbox: Outbox, thread_id: str) -> list[Promoted]:
        """Do a worker's work until nothing of the thread waits, or another worker is at it."""
        jobs, worker = outbox.jobs, f"inline-{uuid4().hex}"
        promoter, done = Promoter(jobs, self._extractor), list[Promoted]()
        while (job := await jobs.ajob(thread_id)) and (lease := await jobs.alease(job, worker)):
            done += _changes(await promoter.apromote(lease))
        return done


def _changes(promotion: Promotion) -> list[Promoted]:
    if promotion.error is not None:
        raise promotion.error
    return [change for change in promotion.changes if isinstance(change, Promoted)]


def _name_of(messages: Messages, scope: Scope) -> str:
    """A name for a conversation without a thread: the same for the same beginning, in one scope."""
    first = everything(messages[:1], "")
    start = [first.messages[0].id, *(message.text for message in first.messages)] if first.messages else []
    return f"messages-{digest([scope.path, start])}"
