"""Agent memory for LangChain and LangGraph on the Redis or Valkey you already run."""

__version__ = "0.1.0"

__all__ = ["__version__"]
