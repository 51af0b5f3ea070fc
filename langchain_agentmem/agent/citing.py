"""Ids as models see and give them: the beginning of an id does, as far as only one memory of the scope begins so."""

from __future__ import annotations

from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.record import Memory, Scope
from langchain_agentmem.wire.keys import escape, unescape

_SHORTEST = 8  # what `rendering` shows at least; less would be a guess
_AROUND = " \t\n[](){}<>\"'`.,:;…"
_MOST = 10  # memories that an error can list
_PAGE = 1_000  # ids in a round trip


async def afind_cited(bank: MemoryBank, id: str, scope: Scope) -> list[Memory]:
    """The memories of a scope that an id may mean: the one that has it, or those whose ids begin so.

    Args:
        bank: Where it lies.
        id: The id, or its first 8 characters or more, with or without brackets or the like around it.
        scope: Whose memory.

    Returns:
        The memory that is meant; none if there is none; several, of many the first 10, if the id tells too little.
    """
    name = id.strip(_AROUND)
    for exact in filter(None, dict.fromkeys((id, name))):
        if memory := await bank.aget(exact, scope):
            return [memory]
    found = await _beginning_with(bank, name, scope) if len(name) >= _SHORTEST else set()
    return [memory for each in sorted(found)[:_MOST] if (memory := await bank.aget(each, scope))]


async def _beginning_with(bank: MemoryBank, name: str, scope: Scope) -> set[str]:
    members, cursor = bank.store.keys.items(scope.path), b"0"
    found: set[str] = set()
    while True:
        scan = ("ZSCAN", members, cursor, "MATCH", f"{escape(name)}*", "COUNT", _PAGE)
        cursor, page = (await bank.store.connection.send(scan))[0]
        found.update(map(unescape, page[::2] if page and isinstance(page[0], bytes) else (each[0] for each in page)))
        if int(cursor) == 0:
            return found
