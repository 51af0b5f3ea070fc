"""What an import of the package gives, and what it does not load."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding

import langchain_agentmem
from langchain_agentmem import AgentMemory, Memory, MemoryMiddleware

HEAVY = ("langchain_core", "langgraph", "langsmith", "redis", "pydantic")


def python(program: str) -> str:
    """What a program prints in a process of its own."""
    return subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout


def test_a_name_loads_what_it_needs_when_it_is_asked_for() -> None:
    loaded = f"print(*[name for name in {HEAVY} if name in sys.modules])"
    told = python(f"import sys, langchain_agentmem as ours\n{loaded}\nours.AgentMemory\n{loaded}")
    assert told.splitlines() == ["", " ".join(HEAVY)]


def test_an_import_of_everything_gives_everything() -> None:
    told = python("from langchain_agentmem import *\nprint(*sorted(name for name in globals()))").split()
    assert {*langchain_agentmem.__all__} <= {*told}
    assert "MemoryMiddleware" not in told


def test_without_an_extra_only_what_needs_it_is_refused() -> None:
    told = python(
        "import sys; sys.modules['langchain'] = None\n"
        "from langchain_agentmem import *\n"
        "try:\n    from langchain_agentmem import MemoryMiddleware\n"
        "except ImportError as error:\n    print(error)"
    )
    assert 'pip install "langchain-agentmem[langchain]"' in told


def test_the_middleware_is_a_public_class() -> None:
    middleware: type[MemoryMiddleware] = MemoryMiddleware  # lint checks that it is known as a type, too
    assert middleware is type(AgentMemory("redis://unused", embeddings=DeterministicFakeEmbedding(size=4)).middleware())


def test_every_public_name_is_there() -> None:
    for name in langchain_agentmem.__all__:
        assert getattr(langchain_agentmem, name)
    assert langchain_agentmem.__all__ == sorted(langchain_agentmem.__all__)


def test_every_public_name_is_listed_before_it_is_loaded() -> None:
    told = python("import langchain_agentmem\nprint(*dir(langchain_agentmem))").split()
    assert {*langchain_agentmem.__all__} <= {*told}


def test_a_name_is_pickled_by_where_it_lives() -> None:
    kept = pickle.dumps(Memory(text="Ada likes tea"))
    assert b"langchain_agentmem.longterm.record" in kept
    assert pickle.loads(kept) == Memory(text="Ada likes tea")


def test_no_other_name_is_there() -> None:
    assert not hasattr(langchain_agentmem, "anything_else")
    with pytest.raises(ImportError):  # lint checks that type checkers know of none, either
        from langchain_agentmem import AnythingElse  # type: ignore[attr-defined]  # noqa: F401
