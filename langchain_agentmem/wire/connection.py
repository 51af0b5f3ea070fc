"""The one verb to Redis: `Connection.send`. No other module imports redis."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncGenerator
from importlib import import_module
from typing import Any, Self, TypeAlias

import redis
import redis.asyncio as aioredis
from redis.client import NEVER_DECODE
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import DataError, NoScriptError, RedisClusterException, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from langchain_agentmem.errors import ConfigurationError
from langchain_agentmem.wire.bridge import either
from langchain_agentmem.wire.closing import Closing
from langchain_agentmem.wire.lane import Lane, Plan
from langchain_agentmem.wire.quick import Direct, Lending, Packing, Wire, watcher
from langchain_agentmem.wire.retiring import AsyncRetiring, Retiring
from langchain_agentmem.wire.scripts import ScriptCall
from langchain_agentmem.wire.subscription import Subscription
from langchain_agentmem.wire.twins import Scheme, twin_of
from langchain_agentmem.wire.url import FORMS, Address, parse, redact
from langchain_agentmem.wire.waiting import in_time

Command: TypeAlias = tuple[Any, ...] | ScriptCall
SyncClient: TypeAlias = "redis.Redis | redis.RedisCluster"
AsyncClient: TypeAlias = "aioredis.Redis | aioredis.RedisCluster"
Source: TypeAlias = "str | SyncClient | AsyncClient | Connection"

# What redis-py raises when the server is away. A reader that knows where it stood may catch these and go on.
LOST_CONNECTION: tuple[type[Exception], ...] = (RedisConnectionError, RedisTimeoutError)

# What it raises for an argument that cannot be put on the wire: of another type, or half of a surrogate pair.
MALFORMED: tuple[type[Exception], ...] = (DataError, UnicodeEncodeError)

# All that redis-py raises when it or the server refuses.
REDIS_ERRORS: tuple[type[Exception], ...] = (RedisError, RedisClusterException)

# What a server lists its clients as. Told to redis-py because it would look its version up on the disk for each
# connection, also on an event loop.
_DRIVER = getattr(redis, "DriverInfo", None)  # since redis-py 7.2
_NAMED = {"driver_info": _DRIVER(lib_version=redis.__version__)} if _DRIVER else {}

_SCHEMES: dict[type, Scheme] = {
    redis.Connection: "redis",
    redis.SSLConnection: "rediss",
    redis.UnixDomainSocketConnection: "unix",
    aioredis.Connection: "redis",
    aioredis.SSLConnection: "rediss",
    aioredis.UnixDomainSocketConnection: "unix",
}


class Connection(Closing):
    """A connection to one Redis or Valkey, sync and async from the same object.

    Nothing is opened until the first command. Safe to share between threads, event loops (each gets a client of its
    own, closed when its loop shuts down) and across fork. Pools wait for a free connection rather than raise. A loop
    that is closed without `shutdown_asyncgens` leaves its client until `close`, or until another loop sends a command.

    Args:
        url: `redis://`, `rediss://`, `unix://`, `redis+sentinel://h1,h2/service/db` or `redis+cluster://h1,h2`.
        client: The user's own sync client, instead of a URL. Never closed here; `decode_responses=True` works.
        async_client: The user's own async client. With one of the two, the other colour is built from its settings, if
            its class of connections does not connect in a way of its own.
        **options: For redis-py, with the URL: `credential_provider`, `socket_timeout`, `max_connections`, `ssl_*`...

    Raises:
        ConfigurationError: Neither or both of a URL and a client are given, or the URL has no known form.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        client: SyncClient | None = None,
        async_client: AsyncClient | None = None,
        **options: Any,
    ) -> None:
        given = client is not None or async_client is not None
        if (url is not None) == given:
            raise ConfigurationError("url: pass either a Redis URL or your own client= and/or async_client=")
        if given and options:
            raise ConfigurationError(f"{', '.join(options)}: options go with a url; set them on your own client")
        self._shown = redact(url) if url is not None else repr(type(client or async_client).__name__)
        # How to open a client: of either colour, or of the one that the user did not give.
        self._way = (parse(url), options) if url is not None else twin_of(client or async_client, _SCHEMES)
        self._given_sync, self._given_async = client, async_client
        self._sync: SyncClient | None = client
        self.clustered = self._way is not None and self._way[0].kind == "cluster"
        raw = {NEVER_DECODE: True} if _decodes(client) or _decodes(async_client) else {}
        self._plan = Plan(raw, clustered=self.clustered, malformed=MALFORMED, refused=ResponseError)
        self._lanes: dict[asyncio.AbstractEventLoop, Lane] = {}
        self._lock = threading.Lock()

    @classmethod
    def from_env(cls, **options: Any) -> Self:
        """Connect to the URL in the environment variable REDIS_URL.

        Raises:
            ConfigurationError: REDIS_URL is not set.
        """
        return cls(url_from_env(), **options)

    @classmethod
    def of(cls, source: Source, **options: Any) -> Connection:
        """The connection that `source` is or names: itself, a URL, or a redis-py client of either colour.

        Raises:
            ConfigurationError: It is none of these, or options come with something else than a URL.
        """
        if isinstance(source, str):
            return cls(source, **options)
        if isinstance(source, Connection) and not options:
            return source
        if isinstance(source, aioredis.Redis | aioredis.RedisCluster):
            return cls(async_client=source, **options)
        if isinstance(source, redis.Redis | redis.RedisCluster):
            return cls(client=source, **options)
        raise ConfigurationError(
            f"redis: pass a URL (options only with it), a redis-py client or a Connection, not {type(source).__name__}"
        )

    async def send(self, *commands: Command, return_errors: bool = False) -> list[Any]:
        """Send commands as one pipeline: one round trip, and a second only where the server has lost a script.

        Other clients' commands may run in between: what must happen as one is a script.

        In the async colour the commands of every call in one tick of the event loop leave as one pipeline; a failing
        command fails only the call that it belongs to.

        Args:
            *commands: Tuples such as `("HGETALL", key)`, or calls of a `Script`. Each must be safe to replay: redis-py
                repeats a pipeline whose connection broke.
            return_errors: Put the error of a failed command in its place instead of raising the first one.

        Returns:
            The replies in order; strings as bytes, whatever the client's `decode_responses`.

        Raises:
            redis.exceptions.RedisError: What the server or the network answered.
        """
        if not commands:
            return []
        wire = [command.by_sha() if isinstance(command, ScriptCall) else command for command in commands]
        replies = await either(self._round, self._around, wire)
        missing = [i for i, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if missing:
            calls = [call.in_full() for i in missing if isinstance(call := commands[i], ScriptCall)]
            for i, reply in zip(missing, await either(self._round, self._around, calls), strict=True):
                replies[i] = reply
        if not return_errors:
            for reply in replies:
                if isinstance(reply, RedisError):
                    raise reply
        return replies

    async def block(self, *command: Any) -> Any:
        """Send one command that waits at the server, as XREAD BLOCK does, for up to half of the socket timeout."""
        reply = (await either(self._wait, self._await, command))[0]
        if isinstance(reply, RedisError):
            raise reply
        return reply

    async def scan(self, pattern: str, count: int = 1000, kind: str | None = None) -> AsyncGenerator[list[bytes]]:
        """Walk over the keys that match a pattern; on a cluster, over those of each master in turn.

        A key that is there all the while is seen at least once; a page may be empty, and a key may be seen twice.

        Args:
            pattern: What the server's SCAN calls MATCH.
            count: How many of the server's keys one round trip passes over.
            kind: Only keys of this type, as the server's TYPE calls it.
        """
        of_kind = () if kind is None else ("TYPE", kind)
        for node in await either(self._masters, self._amasters):
            cursor: Any = 0
            while True:
                command = ("SCAN", cursor, "MATCH", pattern, "COUNT", count, *of_kind)
                cursor, page = await either(self._ask, self._aask, command, node)
                if isinstance(cursor, dict):  # redis-py tells the cursors of a cluster by node
                    [cursor] = cursor.values()
                yield page
                cursor = int(cursor)
                if not cursor:
                    break

    async def subscribe(self, channel: str) -> Subscription:
        """Listen to one Pub/Sub channel on a connection of its own: on a cluster, to a sharded channel.

        Raises:
            UnsupportedServerError: On a cluster, the installed redis-py has no Pub/Sub in this colour.
        """
        subscription = await either(self._listen, self._alisten)
        await subscription.open(channel)
        return subscription

    def expect_sync(self) -> None:
        """Say now, not later in the background, if the sync colour cannot be had. Opens nothing.

        Raises:
            ConfigurationError: The user's async client has no twin, and no sync one was given.
        """
        if self._sync is None and self._way is None:
            self._build(redis)

    @property
    def client(self) -> SyncClient:
        """The sync redis-py client, for libraries that take one. It is closed with this object, unless it is yours."""
        return self._sync or self._open_sync()

    def close(self) -> None:
        """Close the sync connections opened here, lent ones when they come back, and what closed loops left open.

        A later call opens anew.
        """
        self._abandon_lanes()
        client, self._sync = self._sync, self._given_sync
        if client is not None and client is not self._given_sync:
            for part in (client, *_sentinels(client)):
                part.close()

    async def aclose(self) -> None:
        """Close the sync connections, and the async ones of the running loop, that this object opened."""
        self.close()
        lane = self._lanes.get(asyncio.get_running_loop())
        if lane is not None:
            await lane.aclose()

    def __repr__(self) -> str:
        return f"Connection({self._shown})"

    def _round(self, commands: Wire) -> list[Any]:
        return self._plan.execute(self._sync or self._open_sync(), commands)

    async def _around(self, commands: Wire) -> list[Any]:
        return await (await self._lane()).send(commands)

    def _wait(self, command: tuple[Any, ...]) -> list[Any]:
        return self._plan.execute(self.client, [in_time(command, self.client)])

    async def _await(self, command: tuple[Any, ...]) -> list[Any]:
        lane = await self._lane()
        return await lane.execute([in_time(command, lane.client)])

    def _masters(self) -> list[dict[str, Any]]:
        """For each server that holds keys, how redis-py is told to ask it."""
        if not self.clustered:
            return [{}]
        client: Any = self.client
        return [{"target_nodes": node} for node in client.get_primaries()]

    async def _amasters(self) -> list[dict[str, Any]]:
        if not self.clustered:
            return [{}]
        client = (await self._lane()).client
        await client.initialize()
        return [{"target_nodes": node} for node in client.get_primaries()]

    def _ask(self, command: tuple[Any, ...], node: dict[str, Any]) -> Any:
        client: Any = self.client
        return client.execute_command(*command, **self._plan.raw, **node)

    async def _aask(self, command: tuple[Any, ...], node: dict[str, Any]) -> Any:
        return await (await self._lane()).client.execute_command(*command, **self._plan.raw, **node)

    def _listen(self) -> Subscription:
        return Subscription(self._sync or self._open_sync(), self.clustered)

    async def _alisten(self) -> Subscription:
        client = (await self._lane()).client
        if self.clustered:
            await client.initialize()  # redis-py's Pub/Sub asks which node has a channel before it asks the cluster
        return Subscription(client, self.clustered)

    def _build(self, colour: Any) -> Any:
        if self._way is None:
            missing, given = ("client", "async_client") if colour is redis else ("async_client", "client")
            raise ConfigurationError(
                f"{missing}: this needs a client of that colour, and your {given} connects in a way of its own, so that"
                f" none can be built from it; pass both: Connection(client=..., async_client=...)"
            )
        return _open(*self._way, colour)

    def _open_sync(self) -> SyncClient:
        with self._lock:
            if self._sync is None:
                self._sync = self._build(redis)
            return self._sync

    async def _lane(self) -> Lane:
        loop = asyncio.get_running_loop()
        lane = self._lanes.get(loop)
        if lane is None:
            self._abandon_lanes()
            client = self._given_async or self._build(aioredis)
            parts = () if client is self._given_async else (client, *_sentinels(client))
            lane = self._lanes[loop] = Lane(client, self._plan, parts, forget=lambda: self._lanes.pop(loop, None))
            await lane.open()
        return lane

    def _abandon_lanes(self) -> None:
        """Let go of the clients of loops that were closed without a word to them."""
        for loop in [*self._lanes]:
            if loop.is_closed() and (lane := self._lanes.pop(loop, None)):
                lane.abandon()


def url_from_env() -> str:
    """The URL in the environment variable REDIS_URL.

    Raises:
        ConfigurationError: REDIS_URL is not set.
    """
    url = os.environ.get("REDIS_URL")
    if not url:
        raise ConfigurationError("REDIS_URL: set this environment variable to a Redis URL, e.g. redis://localhost:6379")
    return url


def _open(address: Address, options: dict[str, Any], colour: Any) -> Any:
    """A client of one colour (`redis` or `redis.asyncio`) for an address."""
    settings = {"protocol": 2, **(_NAMED if options.keys().isdisjoint(("lib_name", "lib_version")) else {}), **options}
    try:
        settings |= {name: _typed(name, value) for name, value in address.options.items()} | {"decode_responses": False}
        if address.kind == "cluster":
            nodes = [colour.cluster.ClusterNode(host, port) for host, port in address.hosts]
            # A node's pool cannot wait for a free connection, so it may grow.
            return colour.RedisCluster(startup_nodes=nodes, **{"max_connections": 10_000} | settings)
        settings.setdefault("retry", _retry(colour))
        if address.kind == "sentinel":
            lookup = {name: value for name, value in settings.items() if name.startswith("socket_")}
            settings["sentinel_kwargs"] = {"retry": _retry(colour)} | settings.get("sentinel_kwargs", lookup)
            sentinels = colour.sentinel.Sentinel(address.hosts, **settings)
            master = sentinels.master_for(address.service, connection_pool_class=_sentinel_pool(colour))
            master.connection_pool.connection_class(**master.connection_pool.connection_kwargs)
            return master
        pool = _pool(colour).from_url(address.url, **settings)
        pool.connection_class(**pool.connection_kwargs)  # opens nothing, but refuses an option that it does not know
    except (ValueError, TypeError) as error:
        # redis-py may quote a part of the URL, and with a stray character that is the password: its words stay out.
        raise ConfigurationError(
            f"url or options: redis-py cannot use them ({type(error).__name__}); use {FORMS}"
        ) from None
    pool.connection_kwargs["decode_responses"] = False  # a URL's query string would win over any argument
    pool.connection_class = _packing(pool.connection_class)
    return colour.Redis.from_pool(pool)


def _pool(colour: Any) -> Any:
    """redis-py's pool that waits for a free connection."""
    quick = Lending if colour is aioredis else Direct
    observability = getattr(redis, "observability", None)  # since redis-py 7.2
    watched = staticmethod(watcher(colour, getattr(observability, "providers", None)))
    knows = {"refused": ResponseError, "lost": LOST_CONNECTION, "late": RedisTimeoutError, "watched": watched}
    return type("QuickPool", (quick, colour.BlockingConnectionPool), knows)


def _packing(kind: Any) -> Any:
    """A connection class that has hiredis pack its commands, where there is one."""
    if not redis.utils.HIREDIS_AVAILABLE:
        return kind
    hiredis: Any = import_module("hiredis")  # it has no types
    ways = {"packer": staticmethod(hiredis.pack_command), "careful": redis.connection.HiredisRespSerializer()}
    return type(kind.__name__, (Packing, kind), ways)


def _typed(name: str, value: Any) -> Any:
    """An option from a URL's query string, which is text, as redis-py would read it there."""
    reader: Any = redis.connection.URL_QUERY_ARGUMENT_PARSERS.get(name)
    return reader(value) if reader and isinstance(value, str) else value


def _retry(colour: Any) -> Any:
    """What a client without settings of its own would do when a connection breaks, but giving up within a second."""
    return colour.retry.Retry(redis.backoff.ExponentialWithJitterBackoff(base=0.01, cap=0.5), 3)


def _sentinel_pool(colour: Any) -> Any:
    """redis-py's pool for a sentinel's master, made to wait for a free connection."""
    retiring = AsyncRetiring if colour is aioredis else Retiring
    return type("SentinelPool", (retiring, colour.sentinel.SentinelConnectionPool, colour.BlockingConnectionPool), {})


def _sentinels(client: Any) -> list[Any]:
    """The clients by which a client asks its sentinels; it does not close them itself."""
    manager = getattr(getattr(client, "connection_pool", None), "sentinel_manager", None)
    return manager.sentinels if manager else []


def _decodes(client: Any) -> bool:
    """Whether a user's client turns replies into text."""
    return bool(client is not None and client.get_encoder().decode_responses)
