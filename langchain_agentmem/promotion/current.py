"""What of a conversation the run that is under way has said, and its user: nothing that another's run left there."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from langchain_core.messages import BaseMessage, MessageLikeRepresentation
from langchain_core.runnables.config import RunnableConfig

from langchain_agentmem.events.here import here
from langchain_agentmem.promotion.given import given, given_ids, goes_on, is_given, may_be_given
from langchain_agentmem.promotion.origin import Mine, Origins, checkpointer_of
from langchain_agentmem.promotion.taking import all_said, by_human, last_turn, last_words, with_ids
from langchain_agentmem.thread.messages import read_messages


def said(messages: Sequence[MessageLikeRepresentation], thread_id: str) -> list[BaseMessage]:
    """What was said in a conversation, each with an id, as it is kept in a thread."""
    return all_said(with_ids(read_messages(messages), thread_id), is_given)


async def aturn(
    said: Sequence[BaseMessage], mine: Mine, key: str = "messages", config: RunnableConfig | None = None
) -> list[BaseMessage]:
    """The current turn: what the run was given to say, and what follows it.

    Args:
        said: All that was said in the conversation, oldest first.
        mine: Tells the user's runs from others.
        key: The key of the state that holds the messages.
        config: The run's config. Default: that of the running code.
    """
    first = given_ids()
    start = next((i for i, each in enumerate(said) if each.id in first), None)
    if start is not None:
        return [*said[start:]]
    if checkpointer_of(config) is None:  # all that there is came with the run
        return last_turn(said)
    origins = await _aorigins(said, mine, key, config)
    return answered(said, origins.is_current)


async def awords(messages: Sequence[BaseMessage], mine: Mine, key: str = "messages") -> list[BaseMessage]:
    """What the user says in the run. An agent inside a graph may be told what a model wrote.

    Where the run, or the one that it goes on with, was given something, a model may have spoken since: whoever hands it
    on to another agent notes that.

    Args:
        messages: The conversation, which ends with it.
        mine: Tells the user's runs from others.
        key: The key of the state that holds the messages.
    """
    inside, number = bool(here().get("namespace")), given()
    words = last_words(messages, is_given, answered=bool(number) or goes_on())
    if inside and number:
        return [each for each in words if may_be_given(each)][-number:]
    latest = words[-number:] if number else words
    if checkpointer_of() is None or all(number and is_given(each) for each in latest):
        return latest
    origins = await _aorigins(words, mine, key)
    words = [each for each in words if origins.is_current(each)]
    return [each for each in words if origins.was_given(each) or is_given(each)] if inside and goes_on() else words


async def amissing(
    before: Sequence[BaseMessage],
    untaken: frozenset[str],
    mine: Mine,
    key: str,
    config: RunnableConfig | None = None,
) -> list[BaseMessage]:
    """What earlier runs of the user have said, and was not taken: they failed, or did not come that far.

    Args:
        before: What was said before the current turn, oldest first.
        untaken: Ids of those that were not taken.
        mine: Tells the user's runs from others.
        key: The key of the state that holds the messages.
        config: The run's config. Default: that of the running code.
    """
    first = next((i for i, each in enumerate(before) if each.id in untaken), None)
    if first is None:
        return []
    since = [*last_turn(before[: first + 1]), *before[first + 1 :]]  # with what the first of them answers
    ids = [each.id for each in since if each.id]
    origins = await Origins(ids, mine).alearn(key, config, {*ids} - untaken)
    return [each for each in answered(before, origins.is_mine) if each.id in untaken]


def answered(said: Sequence[BaseMessage], own: Callable[[BaseMessage], bool]) -> list[BaseMessage]:
    """A user's own messages, without what answers somebody else's.

    Args:
        said: What was said, oldest first.
        own: Whether the user's run has brought it.
    """
    asked, found = True, list[BaseMessage]()
    for each in said:
        is_own = own(each)
        if by_human(each):
            asked = is_own
        if is_own and asked:
            found.append(each)
    return found


async def _aorigins(said: Sequence[BaseMessage], mine: Mine, key: str, config: RunnableConfig | None = None) -> Origins:
    return await Origins([each.id for each in said if each.id], mine).alearn(key, config)
