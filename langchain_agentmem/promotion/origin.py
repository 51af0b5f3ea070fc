"""Whose run brought a message into its thread: what the thread's checkpoints tell.

A run that failed, or that waits for an answer, leaves in the thread what it was given, and whoever runs there next
finds it among the messages. Those that are new in a checkpoint its run has brought, and whose that was its metadata
say: LangGraph writes into it what `config["configurable"]` holds.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from langchain_core.messages import BaseMessage
from langchain_core.runnables.config import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple

from langchain_agentmem.errors import InvalidInputError, MissingScopeError
from langchain_agentmem.longterm.record import Scope
from langchain_agentmem.longterm.scopes import ScopeSource
from langchain_agentmem.promotion.taking import by_human, last_turn, with_ids
from langchain_agentmem.thread.held import messages_at
from langchain_agentmem.wire.bridge import either
from langchain_agentmem.wire.whose import running

Mine: TypeAlias = Callable[[Mapping[str, Any]], bool]
"""Whether a run was this user's, by the metadata of a checkpoint of its."""

_CHECKPOINTER, _MAP, _INPUT = "__pregel_checkpointer", "checkpoint_map", "__start__"  # as LangGraph names them
_TAKEN = 2  # version of the input's channel once the first run has taken it
_FAR = 256  # checkpoints that are read at most: of what is older nobody knows whose it is
_MUCH = 32_768  # messages in them, after which nothing more is caught up on: to read these takes half a second


def checkpointer_of(config: RunnableConfig | None = None) -> BaseCheckpointSaver[Any] | None:
    """What keeps the thread of a run, or of the running code; None: nothing does."""
    return _configurable(config).get(_CHECKPOINTER) or None


def of_scope(template: ScopeSource, scope: Scope | None) -> Mine:
    """Tells the runs of a scope from others.

    Args:
        template: What says whose a run is.
        scope: The scope; None: of runs that do not say it.
    """

    def mine(told: Mapping[str, Any]) -> bool:
        try:
            path = template.resolve({"configurable": {**told}}).path
        except MissingScopeError:
            return scope is None
        except InvalidInputError:  # what should be an id is none
            return False
        return scope is not None and path == scope.path

    return mine


class Origins:
    """Where some messages of a thread come from, as far as its checkpoints tell.

    Args:
        wanted: Ids of the messages.
        mine: Tells the user's runs from others.
    """

    def __init__(self, wanted: Collection[str], mine: Mine) -> None:
        self._wanted, self._mine = frozenset(wanted), mine
        self._seen, self._settled, self._not_mine = set[str](), set[str](), set[str]()
        self._given, self._before = set[str](), set[str]()
        self._blind = True  # no checkpoint holds messages
        self._begun_by_me = True

    def is_mine(self, message: BaseMessage) -> bool:
        """Whether it is known that a run of this user's has brought it, to be said in it."""
        return message.id in self._settled and message.id not in self._not_mine

    def is_current(self, message: BaseMessage) -> bool:
        """Whether it is this user's, and came since the run that is under way was given something.

        What no checkpoint holds yet is.
        """
        if message.id not in self._seen:
            return self._begun_by_me or not self._blind
        return message.id not in self._before and self.is_mine(message)

    def was_given(self, message: BaseMessage) -> bool:
        """Whether a run was given it, to be said in it, and no node wrote it."""
        return message.id in self._given

    async def alearn(self, key: str, config: RunnableConfig | None, taken: Collection[str] | None = None) -> Origins:
        """Read the checkpoints of the graph, and of those that it is a part of, from the outermost on.

        Args:
            key: The key of the state that holds the messages.
            config: The run's config. Default: that of the running code.
            taken: Ids of messages that were taken: back to the last one of the user's. None: only back to where the run
                that is under way was given something.
        """
        saver, configurable = checkpointer_of(config), _configurable(config)
        for ns, checkpoint_id in (configurable.get(_MAP) or {}).items():
            if saver is None:
                break
            place = {"thread_id": configurable.get("thread_id"), "checkpoint_ns": ns}
            wanted, begun, much = self._wanted - self._seen, False, 0
            async for step in _steps(saver, place, checkpoint_id, key):
                begun, much = self._learn(step, wanted, begun), much + len(step.messages)
                if taken is None:
                    enough = begun
                else:
                    enough = much > _MUCH or (self._mine(step.told) and not step.brought.isdisjoint(taken))
                if enough or (step.messages and not wanted & step.ids) or wanted <= self._settled:
                    break
        return self

    def _learn(self, step: _Step, wanted: frozenset[str], begun: bool) -> bool:
        """Learn from a step; whether the run that is under way began in it, or later."""
        self._blind = self._blind and not step.messages
        mine = self._mine(step.told)
        brought = step.brought
        self._seen |= wanted & step.ids
        self._settled |= wanted & brought
        if not mine:
            self._not_mine |= wanted & (brought | step.changed)
        if step.begins:
            said = [each for each in step.messages if each.id in brought]
            words = last_turn(said)
            self._not_mine |= wanted & (brought - {each.id for each in words})  # shown to the run as said before it
            self._given |= {each.id for each in words if each.id in wanted and by_human(each)}
            if not begun:
                self._before |= wanted & (step.ids - brought)
                self._begun_by_me = self._begun_by_me and mine
        return begun or step.begins


class _Step(NamedTuple):
    """What one checkpoint adds to the one before it.

    Attributes:
        told: Its metadata.
        messages: All of its messages.
        brought: Ids of those that are new.
        changed: Ids of those that say something else than before.
        begins: Whether a run was given something here.
    """

    told: Mapping[str, Any]
    messages: Sequence[BaseMessage]
    brought: frozenset[str]
    changed: frozenset[str]
    begins: bool

    @property
    def ids(self) -> frozenset[str]:
        return _ids(self.messages)

    @classmethod
    def of(cls, read: _Read, before: _Read | None) -> _Step:
        found, messages = read
        if before is None and not _is_first(found):  # nobody keeps what was before
            return cls(found.metadata, messages, frozenset(), frozenset(), begins=False)
        earlier = {each.id: each.content for each in before.messages} if before else {}
        new = _ids(each for each in messages if each.id not in earlier)
        changed = _ids(each for each in messages if each.id in earlier and earlier[each.id] != each.content)
        begins = before is None or _given_last(found) != _given_last(before.found)
        return cls(found.metadata, messages, new, changed, begins)


class _Read(NamedTuple):
    """A checkpoint, and what was said, as far as it holds that."""

    found: CheckpointTuple
    messages: Sequence[BaseMessage]

    @classmethod
    async def of(cls, saver: BaseCheckpointSaver[Any], found: CheckpointTuple, key: str) -> _Read:
        try:
            messages = await messages_at(saver, found, key)
        except InvalidInputError:  # a graph around this one may call something else so
            messages = []
        return cls(found, with_ids(messages, str(found.config["configurable"]["thread_id"])))

    @property
    def parent(self) -> str | None:
        return ((self.found.parent_config or {}).get("configurable") or {}).get("checkpoint_id")


async def _steps(
    saver: BaseCheckpointSaver[Any], place: Mapping[str, Any], checkpoint_id: str, key: str
) -> AsyncGenerator[_Step]:
    """The checkpoints behind a run, newest first. Its own may not be stored yet: then from the thread's head on."""

    async def read(**named: Any) -> _Read | None:
        where = RunnableConfig(configurable={**place, **named})
        found = await either(saver.get_tuple, saver.aget_tuple, where)
        return await _Read.of(saver, found, key) if found else None

    now = await read(checkpoint_id=checkpoint_id) or await read()
    for _ in range(_FAR):
        if now is None:
            return
        before = await read(checkpoint_id=now.parent) if now.parent else None
        yield _Step.of(now, before)
        now = before


def _ids(messages: Iterable[BaseMessage]) -> frozenset[str]:
    return frozenset(each.id for each in messages if each.id)


def _given_last(found: CheckpointTuple) -> Any:
    """What differs between two checkpoints if a run was given something between them, and did not just go on."""
    return found.checkpoint["channel_versions"].get(_INPUT)


def _is_first(found: CheckpointTuple) -> bool:
    """Whether a checkpoint without a parent is the first of its thread, and not what a saver keeps of many.

    The input of the first run is put into its channel, and taken out of it; with `durability="exit"` that run has one
    checkpoint in all.
    """
    if found.parent_config:
        return False
    version = _given_last(found)
    if version is None:
        return found.metadata.get("step", 0) <= 0
    number = str(version).partition(".")[0]
    return number.isdigit() and int(number) <= _TAKEN


def _configurable(config: RunnableConfig | None) -> Mapping[str, Any]:
    return running(config).get("configurable") or {}
