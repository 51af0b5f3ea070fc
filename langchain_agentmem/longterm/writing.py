"""Puts on their way: what is read from each item once, and the fewest commands that write them all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple, TypeAlias

from langgraph.store.base import PutOp

from langchain_agentmem.longterm import items
from langchain_agentmem.longterm.text import lexical_text
from langchain_agentmem.longterm.vectors import Encoder
from langchain_agentmem.wire.connection import Command
from langchain_agentmem.wire.keys import Keys, escape, write_namespace
from langchain_agentmem.wire.scripts import Script

_PUT = Script("store_put")
_TOGETHER = 50  # items in a run of the script, which nobody else's command can interrupt: 1 ms, with HNSW 20

Vectors: TypeAlias = Mapping[tuple[bool, str], bytes | None]


class Put(NamedTuple):
    """An item to be written.

    Attributes:
        op: What was asked for; its value is not None.
        texts: Its texts that each get a vector.
        words: Its text for full-text search.
    """

    op: PutOp
    texts: Sequence[str] = ()
    words: str = ""

    @classmethod
    def read(cls, op: PutOp, encoder: Encoder | None) -> Put:
        """Read the texts of an item, as far as it is to be indexed."""
        if encoder is None or op.index is False or op.value is None:
            return cls(op)
        return cls(op, *encoder.read(op.value, op.index))

    def arguments(self, vectors: Vectors) -> list[Any]:
        """The item as the script takes it."""
        ttl = None if self.op.ttl is None else max(1, round(self.op.ttl * 60_000))
        made = items.hashes(
            self.op.namespace,
            self.op.value or {},
            vectors=[vector for text in self.texts if (vector := vectors[False, text])],
            words=lexical_text(self.words),
            ttl=ttl,
        )
        place = escape(self.op.key), write_namespace(self.op.namespace)
        said: list[Any] = [*place, "" if ttl is None else ttl, len(made)]
        for each in made:
            said.append(2 * len(each))
            said.extend(chain.from_iterable(each.items()))
        return said


def commands(puts: Sequence[Put], vectors: Vectors, keys: Keys, *, clustered: bool) -> list[Command]:
    """What writes the items: a run of the script for many at once, on a cluster one for each namespace at least."""
    return [
        _command(group[start : start + _TOGETHER], vectors, keys, clustered=clustered)
        for group in (_by_slot(puts) if clustered else [puts])
        for start in range(0, len(group), _TOGETHER)
    ]


def _by_slot(puts: Sequence[Put]) -> Iterator[list[Put]]:
    groups: dict[items.Namespace, list[Put]] = {}
    for put in puts:
        groups.setdefault(put.op.namespace, []).append(put)
    yield from groups.values()


def _command(puts: Sequence[Put], vectors: Vectors, keys: Keys, *, clustered: bool) -> Command:
    own = [
        key
        for namespace, name in ((put.op.namespace, put.op.key) for put in puts)
        for key in (keys.item(namespace, name), keys.items(namespace), keys.known(namespace))
    ]
    said = [word for put in puts for word in put.arguments(vectors)]
    return _PUT(own if clustered else [*own, keys.namespaces()], said)
