"""Agent memory for LangChain and LangGraph on the Redis or Valkey you already run."""

from langchain_agentmem.agent_memory import AgentMemory
from langchain_agentmem.errors import (
    AgentMemoryError,
    ConfigurationError,
    CorruptDataError,
    EmbeddedServerError,
    IndexMismatchError,
    InvalidInputError,
    MissingScopeError,
    UnsupportedServerError,
    VersionConflictError,
)
from langchain_agentmem.events.event import Event
from langchain_agentmem.events.log import EventLog
from langchain_agentmem.events.signals import Signals
from langchain_agentmem.events.tracer import EventTracer
from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.embeddings import OfflineEmbeddings
from langchain_agentmem.longterm.facts import Facts
from langchain_agentmem.longterm.record import Memory, Scope
from langchain_agentmem.longterm.scopes import ScopeTemplate
from langchain_agentmem.longterm.store import AgentMemoryStore
from langchain_agentmem.thread.cache import AgentMemoryCache
from langchain_agentmem.thread.checkpoint import AgentMemorySaver
from langchain_agentmem.thread.history import AgentMemoryChatHistory
from langchain_agentmem.thread.session import Session
from langchain_agentmem.thread.threads import ThreadInfo
from langchain_agentmem.thread.working import WorkingMemory

__version__ = "0.1.0"

__all__ = [
    "AgentMemory",
    "AgentMemoryCache",
    "AgentMemoryChatHistory",
    "AgentMemoryError",
    "AgentMemorySaver",
    "AgentMemoryStore",
    "ConfigurationError",
    "CorruptDataError",
    "EmbeddedServerError",
    "Event",
    "EventLog",
    "EventTracer",
    "Facts",
    "IndexMismatchError",
    "InvalidInputError",
    "Memory",
    "MemoryBank",
    "MissingScopeError",
    "OfflineEmbeddings",
    "Scope",
    "ScopeTemplate",
    "Session",
    "Signals",
    "ThreadInfo",
    "UnsupportedServerError",
    "VersionConflictError",
    "WorkingMemory",
    "__version__",
]
