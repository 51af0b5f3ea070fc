"""What became of a migration."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from langchain_agentmem.errors import AgentMemoryError

# What reading something that another program wrote, or has half written, may raise.
UNREADABLE: tuple[type[Exception], ...] = (
    AgentMemoryError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    NotImplementedError,
    ArithmeticError,
    RecursionError,
)

T = TypeVar("T")
Progress: TypeAlias = Callable[[int, int], object]
Move: TypeAlias = Callable[[str, Sequence[T], "Outcome"], Awaitable[None]]


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


async def move_groups(
    kind: str,
    groups: Mapping[str, Sequence[T]],
    move: Move[T],
    on_progress: Progress | None,
    problems: Sequence[str] = (),
) -> Outcome:
    """Move group after group. One that cannot be read is a problem; the others are moved all the same.

    Args:
        kind: What a group is called in a problem.
        groups: What lies in each, by its name.
        move: Moves one group, and counts in the outcome what became of it.
        on_progress: Called with how many are done and how many there are.
        problems: What belongs to no group, one by one, and why.
    """
    outcome = Outcome(len(groups), sum(map(len, groups.values())) + len(problems), problems=list(problems))
    done = len(problems)
    for name, members in groups.items():
        try:
            await move(name, members, outcome)
        except UNREADABLE as error:
            outcome.problems.append(f"{kind} {name!r}: {type(error).__name__}: {error}")
        done += len(members)
        if on_progress:
            on_progress(done, outcome.found)
    return outcome
