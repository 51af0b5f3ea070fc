"""Agent memory for LangChain and LangGraph on the Redis or Valkey you already run."""

from langchain_agentmem.agent_memory import AgentMemory
from langchain_agentmem.errors import (
    AgentMemoryError,
    ConfigurationError,
    CorruptDataError,
    EmbeddedServerError,
    IndexMismatchError,
    InvalidInputError,
    UnsupportedServerError,
    VersionConflictError,
)
from langchain_agentmem.thread.checkpoint import AgentMemorySaver
from langchain_agentmem.thread.threads import ThreadInfo

__version__ = "0.1.0"

__all__ = [
    "AgentMemory",
    "AgentMemoryError",
    "AgentMemorySaver",
    "ConfigurationError",
    "CorruptDataError",
    "EmbeddedServerError",
    "IndexMismatchError",
    "InvalidInputError",
    "ThreadInfo",
    "UnsupportedServerError",
    "VersionConflictError",
    "__version__",
]
