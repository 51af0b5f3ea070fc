"""Reading INFO: the texts of servers that are not at hand here, and agreement with redis-py's reading."""

from __future__ import annotations

import pytest

from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection
from langchain_agentmem.wire.server_info import ServerInfo, parse_info

SERVERS = {
    "redis 8.2.1 (search 8.2.1, JSON 8.2.0)": (
        "# Server\r\nredis_version:8.2.1\r\nredis_mode:standalone\r\n",
        "# Modules\r\nmodule:name=search,ver=80201,using=[ReJSON]\r\nmodule:name=ReJSON,ver=80200,usedby=[search]\r\n",
    ),
    "valkey 9.1.2 (search 1.0.0, JSON 1.0.1)": (
        "redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:9.1.2\r\n",
        "module:name=search,ver=10000,api=1\r\nmodule:name=json,ver=10001,api=1\r\n",
    ),
    "dragonfly df-v1.21.0 (no search, no JSON)": (
        "redis_version:6.2.11\r\ndragonfly_version:df-v1.21.0\r\nredis_mode:standalone\r\n",
        "",
    ),
    "unknown unknown (no search, no JSON)": ("", ""),
}


@pytest.mark.parametrize("told", SERVERS)
def test_a_server_by_its_words(told: str) -> None:
    server, modules = SERVERS[told]
    assert str(ServerInfo.read(parse_info(server.encode()), parse_info(modules.encode()))) == told


def test_redis_pys_reading_says_the_same(search: Connection) -> None:
    texts = run(search.send(("INFO server",), ("INFO modules",)))  # a name of two words is not known to redis-py
    parsed = run(search.send(("INFO", "server"), ("INFO", "modules")))
    assert ServerInfo.read(*map(parse_info, texts)) == ServerInfo.read(*parsed)
