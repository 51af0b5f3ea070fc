"""A checkpointer around a checkpointer that notes how long each call took."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)


class Stopwatch(BaseCheckpointSaver[Any]):
    """Passes the calls of a sync graph on, and times them.

    Args:
        inner: The checkpointer that does the work.

    Attributes:
        seconds: How long each call took, by method.
    """

    def __init__(self, inner: BaseCheckpointSaver[Any]) -> None:
        super().__init__(serde=inner.serde)
        self._inner = inner
        self.seconds: dict[str, list[float]] = defaultdict(list)

    @contextmanager
    def _timing(self, method: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[method].append(time.perf_counter() - start)

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Timed."""
        with self._timing("get_tuple"):
            return self._inner.get_tuple(config)

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """Timed as a whole."""
        with self._timing("list"):
            found = [*self._inner.list(config, filter=filter, before=before, limit=limit)]
        return iter(found)

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Timed."""
        with self._timing("put"):
            return self._inner.put(config, checkpoint, metadata, new_versions)

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Timed."""
        with self._timing("put_writes"):
            self._inner.put_writes(config, writes, task_id, task_path)

    def get_next_version(self, current: Any, channel: None) -> Any:
        """The inner checkpointer's."""
        return self._inner.get_next_version(current, channel)
