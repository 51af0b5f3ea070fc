"""`agentmem migrate`: from langgraph-checkpoint-redis and langchain-redis into this package.

What those packages wrote is read as it lies in Redis, so they need not be installed. `documents` finds it, `values`
reads their form of Python values; `threads`, `items` and `histories` move a kind each. The source is never changed, and
what is there already stays: moving again moves what came since.
"""

from langchain_agentmem.serve.migrate.migration import Migration
from langchain_agentmem.serve.migrate.outcome import Outcome

__all__ = ["Migration", "Outcome"]
