"""One act of the demo: `python -m langchain_agentmem.serve.demo ACT DATA REPORT [--quiet]`, started by `stage`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from langchain_agentmem.serve.demo.acts import perform
from langchain_agentmem.serve.demo.screen import Screen
from langchain_agentmem.serve.trouble import prepare_streams, told_in_one_line


def main(act: str, data: str, report: str, *flags: str) -> None:
    """Perform an act and write its report."""
    prepare_streams()
    with told_in_one_line():
        said = perform(act, Path(data), Screen(quiet="--quiet" in flags))
        Path(report).write_text(json.dumps(said), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
