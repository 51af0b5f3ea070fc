"""Strategies that read a conversation without a model: word for word, and by rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from langchain_agentmem.longterm.record import Memory
from langchain_agentmem.promotion.changes import Change
from langchain_agentmem.promotion.conversation import Conversation, Line
from langchain_agentmem.promotion.grounding import grounded, named_day
from langchain_agentmem.promotion.guard import quoted
from langchain_agentmem.promotion.known import CLAIM, Known, turn_id
from langchain_agentmem.promotion.rules import Found, read_text

CLAIM_CONFIDENCE = 0.2
"""What a claim of someone who tells the assistant what to do is believed at most."""

_RULE_CONFIDENCE = 0.7


def claim(memory: Memory, said: datetime) -> Memory:
    """A memory as a claim: quoted, hardly believed, and standing for no fact."""
    return replace(
        memory,
        text=quoted(memory.text, said),
        kind="episodic",
        confidence=min(memory.confidence, CLAIM_CONFIDENCE),
        importance=min(memory.importance, CLAIM_CONFIDENCE),
        state=None,
        value=None,
        supersedes=None,
        data={},
        metadata={**memory.metadata, CLAIM: True},
    )


def read_verbatim(talk: Conversation, known: Known) -> Iterator[Change]:
    """Each turn of a user as an episodic memory of its own, with its place in the conversation."""
    for number, line in enumerate(talk.told, known.sequence + 1):
        source, name = talk.source([line], sequence=number), "verbatim@1"
        memory = Memory(
            text=line.text,
            kind="episodic",
            id=turn_id(talk.thread_id, line.turn.id),
            speaker=line.speaker,
            event_time=line.turn.time,
            source=source,
            metadata={"strategy": name},
        )
        yield Change("add", name, source, talk.time([line]), claim(memory, line.turn.time) if line.tainted else memory)


def read_by_rules(talk: Conversation, known: Known) -> list[Change]:
    """What rules find: facts take the place of what they were, plans are memories."""
    standing = {name: fact.memory_id for name, fact in known.facts.items()}
    changes: list[Change] = []
    for line in talk.told:
        for found in read_text(line.text) if not line.tainted else ():
            if found.state and found.value is None:  # what was said of it just before is taken back as well
                changes = [each for each in changes if each.memory is None or each.memory.state != found.state]
            if change := _change(found, line, talk, standing):
                changes.append(change)
    return changes


def _change(found: Found, line: Line, talk: Conversation, standing: dict[str, str | None]) -> Change | None:
    source, at, name = talk.source([line]), talk.time([line]), "rules@1"
    if found.state and found.value is None:
        target = standing.get(found.state)
        return Change("retire", name, source, at, target=target) if target else None
    memory = Memory(
        text=grounded(found.text, at),
        kind="semantic" if found.state else "episodic",
        confidence=_RULE_CONFIDENCE,
        event_time=at if found.state else named_day(found.text, at) or at,
        valid_from=at,
        state=found.state,
        value=found.value,
        source=source,
        metadata={"strategy": name},
    )
    return Change("add", name, source, at, memory)
