"""The packages' layers, and what pure means: invariants 7 and 8 of ARCHITECTURE.md."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "waypost"

# From the top down. A package may import those of later rows, and what SIDEWAYS allows.
LAYERS = (
    {"testing"},
    {"cli"},
    {"core"},
    {"agent"},
    {"edge", "pipeline", "control", "mail"},
    {"webhooks"},  # the pipeline notes what is to be told, control asks where may be told
    {"geoip"},
    {"spool", "store", "db", "keyfile"},
    {"links", "events", "mime", "fleet"},
    {"config", "telemetry"},
)
SIDEWAYS = {("events", "links"), ("fleet", "links")}
PURE = ("links", "events", "mime", "fleet")
IMPURE_MODULES = frozenset(
    {"asyncio", "http", "io", "logging", "multiprocessing", "os", "pathlib", "random", "secrets", "select", "shutil"}
    | {"signal", "socket", "sqlite3", "ssl", "subprocess", "sys", "tempfile", "threading", "time"}
)
IMPURE_CALLS = frozenset({"open", "input", "print", "now", "utcnow", "today", "uuid1", "uuid4", "urandom", "getenv"})
METHODS_OF_OURS = {("token.py", "open")}  # Sealer.open seals the token of an open


def modules():
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).parts
        if len(parts) > 1:
            yield parts[0], path, ast.parse(path.read_text(), path.name)


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            if node.module == "waypost":
                yield from (f"waypost.{alias.name}" for alias in node.names)


def level(package):
    return next(number for number, row in enumerate(LAYERS) if package in row)


def test_every_package_has_a_layer():
    assert {package for package, _, _ in modules()} == set().union(*LAYERS)


def test_imports_go_down_only():
    packages = set().union(*LAYERS)
    upward = [
        f"{path.relative_to(SOURCE)} imports {name}"
        for package, path, tree in modules()
        for name in imported(tree)
        if (target := name.removeprefix("waypost.").partition(".")[0]) in packages
        and name.startswith("waypost.")
        and target != package
        and level(target) <= level(package)
        and (package, target) not in SIDEWAYS
    ]
    assert upward == []


def called(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield getattr(node.func, "attr", getattr(node.func, "id", ""))


@pytest.mark.parametrize("pure", PURE)
def test_pure_packages_do_no_io_and_read_no_clock_and_no_environment(pure):
    found = [
        (path.name, what)
        for package, path, tree in modules()
        if package == pure
        for what in (
            *(name for name in imported(tree) if name.partition(".")[0] in IMPURE_MODULES),
            *(name for name in called(tree) if name in IMPURE_CALLS),
        )
    ]
    assert [entry for entry in found if entry not in METHODS_OF_OURS] == []
