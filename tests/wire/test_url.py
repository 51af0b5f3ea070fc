from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from langchain_agentmem.errors import ConfigurationError
from langchain_agentmem.wire.url import Address, parse, redact

# Letters that no other part of the URLs below has, and the characters that mean something in a URL.
PASSWORDS = st.text("XYZ:/?#[]@!$&'()*+,;=% %é\n", min_size=1, max_size=12)
SHAPES = [
    "redis://:{}@host:6379/0",
    "rediss://user:{}@host",
    "valkey://user:{}@[::1]:6379/0",
    "unix://user:{}@/run/redis.sock?db=1",
    "redis+sentinel://user:{}@h1:26379,h2/service/0",
    "redis+cluster://:{}@h1,h2",
    "redis://host:6379/0?password={}",
    "redis://host:6379/0?db=1&username=user&password={}&protocol=3",
    "unix:///run/redis.sock?password={}",
    "redis://host?ssl_password={}",
    "redis:{}@host",
    ":{}@host:6379",
    "{}",
]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://host", "redis://host"),
        ("redis://host:1/2", "redis://host:1/2"),
        ("rediss://host", "rediss://host"),
        ("redis://[::1]:6379/0", "redis://[::1]:6379/0"),
        ("redis://u:p@host/0?protocol=3", "redis://u:p@host/0?protocol=3"),
        ("unix:///run/redis.sock?db=2", "unix:///run/redis.sock?db=2"),
        ("valkey://host:1", "redis://host:1"),
        ("valkeys://host:1", "rediss://host:1"),
    ],
)
def test_one_server_is_left_to_redis_py(url: str, expected: str) -> None:
    assert parse(url) == Address("single", url=expected)


@pytest.mark.parametrize(
    ("url", "hosts", "service", "options"),
    [
        ("redis+sentinel://h/main", [("h", 26379)], "main", {}),
        ("redis+sentinel://h1:1,h2:2/main/3", [("h1", 1), ("h2", 2)], "main", {"db": 3}),
        ("redis+sentinel://h/my%20svc", [("h", 26379)], "my svc", {}),
        ("redis+sentinel://u:p@h/main", [("h", 26379)], "main", {"username": "u", "password": "p"}),
        ("rediss+sentinel://h/main", [("h", 26379)], "main", {"ssl": True}),
        ("redis+cluster://h", [("h", 6379)], "", {}),
        ("redis+cluster://h1,h2:7001", [("h1", 6379), ("h2", 7001)], "", {}),
        ("redis+cluster://[::1]:7000,[fe80::2]", [("::1", 7000), ("fe80::2", 6379)], "", {}),
        ("redis+cluster://:a%2Fb%40c%3A@h", [("h", 6379)], "", {"password": "a/b@c:"}),
        ("redis+cluster://u%40x:p%25@h", [("h", 6379)], "", {"username": "u@x", "password": "p%"}),
        ("valkeys+cluster://h", [("h", 6379)], "", {"ssl": True}),
        ("redis+cluster://h?client_name=me", [("h", 6379)], "", {"client_name": "me"}),
        ("redis+cluster://h?password=p%26q", [("h", 6379)], "", {"password": "p&q"}),
        (
            "redis+sentinel://h/main?socket_timeout=1.5&max_connections=7&socket_keepalive=yes",
            *([("h", 26379)], "main", {"socket_timeout": "1.5", "max_connections": "7", "socket_keepalive": "yes"}),
        ),
    ],
)
def test_many_servers(url: str, hosts: list[tuple[str, int]], service: str, options: dict[str, Any]) -> None:
    address = parse(url)
    assert address == Address(address.kind, hosts=tuple(hosts), service=service, options=options)
    assert address.kind in url


@pytest.mark.parametrize(
    "url",
    [
        *("", "host", "host:6379", "http://host", "redis:host", "redis+http://host", "http+cluster://host"),
        *("redis+cluster://", "redis+cluster://h1,,h2", "redis+cluster://h:port", "redis+cluster://h:"),
        *("redis+sentinel://h", "redis+sentinel://h/", "redis+sentinel://h/main/db", "redis+cluster://h/db"),
        *("redis+cluster://:12/34@h", "redis+cluster://h1,[::1],"),
    ],
)
def test_no_known_form(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^url: "):
        parse(url)


@given(st.sampled_from(SHAPES), PASSWORDS, st.booleans())
@example("redis://host:6379/0?password={}", "X@Y", False)
@example("redis://:{}@host:6379/0", "X?Y", False)
@example("unix://user:{}@/run/redis.sock?db=1", "X\nY", False)
@example("redis://host?ssl_password={}", "X", False)
def test_no_part_of_a_password_is_shown(shape: str, password: str, encoded: bool) -> None:
    shown = redact(shape.format(quote(password, safe="") if encoded else password))
    assert not set(shown) & set("XYZé%")


@given(st.sampled_from(SHAPES), PASSWORDS)
def test_an_address_and_a_refusal_keep_the_password_to_themselves(shape: str, password: str) -> None:
    url = shape.format(password)
    try:
        shown = repr(parse(url))
    except ConfigurationError as refusal:
        shown = f"{refusal} {refusal!r}"
    assert password.strip(" ,:;=&*'()[]!$/?#@+%\n") == "" or password not in shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("redis://user:secret@localhost:6379/0", "redis://***@localhost:6379/0"),
        ("unix:///run/redis.sock", "unix:///run/redis.sock"),
        ("redis+sentinel://:pw@h1,h2/main", "redis+sentinel://***@h1,h2/main"),
        ("redis://localhost/0?db=1", "redis://localhost/0?***"),
    ],
)
def test_what_is_no_secret_is_shown(url: str, shown: str) -> None:
    assert redact(url) == shown
