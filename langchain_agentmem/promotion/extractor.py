"""`Extractor`: from a batch of turns to a plan of changes, and from the plan to memories."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import groupby

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from langsmith.run_helpers import trace
from langsmith.utils import tracing_is_enabled
from pydantic import BaseModel

from langchain_agentmem.errors import ConfigurationError, InvalidInputError, VersionConflictError
from langchain_agentmem.events.redact import redact_secrets
from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.heard import Heard
from langchain_agentmem.longterm.record import Scope
from langchain_agentmem.longterm.remembering import Remembered
from langchain_agentmem.promotion import prompts
from langchain_agentmem.promotion.asking import Asker, ChatModel
from langchain_agentmem.promotion.batch import Batch, Usage
from langchain_agentmem.promotion.budget import Budget
from langchain_agentmem.promotion.changes import Change, Plan, Promoted, in_order, once, so_far
from langchain_agentmem.promotion.conversation import Conversation
from langchain_agentmem.promotion.drafting import Draft
from langchain_agentmem.promotion.known import Known, count_turns, look_up
from langchain_agentmem.promotion.schemas import joint
from langchain_agentmem.promotion.strategies import BUILT_IN, RULES, VERBATIM, Strategy, strategies_of
from langchain_agentmem.wire.bridge import sync_of


class Extractor:
    """Turns what was said into changes of long-term memory.

    Planning and applying are two steps, so that a plan can be kept in between: whoever applies it again, after a crash
    or beside another, changes nothing.

    Args:
        bank: The memories.
        model: A LangChain chat model, or a string for `init_chat_model`; None where all strategies do without.
        strategies: Names, or strategies of your own; see `promotion.strategies`. Those that need a model share one
            call.
        budget: Limits on model calls and tokens.
        redact: Takes secrets out of every text, before a model sees it and before it is stored.
        method: How the model is asked for structured output, such as `function_calling`; by default its own way.

    Attributes:
        strategies: The strategies, by name.

    Raises:
        ConfigurationError: A strategy needs a model and there is none, or there is no such strategy or model.
    """

    def __init__(
        self,
        bank: MemoryBank,
        model: ChatModel | str | None = None,
        strategies: str | Strategy | Sequence[str | Strategy] = "verbatim",
        *,
        budget: Budget | None = None,
        redact: Callable[[str], str] = redact_secrets,
        method: str | None = None,
    ) -> None:
        self.bank = bank
        self.strategies = {each.name: each for each in strategies_of(strategies)}
        self._redact = redact
        self._forms: dict[tuple[str, ...], type[BaseModel]] = {}
        self._asker = None if model is None else Asker(model, budget=budget, method=method)
        for each in self.strategies.values():
            if each.schema is not None and model is None:
                raise ConfigurationError(f"model: the strategy {each.name!r} needs one; without: verbatim, rules")

    @property
    def names(self) -> list[str]:
        """The strategies' names and versions, as a batch holds them."""
        return [each.key for each in self.strategies.values()]

    async def aplan(self, batch: Batch) -> Plan:
        """Find out what a batch changes. Changes nothing.

        Args:
            batch: The turns, and by which strategies they are looked through.

        Raises:
            ExtractionError: The model refused, was cut short, or could not be understood.
            BudgetExceededError: There is nothing left of the budget.
            ConfigurationError: The batch names a strategy that is neither this extractor's nor a built-in one, or that
                needs a model where there is none.
        """
        if not tracing_is_enabled():
            return await self._plan(batch)
        inputs = {"thread_id": batch.thread_id, "turns": len(batch.turns), "strategies": [*batch.strategies]}
        metadata = {"namespace": list(batch.scope.path), "thread_id": batch.thread_id}
        with trace("memory.extract", "chain", inputs=inputs, metadata=metadata) as traced:
            plan = await self._plan(batch)
            actions = [change.action for change in plan.changes]
            traced.end(outputs={"changes": actions, "refused": dict(plan.refused)})
            return plan

    plan = sync_of(aplan)

    async def aapply(self, plan: Plan) -> list[Promoted]:
        """Make the changes of a plan, in order; those that were made already are not made again.

        Returns:
            What became of each change, in order.
        """
        done: list[Promoted] = []
        for added, changes in groupby(plan.changes, _is_added):
            if added:
                done += await self._add([*changes], plan, len(done))
            else:
                for change in changes:
                    done.append(await self._apply(change, plan, f"{plan.key}:{len(done)}"))
        return done

    apply = sync_of(aapply)

    def loads(self, data: bytes) -> Plan:
        """A plan that was kept, see `Plan.dumps`."""
        return Plan.loads(data)

    async def _plan(self, batch: Batch) -> Plan:
        wanted = self._wanted(batch)
        talk = Conversation(batch, self._redact)
        if not talk.told and not (talk.lines and any(each.from_assistant for each in wanted)):
            return Plan(batch.key, batch.scope)
        known = await self._known(talk, wanted)
        changes = [change for each in wanted if each.reading for change in each.reading(talk, known)]
        draft, usage = Draft(talk, known, self._redact), Usage()
        asked = [each for each in wanted if each.schema]
        if asked and self._asker is not None:
            prompt = prompt_of(asked, talk, known)
            answer = await self._asker.aask(prompt, self._form(asked), batch.scope, draft.check)
            changes = draft.changes(asked, answer.value, changes)
            usage = answer.usage
        said = in_order(map(so_far, changes), {line.turn.id: line.number for line in talk.lines})
        found = [change for change in once(said) if _in_time(change, known, talk)]
        return Plan(batch.key, batch.scope, tuple(found), dict(draft.refused), usage, bool(batch.replay))

    def _form(self, asked: Sequence[Strategy]) -> type[BaseModel]:
        """One schema for these strategies together, made once."""
        names = tuple(each.name for each in asked)
        if names not in self._forms:
            self._forms[names] = joint([(each.name, each.schema, each.several) for each in asked if each.schema])
        return self._forms[names]

    def _wanted(self, batch: Batch) -> list[Strategy]:
        """The strategies that a batch names. It may have waited since an older version: today's is used."""
        names = [name.partition("@")[0] for name in batch.strategies or self.strategies]
        return [self._strategy(name, batch) for name in names]

    def _strategy(self, name: str, batch: Batch) -> Strategy:
        """A strategy of its own, or else a built-in one that it can do: a worker is often started apart from nodes."""
        found = self.strategies.get(name) or BUILT_IN.get(name)
        if found is None or (found.schema is not None and self._asker is None):
            raise ConfigurationError(
                f"strategies: turns of thread {batch.thread_id!r} wait for {name!r}, which this extractor"
                f" {'does not have' if found is None else 'has no model for'}; it has {', '.join(self.strategies)}"
            )
        return found

    async def _known(self, talk: Conversation, wanted: Sequence[Strategy]) -> Known:
        """What these strategies ask of the memory, and no more: rules look at facts only, and verbatim at none."""
        kinds = [each for each in wanted if each is not VERBATIM]
        memories = any(each is not RULES for each in kinds)
        known = await look_up(self.bank, talk, self._redact, memories=memories) if kinds else Known()
        return replace(known, sequence=await count_turns(self.bank, talk)) if VERBATIM in wanted else known

    async def _add(self, changes: Sequence[Change], plan: Plan, start: int) -> list[Promoted]:
        """Memories that follow each other, together: one embedding call, one round trip.

        The operation's name tells their place. Without one for the first, as plans kept by older versions have it.
        """
        memories = [change.memory for change in changes if change.memory]
        operation = f"{plan.key}:add{start or ''}"
        heard = [plan.heard(change) for change in changes if change.memory]
        kept = await self.bank.aremember(memories, plan.scope, operation=operation, heard=heard)
        return [_promoted(*each) for each in zip(changes, kept, strict=True)]

    async def _apply(self, change: Change, plan: Plan, operation: str) -> Promoted:
        target, scope, heard = change.target or "", plan.scope, plan.heard(change)
        if change.fact is not None and change.target is None:
            return await self._end(change, change.fact, plan, operation)
        try:
            kept = await self._make(change, target, scope, operation, heard)
        except (InvalidInputError, VersionConflictError) as error:
            # Forgotten since it was read, or retired just before, or another value has taken its place. What was said
            # stands all the same; what is gone needs no retiring, but a fact outlives its memory.
            if isinstance(error, InvalidInputError) and await self.bank.aget(target, scope) is not None:
                raise
            if change.fact is not None and isinstance(error, InvalidInputError):
                return await self._end(change, change.fact, plan, f"{operation}:alone")
            if change.memory is None:
                return Promoted(target, change.action, "gone", "", change.strategy)
            alone = replace(change.memory, supersedes=None)
            (kept,) = await self.bank.aremember(alone, scope, operation=f"{operation}:alone", heard=[heard])
        return _promoted(change, kept)

    async def _make(self, change: Change, target: str, scope: Scope, operation: str, heard: Heard) -> Remembered:
        """Make a change of a memory that is known."""
        version = change.version or None
        if change.action == "retire":
            return await self.bank.aretire(
                target, scope, at=change.at, expected_version=version, operation=operation, heard=heard
            )
        if change.action == "reinforce":
            source = change.source
            return await self.bank.areinforce(
                target, scope, source=source, expected_version=version, operation=operation, heard=heard
            )
        (kept,) = await self.bank.aremember(change.memory or (), scope, operation=operation, heard=[heard])
        return kept

    async def _end(self, change: Change, fact: str, plan: Plan, operation: str) -> Promoted:
        """End a fact that no memory stands for, or that is not known yet, unless it has changed since it was read."""
        version, heard = change.version or None, plan.heard(change)
        try:
            gone = await self.bank.facts.adelete(
                plan.scope, fact, expected_version=version, operation=operation, heard=heard
            )
        except VersionConflictError:
            gone = False
        return Promoted(change.target or "", change.action, "retired" if gone else "gone", "", change.strategy)


def _is_added(change: Change) -> bool:
    return change.memory is not None and not change.target


def _in_time(change: Change, known: Known, talk: Conversation) -> bool:
    """Whether a fact that no memory stands for was set before it was said that it ends.

    In its own thread, an agent set it that heard what was said in that turn. That a change undoes nothing else that was
    said since, the bank sees to when it is made.
    """
    fact = known.loose(change.fact)
    if fact is None:
        return True
    own = fact.source is not None and fact.source.thread_id == talk.thread_id
    latest = talk.before(change.source) if own else change.at
    return latest is not None and fact.since <= latest


def _promoted(change: Change, kept: Remembered) -> Promoted:
    anew = change.memory if change.action != "reinforce" or kept.outcome != "reinforced" else None
    return Promoted(kept.id, change.action, kept.outcome, anew.text if anew else "", change.strategy)


def prompt_of(strategies: Iterable[Strategy], talk: Conversation, known: Known) -> list[BaseMessage]:
    """What a model is asked: how to note, what to look for, what is known, and the conversation.

    The conversation is data, so it stands in a user's message, each turn as a JSON string.
    """
    sections = [prompts.SECTION.format(name=each.name, prompt=each.prompt) for each in strategies]
    shown = known.shown()
    parts = [prompts.KNOWN.format(memories=shown) if shown else prompts.NOTHING_KNOWN]
    if known.summary:
        parts.append(prompts.SUMMARY_SO_FAR.format(summary=known.summary))
    lines = [line.shown() for line in (*talk.earlier, *talk.lines)]
    parts.append(prompts.TURNS.format(turns="\n".join(lines)))
    return [SystemMessage("\n".join([prompts.SYSTEM, *sections])), HumanMessage("\n".join(parts))]
