"""`PromotionFactory`: what the nodes, middleware and workers of one memory share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from langchain_agentmem.events.log import EventLog
from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.promotion.asking import ChatModel
from langchain_agentmem.promotion.budget import Budget
from langchain_agentmem.promotion.extraction import ExtractionNode, Extractor
from langchain_agentmem.promotion.outbox import Outbox
from langchain_agentmem.promotion.strategies import Strategy
from langchain_agentmem.promotion.worker import Worker

Strategies: TypeAlias = str | Strategy | Sequence[str | Strategy]

WITH_MODEL = ("discrete", "preferences")
WITHOUT_MODEL = ("verbatim", "rules")


class PromotionFactory:
    """Makes extraction nodes and the workers that do their work.

    Args:
        bank: Where memories go.
        outbox: Where turns wait.
        model: The chat model, or its `init_chat_model` name, for nodes and workers that are given none.
        strategies: The strategies for those that are given none; by default `discrete` and `preferences` with a model,
            `verbatim` and `rules` without.
        budget: Limits on model calls and tokens.
        events: The event log that is told of each promotion.
    """

    def __init__(
        self,
        bank: MemoryBank,
        outbox: Outbox,
        *,
        model: ChatModel | str | None = None,
        strategies: Strategies | None = None,
        budget: Budget | None = None,
        events: EventLog | None = None,
    ) -> None:
        self._bank, self._outbox, self._budget, self._events = bank, outbox, budget, events
        self._model, self._strategies = model, strategies
        self._promised: dict[str, Strategy] = {}
        self._promised_model: ChatModel | str | None = None

    def extractor(self, model: ChatModel | str | None = None, strategies: Strategies | None = None) -> Extractor:
        """An extractor with the model and strategies given, or else the factory's own.

        Raises:
            ConfigurationError: A strategy needs a model and there is none, or there is no such strategy or model.
        """
        model = self._model if model is None else model
        chosen = self._strategies if strategies is None else strategies
        if chosen is None:
            chosen = WITHOUT_MODEL if model is None else WITH_MODEL
        return Extractor(self._bank, model, chosen, budget=self._budget)

    def promise(self, model: ChatModel | str | None = None, strategies: Strategies | None = None) -> Extractor:
        """The extractor of something that hands turns over. Workers made here will know its strategies and model."""
        extractor = self.extractor(model, strategies)
        self._promised |= extractor.strategies
        self._promised_model = self._promised_model if model is None else model
        return extractor

    def node(
        self, model: ChatModel | str | None = None, strategy: Strategies | None = None, **options: Any
    ) -> ExtractionNode:
        """An `ExtractionNode`; see there for the options."""
        return ExtractionNode(self._outbox, self.promise(model, strategy), **options)

    def worker(
        self, model: ChatModel | str | None = None, strategy: Strategies | None = None, **options: Any
    ) -> Worker:
        """A `Worker`; see there for the options. By default it knows the strategies of all that hand turns over."""
        chosen = [*self._promised.values()] if strategy is None and self._promised else strategy
        shared = {"events": self._events, "budget": self._budget}
        known = next((each for each in (model, self._model, self._promised_model) if each is not None), None)
        return Worker(self._outbox, self.extractor(known, chosen), **shared | options)
