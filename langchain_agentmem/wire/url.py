"""Server addresses: what a URL names, and how it is shown without its secrets. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote

from langchain_agentmem.errors import ConfigurationError

FORMS = (
    "redis://[[user]:password@]host[:port][/db], rediss://…, unix:///path/to/socket, "
    "redis+sentinel://[[user]:password@]host[:port][,host…]/service[/db] or redis+cluster://[[user]:password@]host[:port][,host…]"
)
_SINGLE = {"redis": "redis", "rediss": "rediss", "unix": "unix", "valkey": "redis", "valkeys": "rediss"}
_MANY: dict[str, tuple[Literal["sentinel", "cluster"], int]] = {
    "sentinel": ("sentinel", 26379),
    "cluster": ("cluster", 6379),
}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is.

    Attributes:
        kind: One server, a set of sentinels that name the master, or the start-up nodes of a cluster.
        url: The URL for redis-py; for `single` only.
        hosts: (host, port) of each sentinel or cluster node.
        service: The master's name at the sentinels.
        options: Keyword arguments for redis-py that the URL held: credentials, database, TLS, query string (as text).
    """

    kind: Literal["single", "sentinel", "cluster"]
    url: str = field(default="", repr=False)
    hosts: tuple[tuple[str, int], ...] = ()
    service: str = ""
    options: dict[str, Any] = field(default_factory=dict, repr=False)


def redact(url: str) -> str:
    """The URL as it may be shown: scheme and place, never the credentials or the query string."""
    scheme, _, rest = url.partition("://")
    credentials, at, place = rest.rpartition("@")
    place, asked, _ = place.partition("?")
    if not _known(scheme) or "?" in credentials:  # with a stray character, any part may be the password
        return "***"
    return f"{scheme}://{'***@' if at else ''}{place}{'?***' if asked else ''}"


def _known(scheme: str) -> bool:
    base, plus, topology = scheme.partition("+")
    return base in _SINGLE and (not plus or topology in _MANY)


def parse(url: str) -> Address:
    """Read a server URL.

    Raises:
        ConfigurationError: The URL has none of the known forms. The message never quotes it: it may hold a password.
    """
    scheme, found, rest = url.partition("://")
    if found and scheme in _SINGLE:
        return Address("single", url=f"{_SINGLE[scheme]}://{rest}")
    base, _, topology = scheme.partition("+")
    if not _known(scheme) or not topology:
        raise ConfigurationError(f"url: not a Redis URL that is known here; use {FORMS}")
    kind, port = _MANY[topology]
    return _parse_many(kind, port, rest, tls=_SINGLE[base] == "rediss")


def _parse_many(kind: Literal["sentinel", "cluster"], default_port: int, rest: str, *, tls: bool) -> Address:
    rest, _, query = rest.partition("?")
    authority, _, path = rest.partition("/")
    credentials, _, nodes = authority.rpartition("@")
    segments = [unquote(part) for part in path.split("/") if part]
    options: dict[str, Any] = _credentials(credentials) | dict(parse_qsl(query))
    if tls:
        options["ssl"] = True
    service = segments.pop(0) if kind == "sentinel" and segments else ""
    if kind == "sentinel" and not service:
        raise ConfigurationError("url: a sentinel URL names the service: redis+sentinel://host[,host…]/service[/db]")
    if segments:
        options["db"] = _number("db", segments[0])
    return Address(kind, hosts=_hosts(nodes, default_port), service=service, options=options)


def _credentials(text: str) -> dict[str, Any]:
    user, _, password = text.partition(":")
    named = {"username": unquote(user), "password": unquote(password)}
    return {name: value for name, value in named.items() if value}


def _hosts(nodes: str, default_port: int) -> tuple[tuple[str, int], ...]:
    found = []
    for node in nodes.split(","):
        host, colon, port = node.rpartition(":") if not node.endswith("]") else (node, "", "")
        found.append((host.strip("[]"), _number("port", port)) if colon else (node.strip("[]"), default_port))
    if not all(host for host, _ in found):
        raise ConfigurationError(f"url: a host is missing; use {FORMS}")
    return tuple(found)


def _number(what: str, text: str) -> int:
    if not text.isdecimal():
        raise ConfigurationError(f"url: the {what} is not a number; percent-encode special characters of a password")
    return int(text)
