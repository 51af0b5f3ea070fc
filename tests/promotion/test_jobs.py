"""A thread is promoted in order, by one worker at a time; what fails is tried again, and given up in the end."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from langchain_core.messages import HumanMessage

from langchain_agentmem.errors import CorruptDataError, InvalidInputError
from langchain_agentmem.longterm.record import Scope
from langchain_agentmem.promotion.outbox import Outbox
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection
from langchain_agentmem.wire.keys import Keys
from tests.promotion.scribe import ANN, Call, said
from tests.promotion.steps import QUICK, apromoted, atake, names

# --- promoting


def test_a_turn_that_comes_meanwhile_is_not_lost(outbox: Outbox, call: Call) -> None:
    outbox.add("t", said("a"), ANN, "x@1")
    (lease,) = call(atake(outbox))
    outbox.add("t", said("a", "b"), ANN, "x@1")
    assert call(atake(outbox)) == []  # one worker at a time
    assert call(outbox.jobs.afinish(lease)) == "done"
    (lease,) = call(atake(outbox))
    assert names(lease) == ["b"]
    assert [turn.id for turn in lease.batch.context] == ["a"]


def test_a_batch_has_a_size(plain: Connection) -> None:
    outbox = Outbox(plain, **QUICK | {"batch_turns": 4, "batch_bytes": 3_000, "context": 2})
    long = [HumanMessage("x" * 2_000, id=f"l{i}") for i in range(3)]
    outbox.add("t", [*said(*"abcdef"), *long], ANN, "x@1")
    sizes, contexts = [], []
    while leases := run(atake(outbox)):
        sizes.append(names(leases[0]))
        contexts.append([turn.id for turn in leases[0].batch.context])
        run(outbox.jobs.afinish(leases[0]))
    assert sizes == [["a", "b", "c", "d"], ["e", "f", "l0"], ["l1"], ["l2"]]
    assert contexts == [[], ["c", "d"], ["f", "l0"], ["l0", "l1"]]


def test_each_turn_belongs_to_the_scope_it_came_with(outbox: Outbox) -> None:
    bob = Scope("bob", ("team", "notes"), "default")
    outbox.add("t", said("a"), ANN, "x@1")
    outbox.add("t", said("a", "b"), bob, "x@1")
    outbox.add("t", said("a", "b", "c"), ANN, "x@1")
    found = []
    while leases := run(atake(outbox)):
        batch = leases[0].batch
        found.append((names(leases[0]), batch.scope, list(batch.strategies), [turn.id for turn in batch.context]))
        run(outbox.jobs.afinish(leases[0]))
    assert found == [(["a"], ANN, ["x@1"], []), (["b"], bob, ["x@1"], []), (["c"], ANN, ["x@1"], ["a"])]


def test_the_same_turns_for_other_strategies_are_no_context(outbox: Outbox) -> None:
    found = []
    for strategy in ("x@1", "y@1"):
        outbox.add("t", said("a"), ANN, strategy)
        (lease,) = run(atake(outbox))
        found.append((names(lease), lease.batch.strategies, list(lease.batch.context)))
        run(outbox.jobs.afinish(lease))
    assert found == [(["a"], ("x@1",), []), (["a"], ("y@1",), [])]


def test_a_key_is_that_of_its_turns(outbox: Outbox) -> None:
    outbox.add("t", said("a"), ANN, "x@1")
    (lease,) = run(atake(outbox))
    run(outbox.jobs.arelease(lease))
    (again,) = run(atake(outbox))
    assert again.batch.key == lease.batch.key
    assert again.attempt == lease.attempt == 1
    run(outbox.jobs.arelease(again))
    outbox.add("t", said("a", "b"), ANN, "x@1")
    (more,) = run(atake(outbox))
    assert more.batch.key != lease.batch.key


def test_two_workers_never_hold_one_thread(plain: Connection, call: Call) -> None:
    outbox = Outbox(plain, **QUICK | {"lease": 0.5})
    outbox.add("t", said("a"), ANN, "x@1")
    (first,) = call(atake(outbox, "one"))
    assert call(outbox.jobs.aclaim("two", 10)) == []
    assert call(outbox.jobs.alease(first.job, "two")) is None
    time.sleep(0.3)
    assert call(outbox.jobs.arenew(first))
    time.sleep(0.3)
    assert call(outbox.jobs.aclaim("two", 10)) == []  # the heartbeat kept it
    time.sleep(0.4)
    (second,) = call(atake(outbox, "two"))
    assert int(second.fence) > int(first.fence)
    assert not call(outbox.jobs.akeep(first, b"late"))
    assert not call(outbox.jobs.arenew(first))
    assert call(outbox.jobs.afinish(first)) == "lost"
    assert call(outbox.jobs.afail(first, ValueError())) == "lost"
    assert call(outbox.jobs.akeep(second, b"plan"))
    time.sleep(0.6)
    (third,) = call(atake(outbox, "three"))
    assert (third.plan, names(third)) == (b"plan", ["a"])
    assert call(outbox.jobs.afinish(third)) == "done"


def test_a_kept_plan_goes_with_the_turns_it_was_made_for(plain: Connection) -> None:
    outbox = Outbox(plain, **QUICK | {"lease": 0.05})
    outbox.add("t", said("a"), ANN, "x@1")
    (lease,) = run(atake(outbox, "one"))
    run(outbox.jobs.akeep(lease, b"plan"))
    outbox.add("t", said("a", "b"), ANN, "x@1")
    time.sleep(0.1)
    (again,) = run(atake(outbox, "two"))
    assert (again.plan, names(again), again.batch.key) == (b"plan", ["a"], lease.batch.key)
    run(outbox.jobs.afinish(again))
    (last,) = run(atake(outbox, "two"))
    assert (last.plan, names(last)) == (None, ["b"])


def test_a_step_that_is_repeated_changes_nothing(outbox: Outbox) -> None:
    """redis-py repeats a command whose connection broke before the answer came."""
    outbox.add("t", said("a"), ANN, "x@1")
    (lease,) = run(atake(outbox))
    assert [run(outbox.jobs.afail(lease, ValueError())) for _ in range(2)] == ["retry"] * 2
    (lease,) = run(atake(outbox))
    assert lease.attempt == 2
    assert [run(outbox.jobs.afinish(lease)) for _ in range(2)] == ["done"] * 2
    stats = outbox.stats()
    assert (stats.waiting, stats.promoted, stats.failed, stats.batches) == (0, 1, 1, 1)


def test_what_nobody_wrote_is_given_up_as_corrupt(plain: Connection) -> None:
    outbox = Outbox(plain, **QUICK | {"max_attempts": 1})
    outbox.add("t", said("a"), ANN, "x@1")
    turns = outbox._keys.outbox() + ":turns:t"
    ((id_, entry),) = run(plain.send(("XRANGE", turns, "-", "+")))[0]
    run(plain.send(("XDEL", turns, id_), ("XADD", turns, "*", "turn", b"\xc1", "recipe", entry[b"recipe"])))
    assert run(atake(outbox)) == []
    assert outbox.stats().dead_letters == 1
    with pytest.raises(CorruptDataError, match="no turn"):
        outbox.dead()


# --- giving up


def test_what_cannot_be_promoted_takes_nothing_with_it(plain: Connection, call: Call) -> None:
    outbox = Outbox(plain, **QUICK | {"max_attempts": 2})
    outbox.add("t", said(*"abcd"), ANN, "x@1")
    promoted, outcomes = [], []
    while leases := call(atake(outbox)):
        if "b" in names(leases[0]):
            error = ValueError("no: api_key=sk-aaaaaaaaaaaaaaaaaaaaaaaa \ud800")
            outcomes.append(call(outbox.jobs.afail(leases[0], error)))
        else:
            assert "b" not in [turn.id for turn in leases[0].batch.context]
            promoted += names(leases[0])
            call(outbox.jobs.afinish(leases[0]))
    assert promoted == ["a", "c", "d"]
    assert outcomes == ["retry", "alone", "retry", "dead"]
    (letter,) = call(outbox.adead())
    assert ([turn.id for turn in letter.turns], letter.attempts, letter.thread_id) == (["b"], 2, "t")
    assert (letter.scope, letter.strategies, letter.error_type) == (ANN, ("x@1",), "ValueError")
    assert letter.error == "no: api_key=*** ?"
    assert abs(letter.time - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_letter_is_replayed_or_discarded(plain: Connection, call: Call) -> None:
    outbox = Outbox(plain, **QUICK | {"max_attempts": 1})
    keys = {}
    for name in ("a", "b", "c"):
        outbox.add(name, said(name), ANN, "x@1")
        (lease,) = call(atake(outbox))
        keys[name] = lease.batch.key
        assert call(outbox.jobs.afail(lease, ValueError(name))) == "dead"
    letters = call(outbox.adead())
    assert [letter.thread_id for letter in letters] == ["a", "b", "c"]
    assert call(outbox.adead(1)) == letters[2:]
    assert call(outbox.adead(0)) == call(outbox.adead(-1)) == []
    assert call(outbox.adead(thread_id="b")) == letters[1:2]
    assert outbox.stats().waiting == 0
    assert call(outbox.areplay([letters[1].id])) == 1
    assert call(outbox.areplay([letters[1].id])) == 0
    (lease,) = call(atake(outbox))
    assert (names(lease), lease.attempt) == (["b"], 1)
    assert lease.batch.key != keys["b"]  # what was found, and perhaps half made, before it was given up is void
    call(outbox.jobs.afinish(lease))
    assert call(outbox.adiscard([letters[0].id])) == 1
    assert call(outbox.areplay()) == 1
    assert call(apromoted(outbox)) == ["c"]
    assert call(outbox.adead()) == []
    stats = outbox.stats()
    assert (stats.dead, stats.replayed, stats.dead_letters, stats.waiting) == (3, 2, 0, 0)
    with pytest.raises(InvalidInputError, match="dead letter"):
        call(outbox.areplay(["nonsense"]))


def test_turns_that_workers_die_over_are_given_up(plain: Connection) -> None:
    outbox = Outbox(plain, **QUICK | {"lease": 0.02, "max_attempts": 3})
    outbox.add("t", said("a"), ANN, "x@1")
    for attempt in (1, 2, 3):
        (lease,) = run(atake(outbox, f"w{attempt}"))
        assert lease.attempt == attempt
        time.sleep(0.04)
    assert run(atake(outbox, "last")) == []
    (letter,) = outbox.dead()
    assert letter.error_type == "WorkerDied"


# --- turns that are gone, as when the server evicts a stream


def lose(redis: Connection, thread_id: str) -> None:
    assert run(redis.send(("UNLINK", f"{Keys().outbox()}:turns:{thread_id}"))) == [1]
    time.sleep(0.002)  # a stream that begins anew within one millisecond gives the same ids again


def test_turns_that_are_gone_hold_up_no_others(plain: Connection, outbox: Outbox, call: Call) -> None:
    for thread in ("gone", "here"):
        outbox.add(thread, said(thread), ANN, "x@1")
    lose(plain, "gone")
    assert call(apromoted(outbox)) == ["here"]
    stats = outbox.stats()
    assert (stats.waiting, stats.running, stats.taken, stats.promoted) == (0, 0, 2, 1)
    outbox.add("gone", said("new"), ANN, "x@1")
    assert call(apromoted(outbox)) == ["new"]


@pytest.mark.parametrize("more", [(), ("new",)])
@pytest.mark.parametrize("fails", [False, True])
def test_turns_that_go_while_a_worker_is_at_them(
    plain: Connection, call: Call, more: tuple[str, ...], fails: bool
) -> None:
    outbox = Outbox(plain, **QUICK | {"max_attempts": 1})
    outbox.add("t", said("gone"), ANN, "x@1")
    (lease,) = call(atake(outbox))
    lose(plain, "t")
    outbox.add("t", said(*more), ANN, "x@1")
    if fails:
        assert call(outbox.jobs.afail(lease, ValueError("no"))) == "lost"
    else:
        assert call(outbox.jobs.afinish(lease)) == "done"
    assert call(apromoted(outbox)) == [*more]
    assert (outbox.stats().waiting, outbox.stats().running, outbox.dead()) == (0, 0, [])
