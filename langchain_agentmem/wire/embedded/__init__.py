"""A private server for development, tests and notebooks."""

from langchain_agentmem.wire.embedded.programs import ServerProgram, installed_programs
from langchain_agentmem.wire.embedded.server import EmbeddedServer

__all__ = ["EmbeddedServer", "ServerProgram", "installed_programs"]
