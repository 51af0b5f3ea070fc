"""What is shipped, what it asks for, and what must never be in the repository."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterable, Iterator
from email.parser import Parser
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import langchain_agentmem

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "langchain_agentmem"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PROJECT = PYPROJECT["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
GROUPS: dict[str, list[str | dict[str, str]]] = PYPROJECT["dependency-groups"]


def names(requirements: Iterable[str]) -> set[str]:
    return {canonicalize_name(Requirement(text).name) for text in requirements}


@cache
def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


def installed_needs(requirements: Iterable[str]) -> set[str]:
    """The names of `requirements` and of all that they bring, as far as they are installed here."""
    found: set[tuple[str, str]] = set()
    waiting = [Requirement(text) for text in requirements]
    while waiting:
        wanted = waiting.pop()
        for extra in wanted.extras | {""}:
            step = (canonicalize_name(wanted.name), extra)
            if step not in found and (wanted.marker is None or wanted.marker.evaluate()):
                found.add(step)
                waiting += _brings(*step)
    return {name for name, _ in found}


def _brings(name: str, extra: str) -> Iterator[Requirement]:
    try:
        needs = metadata.requires(name) or ()
    except metadata.PackageNotFoundError:  # an extra that is not installed here
        return
    for need in map(Requirement, needs):
        if need.marker is None or need.marker.evaluate({"extra": extra}):
            need.marker = None
            yield need


# --- the wheel ---


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel of this very tree, built without the network."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=ROOT, check=True)
    (path,) = folder.iterdir()
    return zipfile.ZipFile(path)


def test_the_wheel_holds_the_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    ours = {
        path.relative_to(ROOT).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    shipped = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert shipped == ours
    assert "langchain_agentmem/py.typed" in shipped
    assert {path.suffix for path in map(Path, shipped)} <= {".py", ".lua", ".typed", ".html", ".css", ".js", ".svg"}


def test_the_wheel_says_what_it_is(wheel: zipfile.ZipFile) -> None:
    (record,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    said = Parser().parsestr(wheel.read(record).decode())
    assert said["Name"] == "langchain-agentmem"
    assert said["Version"] == langchain_agentmem.__version__
    assert said["License-Expression"] == "MIT"
    assert said["Requires-Python"] == ">=3.11"
    assert set(said.get_all("Provides-Extra", [])) == set(EXTRAS)
    assert any(name.endswith("licenses/LICENSE") for name in wheel.namelist())


def test_the_source_distribution_holds_all_that_is_tracked(tmp_path: Path) -> None:
    ours = {path.relative_to(ROOT).as_posix() for path in tracked()}
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", tmp_path], cwd=ROOT, check=True)
    (path,) = tmp_path.iterdir()
    with tarfile.open(path) as archive:
        shipped = {name.partition("/")[2] for name in archive.getnames()}
    assert {name for name in ours - shipped if not name.startswith((".ci/", ".editorconfig"))} == set()
    assert {"LICENSE", "PKG-INFO"} <= shipped


# --- what it asks for ---


def test_every_requirement_has_a_lower_bound() -> None:
    asked = [*PROJECT["dependencies"], *(text for extra in EXTRAS.values() for text in extra)]
    bare = [text for text in asked if ">=" not in text and not text.startswith("langchain-agentmem[")]
    assert bare == []


def test_the_extra_all_leaves_out_the_peers_only() -> None:
    (everything,) = EXTRAS["all"]
    assert Requirement(everything).extras == EXTRAS.keys() - {"all", "bench"}


def test_every_import_is_declared() -> None:
    declared = names([*PROJECT["dependencies"], *(text for extra in EXTRAS.values() for text in extra)])
    homes = metadata.packages_distributions()
    foreign = {
        module: f"{path.relative_to(ROOT)}:{line}"
        for path in PACKAGE.rglob("*.py")
        for line, module in _imported(path)
        if module not in sys.stdlib_module_names and module != PACKAGE.name
    }
    assert foreign, "the reader of imports sees nothing"
    undeclared = {
        module: where
        for module, where in foreign.items()
        if not declared & {canonicalize_name(home) for home in homes.get(module, [module])}
    }
    assert undeclared == {}


def _imported(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.Import(aliases):
                yield from ((node.lineno, alias.name.partition(".")[0]) for alias in aliases)
            case ast.ImportFrom(str(module), _, 0):
                yield node.lineno, module.partition(".")[0]


def test_no_extra_is_needed_to_import_the_package() -> None:
    core = installed_needs(PROJECT["dependencies"])
    absent = [
        module
        for module, homes in metadata.packages_distributions().items()
        if module != PACKAGE.name and not core & {canonicalize_name(home) for home in homes}
    ]
    assert "hypothesis" in absent
    program = f"import sys; sys.modules.update(dict.fromkeys({absent!r})); from langchain_agentmem import *"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


# --- the pinned environment ---


def test_constraints_are_names_and_versions_only() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    assert [line for line in lines if not re.fullmatch(r"#.*|[a-z0-9-]+==[0-9][\w.+!]*", line)] == []
    named = [line.partition("==")[0] for line in lines if not line.startswith("#")]
    assert named == sorted(set(named))


def all_asked() -> list[Requirement]:
    grouped = [text for group in GROUPS.values() for text in group if isinstance(text, str)]
    extras = [text for extra in EXTRAS.values() for text in extra]
    asked = [*PROJECT["dependencies"], *extras, *grouped, *PYPROJECT["build-system"]["requires"]]
    return [wanted for wanted in map(Requirement, asked) if wanted.name != PROJECT["name"]]


@pytest.mark.parametrize("wanted", all_asked(), ids=str)
def test_a_pin_meets(wanted: Requirement) -> None:
    assert wanted.specifier.contains(pins()[canonicalize_name(wanted.name)])


def test_all_that_is_brought_along_is_pinned() -> None:
    needs = installed_needs(map(str, all_asked())) - {"setuptools"}
    assert len(needs) > len(all_asked()), "the walk over installed packages sees nothing"
    assert sorted(needs - pins().keys()) == []


# --- what must never be in the repository ---

LOCAL_PATH = re.compile(r"(?<![\w.~-])/(?:root|home|Users|work|opt|mnt|private)/\w")
# Put together from parts, so that this file keeps the rule it holds.
SLASH, DOT = "/", "."
HOSTS = [r"[.]".join(parts) for parts in (("pypi", "org"), ("docker", "io"), ("ghcr", "io"), (r"[\w-]+", "pkg", "dev"))]
REGISTRY = re.compile("|".join([*HOSTS, "pythonhosted", "artifactory", "devpi", "(?:extra-)?index[-_]url"]), re.I)


def tracked() -> list[Path]:
    listing = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False
    )
    if listing.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listing.stdout.decode().split("\0") if name]


def forbidden(text: str) -> list[str]:
    return [match[0] for pattern in (LOCAL_PATH, REGISTRY) for match in pattern.finditer(text)]


def test_no_tracked_file_names_a_local_path_or_a_registry() -> None:
    paths = [path for path in tracked() if path.is_file() and path != Path(__file__)]
    found = {path.name: said for path in paths if (said := forbidden(path.read_bytes().decode("utf-8", "replace")))}
    assert found == {}


@pytest.mark.parametrize(
    "text",
    [
        *(f"cd {SLASH}home{SLASH}ada", f"'{SLASH}work{SLASH}x'"),
        *(f"https://pypi{DOT}org/simple", f"ghcr{DOT}io/a"),
        *("PIP_INDEX_URL=x", "--extra-index-url"),
    ],
)
def test_a_forbidden_word_is_seen(text: str) -> None:
    assert forbidden(text)


@pytest.mark.parametrize(
    "text",
    [f"https://example.com{SLASH}work{SLASH}x", "unix:///var/run/redis.sock", f"~{SLASH}work{SLASH}x", "pip install x"],
)
def test_common_words_are_left_in_peace(text: str) -> None:
    assert forbidden(text) == []


def test_nothing_built_is_tracked() -> None:
    built = {".venv", "__pycache__", "build", "dist", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis"}
    assert [path for path in tracked() if built & set(path.relative_to(ROOT).parts)] == []
