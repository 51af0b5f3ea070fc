"""Agent memory for LangChain and LangGraph on Redis or Valkey."""

__version__ = "0.1.0"
