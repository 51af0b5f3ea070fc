"""MemoryRetriever: memories as documents, for whatever takes a LangChain retriever."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, cast

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever, LangSmithRetrieverParams
from langchain_core.runnables.config import RunnableConfig, ensure_config
from langsmith.run_helpers import tracing_context
from pydantic import Field

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.recalling import Recalled
from langchain_agentmem.longterm.record import Scope
from langchain_agentmem.longterm.scopes import DEFAULT_SCOPE, scope_of_run, template_of
from langchain_agentmem.longterm.tracing import described
from langchain_agentmem.wire.bridge import either, run

_TIMES = ("event_time", "created", "updated", "valid_from", "valid_to")
_SAID = ("kind", "speaker", "topics", "entities", "importance", "confidence")


class MemoryRetriever(BaseRetriever):
    """Recalls memories as documents, whose metadata says what is known of each: score, kind, times, source.

    Whose memories comes from `scope` and the run's config or context, never from the query or the call. In LangSmith
    and to callbacks a call is one retriever run.

    Attributes:
        bank: Where the memories lie.
        scope: Whose memories: a `Scope` for all runs, a `ScopeTemplate`, or a template's labels.
        k: How many documents at most; `invoke(query, k=3)` asks for another number.
        kinds: Only memories of these kinds.
        options: Further options of `MemoryBank.recall`, such as `since`, `topics` or `token_budget`.
        required: Whether a run that does not say whose memories it is about is an error. False: it finds nothing.
    """

    bank: MemoryBank
    scope: Any = DEFAULT_SCOPE
    k: int = Field(default=10, ge=1)
    kinds: Sequence[str] = ()
    options: Mapping[str, Any] = {}

    required: bool = True

    def model_post_init(self, context: Any, /) -> None:
        """Check the scope, which may be given in any of its forms."""
        template_of(self.scope)

    async def ainvoke(self, input: str, config: RunnableConfig | None = None, **kwargs: Any) -> list[Document]:
        """Recall.

        Args:
            input: A question, keywords or a statement.
            config: The run's config; what it does not say is taken from the code that is running.
            **kwargs: `k`, for another number of documents.

        Raises:
            MissingScopeError: The run does not say whose memories it is about, and `required` is set.
            InvalidInputError: `k` is below 1.
        """
        given = {**kwargs, "scope": self._scope(ensure_config(config))}
        sync = partial(super().invoke, input, config, **given)
        return await either(sync, partial(super().ainvoke, input, config, **given))

    def invoke(self, input: str, config: RunnableConfig | None = None, **kwargs: Any) -> list[Document]:
        """Sync form of `ainvoke`."""
        return run(self.ainvoke(input, config, **kwargs))

    async def _aget_relevant_documents(
        self,
        query: str,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun | CallbackManagerForRetrieverRun,
        **asked: Any,
    ) -> list[Document]:
        k = asked.get("k", self.k)
        if k < 1:
            raise InvalidInputError(f"k: 1 or more, not {k}")
        if asked["scope"] is None:
            return []
        with tracing_context(enabled=False):  # the retriever is the run; the bank would make another inside it
            found = await self.bank.arecall(query, asked["scope"], limit=k, kinds=self.kinds, **self.options)
        return [_document(each) for each in found]

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, **asked: Any
    ) -> list[Document]:
        return run(self._aget_relevant_documents(query, run_manager=run_manager, **asked))

    def _scope(self, config: RunnableConfig) -> Scope | None:
        return scope_of_run(template_of(self.scope), config, required=self.required)

    def _get_ls_params(self, **kwargs: Any) -> LangSmithRetrieverParams:
        return cast("LangSmithRetrieverParams", described(self.bank.store))


def _document(recalled: Recalled) -> Document:
    memory = recalled.memory
    known: dict[str, Any] = {"id": memory.id, "score": recalled.score, "similarity": recalled.similarity}
    known |= {name: getattr(memory, name) for name in _SAID}
    known |= {name: moment.isoformat() for name in _TIMES if (moment := getattr(memory, name)) is not None}
    known |= {"version": memory.version, "namespace": list(memory.namespace)}
    if memory.source is not None:
        known["source"] = memory.source.dump()
    if memory.metadata:
        known["metadata"] = dict(memory.metadata)
    return Document(id=memory.id, page_content=memory.text, metadata=_plain(known))


def _plain(known: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON values, without what is not known."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in known.items()
        if value is not None and value != ()
    }
