"""Texts to vectors: the index configuration, one embedding call for all that is asked in a tick, vectors as bytes."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import lru_cache
from math import isfinite
from typing import Any, Literal, cast

from langchain_core.embeddings import Embeddings
from langgraph.store.base import IndexConfig, ensure_embeddings, get_text_at_path, tokenize_path
from langgraph.store.base.embed import EmbeddingsLambda

from langchain_agentmem.errors import ConfigurationError
from langchain_agentmem.longterm.items import words_of
from langchain_agentmem.wire.search import Metric, VectorField
from langchain_agentmem.wire.tick import Together, each

_WHOLE = "$"
_PACKED = {"float32": "f", "float16": "e"}


class VectorIndexConfig(IndexConfig, total=False):
    """LangGraph's IndexConfig, and how Redis is to keep the vectors; see `wire.search.VectorField`."""

    distance_type: Metric
    algorithm: Literal["flat", "hnsw"]
    dtype: Literal["float32", "float16"]
    m: int
    ef_construction: int
    ef_runtime: int


_OPTIONS = {each.name for each in fields(VectorField)} - {"dims", "metric"}
_KNOWN = {"dims", "embed", "fields", "distance_type", *_OPTIONS}


def vector_field(config: VectorIndexConfig) -> VectorField:
    """The vector field that a configuration describes.

    Raises:
        ConfigurationError: An option is missing, unknown or out of range.
    """
    asked = cast("dict[str, Any]", dict(config))
    unknown = sorted(asked.keys() - _KNOWN)
    if unknown:
        raise ConfigurationError(f"index: unknown option {unknown[0]!r}; known are {', '.join(sorted(_KNOWN))}")
    if not isinstance(asked.get("dims"), int) or asked["dims"] < 1:
        raise ConfigurationError("index: 'dims' is the number of dimensions of your embeddings, an integer over 0")
    options = {name: asked[name] for name in _OPTIONS & asked.keys()}
    field = VectorField(asked["dims"], metric=asked.get("distance_type", "cosine"), **options)
    for name, value, allowed in (
        ("distance_type", field.metric, ("cosine", "inner_product", "l2")),
        ("algorithm", field.algorithm, ("flat", "hnsw")),
        ("dtype", field.dtype, tuple(_PACKED)),
    ):
        if value not in allowed:
            raise ConfigurationError(f"index: {name!r} is {value!r}; it must be one of {', '.join(allowed)}")
    return field


def pack(vector: Sequence[float], dtype: str) -> bytes:
    """A vector as the bytes that the server reads."""
    return _layout(len(vector), dtype).pack(*vector)


@lru_cache(maxsize=64)
def _layout(dims: int, dtype: str) -> struct.Struct:
    return struct.Struct(f"<{dims}{_PACKED[dtype]}")


class Encoder:
    """The embedder of a store, and which texts of an item it embeds.

    Args:
        config: The store's index configuration.
    """

    def __init__(self, config: VectorIndexConfig) -> None:
        self.field = vector_field(config)
        self.embeddings: Embeddings = ensure_embeddings(config.get("embed"))
        self._paths = _tokenized(config.get("fields") or [_WHOLE])
        # An embedder made from a function has no other form for queries, so they may travel with the documents.
        self._symmetric = isinstance(self.embeddings, EmbeddingsLambda)
        self._documents: Together[str, bytes | None] = Together(self._embed, self._aembed)

    def read(self, value: Mapping[str, Any], paths: list[str] | None) -> tuple[list[str], str]:
        """The texts of a value at `paths`, or at the paths of the configuration.

        Returns:
            Those that each get a vector, and the same as one text for full-text search, without JSON's syntax.
        """
        tokens = self._paths if paths is None else _tokenized(paths)
        found = [(path, _texts_at(value, path)) for path in tokens]
        words = " ".join(text for path, texts in found for text in (words_of(value) if path == _WHOLE else texts))
        return [text for _, texts in found for text in texts], words

    async def vectors(self, documents: Sequence[str], queries: Sequence[str]) -> dict[tuple[bool, str], bytes | None]:
        """Embed documents and queries, each distinct text once; concurrent async calls share the embedder's calls.

        Returns:
            The packed vector of each (is a query, text); None for a vector of length 0, which has no cosine.
        """
        together = [*documents, *queries] if self._symmetric else [*documents]
        made = dict(zip(together, await self._documents(together), strict=True)) if together else {}
        known = made if self._symmetric or not queries else await self._ask(list(dict.fromkeys(queries)))
        return {(False, text): made[text] for text in documents} | {(True, text): known[text] for text in queries}

    async def _ask(self, queries: list[str]) -> dict[str, bytes | None]:
        return dict(zip(queries, await each(self._query, self._aquery, queries), strict=True))

    async def query(self, text: str) -> bytes | None:
        """Embed one query."""
        return (await self.vectors((), (text,)))[True, text]

    def _embed(self, texts: list[str]) -> list[bytes | None]:
        distinct = list(dict.fromkeys(texts))
        return self._by_text(texts, distinct, self.embeddings.embed_documents(_readable(distinct)))

    async def _aembed(self, texts: list[str]) -> list[bytes | None]:
        distinct = list(dict.fromkeys(texts))
        return self._by_text(texts, distinct, await self.embeddings.aembed_documents(_readable(distinct)))

    def _query(self, text: str) -> bytes | None:
        return self._pack(self.embeddings.embed_query(*_readable([text])))

    async def _aquery(self, text: str) -> bytes | None:
        return self._pack(await self.embeddings.aembed_query(*_readable([text])))

    def _by_text(self, texts: list[str], distinct: list[str], made: Sequence[Sequence[float]]) -> list[bytes | None]:
        if len(made) != len(distinct):
            raise ConfigurationError(f"index: 'embed' returned {len(made)} vectors for {len(distinct)} texts")
        packed = dict(zip(distinct, map(self._pack, made), strict=True))
        return [packed[text] for text in texts]

    def _pack(self, vector: Sequence[float]) -> bytes | None:
        if len(vector) != self.field.dims:
            raise ConfigurationError(
                f"index: 'dims' is {self.field.dims}, but 'embed' made a vector of {len(vector)}; set 'dims' to that"
            )
        if self.field.metric == "cosine" and not any(vector):
            return None
        try:
            if isfinite(sum(vector)):
                return pack(vector, self.field.dtype)
        except (OverflowError, struct.error):
            pass
        raise ConfigurationError(f"index: 'embed' made a vector with numbers that are no {self.field.dtype}")


def _readable(texts: list[str]) -> list[str]:
    """Texts as any embedder takes them: half a surrogate pair, which Python allows, breaks most tokenizers."""
    return [
        text if text.isascii() else text.encode("utf-8", "surrogatepass").decode("utf-8", "replace") for text in texts
    ]


def _tokenized(paths: Sequence[str]) -> list[Any]:
    return [path if path == _WHOLE else tokenize_path(path) for path in paths]


def _texts_at(value: Mapping[str, Any], path: Any) -> list[str]:
    """What LangGraph reads at a path. Its walk takes as long as writing the item, and one plain name needs none."""
    if len(path) == 1 and path != _WHOLE and path[0][0] not in "[{*":
        text = value.get(path[0])
        if type(text) is str:
            return [text]
    return get_text_at_path(value, path)
