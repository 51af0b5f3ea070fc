from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any, get_type_hints

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from langchain_agentmem.wire.keys import KeyName, Keys, escape, unescape

# Any text at all: surrogates, NUL and private use included.
TEXT = st.one_of(st.text(st.characters(exclude_categories=[])), st.text(":{}%*?[]|,/ é\0\ud800😀ab1", max_size=4))
STRATEGIES: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXT,
    str | None: st.none() | TEXT,
    int: st.integers(0, 9),
    tuple[str, ...]: st.lists(TEXT, max_size=3).map(tuple),
}
# Every method that makes a key out of ids; one that is given a key only adds a suffix to it.
GIVEN_A_KEY = {"stream", "owner"}
METHODS = {
    name: method
    for name, method in inspect.getmembers(Keys, inspect.isfunction)
    if not name.startswith("_")
    and (hints := get_type_hints(method))["return"] is str
    and not GIVEN_A_KEY & hints.keys()
}


def arguments(method: Callable[..., str]) -> st.SearchStrategy[tuple[Any, ...]]:
    hints = get_type_hints(method)
    del hints["return"]
    return st.tuples(*(STRATEGIES[hint] for hint in hints.values()))


CALLS = st.one_of([st.tuples(TEXT, TEXT, st.just(name), arguments(method)) for name, method in METHODS.items()])


def key(prefix: str, tenant: str, name: str, args: tuple[Any, ...]) -> str:
    return str(getattr(Keys(prefix, tenant), name)(*args))


@given(TEXT)
@example("")
@example("%")
@example("%25")
@example("\ud800\udc00")
@example("{a}:b")
@example("😀\0\n")
def test_escape_round_trips_any_text(text: str) -> None:
    segment = escape(text)
    assert re.fullmatch(r"[A-Za-z0-9_.~@%-]+", segment)
    assert unescape(segment) == unescape(segment.encode()) == text


@given(TEXT, TEXT)
@example("", "%")
@example("%", "%25")
@example("\ud83d\ude00", "😀")
def test_different_texts_escape_differently(one: str, other: str) -> None:
    assume(one != other)
    assert escape(one) != escape(other)


@pytest.mark.parametrize("plain", ["user-1", "a.b_c~d", "me@example.org", "0193b5a6-6f2c-7d1e-8000-0242ac120002"])
def test_common_ids_stay_readable(plain: str) -> None:
    assert escape(plain) == plain


@given(CALLS, CALLS)
@example(("p", "t", "threads", (None,)), ("p", "t", "threads", ("",)))
@example(("p", "t:threads", "threads", (None,)), ("p", "t", "threads", ("threads",)))
@example(("p", "t", "head", ("a", "b:c")), ("p", "t", "head", ("a:b", "c")))
@example(("p", "t", "head", ("a}:{b", "")), ("p", "t", "head", ("a", "b")))
def test_different_ids_make_different_keys(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    assume(one != other)
    assert key(*one) != key(*other)


@given(CALLS)
def test_a_key_starts_with_its_tenant_and_holds_at_most_one_tag(call: tuple[Any, ...]) -> None:
    made = key(*call)
    assert made.startswith(f"{escape(call[0])}:{escape(call[1])}:")
    assert made.isascii()
    tags = re.findall(r"\{[^{}]+\}", made)  # never empty: an empty tag is none to the server
    assert len(tags) == made.count("{") == made.count("}") <= 1


@given(TEXT, TEXT)
def test_what_belongs_to_one_thread_shares_its_tag(thread: str, ns: str) -> None:
    keys = Keys()
    tag = f"{{{escape(thread)}}}"
    assert all(tag in made for made in (keys.thread(thread), keys.head(thread, ns)))
    assert keys.head(thread, ns).startswith(keys.thread(thread) + ":")


@given(TEXT, TEXT, TEXT)
def test_a_key_is_read_back(tenant: str, one: str, other: str) -> None:
    keys = Keys("p:", tenant)

    def read(key: str) -> KeyName:
        return keys.read(key.encode())

    assert read(keys.threads()) == ("threads", "", "")
    assert read(keys.threads(one)) == ("threads", "", escape(one))
    assert read(keys.thread(one)) == ("thread", escape(one), "")
    assert read(keys.head(one, other)) == ("thread", escape(one), f"{escape(other)}:head")
    assert read(keys.facts((one, other))) == ("facts", f"{escape(one)}:{escape(other)}", "")
    assert read(keys.item((one, other), one)) == ("item", f"{escape(one)}:{escape(other)}", escape(one))
