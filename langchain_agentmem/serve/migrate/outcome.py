"""What became of a migration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from langchain_agentmem.errors import AgentMemoryError

# What reading something that another program wrote, or has half written, may raise.
UNREADABLE: tuple[type[Exception], ...] = (
    AgentMemoryError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    NotImplementedError,
)

Progress: TypeAlias = Callable[[int, int], object]


@dataclass(slots=True)
class Outcome:
    """What became of one kind of thing.

    Attributes:
        groups: What they lie in: threads, namespaces or sessions.
        found: Checkpoints, items or messages in the source.
        moved: Those that were written, or that a dry run would write.
        kept: Those that were there already.
        problems: What could not be moved, and why.
    """

    groups: int = 0
    found: int = 0
    moved: int = 0
    kept: int = 0
    problems: list[str] = field(default_factory=list)
