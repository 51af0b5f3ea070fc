"""Searches that find hundreds of hashes of which many fields are wanted, in one step of the server.

The slowest part of such a search is redis-py's own parser, which takes a microsecond for each name and each value. So
a script runs the searches, reads what they found, each hash once, and hands out one text for each. Not on a cluster,
where scripts cannot search.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_agentmem.wire.packing import packed
from langchain_agentmem.wire.scripts import Script, ScriptCall
from langchain_agentmem.wire.search import DISTANCE, Command, Row

_GATHER = Script("gather")
_NUL = b"\0"


def gather(searches: Sequence[Command], counts: Sequence[Command], fields: Sequence[str], last: str = "") -> ScriptCall:
    """The command; `gathered` reads its reply.

    Args:
        searches: FT.SEARCH commands that return no fields, or only a distance.
        counts: FT.SEARCH commands of which the total is wanted.
        fields: What to read of each hash that is found; none of it holds a NUL.
        last: One more field, of any bytes, to read where no search tells a distance; "" for none.
    """
    return _GATHER((), [packed([searches, counts, fields, last])])


def gathered(reply: Sequence[Any], fields: Sequence[str], last: str = "") -> tuple[list[Row], list[int]]:
    """The documents, in the order in which they were found, and the totals. A field that is empty is not there."""
    names, rows = (DISTANCE, *fields, last), []
    for each in reply[0]:
        key, *values = each.split(_NUL, len(fields) + 2)
        rows.append(Row(key.decode(), {name: value for name, value in zip(names, values, strict=False) if value}))
    return rows, reply[1]
