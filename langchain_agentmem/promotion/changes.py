"""What a promotion changes, found before anything is changed, so that it can be kept, replayed and shown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, TypeAlias

from langchain_agentmem.errors import CorruptDataError
from langchain_agentmem.longterm import record
from langchain_agentmem.longterm.checks import is_to_come
from langchain_agentmem.longterm.heard import Heard
from langchain_agentmem.longterm.identity import normalise
from langchain_agentmem.longterm.likeness import identity
from langchain_agentmem.longterm.record import Memory, Scope, Source
from langchain_agentmem.promotion.batch import Usage

Action: TypeAlias = Literal["add", "reinforce", "update", "contradict", "retire"]

_BESIDE = ("id", "confidence", "pinned", "supersedes")  # what a memory says beside its value in the store
_TIMES = ("valid_from", "valid_to")


@dataclass(frozen=True, slots=True)
class Change:
    """One change to long-term memory.

    Attributes:
        action: `add` a memory; `reinforce` one that was said again; `update` one with a new version that says it
            better; `contradict` one: another is true from then on; `retire` one that is no longer so.
        strategy: The strategy that found it, such as `discrete@1`.
        source: Where in the conversation it is said.
        at: When it was said.
        memory: What is to be remembered; None for `retire`. With `reinforce`, what was said again, where that is known:
            it is remembered if the memory is gone by then.
        target: Id of the memory that is changed; None for `add`.
        fact: With `retire`, the name of the fact that ends. Without a target no memory stands for it, or it is not
            known yet.
        version: The version that this fact, or that of the target, has; 0: it is not known.
    """

    action: Action
    strategy: str
    source: Source
    at: datetime
    memory: Memory | None = None
    target: str | None = None
    fact: str | None = None
    version: int = 0

    @property
    def ends(self) -> bool:
        """Whether something is no longer so, and no value takes its place."""
        state = self.memory.state if self.memory else None
        return self.fact is not None or (self.target is not None and self.action != "reinforce" and state is None)

    def dump(self) -> dict[str, Any]:
        """As JSON values."""
        value: dict[str, Any] = {"action": self.action, "strategy": self.strategy, "target": self.target}
        value |= {"source": self.source.dump(), "at": self.at.isoformat()}
        if self.fact is not None:
            value["fact"] = self.fact
        if self.version:
            value["version"] = self.version
        if self.memory is not None:
            beside = {name: getattr(self.memory, name) for name in _BESIDE}
            times = {name: moment.isoformat() for name in _TIMES if (moment := getattr(self.memory, name))}
            value["memory"] = {"value": record.dump(self.memory), "beside": beside, "times": times}
        return value

    @classmethod
    def load(cls, value: Mapping[str, Any]) -> Change:
        """Undo `dump`."""
        memory = None
        if held := value.get("memory"):
            times = {name: datetime.fromisoformat(moment) for name, moment in held["times"].items()}
            said = record.load(held["value"])
            memory = Memory(**{name: getattr(said, name) for name in _SAID} | held["beside"] | times)
        source, at = Source.load(value["source"]), datetime.fromisoformat(value["at"])
        ended = value.get("fact"), value.get("version", 0)
        return cls(value["action"], value["strategy"], source, at, memory, value["target"], *ended)


_SAID = (
    *("text", "kind", "speaker", "topics", "entities", "importance", "event_time", "state", "value"),
    *("source", "data", "metadata"),
)


def so_far(change: Change) -> Change:
    """A change, or what becomes of one that gives a state still to come: a plan, which takes the place of nothing yet.

    A fact is what is so now, so a state to come would be refused, and with it all that was said beside it.
    """
    memory = change.memory
    if memory is None or not memory.state or not is_to_come(memory.valid_from):
        return change
    plan = replace(memory, state=None, value=None, supersedes=None, event_time=memory.valid_from, valid_from=change.at)
    if change.action == "reinforce":  # another memory is confirmed; this one stands in for it, should it be gone
        return replace(change, memory=plan)
    return replace(change, action="add", memory=plan, target=None)


def in_order(changes: Iterable[Change], turns: Mapping[str, int]) -> list[Change]:
    """Changes in the order in which they were said, however they were found.

    In one turn, what ends a fact comes first: a value that is said in the same breath takes the place of what ended.

    Args:
        changes: The changes.
        turns: The place of each turn in the conversation, by its id.
    """

    def place(change: Change) -> tuple[int, bool]:
        return max((turns.get(name, 0) for name in change.source.message_ids), default=0), not change.ends

    return sorted(changes, key=place)


def once(changes: Sequence[Change]) -> list[Change]:
    """Changes without those that would add the same twice: found in two ways is not said twice, and confirms nothing.

    One text may stand for several facts. Of two that stand for the same, the later is kept, in its place: what was said
    in between may have been another value. Where a text stands for a fact, or another strategy has found it, it is not
    added again as a mere text; but one strategy may find an event on several days.
    """
    kept: dict[Any, Change] = {}
    facts = {_said(each.memory) for each in changes if each.action == "add" and each.memory and each.memory.state}
    finders: dict[Any, str] = {}
    for number, change in enumerate(changes):
        added = change.memory if change.action == "add" else None
        if added is None:
            kept[number] = change
            continue
        name, said = (identity(added), added.state), _said(added)
        if added.state:
            kept.pop(name, None)
        elif said in facts or name in kept or finders.setdefault(said, change.strategy) != change.strategy:
            continue
        kept[name] = change
    return list(kept.values())


def _said(memory: Memory) -> tuple[str, str]:
    return memory.kind, normalise(memory.text)


@dataclass(frozen=True, slots=True)
class Plan:
    """The changes that a batch makes.

    Attributes:
        key: The promotion's identity, see `Batch.key`: each change is made once under it, however often it is tried.
        scope: Whose memories change.
        changes: What is changed, in order.
        refused: How many entries of the model's answer were refused, by reason.
        usage: What the model took.
        replay: Whether it is of a dead letter: its thread has gone on since, so it is late even there.
    """

    key: str
    scope: Scope
    changes: Sequence[Change] = ()
    refused: Mapping[str, int] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)
    replay: bool = False

    def heard(self, change: Change) -> Heard:
        """When a change was said, and where, if it comes in in the order in which it was said there."""
        return Heard(change.at, None if self.replay else change.source.thread_id)

    def dumps(self) -> bytes:
        """The plan as bytes, for the outbox."""
        value = asdict(self) | {"changes": [change.dump() for change in self.changes]}
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")

    @classmethod
    def loads(cls, data: bytes) -> Plan:
        """Undo `dumps`.

        Raises:
            CorruptDataError: It is no plan.
        """
        try:
            value = json.loads(data.decode("utf-8", "surrogatepass"))
            scope = Scope(**value["scope"] | {"namespace": tuple(value["scope"]["namespace"])})
            changes = tuple(map(Change.load, value["changes"]))
            more = Usage(**value["usage"]), value.get("replay", False)
            return cls(value["key"], scope, changes, value["refused"], *more)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise CorruptDataError("what is kept as a promotion's plan is none: another program wrote it") from error


@dataclass(frozen=True, slots=True)
class Promoted:
    """A change that was made.

    Attributes:
        id: The memory; empty where a fact ended that no memory stood for.
        action: What was to be done with it.
        outcome: What became of it: `added`, `reinforced`, `superseded`, `retired`, `kept` where what is there was said
            later, or `gone` where there was no such memory any more, or the fact had changed.
        text: What it says; empty where nothing was said anew.
        strategy: The strategy that found it.
    """

    id: str
    action: Action
    outcome: str
    text: str = ""
    strategy: str = ""
