"""Who shares an embedded server and who ends it, with real processes: ended, killed and forked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from langchain_agentmem.wire.embedded import EmbeddedServer
from tests.users import User, alive, ask, exit_status, fork, gone, parent, socket_of, start, user, wait_until

# -- who shares it ---------------------------------------------------------------------------------------------------


def test_two_starts_in_one_process_share_it(tmp_path: Path) -> None:
    first = start(tmp_path)
    with start(tmp_path / ".." / tmp_path.name) as second:
        assert (first.url, first.pid) == (second.url, second.pid)
        first.stop()
        assert alive(second)
    assert gone(second.pid)


def test_many_threads_start_one(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        servers = list(pool.map(lambda _: start(tmp_path), range(8)))
    assert len({server.pid for server in servers}) == 1
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(EmbeddedServer.stop, servers))
    wait_until(lambda: gone(servers[0].pid))


def test_stop_from_many_threads_counts_once(tmp_path: Path) -> None:
    with start(tmp_path) as keeping:
        shared = start(tmp_path)
        threads = [threading.Thread(target=shared.stop) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert alive(keeping)


def test_two_processes_share_it_and_the_survivor_goes_on(tmp_path: Path) -> None:
    with user(tmp_path) as other, start(tmp_path) as server:
        assert (other.url, other.server_pid) == (server.url, server.pid)
        ask(other.url, "SET", "k", "v")
        other.kill()
        assert ask(server, "GET", "k") == b"v"
    assert gone(server.pid)


def test_processes_that_start_at_once_share_it(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        users = list(pool.map(lambda _: User(tmp_path), range(4)))
    assert len({other.server_pid for other in users}) == 1
    for other in users:
        other.kill()
    wait_until(lambda: gone(users[0].server_pid))


def test_who_comes_while_it_ends_waits_and_finds_the_data(tmp_path: Path) -> None:
    for i in range(3):
        with user(tmp_path) as other:
            ask(other.url, "INCR", "k")
        with start(tmp_path) as server:
            assert ask(server, "GET", "k") == b"%d" % (i + 1)


# -- who ends it -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [User.end, User.kill])
@pytest.mark.parametrize("kept", [True, False])
def test_ends_with_its_process(way: Callable[[User], None], kept: bool, tmp_path: Path) -> None:
    with user(*[tmp_path] * kept) as other:
        assert not gone(other.server_pid)
        way(other)
        wait_until(lambda: gone(other.server_pid))
        wait_until(lambda: not socket_of(other.url).parent.exists())


def test_an_interrupt_from_the_terminal_is_not_for_the_server(tmp_path: Path) -> None:
    with user(tmp_path) as other:
        assert os.getsid(other.server_pid) != os.getsid(other.process.pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent has ended")
def test_ends_when_its_keeper_is_killed(tmp_path: Path) -> None:
    with start(tmp_path) as server:
        keeper = parent(server.pid)
        assert "keeper.py" in Path(f"/proc/{keeper}/cmdline").read_text("utf-8")
        os.kill(keeper, signal.SIGKILL)
        wait_until(lambda: gone(server.pid))
    with start(tmp_path) as again:
        assert again.url == server.url
        assert alive(again)


def test_a_server_that_ignores_its_users_end_is_killed(tmp_path: Path) -> None:
    server = start(tmp_path)
    os.kill(server.pid, signal.SIGSTOP)  # it cannot see the polite signal
    server.stop()
    assert gone(server.pid)


def test_a_child_does_not_end_its_parents_server() -> None:
    with start() as server:
        assert exit_status(fork(lambda: ask(server, "SET", "k", "v"))) == 0
        assert exit_status(fork(server.stop)) == 0
        assert ask(server, "GET", "k") == b"v"
    assert gone(server.pid)


def test_a_child_that_exits_in_full_does_not_end_its_parents_server() -> None:
    story = """
        import os, sys
        from langchain_agentmem.wire.embedded import EmbeddedServer
        server = EmbeddedServer.start(modules=False)
        child = os.fork()
        if not child:
            sys.exit()  # runs what is registered for the exit
        os.waitpid(child, 0)
        os.kill(server.pid, 0)
        server.stop()
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(story)], check=True)


def test_a_child_goes_on_when_its_parent_stops() -> None:
    server = start()
    to_child, from_parent = os.pipe()

    def use_after_parent() -> None:
        os.close(from_parent)
        os.read(to_child, 1)
        assert alive(server)

    child = fork(use_after_parent)
    server.stop()
    assert not gone(server.pid)
    os.close(from_parent)
    os.close(to_child)
    assert exit_status(child) == 0
    wait_until(lambda: gone(server.pid))


def test_programs_that_a_user_runs_do_not_count_as_users(tmp_path: Path) -> None:
    server = start(tmp_path)
    reader = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen(reader, stdin=subprocess.PIPE, close_fds=False):
        server.stop()
        wait_until(lambda: gone(server.pid))
