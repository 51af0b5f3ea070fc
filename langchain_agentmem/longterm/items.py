"""How an item of the store lies in Redis: one hash, with what it says, where it belongs and its vector side by side.

| field | indexed as | what it holds |
|---|---|---|
| `v` | | the value, as JSON text |
| `n` | TAG | where it belongs: a digest for each prefix of its namespace, behind a letter for what the hash is |
| `f` | TAG | digests of (path, value), for filters by equality |
| `x` | VECTOR | its vector; further ones lie in hashes of their own beside it |
| `t` | TEXT | its words, stemmed |
| `c`, `u` | `u`: sortable | when it was created and updated |
| `a`, `z` | NUMERIC | from when and until when it is true |
| `w` | NUMERIC | when it happened; without that, when it was created |
| `l`, `e` | | time to live in ms; number of further vectors |
| `i`, `b`, `g` | | a digest of what it says; its version; the items it is related to |
| `s`, `m` | | the fact it stands for, and that fact's value |
| `p`, `k` | `k`: sortable | pinned; confidence |
| `q`, `r`, `y` | `r`: sortable | how often it was used, when last, the last few times |
| `h`, `j`, `o` | | how often it was remembered, from where, and by which call last |
| `P`, `D`, `Z` | | the version it took the place of; of the past: what took its place, and what `z` was |
| `B`, `F`, `R`, `d` | | what an undo needs, see `memory.lua` |

Times are microseconds since 1970. The letter in `n` keeps one search from seeing what belongs to another: `l` an item,
`e` an item of exactly that namespace, `o` an item without a vector, `m` a further vector of an item, `h` what an item
was before it changed.

Key and namespace are not stored: the key of the hash is both. Digests stand for namespaces and values in queries, so no
text of a user's has to be escaped, and a whole label matches or does not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Literal, TypeAlias

from langchain_agentmem.errors import CorruptDataError, InvalidInputError
from langchain_agentmem.wire.keys import write_namespace
from langchain_agentmem.wire.search import Command, VectorField

Namespace: TypeAlias = tuple[str, ...]
Letter: TypeAlias = Literal["l", "e", "o", "m", "h"]

VALUE, PLACE, FACETS, VECTOR, WORDS = "v", "n", "f", "x", "t"
CREATED, UPDATED, SINCE, UNTIL, HAPPENED, VERSION = "c", "u", "a", "z", "w", "b"
TTL, FURTHER = "l", "e"
READ = (VALUE, CREATED, UPDATED, TTL)

_decode = json.JSONDecoder().raw_decode
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_ROOT = "0"  # the digest of no label, in every item
_LONGEST_FACET = 64  # longer texts are hardly ever asked for by equality; the client compares them
LISTS = ("topics", "entities")  # whose elements a recall may ask for
_PLAIN = frozenset((str, int, float, bool, type(None)))  # what most entries are
_ALWAYS = ("kind", *LISTS)  # whose values have a tag however long they are


def schema(vector: VectorField | None) -> list[Command]:
    """The fields of the search index."""
    fields: list[Command] = [
        (PLACE, "TAG"),
        (FACETS, "TAG"),
        (WORDS, "TEXT", "NOSTEM"),
        (UPDATED, "NUMERIC", "SORTABLE", "NOINDEX"),
        ("r", "NUMERIC", "SORTABLE", "NOINDEX"),
        ("k", "NUMERIC", "SORTABLE", "NOINDEX"),
        (SINCE, "NUMERIC"),
        (UNTIL, "NUMERIC"),
        (HAPPENED, "NUMERIC"),
    ]
    return [*fields, vector.schema(VECTOR)] if vector else fields


def digest(text: str, size: int = 10) -> str:
    """A text as lower-case letters and digits: by default 80 bits, so that no label can be made to meet another's."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=size).hexdigest()


@lru_cache(maxsize=4096)
def _prefixes(namespace: Namespace) -> tuple[str, ...]:
    return (_ROOT, *(digest(write_namespace(namespace[:end])) for end in range(1, len(namespace) + 1)))


def place(letter: Letter, namespace: Namespace) -> str:
    """The tag by which a query finds what lies in a namespace or below it."""
    return letter + _prefixes(namespace)[-1]


@lru_cache(maxsize=4096)
def places(letters: str, namespace: Namespace) -> str:
    """The content of `n`: a tag for each letter and each prefix of the namespace."""
    return ",".join(letter + prefix for letter in letters for prefix in _prefixes(namespace))


@lru_cache(maxsize=4096)
def _home(namespace: Namespace, *, has_vector: bool) -> str:
    """The content of `n` of an item."""
    return f"{places('l' if has_vector else 'lo', namespace)},{place('e', namespace)}"


def facet(path: tuple[str, ...], value: Any) -> str | None:
    """The tag of a value at a path, or None when values of its kind have none. Equal values have equal tags."""
    if isinstance(value, str):
        if len(value) > _LONGEST_FACET and path[0] not in _ALWAYS:
            return None
        said = f"s{value}"
    elif isinstance(value, int):
        said = f"n{value:x}"
    elif isinstance(value, float):
        said = f"n{int(value):x}" if value.is_integer() else f"n{value}"
    elif value is None:
        said = "0"
    else:
        return None
    return _facet(path, said)


@lru_cache(maxsize=16_384)
def _facet(path: tuple[str, ...], said: str) -> str:
    return digest(_opening(path) + said, 5)


@lru_cache(maxsize=1024)
def _opening(path: tuple[str, ...]) -> str:
    return "\0".join([*(step.replace("\0", "\0\0") for step in path), "\0\0\0", ""])


def facets(value: Mapping[str, Any]) -> Iterator[str]:
    """The tags of a value: of its entries and of theirs, and of what its lists of topics and entities name."""
    for key, entry in value.items():
        for path, each in _leaves(key if type(key) is str else _name(key), entry):
            if tag := facet(path, each):
                yield tag


def _leaves(name: str, entry: Any) -> Sequence[tuple[tuple[str, ...], Any]]:
    """What may have a tag in an entry, by its path."""
    if type(entry) in _PLAIN:
        return (((name,), entry),)
    if isinstance(entry, Mapping):
        return [((name, _name(inner)), each) for inner, each in entry.items()]
    if name in LISTS and isinstance(entry, list | tuple):
        return [((name, "*"), each) for each in entry]
    return (((name,), entry),)


def _name(key: Any) -> str:
    """The name under which JSON keeps an entry: numbers and the like become texts."""
    return key if isinstance(key, str) else json.dumps(key)


def dump_value(value: Mapping[str, Any]) -> bytes:
    """A value as JSON text.

    Raises:
        InvalidInputError: JSON has no form for something in it.
    """
    try:
        text = _encode(value if isinstance(value, dict) else dict(value))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInputError(
            f"value: JSON cannot hold it ({error}); store plain dicts, lists, texts, numbers"
        ) from error
    return text.encode("utf-8", "surrogatepass")


def load_value(data: bytes) -> dict[str, Any]:
    """Undo `dump_value`.

    Raises:
        CorruptDataError: The bytes are not a JSON object.
    """
    try:
        text = data.decode("utf-8", "surrogatepass").strip()
        value, end = _decode(text)  # a third quicker than `decode`, which looks for white space on either side
    except ValueError as error:
        raise CorruptDataError("a stored item is not JSON: another program wrote into this prefix") from error
    if not isinstance(value, dict) or end != len(text):
        raise CorruptDataError("a stored item is not a JSON object: another program wrote into this prefix")
    return value


def mapping(reply: Any) -> dict[bytes, bytes]:
    """A reply to HGETALL, in the form of either protocol."""
    return reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2], strict=True))


@lru_cache(maxsize=1024)
def to_time(microseconds: bytes | int) -> datetime:
    """A stored time. One outside of the calendar is its end: it must not close a scope to its readers."""
    try:
        return _EPOCH + int(microseconds) * _MICROSECOND
    except OverflowError:
        return _LAST if int(microseconds) > 0 else _FIRST


def from_time(moment: datetime) -> int:
    """A time as it is stored. One without a time zone is meant in UTC."""
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND


def words_of(value: Any) -> Iterator[str]:
    """The texts in a value, at any depth: what full-text search reads where the whole value is indexed."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from (text for each in value.values() for text in words_of(each))
    elif isinstance(value, list | tuple):
        yield from (text for each in value for text in words_of(each))


def hashes(
    namespace: Namespace,
    value: Mapping[str, Any],
    *,
    vectors: Sequence[bytes] = (),
    words: str = "",
    ttl: int | None = None,
    more: Iterable[tuple[str, Any]] = (),
) -> list[dict[str, Any]]:
    """The hashes of an item: its own, then one for each vector after the first.

    Args:
        namespace: Where it belongs.
        value: What it says.
        vectors: Its vectors, packed.
        words: Its stems, separated by spaces.
        ttl: Its time to live, ms.
        more: Further fields of its own hash.
    """
    data, tags = dump_value(value), ",".join(dict.fromkeys(facets(value)))
    own: dict[str, Any] = {VALUE: data, PLACE: _home(namespace, has_vector=bool(vectors))}
    if tags:
        own[FACETS] = tags
    if words:
        own[WORDS] = words
    if ttl is not None:
        own[TTL] = ttl
    if vectors:
        own[VECTOR] = vectors[0]
    own.update((name, said) for name, said in more if said is not None and said != "")
    if len(vectors) < 2:
        return [own]
    own[FURTHER] = len(vectors) - 1
    beside = {PLACE: places("m", namespace)} | ({FACETS: tags} if tags else {})
    return [own, *(beside | {VECTOR: vector} for vector in vectors[1:])]
