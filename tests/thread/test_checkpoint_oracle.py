"""The saver against LangGraph's InMemorySaver under random histories: forks, late writes, two workers, all calls."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple
from langgraph.checkpoint.memory import InMemorySaver

from langchain_agentmem.thread.checkpoint import AgentMemorySaver
from langchain_agentmem.thread.layout import is_log
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection

THREADS = ["t1", "t{1}:*", "t 2\n🧵", ""]
SPACES = ["", "call:1", "sub|1"]
CHANNELS = ["messages", "n", "flag", "log:é"]
TASKS = ["task-1", "task-2"]
CALLS = ["delete", "copy", "prune", "runs"]
WRITTEN = ["n", "messages", "__error__", "__interrupt__", "__resume__"]
# Long enough that a list becomes a log, and that some logs fill more than one chunk.
ITEMS = st.integers(0, 5).map(lambda n: f"item {n} " * (1 + 150 * n))
WORKERS = st.integers(0, 3)
# Most happens in one place, and near its newest checkpoint: histories must meet there to show anything.
BUSY = st.sampled_from([*THREADS[:1] * 3, THREADS[1]])
NEAR = st.sampled_from(["", "", "", "call:1"])
ANY = st.one_of(st.integers(-3, -1), st.integers(0, 30))
VALUES = st.one_of(st.integers(-9, 9), st.none(), st.text(max_size=5), st.lists(ITEMS, max_size=6))
# What a super-step does: channels with a new value, items added to the messages, channels that lose their value.
CHANGES = st.tuples(
    st.dictionaries(st.sampled_from([*CHANNELS, *CHANNELS[1:] * 2]), VALUES, max_size=2),
    st.lists(ITEMS, max_size=3),
    st.one_of(st.just(set()), st.just(set()), st.sets(st.sampled_from(CHANNELS), max_size=1)),
)
# One call of put_writes: the worker, how many checkpoints before the next one, writes, task, path.
SAVED = st.tuples(
    WORKERS,
    st.sampled_from([0, 1, 1, 2, 4]),
    st.lists(st.tuples(st.sampled_from(WRITTEN), VALUES), min_size=1, max_size=3),
    st.sampled_from(TASKS),
    st.sampled_from(["", "~__pregel_pull, a", "b"]),
)


class Oracle(InMemorySaver):
    """InMemorySaver with the calls that it lacks."""

    def keep(self, thread_id: str, ns: str, kept: set[str]) -> None:
        """Keep only some checkpoints of a namespace, and what they name."""
        found = self.storage[thread_id][ns]
        for checkpoint_id in set(found) - kept:
            del found[checkpoint_id]
            self.writes.pop((thread_id, ns, checkpoint_id), None)
        for checkpoint_id, (checkpoint, metadata, parent) in list(found.items()):
            found[checkpoint_id] = (checkpoint, metadata, parent if parent in found else None)
        named = {
            (channel, version)
            for checkpoint, *_ in found.values()
            for channel, version in self.serde.loads_typed(checkpoint)["channel_versions"].items()
        }
        for key in [key for key in self.blobs if key[:2] == (thread_id, ns) and key[2:] not in named]:
            del self.blobs[key]
        if not found:
            del self.storage[thread_id][ns]
            for writes in [key for key in self.writes if key[:2] == (thread_id, ns)]:
                del self.writes[writes]

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        if source_thread_id == target_thread_id or not self.knows(source_thread_id):
            return
        self.delete_thread(target_thread_id)
        for ns, found in list(self.storage[source_thread_id].items()):
            self.storage[target_thread_id][ns] = dict(found)
        stores: tuple[Any, ...] = (self.writes, self.blobs)
        for keyed in stores:
            for key in [key for key in keyed if key[0] == source_thread_id]:
                keyed[target_thread_id, *key[1:]] = keyed[key].copy() if isinstance(keyed[key], dict) else keyed[key]

    def knows(self, thread_id: str) -> bool:
        return any(self.storage.get(thread_id, {}).values()) or any(key[0] == thread_id for key in self.writes)


def plain(found: CheckpointTuple | None) -> Any:
    """A tuple in a form that compares."""
    if found is None:
        return None
    names = ("thread_id", "checkpoint_ns", "checkpoint_id")
    where = tuple(found.config["configurable"][name] for name in names)
    parent = found.parent_config and tuple(found.parent_config["configurable"][name] for name in names)
    return where, parent, found.checkpoint, dict(found.metadata), list(found.pending_writes or ())


class Histories(RuleBasedStateMachine):
    """Random calls on both savers; every answer must be the same."""

    connection: Connection

    @initialize()
    def begin(self) -> None:
        run(self.connection.send(("FLUSHALL",)))
        self.oracle = Oracle()
        # Two workers, each with beliefs of its own about what the server holds.
        self.workers = [AgentMemorySaver(self.connection), AgentMemorySaver(self.connection)]
        self.loop = asyncio.Runner()
        self.clock = 0
        self.placed: list[tuple[str, str, str]] = []
        self.state: dict[tuple[str, str, str], tuple[dict[str, Any], dict[str, str]]] = {}

    def teardown(self) -> None:
        """At the end of a history, all there is: by id and by page."""
        if not hasattr(self, "loop"):
            return
        try:
            for thread_id, ns in {place[:2] for place in self.placed}:
                listed = {one.checkpoint["id"]: one for one in self.workers[0].list(self.config(thread_id, ns))}
                for place in [place for place in self.placed if place[:2] == (thread_id, ns)]:
                    expected = plain(self.oracle.get_tuple(self.config(*place)))
                    assert plain(self.workers[1].get_tuple(self.config(*place))) == expected
                    assert plain(listed.pop(place[2])) == expected
                assert listed == {}
                self._check_head(thread_id, ns)
        finally:
            self.loop.run(self.connection.aclose())
            self.loop.close()

    def _check_head(self, thread_id: str, ns: str) -> None:
        """Its chunks are those of the lists that it names."""
        [fields] = run(self.connection.send(("HGETALL", self.workers[0]._keys.head(thread_id, ns))))
        logs = {value[1:5] for field, value in fields.items() if field[:1] == b"v" and is_log(value)}
        assert {field[1:5] for field in fields if field[:1] == b"l"} == logs

    def call(self, worker: int, name: str, *args: Any, **kwargs: Any) -> Any:
        """Call one worker, sync or async by its number."""
        saver = self.workers[worker % 2]
        if worker < 2:
            return getattr(saver, name)(*args, **kwargs)
        return self.loop.run(getattr(saver, f"a{name}")(*args, **kwargs))

    def config(self, thread_id: str, ns: str | None, checkpoint_id: str | None = None, /) -> Any:
        names = {"thread_id": thread_id, "checkpoint_ns": ns, "checkpoint_id": checkpoint_id}
        return {"configurable": {name: value for name, value in names.items() if value is not None}}

    @rule(worker=WORKERS, thread_id=BUSY, ns=NEAR, turns=st.lists(CHANGES, min_size=1, max_size=4))
    def go_on(self, worker: int, thread_id: str, ns: str, turns: list[Any]) -> None:
        """Some super-steps on the newest checkpoint."""
        for changes in turns:
            here = [place for place in self.placed if place[:2] == (thread_id, ns)]
            self._put(worker, (thread_id, ns), max(here, default=None), changes)

    @rule(worker=WORKERS, pick=ANY, turns=st.lists(CHANGES, min_size=1, max_size=3))
    @precondition(lambda self: self.placed)
    def fork(self, worker: int, pick: int, turns: list[Any]) -> None:
        """A newest checkpoint on any parent, and some that follow it."""
        parent = self.placed[pick % len(self.placed)]
        for changes in turns:
            self._put(worker, parent[:2], parent, changes)
            parent = self.placed[-1]
            self.newest_is_the_same()

    @rule(worker=WORKERS, pick=ANY, changes=CHANGES)
    @precondition(lambda self: self.placed)
    def put_behind(self, worker: int, pick: int, changes: Any) -> None:
        """A checkpoint that is not the newest when it comes."""
        parent = self.placed[pick % len(self.placed)]
        self._put(worker, parent[:2], parent, changes, checkpoint_id=f"{self.clock:012}-late")

    @rule(worker=WORKERS, pick=ANY, changes=CHANGES)
    @precondition(lambda self: self.placed)
    def replace(self, worker: int, pick: int, changes: Any) -> None:
        """The same id once more, with other values."""
        place = self.placed[pick % len(self.placed)]
        self._put(worker, place[:2], place, changes, checkpoint_id=place[2])

    def _put(
        self,
        worker: int,
        where: tuple[str, ...],
        parent: tuple[str, str, str] | None,
        changes: Any,
        checkpoint_id: str | None = None,
    ) -> None:
        fresh, more, gone = changes
        values, versions = (dict(part) for part in self.state.get(parent, ({}, {}))) if parent else ({}, {})
        self.clock += 1
        changed = dict(fresh)
        if more and isinstance(values.get("messages"), list):
            changed["messages"] = values["messages"] + more
        values = {key: value for key, value in (values | changed).items() if key not in gone}
        new_versions: dict[str, Any] = {key: f"{self.clock:08}.{key}" for key in {*changed, *(gone & set(versions))}}
        versions |= new_versions
        checkpoint = {
            "v": 4, "id": checkpoint_id or f"{self.clock * 1000:012}", "ts": "", "channel_values": values,
            "channel_versions": versions, "versions_seen": {"node": dict(versions)},
            "updated_channels": sorted(new_versions) or None,
        }  # fmt: skip
        number = self.clock % 4
        metadata = {"source": "loop", "step": number, "parents": {}, "run_id": f"run-{number}"}
        config = self.config(where[0], where[1], parent[2] if parent else None)
        self.oracle.put(config, checkpoint, metadata, new_versions)  # type: ignore[arg-type]
        self.call(worker, "put", config, checkpoint, metadata, new_versions)
        place = (where[0], where[1], str(checkpoint["id"]))
        self.placed = [*(known for known in self.placed if known != place), place]
        self.state[place] = values, versions

    @rule(thread_id=BUSY | st.sampled_from(THREADS), ns=NEAR, saved=st.lists(SAVED, min_size=1, max_size=5))
    def put_writes(self, thread_id: str, ns: str, saved: list[Any]) -> None:
        """For checkpoints that are there, or for the one that the next put will bring."""
        here = [place[2] for place in self.placed if place[:2] == (thread_id, ns)]
        for worker, ahead, writes, task, path in saved:
            checkpoint_id = here[-ahead] if 0 < ahead <= len(here) else f"{(self.clock + 1) * 1000:012}"
            config = self.config(thread_id, ns, checkpoint_id)
            self.oracle.put_writes(config, writes, task, path)
            self.call(worker, "put_writes", config, writes, task, path)

    @rule(worker=WORKERS, pick=ANY)
    @precondition(lambda self: self.placed)
    def get_by_id(self, worker: int, pick: int) -> None:
        config = self.config(*self.placed[pick % len(self.placed)])
        assert plain(self.call(worker, "get_tuple", config)) == plain(self.oracle.get_tuple(config))

    @rule(worker=WORKERS, pick=ANY, channels=st.sets(st.sampled_from(CHANNELS), min_size=1))
    @precondition(lambda self: self.placed)
    def delta_history(self, worker: int, pick: int, channels: set[str]) -> None:
        """As LangGraph's own walk finds it, which would never end on a checkpoint that was put on itself."""
        config, wanted = self.config(*self.placed[pick % len(self.placed)]), sorted(channels)
        if not self._is_circular(config):
            expected = BaseCheckpointSaver.get_delta_channel_history(self.oracle, config=config, channels=wanted)
            assert self.call(worker, "get_delta_channel_history", config=config, channels=wanted) == expected

    def _is_circular(self, config: Any) -> bool:
        passed = set()
        while config and (place := str(config["configurable"])) not in passed:
            passed.add(place)
            found = self.oracle.get_tuple(config)
            config = found and found.parent_config
        return bool(config)

    @rule(
        worker=st.integers(0, 1),
        thread_id=st.sampled_from([*THREADS[:2], None]),
        ns=st.sampled_from([*SPACES, None]),
        number=st.none() | st.integers(0, 3),
        limit=st.none() | st.integers(0, 3),
        before=st.none() | st.integers(0, 20),
    )
    def list(self, worker, thread_id, ns, number, limit, before) -> None:  # type: ignore[no-untyped-def]
        """Any scope; the newest ids come first, so a limited list is the start of the whole one."""
        config = None if thread_id is None else self.config(thread_id, ns)
        wanted = None if number is None else {"step": number}
        bound = None if before is None else self.config("x", "", f"{before * 1000:012}")
        expected = list(self.oracle.list(config, filter=wanted, before=bound))
        expected.sort(key=lambda found: found.checkpoint["id"], reverse=True)
        found = list(self.workers[worker].list(config, filter=wanted, before=bound, limit=limit))
        ids = [found.checkpoint["id"] for found in expected]
        assert [one.checkpoint["id"] for one in found] == ids[:limit]
        everything = [plain(one) for one in expected]
        assert all(plain(one) in everything for one in found)

    @rule(worker=WORKERS, what=st.sampled_from(CALLS), first=BUSY, second=st.sampled_from(THREADS))
    @precondition(lambda self: self.clock > 4)
    def whole_thread(self, worker: int, what: str, first: str, second: str) -> None:
        """One rule for all of these, or histories would hold little else."""
        match what:
            case "delete":
                self.oracle.delete_thread(second)
                self.call(worker, "delete_thread", second)
                self._forget(second)
            case "copy":
                self._copy(worker, first, second)
            case "prune":
                for ns, found in list(self.oracle.storage.get(first, {}).items()):
                    if found:
                        self._keep(first, ns, {max(found)})
                self.call(worker, "prune", [first], strategy="keep_latest")
            case "runs":
                self._delete_for_run(worker, f"run-{self.clock % 4}")

    def _copy(self, worker: int, first: str, second: str) -> None:
        if self.oracle.knows(first) and first != second:
            self._forget(second)
            for place in [place for place in self.placed if place[0] == first]:
                self.placed.append((second, *place[1:]))
                self.state[second, place[1], place[2]] = self.state[place]
        self.oracle.copy_thread(first, second)
        self.call(worker, "copy_thread", first, second)

    def _delete_for_run(self, worker: int, run_id: str) -> None:
        for thread_id, spaces in list(self.oracle.storage.items()):
            for ns, found in list(spaces.items()):
                runs = {key: self.oracle.serde.loads_typed(row[1])["run_id"] for key, row in found.items()}
                kept = {key for key in runs if runs[key] != run_id}
                if len(kept) < len(found):
                    self._keep(thread_id, ns, kept)
        self.call(worker, "delete_for_runs", [run_id])

    @rule(worker=st.integers(0, 1))
    def flush_beliefs(self, worker: int) -> None:
        """A worker restarts."""
        self.workers[worker] = AgentMemorySaver(self.connection)

    @invariant()
    def newest_is_the_same(self) -> None:
        if not hasattr(self, "placed"):
            return
        for thread_id, ns in {place[:2] for place in self.placed}:
            config = self.config(thread_id, ns)
            assert plain(self.workers[0].get_tuple(config)) == plain(self.oracle.get_tuple(config))

    def _forget(self, thread_id: str) -> None:
        self.placed = [place for place in self.placed if place[0] != thread_id]

    def _keep(self, thread_id: str, ns: str, kept: set[str]) -> None:
        self.oracle.keep(thread_id, ns, kept)
        self.placed = [place for place in self.placed if place[:2] != (thread_id, ns) or place[2] in kept]


@pytest.mark.parametrize("server", ["plain_url", "search_url"])
def test_histories(server: str, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue(server)
    with Connection(url) as connection:
        machine = type("Machine", (Histories,), {"connection": connection})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=100 if server == "plain_url" else 15,
                stateful_step_count=40,
                deadline=None,
                phases=[Phase.reuse, Phase.generate],  # to shorten a history takes longer than a test may
                suppress_health_check=list(HealthCheck),
            ),
        )
