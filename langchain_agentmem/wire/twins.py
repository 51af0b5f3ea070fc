"""Twins: from a user's client of one colour, the address and the settings for a client of the other. Opens nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from langchain_agentmem.wire.url import Address

Scheme: TypeAlias = Literal["redis", "rediss", "unix"]
Twin: TypeAlias = tuple[Address, dict[str, Any]]

# Settings of a client that mean the same to redis-py's other colour.
_SHARED = frozenset(
    (
        *("host", "port", "path", "db", "username", "password", "credential_provider", "client_name", "protocol"),
        *("socket_timeout", "socket_connect_timeout", "socket_keepalive", "socket_keepalive_options"),
        *("health_check_interval", "encoding", "encoding_errors"),
    )
)
# By these a class of connections says where and how it connects.
_REACHING = ("__init__", "connect", "_connect", "on_connect")


def twin_of(client: Any, schemes: Mapping[type, Scheme]) -> Twin | None:
    """By what address and settings the other colour reaches the server of a client.

    Args:
        client: A redis-py client of either colour: of one server, of a sentinel's master or of a cluster.
        schemes: For each of redis-py's own classes of connections, the scheme of a URL that would choose it.

    Returns:
        None where that is not known: the client connects in a way of its own.
    """
    pool: Any = getattr(client, "connection_pool", None)
    if pool is None:
        return _of_cluster(client, schemes)
    settings, scheme = pool.connection_kwargs, _scheme(pool.connection_class, schemes)
    if manager := getattr(pool, "sentinel_manager", None):
        return _of_sentinel(pool, manager, schemes) if pool.is_master else None
    return (Address("single", url=f"{scheme}://"), _shared(settings)) if scheme else None


def _of_sentinel(pool: Any, manager: Any, schemes: Mapping[type, Scheme]) -> Twin:
    places = [sentinel.connection_pool.connection_kwargs for sentinel in manager.sentinels]
    settings = _shared(pool.connection_kwargs) | _tls(pool.connection_class, schemes)
    settings |= {"sentinel_kwargs": _shared(manager.sentinel_kwargs)}
    settings |= {"min_other_sentinels": manager.min_other_sentinels}
    hosts = tuple((place["host"], place["port"]) for place in places)
    return Address("sentinel", hosts=hosts, service=pool.service_name), settings


def _of_cluster(client: Any, schemes: Mapping[type, Scheme]) -> Twin:
    nodes, given = client.nodes_manager, client.get_connection_kwargs()
    settings = _shared(given) | _tls(given.get("connection_class"), schemes)
    settings = {name: value for name, value in settings.items() if name not in ("host", "port", "db")}
    settings |= {"ssl": True} if given.get("ssl") else {}
    settings |= {"address_remap": nodes.address_remap} if nodes.address_remap else {}
    return Address("cluster", hosts=tuple((node.host, node.port) for node in nodes.startup_nodes.values())), settings


def _shared(settings: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: value for name, value in settings.items() if name in _SHARED or name[:4] == "ssl_"}
    return found | {"protocol": found.get("protocol") or 2}  # as for a URL


def _scheme(kind: type, schemes: Mapping[type, Scheme]) -> Scheme | None:
    """That of the nearest class that redis-py has, unless one above it reaches a server in a way of its own."""
    for base in kind.__mro__:
        if base in schemes:
            return schemes[base]
        if any(name in vars(base) for name in _REACHING):
            break
    return None


def _tls(kind: type | None, schemes: Mapping[type, Scheme]) -> dict[str, Any]:
    encrypted = kind is not None and any(schemes.get(base) == "rediss" for base in kind.__mro__)
    return {"ssl": True} if encrypted else {}
