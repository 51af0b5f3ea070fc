"""The doctor on real servers: healthy ones, badly set ones, and ones that do not tell everything."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable, Coroutine, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import redis

from langchain_agentmem.wire import keys as keys_module
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection
from langchain_agentmem.wire.doctor import TIER_OF_KIND, diagnose
from langchain_agentmem.wire.embedded import EmbeddedServer
from langchain_agentmem.wire.keys import Keys
from langchain_agentmem.wire.report import Persistence, Ram, Report, Tier
from langchain_agentmem.wire.server_info import ServerInfo
from tests.servers import serving_cluster

KEYS = Keys(tenant="acme")
Drive = Callable[[Coroutine[Any, Any, Report]], Report]


@pytest.fixture(params=[run, asyncio.run], ids=["sync", "async"])
def drive(request: pytest.FixtureRequest) -> Drive:
    """Runs a coroutine in one of the two colours."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Connection]:
    """A server of the test's own, whose settings it may change, with data on disk."""
    with EmbeddedServer.start(tmp_path, modules=False) as server, Connection(server.url) as connection:
        yield connection


def sent(connection: Connection, *commands: tuple[Any, ...]) -> list[Any]:
    return run(connection.send(*commands))


def by_name(report: Report) -> dict[str, Tier]:
    assert report.tiers is not None
    return {tier.name: tier for tier in report.tiers}


# -- the server ------------------------------------------------------------------------------------------------------


def test_a_server_with_search(drive: Drive, search: Connection) -> None:
    report = drive(diagnose(search, KEYS))
    assert report.server is not None
    assert report.server.search
    assert report.server.json
    assert report.mode == "standalone"
    assert f"server         {report.server}, standalone\nvector search  on the server\n" in str(report)


def test_a_server_without_modules(drive: Drive, plain: Connection) -> None:
    report = drive(diagnose(plain, KEYS))
    assert report.vector_search == "exact search in the client"
    assert "(no search, no JSON), standalone\nvector search  exact search in the client\n" in str(report)


def test_neither_search_nor_numpy(plain: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("langchain_agentmem.wire.report.find_spec", lambda name: find_spec("no such module"))
    assert "vector search  none: pip install 'langchain-agentmem[numpy]'\n" in str(run(diagnose(plain, KEYS)))


def test_a_healthy_server_gets_no_warning(drive: Drive, kept: Connection) -> None:
    report = drive(diagnose(kept, KEYS))
    assert report.persistence == Persistence(aof=True, fsync="everysec", snapshots="", failing=())
    assert "persistence    append-only file, fsync everysec; no snapshots\n" in str(report)
    assert report.ram is not None
    assert (report.ram.limit, report.ram.policy) == (0, "noeviction")
    assert report.warnings == report.refused == ()
    assert "WARNING" not in str(report)


def test_nothing_on_disk(plain: Connection) -> None:
    assert run(diagnose(plain, KEYS)).warnings == (
        "Nothing is written to disk: a restart forgets everything. Set appendonly to yes.",
    )


def test_snapshots_only(kept: Connection) -> None:
    sent(kept, ("CONFIG", "SET", "appendonly", "no"), ("CONFIG", "SET", "save", "3600 1 300 100"))
    report = run(diagnose(kept, KEYS))
    assert report.persistence == Persistence(aof=False, fsync="everysec", snapshots="3600 1 300 100", failing=())
    assert [warning.partition(":")[0] for warning in report.warnings] == ["There is no append-only file"]


@pytest.mark.parametrize(
    ("policy", "harm"),
    [
        ("allkeys-lru", "drops any key, even memories without a TTL"),
        ("allkeys-random", "drops any key, even memories without a TTL"),
        ("volatile-lru", "drops memories with a TTL before their time"),
        ("volatile-ttl", "drops memories with a TTL before their time"),
    ],
)
def test_eviction_that_drops_memories(policy: str, harm: str, kept: Connection) -> None:
    sent(kept, ("CONFIG", "SET", "maxmemory-policy", policy))
    (unlimited,) = run(diagnose(kept, KEYS)).warnings
    sent(kept, ("CONFIG", "SET", "maxmemory", "500mb"))
    report = run(diagnose(kept, KEYS))
    (limited,) = report.warnings
    assert limited == f"{policy}: When memory is full the server {harm}. Set maxmemory-policy to noeviction."
    assert harm in unlimited
    assert "No maxmemory is set now" in unlimited
    assert f"used of 524.3 MB, policy {policy}" in str(report)
    assert f"WARNING        {limited}" in str(report)


def test_memory_that_is_nearly_full(kept: Connection) -> None:
    used = sent(kept, ("INFO", "memory"))[0]["used_memory"]
    sent(kept, ("SET", "filler", "x" * 20_000_000), ("CONFIG", "SET", "maxmemory", used + 21_000_000))
    (warning,) = run(diagnose(kept, KEYS)).warnings
    assert warning.startswith("Memory is nearly full")


def test_writes_to_disk_that_failed() -> None:
    failing = ("write to the append-only file", "snapshot")
    report = Report("s", None, None, Persistence(True, "always", "", failing), Ram(1, 0, "noeviction"), None, 0, ())
    assert [warning.partition(".")[0] for warning in report.warnings] == [f"The last {what} failed" for what in failing]
    assert "fsync always; no snapshots; last write to the append-only file failed; last snapshot failed" in str(report)


def test_a_snapshot_that_failed(kept: Connection, tmp_path: Path) -> None:
    (tmp_path / "dump.rdb" / "in the way").mkdir(parents=True)
    sent(kept, ("BGSAVE",))
    for _ in range(1000):
        if sent(kept, ("INFO", "persistence"))[0]["rdb_bgsave_in_progress"] == 0:
            break
        time.sleep(0.01)
    report = run(diagnose(kept, KEYS))
    assert report.persistence is not None
    assert report.persistence.failing == ("snapshot",)
    assert report.warnings == ("The last snapshot failed. See the server's log; its disk may be full.",)


# -- its keys --------------------------------------------------------------------------------------------------------


def fill(connection: Connection) -> None:
    sent(
        connection,
        ("ZADD", KEYS.threads(), 1, "t"),
        ("HSET", KEYS.thread("t"), "a", 1),
        ("HSET", KEYS.head("t", ""), "a", "x" * 100_000),
        ("EXPIRE", KEYS.head("t", ""), 100),
        ("XADD", KEYS.events("t"), "1-1", "a", "x" * 50_000),
        ("XADD", KEYS.feed(0), "1-1", "a", "1"),
        ("HSET", KEYS.item(("a",), "b"), "a", "x" * 10_000),
        ("XADD", f"{KEYS.base}:outbox:{{{KEYS.base}}}:jobs", "1-1", "a", "x" * 2_000),
        ("SET", f"{KEYS.base}:unheard-of:x", 1),
        ("SET", f"{Keys(tenant='acme2').base}:thread:x", 1),
        ("SET", "agentmem:acme", 1),
    )


def test_keys_by_tier(drive: Drive, plain: Connection) -> None:
    fill(plain)
    report = drive(diagnose(plain, KEYS))
    tiers = by_name(report)
    assert {name: (tier.keys, tier.without_ttl) for name, tier in tiers.items()} == {
        "thread": (3, 2),
        "events": (2, 2),
        "long-term": (1, 1),
        "promotion": (1, 1),
        "other": (1, 1),
    }
    sizes = [tiers[name].bytes for name in ("thread", "events", "long-term", "promotion", "other")]
    for size, least in zip(sizes, (100_000, 50_000, 10_000, 2_000, 1), strict=True):
        assert size is not None
        assert least < size < 2 * least + 1000
    assert report.share == 1
    assert re.search(r"keys +of agentmem:acme, all of them\n +thread +3 keys +2 without TTL +\d+\.\d kB\n", str(report))


def test_an_empty_server(drive: Drive, plain: Connection) -> None:
    report = drive(diagnose(plain, KEYS))
    assert {tier.keys for tier in by_name(report).values()} == {0}
    assert report.share == 1


def test_many_keys_are_estimated(drive: Drive, plain: Connection) -> None:
    for kind in (KEYS.base + ":thread", "foreign"):
        sent(plain, *(("SET", f"{kind}:{i}", "x", *("EX", 100) * (i % 2)) for i in range(5000)))
    exact = by_name(drive(diagnose(plain, KEYS)))["thread"]
    report = drive(diagnose(plain, KEYS, limit=3000))
    estimated = by_name(report)["thread"]
    assert (exact.keys, exact.without_ttl) == (5000, 2500)
    assert report.share == 0.3
    assert "estimated from 30.0% of the server's keys" in str(report)
    assert estimated.keys == pytest.approx(5000, rel=0.2)
    assert estimated.without_ttl == pytest.approx(2500, rel=0.2)
    assert exact.bytes is not None
    assert estimated.bytes == pytest.approx(exact.bytes, rel=0.2)


def test_every_kind_of_key_has_a_tier() -> None:
    table = re.findall(r"^\| `P:T:(\w+)[^|]*\| ([A-Z]+) \|", keys_module.__doc__ or "", re.MULTILINE)
    assert len(table) > 5
    assert {kind for kind, redis_type in table} - TIER_OF_KIND.keys() == set()


def test_the_report_is_plain_data(search: Connection) -> None:
    fill(search)
    report = run(diagnose(search, KEYS))
    data = json.loads(json.dumps(report.to_dict()))
    assert data["server"]["search"] == report.server.search if report.server else False
    assert data["tiers"][0] == {"name": "thread", "keys": 3, "without_ttl": 2, "bytes": by_name(report)["thread"].bytes}
    assert data["warnings"] == list(report.warnings)
    assert data["vector_search"] == "on the server"


# -- those that do not tell ------------------------------------------------------------------------------------------


@pytest.fixture
def narrow(plain: Connection, plain_url: str) -> Iterator[Callable[..., Connection]]:
    """Connects a user who may not run the commands that are named."""
    opened = []

    def connect(*forbidden: str) -> Connection:
        rules = ("on", ">s3same", "~*", "+@all", *(f"-{command}" for command in forbidden))
        sent(plain, ("ACL", "SETUSER", "narrow", "reset", *rules))
        opened.append(Connection(plain_url, username="narrow", password="s3same"))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()
    sent(plain, ("ACL", "DELUSER", "narrow"))


def test_a_server_that_tells_nothing_about_itself(drive: Drive, plain: Connection, narrow: Any) -> None:
    fill(plain)
    report = drive(diagnose(narrow("info", "config", "memory", "dbsize", "scan"), KEYS))
    assert (report.server, report.mode, report.persistence, report.ram, report.tiers) == (None,) * 5
    assert report.vector_search == "unknown"
    assert report.warnings == ()
    assert [refusal.partition(":")[0] for refusal in report.refused] == [
        *("INFO server", "INFO modules", "INFO persistence", "INFO memory"),
        *("CONFIG GET save", "CONFIG GET appendfsync", "DBSIZE"),
    ]
    assert "no permissions to run the 'info' command" in str(report)
    assert "persistence    not permitted\n" in str(report)
    assert "keys           not counted\n" in str(report)
    assert "s3same" not in str(report)


def test_settings_that_are_not_told(drive: Drive, narrow: Any) -> None:
    report = drive(diagnose(narrow("config"), KEYS))
    assert report.persistence == Persistence(aof=False, fsync=None, snapshots=None, failing=())
    assert "no append-only file; snapshots unknown\n" in str(report)
    assert [warning.partition(":")[0] for warning in report.warnings] == ["There is no append-only file"]


@pytest.mark.parametrize(("forbidden", "missing"), [("memory", "bytes"), ("ttl", "without_ttl")])
def test_a_measure_that_is_not_told(drive: Drive, plain: Connection, narrow: Any, forbidden: str, missing: str) -> None:
    fill(plain)
    report = drive(diagnose(narrow(forbidden), KEYS))
    thread = by_name(report)["thread"]
    assert thread.keys == 3
    assert {name for name in ("bytes", "without_ttl") if getattr(thread, name) is None} == {missing}
    assert len(report.refused) == 1
    assert "?" in str(thread)


def test_keys_that_cannot_be_listed(drive: Drive, narrow: Any) -> None:
    report = drive(diagnose(narrow("scan"), KEYS))
    assert report.tiers is None
    assert [refusal.partition(":")[0] for refusal in report.refused] == ["SCAN"]


def test_a_server_that_is_not_there(drive: Drive, tmp_path: Path) -> None:
    with Connection(f"unix://{tmp_path}/nobody") as nobody, pytest.raises(redis.ConnectionError):
        drive(diagnose(nobody, KEYS))


@pytest.mark.parametrize(
    "settings", [{"protocol": 3}, {"decode_responses": True}, {"protocol": 3, "decode_responses": True}]
)
def test_a_client_of_the_user(settings: dict[str, Any], plain: Connection, plain_url: str) -> None:
    fill(plain)
    with redis.Redis.from_url(plain_url, **settings) as client, Connection(client=client) as connection:
        theirs = run(diagnose(connection, KEYS))
    ours = run(diagnose(plain, KEYS))
    assert (theirs.server, theirs.persistence, theirs.tiers) == (ours.server, ours.persistence, ours.tiers)


def test_a_cluster(drive: Drive) -> None:
    with serving_cluster() as servers, Connection(f"redis+cluster://127.0.0.1:{servers[0].port}") as connection:
        report = drive(diagnose(connection, KEYS))
    assert report.mode == "cluster"
    assert report.server is not None
    assert report.tiers is None
    assert report.refused == ()


def test_an_unknown_version_is_shown_as_such() -> None:
    report = Report("s", ServerInfo("unknown", "unknown", None, None), None, None, None, None, 0, ("INFO: no",))
    assert str(report).startswith("server         unknown unknown (no search, no JSON), mode unknown\n")
