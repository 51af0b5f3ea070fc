"""AgentMemory: one connection, every tier; the object most users touch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from langchain_core.embeddings import Embeddings
from langchain_core.tools import BaseTool
from langgraph.checkpoint.serde.base import SerializerProtocol

from langchain_agentmem.agent.context import ContextAssembler
from langchain_agentmem.agent.erasure import Receipt, aforget_user
from langchain_agentmem.agent.nodes import RecallNode
from langchain_agentmem.agent.rag import semantic_cache, vectorstore
from langchain_agentmem.agent.retriever import MemoryRetriever
from langchain_agentmem.agent.tolerance import OnError
from langchain_agentmem.agent.tools import ToolName, memory_tools
from langchain_agentmem.errors import ConfigurationError
from langchain_agentmem.longterm.record import Scope
from langchain_agentmem.longterm.scopes import DEFAULT_SCOPE, ScopeLike
from langchain_agentmem.promotion.asking import ChatModel
from langchain_agentmem.promotion.budget import Budget
from langchain_agentmem.promotion.extraction import ExtractionNode
from langchain_agentmem.promotion.factory import PromotionFactory, Strategies
from langchain_agentmem.promotion.health import Health
from langchain_agentmem.promotion.outbox import Outbox
from langchain_agentmem.promotion.promoting import PromotionReport
from langchain_agentmem.promotion.worker import Worker
from langchain_agentmem.tiers import Tiers
from langchain_agentmem.wire.bridge import sync_of
from langchain_agentmem.wire.connection import Source
from langchain_agentmem.wire.once import once

if TYPE_CHECKING:
    from langchain_redis import RedisSemanticCache, RedisVectorStore

    from langchain_agentmem.agent.middleware import MemoryMiddleware, RecallMiddleware


class AgentMemory(Tiers):
    """An agent's memory on one Redis or Valkey. Sync and async; nothing is opened until the first use.

    It composes: each part shares its connection, and can as well be made and used alone.

    Args:
        redis: A Redis URL, your own redis-py client (sync, async or cluster; never closed here), or a `Connection`.
        prefix: First segment of every key; applications that share one server use different prefixes.
        tenant: Second segment of every key; tenants never see each other's memories.
        ttl: Seconds after its last write at which a whole thread expires; None = never.
        refresh_on_read: Whether reading a thread counts as use and moves its expiry on.
        serde: Serializer of checkpoints, turns and histories; LangGraph's `JsonPlusSerializer` by default.
        embeddings: What embeds memories: a LangChain `Embeddings` or `"provider:model"`. None: the offline embedder of
            the extra `embedded`.
        dims: Dimensions of its vectors; None: as its `dimensions` says, or else counted once, when the store is first
            used, in one call of the embedder that an event loop waits for.
        ttls: Seconds that memories live, by kind; None or not named: for ever. By default `{"episodic": 604800}`, a
            week, as in Redis' guide to agent memory; `{}` keeps all.
        model: What extracts memories from conversations: a chat model, or its name for `init_chat_model`. None:
            strategies that need none.
        strategies: What conversations are looked through for, see `promotion.strategies`. By default `discrete` and
            `preferences` with a model, `verbatim` and `rules` without.
        outbox: Options of the `Outbox`: `quiet` and `max_turns` before a thread is promoted, `max_attempts`...
        budget: Limits on promotion, as for `Budget`: `calls` and `tokens` for each scope and day...
        checkpoint_events: Whether each checkpoint is also an event in `events`, in the same round trip.
        **options: For redis-py, where `redis` is a URL: `credential_provider`, `socket_timeout`, `ssl_*`...

    Attributes:
        connection: What every part sends its commands through.
        keys: The names of the tenant's keys.
        checkpointer: For `compile(checkpointer=...)` and `create_agent(checkpointer=...)`.
        events: The log of what was done; its `signals` are the live twin.
        server: The private server that `embedded` started, else None.

    Raises:
        ConfigurationError: `redis` is none of the above.
        InvalidInputError: `ttl` is no time.
    """

    def __init__(
        self,
        redis: Source,
        *,
        prefix: str = "agentmem",
        tenant: str = "default",
        ttl: float | None = None,
        refresh_on_read: bool = False,
        serde: SerializerProtocol | None = None,
        embeddings: Embeddings | str | None = None,
        dims: int | None = None,
        ttls: Mapping[str, float | None] | None = None,
        model: ChatModel | str | None = None,
        strategies: Strategies | None = None,
        outbox: Mapping[str, Any] | None = None,
        budget: Mapping[str, Any] | None = None,
        checkpoint_events: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(
            redis,
            prefix=prefix,
            tenant=tenant,
            ttl=ttl,
            refresh_on_read=refresh_on_read,
            serde=serde,
            embeddings=embeddings,
            dims=dims,
            ttls=ttls,
            checkpoint_events=checkpoint_events,
            **options,
        )
        self._model, self._strategies = model, strategies
        self._outbox_options, self._limits = dict(outbox or {}), dict(budget or {})

    # --- promotion: from the first to the last

    @once
    def outbox(self) -> Outbox:
        """Where turns wait to be promoted."""
        return Outbox(self.connection, **{**self._names, "serde": self._serde, **self._outbox_options})

    @once
    def promotion(self) -> PromotionFactory:
        """What makes the nodes and workers of promotion, with the model, strategies and budget given here."""
        budget = Budget(self.connection, **self._names, **self._limits)
        return PromotionFactory(
            self.bank, self.outbox, model=self._model, strategies=self._strategies, budget=budget, events=self.events
        )

    def extraction_node(
        self, model: ChatModel | str | None = None, strategy: Strategies | None = None, **options: Any
    ) -> ExtractionNode:
        """A node that hands turns over to long-term memory: `builder.add_node("remember", memory.extraction_node())`.

        Args:
            model: The chat model or its name; by default the memory's.
            strategy: One strategy or several; by default the memory's.
            **options: Of `ExtractionNode`: `mode`, `scope`, `messages_key`, `required`.
        """
        sources = {"checkpointer": self.checkpointer, "sessions": self.session}
        return self.promotion.node(model, strategy, **sources | options)

    def worker(
        self, model: ChatModel | str | None = None, strategy: Strategies | None = None, **options: Any
    ) -> Worker:
        """A worker that promotes what waits: `async with memory.worker(): ...`, or `await memory.worker().arun()`.

        Args:
            model: The chat model or its name; by default the memory's, or else the first that one of its nodes has.
            strategy: What it can extract, beside the built-in strategies; by default what this memory's nodes look for.
            **options: Of `Worker`: `concurrency`, `name`, `on_progress`, `grace`.
        """
        return self.promotion.worker(model, strategy, **options)

    async def apromote_pending(
        self,
        model: ChatModel | str | None = None,
        strategy: Strategies | None = None,
        *,
        concurrency: int = 10,
        name: str | None = None,
        on_progress: Callable[[Health], object] | None = None,
    ) -> PromotionReport:
        """Promote all that waits now, due or not: for notebooks and cron.

        Args:
            model: As for `worker`.
            strategy: As for `worker`.
            concurrency: Threads that are promoted at the same time; the sync form takes one after the other.
            name: A name that no other worker has; by default made of host and process.
            on_progress: Called after each promotion with how it is going.
        """
        worker = self.worker(model, strategy, concurrency=concurrency, name=name, on_progress=on_progress)
        return await worker.apromote_pending()

    promote_pending = sync_of(apromote_pending)

    # --- the agent's surface

    def recall_node(
        self,
        *,
        scope: ScopeLike = DEFAULT_SCOPE,
        key: str | None = None,
        messages_key: str = "messages",
        required: bool = True,
        name: str | None = None,
        **context: Any,
    ) -> RecallNode:
        """A node that puts what memory knows into the state.

        Args:
            scope: Whose memories, by the run's context or config.
            key: The state's key to write to; None: a message among the messages.
            messages_key: The state's key that holds the conversation.
            required: Whether a run without a user is an error.
            name: Tells its message from that of another node for the same scope.
            **context: Of `ContextAssembler`: `budget`, `limit`, `kinds`, `pool`, `events`, `count_tokens`, `on_error`.
        """
        more: dict[str, Any] = {"messages_key": messages_key, "required": required, "name": name}
        return RecallNode(self._assembler(context), scope=scope, key=key, **more)

    def middleware(
        self,
        model: ChatModel | str | None = None,
        strategies: Strategies | None = None,
        *,
        scope: ScopeLike = DEFAULT_SCOPE,
        required: bool = True,
        promote: bool = True,
        name: str | None = None,
        **context: Any,
    ) -> RecallMiddleware:
        """Middleware for `create_agent`: recalls in front of the model, and hands each turn over to promotion.

        Args:
            model: What extracts memories; by default the memory's.
            strategies: By which strategies; by default the memory's.
            scope: Whose memories, by the run's context or config.
            required: Whether a run without a user is an error.
            promote: False: only recall.
            name: Its name, where an agent has several.
            **context: Of `ContextAssembler`: `budget`, `limit`, `kinds`, `pool`, `events`, `count_tokens`, `on_error`.

        Raises:
            ConfigurationError: The extra `langchain` is not installed.
        """
        recalling, promoting = _middleware()
        if not promote:
            return recalling(self._assembler(context), scope=scope, required=required, name=name)
        node = self.extraction_node(model, strategies, scope=scope, required=required)
        return promoting(self._assembler(context), node, scope=scope, required=required, name=name)

    def tools(
        self,
        *,
        scope: ScopeLike = DEFAULT_SCOPE,
        names: Iterable[ToolName] | None = None,
        required: bool = True,
        on_error: OnError = "warn",
    ) -> list[BaseTool]:
        """The memory as tools for a model, see `memory_tools`."""
        return memory_tools(self, scope=scope, names=names, required=required, on_error=on_error)

    def retriever(
        self, *, scope: ScopeLike = DEFAULT_SCOPE, k: int = 10, required: bool = True, **options: Any
    ) -> MemoryRetriever:
        """The memories of a scope as a LangChain retriever.

        Args:
            scope: Whose memories, by the run's config or context.
            k: How many documents at most.
            required: Whether a run without a user is an error.
            **options: Of `MemoryBank.recall`: `kinds`, `topics`, `since`, `token_budget`...
        """
        kinds = options.pop("kinds", ())
        return MemoryRetriever(bank=self.bank, scope=scope, k=k, required=required, kinds=kinds, options=options)

    def _assembler(self, options: Mapping[str, Any]) -> ContextAssembler:
        return ContextAssembler(self.bank, self.sessions, self.events, **options)

    # --- documents, by langchain-redis

    def semantic_cache(self, **options: Any) -> RedisSemanticCache:
        """langchain-redis' cache of model answers by meaning, see `agent.rag`; extra `redis-rag`."""
        return semantic_cache(self.connection, self.keys, self.embeddings, **options)

    def vectorstore(self, name: str, **options: Any) -> RedisVectorStore:
        """langchain-redis' vector store, one for each name, see `agent.rag`; extra `redis-rag`."""
        return vectorstore(self.connection, self.keys, self.embeddings, name, **options)

    # --- the right to be forgotten

    async def aforget_user(
        self,
        scope: str | Scope,
        *,
        also: Sequence[Scope] = (),
        threads: Sequence[str] = (),
        on_progress: Callable[[str, int], object] | None = None,
    ) -> Receipt:
        """Erase everything of one user in every tier, and prove it; see `agent.erasure`.

        Args:
            scope: The user's id, or a scope that names the user.
            also: Further scopes that are this user's.
            threads: Further threads, and chat histories, that are theirs, whatever their metadata say.
            on_progress: Called with what was done ("looked at" or "erased") and how many keys that is by now.

        Returns:
            What was erased, and what a last walk over all keys found to be left: nothing, if `clean`.
        """
        if "tracer" in self.__dict__:
            await self.tracer.aflush()  # what it holds back would come after
        receipt = await aforget_user(self, scope, also=also, threads=threads, on_progress=on_progress)
        if "bank" in self.__dict__:
            self.bank.unlearn()
        for each in receipt.scopes:  # a run that goes on must not show it again
            self._changes.note(each.path)
        for thread_id in receipt.threads:
            self.sessions.changes.note((thread_id,))
        return receipt

    forget_user = sync_of(aforget_user)


def _middleware() -> tuple[type[RecallMiddleware], type[MemoryMiddleware]]:
    try:
        from langchain_agentmem.agent.middleware import MemoryMiddleware, RecallMiddleware
    except ModuleNotFoundError as error:
        raise ConfigurationError(f'{error.name} is missing: pip install "langchain-agentmem[langchain]"') from error
    return RecallMiddleware, MemoryMiddleware
