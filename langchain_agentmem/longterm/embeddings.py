"""Encoders: the offline one of the extra `[embedded]`, and what is known of each family's cosine scale.

A cosine means something for one encoder only: .80 is "the same" for one family and "the same topic" for another. So
every threshold over cosines stands here, by family, and nowhere else.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from langchain_core.embeddings import Embeddings

from langchain_agentmem.errors import ConfigurationError

__all__ = ["OfflineEmbeddings", "calibrated_threshold", "model_name", "related_threshold"]

_DUPLICATE_DEFAULT = 0.95
# A part of the class or model name, and the cosine from which two texts are the same statement. Measured for small
# sentence encoders: .90 merges 2 % of distinct facts, .85 merges 8 %. Encoders whose cosines are squeezed into the
# upper range (e5, ada-002) need a higher one, those that spread further (text-embedding-3) a lower one.
_DUPLICATE_BY_FAMILY = {
    "ada-002": 0.97,
    "e5": 0.97,
    "text-embedding-3": 0.92,
    "minilm": 0.95,
    "bge": 0.95,
    "gte": 0.96,
    "wordllama": 0.95,
    "offlineembeddings": 0.95,
}
_NAME_FIELDS = ("model", "model_name", "model_id", "deployment", "repo_id")


class OfflineEmbeddings(Embeddings):
    """A small static encoder that needs no network, no key and no torch: wordllama, 256 dimensions.

    A text takes about 0.04 ms. It averages word vectors, so it is good at topics and poor at word order; with the
    hybrid ranking of a recall it comes within a few points of a small sentence encoder. Vectors have length 1.

    Raises:
        ConfigurationError: When the extra `embedded` is not installed.
    """

    dimensions = 256

    def __init__(self) -> None:
        """Loads the model file that the wordllama package carries (16 MB, some tens of milliseconds)."""
        self._model = _load()

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Embeds texts; an empty text gives the zero vector."""
        import numpy as np

        if not texts:
            return []
        with np.errstate(invalid="ignore"):  # a text without a single token is 0 / 0
            vectors = self._model.embed(texts, norm=True)
        rows: list[list[float]] = np.nan_to_num(vectors).tolist()
        return rows

    def embed_query(self, text: str) -> list[float]:
        """Embeds one text, the same way as a document.

        The vector is the same to the last bits; a batch of one takes the model twice as long, and turns wait for it.
        """
        import numpy as np

        tokens = self._model.tokenizer.encode(text, add_special_tokens=False).ids
        words = self._model.embedding
        summed = words[np.minimum(tokens, len(words) - 1)].sum(axis=0) if tokens else np.zeros(self.dimensions)
        length = np.sqrt(summed @ summed)  # the mean has the same direction
        row: list[float] = (summed / length if length else summed).tolist()
        return row

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """Embeds texts in place: faster than the hop to a thread that the base class makes."""
        return self.embed_documents(texts)

    async def aembed_query(self, text: str) -> list[float]:
        """Embeds one text in place."""
        return self.embed_query(text)


def calibrated_threshold(embedder: object) -> float:
    """Cosine at and above which two memories count as the same statement, for the family of an embedder.

    Args:
        embedder: A LangChain `Embeddings`, or the name of a model. An unknown one gets .95, the safe side for small
            encoders.

    Returns:
        A cosine. Numbers, dates, names and negation are compared besides: see `identity.differs`.
    """
    name = _name(embedder).lower()
    return next((cosine for family, cosine in _DUPLICATE_BY_FAMILY.items() if family in name), _DUPLICATE_DEFAULT)


def related_threshold(embedder: object) -> float:
    """Cosine from which two memories are linked as related, up to `calibrated_threshold`."""
    return calibrated_threshold(embedder) - 0.10


def model_name(embedder: object) -> str:
    """The name of an embedder's model, as far as it says; else empty."""
    return next(iter(_names(embedder)), "")


def _name(embedder: object) -> str:
    return embedder if isinstance(embedder, str) else " ".join([type(embedder).__name__, *_names(embedder)])


def _names(embedder: object) -> list[str]:
    named = (getattr(embedder, field, None) for field in _NAME_FIELDS)
    return [value for value in named if isinstance(value, str)]


def _load() -> Any:
    try:
        with _logging_untouched():
            import wordllama
    except ImportError as error:
        raise ConfigurationError(
            "OfflineEmbeddings needs the wordllama package: pip install 'langchain-agentmem[embedded]', "
            "or pass embeddings= of your own"
        ) from error
    return _model(wordllama.WordLlama, Path(next(iter(wordllama.__path__))))


@cache
def _model(program: Any, folder: Path) -> Any:
    """The model of a folder, once for a process: it is only read."""
    return program.load(cache_dir=folder, disable_download=True)


@contextmanager
def _logging_untouched() -> Iterator[None]:
    """Keep the root logger as it is: wordllama configures it when imported, which is for the application to do."""
    root = logging.getLogger()
    level, handlers = root.level, [*root.handlers]
    try:
        yield
    finally:
        root.setLevel(level)
        root.handlers[:] = handlers
