"""Agent memory for LangChain and LangGraph on the Redis or Valkey you already run."""

from importlib import import_module
from typing import TYPE_CHECKING

from langchain_agentmem.errors import (
    AgentMemoryError,
    BudgetExceededError,
    ConfigurationError,
    CorruptDataError,
    EmbeddedServerError,
    ExtractionError,
    IndexMismatchError,
    InvalidInputError,
    InvalidTypeError,
    MissingScopeError,
    UnsupportedServerError,
    VersionConflictError,
)

if TYPE_CHECKING:
    from langchain_agentmem.agent.context import ContextAssembler
    from langchain_agentmem.agent.draft import Context
    from langchain_agentmem.agent.erasure import Receipt
    from langchain_agentmem.agent.middleware import MemoryMiddleware as MemoryMiddleware
    from langchain_agentmem.agent.nodes import RecallNode
    from langchain_agentmem.agent.retriever import MemoryRetriever
    from langchain_agentmem.agent.tools import memory_tools
    from langchain_agentmem.agent_memory import AgentMemory
    from langchain_agentmem.events.consumer import Delivery
    from langchain_agentmem.events.event import Event
    from langchain_agentmem.events.log import EventLog
    from langchain_agentmem.events.signals import Signal, Signals
    from langchain_agentmem.events.tracer import EventTracer
    from langchain_agentmem.longterm.bank import MemoryBank
    from langchain_agentmem.longterm.embeddings import OfflineEmbeddings
    from langchain_agentmem.longterm.facts import Fact, Facts
    from langchain_agentmem.longterm.recalling import Recalled
    from langchain_agentmem.longterm.record import Memory, Scope, Source
    from langchain_agentmem.longterm.remembering import Remembered
    from langchain_agentmem.longterm.scopes import ScopeTemplate
    from langchain_agentmem.longterm.store import AgentMemoryStore
    from langchain_agentmem.longterm.weights import RecallWeights
    from langchain_agentmem.promotion.budget import Budget
    from langchain_agentmem.promotion.changes import Promoted
    from langchain_agentmem.promotion.extraction import ExtractionNode, Extractor
    from langchain_agentmem.promotion.health import Health
    from langchain_agentmem.promotion.letters import DeadLetter
    from langchain_agentmem.promotion.outbox import Outbox
    from langchain_agentmem.promotion.promoting import PromotionReport
    from langchain_agentmem.promotion.stats import OutboxStats
    from langchain_agentmem.promotion.strategies import Strategy
    from langchain_agentmem.promotion.worker import Worker
    from langchain_agentmem.thread.cache import AgentMemoryCache
    from langchain_agentmem.thread.checkpoint import AgentMemorySaver
    from langchain_agentmem.thread.history import AgentMemoryChatHistory
    from langchain_agentmem.thread.session import Session
    from langchain_agentmem.thread.threads import ThreadInfo
    from langchain_agentmem.thread.working import WorkingMemory
    from langchain_agentmem.wire.report import Report

__version__ = "0.1.0"

__all__ = [
    "AgentMemory",
    "AgentMemoryCache",
    "AgentMemoryChatHistory",
    "AgentMemoryError",
    "AgentMemorySaver",
    "AgentMemoryStore",
    "Budget",
    "BudgetExceededError",
    "ConfigurationError",
    "Context",
    "ContextAssembler",
    "CorruptDataError",
    "DeadLetter",
    "Delivery",
    "EmbeddedServerError",
    "Event",
    "EventLog",
    "EventTracer",
    "ExtractionError",
    "ExtractionNode",
    "Extractor",
    "Fact",
    "Facts",
    "Health",
    "IndexMismatchError",
    "InvalidInputError",
    "InvalidTypeError",
    "Memory",
    "MemoryBank",
    "MemoryRetriever",
    "MissingScopeError",
    "OfflineEmbeddings",
    "Outbox",
    "OutboxStats",
    "Promoted",
    "PromotionReport",
    "RecallNode",
    "RecallWeights",
    "Recalled",
    "Receipt",
    "Remembered",
    "Report",
    "Scope",
    "ScopeTemplate",
    "Session",
    "Signal",
    "Signals",
    "Source",
    "Strategy",
    "ThreadInfo",
    "UnsupportedServerError",
    "VersionConflictError",
    "Worker",
    "WorkingMemory",
    "__version__",
    "memory_tools",
]

_HOMES = {  # what is imported when it is asked for: all together take a second, and most need a part
    "AgentMemory": "agent_memory",
    "AgentMemoryCache": "thread.cache",
    "AgentMemoryChatHistory": "thread.history",
    "AgentMemorySaver": "thread.checkpoint",
    "AgentMemoryStore": "longterm.store",
    "Budget": "promotion.budget",
    "Context": "agent.draft",
    "ContextAssembler": "agent.context",
    "DeadLetter": "promotion.letters",
    "Delivery": "events.consumer",
    "Event": "events.event",
    "EventLog": "events.log",
    "EventTracer": "events.tracer",
    "ExtractionNode": "promotion.extraction",
    "Extractor": "promotion.extraction",
    "Fact": "longterm.facts",
    "Facts": "longterm.facts",
    "Health": "promotion.health",
    "Memory": "longterm.record",
    "MemoryBank": "longterm.bank",
    "MemoryMiddleware": "agent.middleware",
    "MemoryRetriever": "agent.retriever",
    "OfflineEmbeddings": "longterm.embeddings",
    "Outbox": "promotion.outbox",
    "OutboxStats": "promotion.stats",
    "Promoted": "promotion.changes",
    "PromotionReport": "promotion.promoting",
    "RecallNode": "agent.nodes",
    "RecallWeights": "longterm.weights",
    "Recalled": "longterm.recalling",
    "Receipt": "agent.erasure",
    "Remembered": "longterm.remembering",
    "Report": "wire.report",
    "Scope": "longterm.record",
    "ScopeTemplate": "longterm.scopes",
    "Session": "thread.session",
    "Signal": "events.signals",
    "Signals": "events.signals",
    "Source": "longterm.record",
    "Strategy": "promotion.strategies",
    "ThreadInfo": "thread.threads",
    "Worker": "promotion.worker",
    "WorkingMemory": "thread.working",
    "memory_tools": "agent.tools",
}

if not TYPE_CHECKING:  # or else a type checker would take any name for one of ours

    def __getattr__(name: str) -> object:
        """Import what is asked for by name. What needs an extra, as MemoryMiddleware does, is not in `__all__`."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            home = import_module(f"{__name__}.{_HOMES[name]}")
        except ModuleNotFoundError as error:
            if name in __all__:
                raise
            raise ImportError(
                f'{name}: {error.name} is missing: pip install "langchain-agentmem[langchain]"'
            ) from error
        return globals().setdefault(name, getattr(home, name))

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
