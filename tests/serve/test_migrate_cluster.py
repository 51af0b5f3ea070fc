"""Moving in from a cluster."""

from __future__ import annotations

import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding

from langchain_agentmem import AgentMemory
from langchain_agentmem.serve.migrate import Migration
from langchain_agentmem.wire.connection import Connection
from tests.conftest import MODULES_EXPECTED
from tests.serve import peers
from tests.servers import loading_json, serving_cluster


@pytest.mark.skipif(not MODULES_EXPECTED, reason="no JSON module for this platform")
def test_what_lies_on_several_masters_is_moved(plain: Connection) -> None:
    memory = AgentMemory(plain, embeddings=DeterministicFakeEmbedding(size=2), dims=2)
    with (
        serving_cluster(2, *loading_json()) as servers,
        Connection(f"redis+cluster://127.0.0.1:{servers[0].port}") as source,
    ):
        peers.play(source)
        migration = Migration(memory, source)
        for move, expected in ((migration.threads, 4), (migration.store, 3), (migration.histories, 2)):
            outcome = move()
            assert (outcome.groups, outcome.moved, outcome.problems) == (expected, outcome.found, [])
    assert {thread.thread_id for thread in memory.threads()} == set(peers.THREADS)
