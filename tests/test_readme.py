"""What README.md and docs/ say: their programs run, their links and names exist."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from langchain_agentmem import AgentMemory
from langchain_agentmem.wire.connection import Connection

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]


def blocks(language: str, page: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.M | re.S)


def execute(program: str, folder: Path, url: str = "") -> str:
    env = os.environ | {"OPENAI_API_KEY": "sk-none", "REDIS_URL": url}
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_quickstart_remembers(tmp_path: Path) -> None:
    quickstart = blocks("python")[0]
    assert len(quickstart.splitlines()) <= 20
    assert execute(quickstart, tmp_path) == "Nice to meet you.\n"
    assert "\n- diet: vegetarian" in execute(quickstart, tmp_path)


@pytest.mark.parametrize("program", blocks("python")[1:], ids=["create_agent", "long_term", "async"])
def test_the_other_programs_run(program: str, tmp_path: Path, plain: Connection, plain_url: str) -> None:
    shown = execute(program, tmp_path, plain_url)
    assert ("vector search" in shown) == ("adoctor" in program)
    assert ("Ada is going to Lisbon in May." in shown) == ("recall" in program)


SAID = {
    "agents": ["vegetarian", "Hi, I'm vegetarian.", "True 1"],
    "events": ["node.end answer", "order.placed"],
    "memory": ["added reinforced superseded\n", "Oslo 2\n"],
    "migration": ["{'content': 'Ada plays the cello.'}"],
    "promotion": ["4\n", "2 eats fish\n1 vegetarian\n"],
    "sessions": [],
}


@pytest.mark.parametrize("name", SAID)
def test_the_programs_of_a_page_run_one_after_the_other(
    name: str, tmp_path: Path, plain: Connection, plain_url: str
) -> None:
    page = (ROOT / "docs" / f"{name}.md").read_text("utf-8")
    printed = execute("\n".join(blocks("python", page)), tmp_path, plain_url)
    assert printed
    assert [text for text in SAID[name] if text not in printed] == []


def test_pages_name_the_real_keys(plain: Connection) -> None:
    keys = AgentMemory(plain).keys
    told = {"events": [keys.events("trip"), keys.feed(0), keys.signals()], "sessions": [keys.session("trip")]}
    for name, those in told.items():
        page = (ROOT / "docs" / f"{name}.md").read_text("utf-8")
        assert [key for key in those if f"`{key}`" not in page] == []


def test_the_targets_in_langgraph_json_are_there() -> None:
    (text,) = blocks("json")
    named = json.loads(text)
    for part in ("checkpointer", "store"):
        module, _, name = named[part]["path"].rpartition(".")
        assert callable(getattr(importlib.import_module(module), name))


def test_the_extras_that_it_names_exist() -> None:
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    named = {extra for extras in re.findall(r"langchain-agentmem\[([\w,-]+)\]", README) for extra in extras.split(",")}
    assert named
    assert [extra for extra in named if not re.search(rf"^{extra} = \[", project, re.M)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)", page.read_text("utf-8"))
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


def test_the_keys_in_the_threads_page_are_the_real_ones(plain: Connection) -> None:
    keys = AgentMemory(plain).keys
    page = (ROOT / "docs" / "threads.md").read_text("utf-8")
    for key in (keys.thread("trip"), keys.threads(), keys.threads("ada")):
        assert f"`{key}`" in page
    assert keys.head("trip", "").endswith(":{trip}:%:head")
    assert "`…:{trip}:%:head`" in page
