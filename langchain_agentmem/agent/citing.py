"""Ids as models see and give them: the beginning of an id does, as far as only one memory of the scope begins so."""

from __future__ import annotations

from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.record import Memory, Scope
from langchain_agentmem.wire.keys import escape, unescape

_SHORTEST = 8  # as `rendering` shortens them; less would be a guess
_AROUND = " \t\n[](){}<>\"'`.,:;"
_PAGE = 1_000  # ids in a round trip


async def afind_cited(bank: MemoryBank, id: str, scope: Scope) -> Memory | None:
    """The memory of a scope that has an id, or the only one whose id begins so.

    Args:
        bank: Where it lies.
        id: The id, or its first 8 characters or more, with or without brackets or the like around it.
        scope: Whose memory.

    Returns:
        The memory; None if there is none, or more than one.
    """
    name = id.strip(_AROUND)
    for exact in filter(None, dict.fromkeys((id, name))):
        if memory := await bank.aget(exact, scope):
            return memory
    found = await _beginning_with(bank, name, scope) if len(name) >= _SHORTEST else set()
    return await bank.aget(found.pop(), scope) if len(found) == 1 else None


async def _beginning_with(bank: MemoryBank, name: str, scope: Scope) -> set[str]:
    members, cursor = bank.store.keys.items(scope.path), b"0"
    found: set[str] = set()
    while True:
        scan = ("ZSCAN", members, cursor, "MATCH", f"{escape(name)}*", "COUNT", _PAGE)
        cursor, page = (await bank.store.connection.send(scan))[0]
        found.update(map(unescape, page[::2] if page and isinstance(page[0], bytes) else (each[0] for each in page)))
        if int(cursor) == 0:
            return found
