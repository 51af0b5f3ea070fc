from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from langchain_agentmem.wire.scripts import Script


def write(folder: Path, **sources: str) -> None:
    for name, text in sources.items():
        (folder / f"{name}.lua").write_text(text, "utf-8")


def test_a_script_is_the_text_of_its_file(folder: Path) -> None:
    write(folder, lone="-- Gives one.\nreturn 1\n")
    script = Script("lone")
    assert script.source == "-- Gives one.\nreturn 1\n"
    assert script.sha == hashlib.sha1(script.source.encode()).hexdigest()


def test_what_a_script_uses_comes_first_and_in_order(folder: Path) -> None:
    write(folder, a="-- A\nlocal a = 1\n", b="-- B\nlocal b = 2\n", both="-- uses: a, b\n-- Both.\nreturn a + b\n")
    assert re.findall(r"^(?:local|return) .*", Script("both").source, re.MULTILINE) == [
        *("local a = 1", "local b = 2", "return a + b")
    ]


def test_what_is_used_may_use_more(folder: Path) -> None:
    write(folder, a="-- A\nlocal a = 1\n", b="-- uses: a\nlocal b = a\n", c="-- uses: b\nreturn b\n")
    source = Script("c").source
    assert source.index("local a") < source.index("local b") < source.index("return b")


def test_what_two_parts_use_comes_once(folder: Path) -> None:
    write(
        folder,
        base="-- Base\nlocal base = 1\n",
        left="-- uses: base\nlocal left = base\n",
        right="-- uses: base\nlocal right = base\n",
        top="-- uses: left, right\nreturn left + right\n",
    )
    assert Script("top").source.count("local base = 1") == 1


def test_a_line_further_down_names_no_parts(folder: Path) -> None:
    write(folder, odd="-- Odd.\n-- uses: nothing\nreturn 1\n")
    assert Script("odd").source == "-- Odd.\n-- uses: nothing\nreturn 1\n"


def test_a_missing_file_is_an_error(folder: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Script("absent")


def test_a_call_is_a_command_in_two_forms(folder: Path) -> None:
    write(folder, lone="-- Gives one.\nreturn 1\n")
    script = Script("lone")
    call = script(["k1", "k2"], [b"v", 3])
    assert call.by_sha() == ("EVALSHA", script.sha, 2, "k1", "k2", b"v", 3)
    assert call.in_full() == ("EVAL", script.source, 2, "k1", "k2", b"v", 3)
    assert script(["k"]).by_sha() == ("EVALSHA", script.sha, 1, "k")
