"""Agent memory for LangChain and LangGraph on the Redis or Valkey you already run."""

from typing import TYPE_CHECKING

from langchain_agentmem.agent.context import ContextAssembler
from langchain_agentmem.agent.draft import Context
from langchain_agentmem.agent.erasure import Receipt
from langchain_agentmem.agent.nodes import RecallNode
from langchain_agentmem.agent.retriever import MemoryRetriever
from langchain_agentmem.agent.tools import memory_tools
from langchain_agentmem.agent_memory import AgentMemory
from langchain_agentmem.errors import (
    AgentMemoryError,
    BudgetExceededError,
    ConfigurationError,
    CorruptDataError,
    EmbeddedServerError,
    ExtractionError,
    IndexMismatchError,
    InvalidInputError,
    MissingScopeError,
    UnsupportedServerError,
    VersionConflictError,
)
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

if TYPE_CHECKING:
    from langchain_agentmem.agent.middleware import MemoryMiddleware as MemoryMiddleware

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


def __getattr__(name: str) -> object:
    """Import what needs an extra when it is asked for by name: MemoryMiddleware needs `[langchain]`."""
    if name == "MemoryMiddleware":
        try:
            from langchain_agentmem.agent.middleware import MemoryMiddleware
        except ModuleNotFoundError as error:
            raise ImportError(
                f'{name}: {error.name} is missing: pip install "langchain-agentmem[langchain]"'
            ) from error
        return MemoryMiddleware
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
