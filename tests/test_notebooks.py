"""The notebooks run from top to bottom, and what is stored beside each cell is of the kind that it shows."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def shown(cell: Any) -> set[str]:
    """The kinds of output of a cell: text on the screen, the value of its last line, a picture."""
    outputs = cell.get("outputs", ())
    kinds = {output["output_type"] for output in outputs if output["output_type"] != "display_data"}
    return kinds | {kind for output in outputs for kind in output.get("data", ()) if kind.startswith("image/")}


def test_there_are_five_tours() -> None:
    assert [path.name[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04", "05"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "REDIS_URL", "LANGSMITH_TRACING"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(FOLDER.parent), os.environ.get("PYTHONPATH", "")]))
    stored, run = (nbformat.reads(path.read_text("utf-8"), as_version=4) for _ in range(2))  # type: ignore[no-untyped-call]
    asyncio.run(NotebookClient(run, timeout=60, resources={"metadata": {"path": tmp_path}}).async_execute())
    assert [shown(cell) for cell in run.cells] == [shown(cell) for cell in stored.cells]
    assert not any("stderr" in output.get("name", "") for cell in run.cells for output in cell.get("outputs", ()))
