"""What the tests of the wire share: a folder for scripts of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from langchain_agentmem.wire import scripts


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package folder of its own for Lua files."""
    scripts._source.cache_clear()
    monkeypatch.setattr(scripts, "files", lambda package: tmp_path)
    yield tmp_path
    scripts._source.cache_clear()
