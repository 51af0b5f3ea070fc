"""What docs/memory.md says: its programs run, its weights and keys are the real ones."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

from langchain_agentmem.longterm.record import Scope
from langchain_agentmem.longterm.scoring import RecallWeights
from langchain_agentmem.wire.connection import Connection
from langchain_agentmem.wire.keys import Keys

PAGE = (Path(__file__).parents[2] / "docs" / "memory.md").read_text("utf-8")


def test_its_programs_say_what_they_should(search: Connection, search_url: str) -> None:
    program = "\n".join(re.findall(r"^```python\n(.*?)^```$", PAGE, re.M | re.S))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env=os.environ | {"REDIS_URL": search_url},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "added reinforced superseded",
        "['Ada has moved to Oslo']",
        "Oslo 2",
        "['Ada has moved to Bergen', 'Ada has moved to Oslo', 'Ada lives in Rome']",
        "1 ['diet', 'home']",
        "Ada has moved to Oslo",
    ]


def test_its_weights_are_the_defaults() -> None:
    defaults = {each.name: each.default for each in fields(RecallWeights)}
    told = dict(re.findall(r"^\| `(\w+)` \| (-?[\d.]+) \|", PAGE, re.M))
    assert len(told) == 14
    assert {name: float(value) for name, value in told.items()} == {name: defaults[name] for name in told}


def test_its_keys_are_the_real_ones() -> None:
    keys, path = Keys(), Scope("ada").path
    assert f"`{keys.item(path, '')[:-1]}\u2026`" in PAGE
    assert f"`{keys.facts(path)}`" in PAGE
