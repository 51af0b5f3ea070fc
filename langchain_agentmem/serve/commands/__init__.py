"""The commands of `agentmem`, a module for each."""

from langchain_agentmem.serve.commands.root import agentmem

__all__ = ["agentmem"]
