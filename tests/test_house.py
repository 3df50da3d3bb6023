"""The rules of the house: who may import whom, and what is public."""

from __future__ import annotations

import ast
import inspect
import json
import pathlib
import subprocess
import sys

import pytest

import plexus_sync

PACKAGE = pathlib.Path(plexus_sync.__file__).parent
DATA = pathlib.Path(__file__).parent / "data"

# From the ground up: a module imports only what stands before it, floor by floor and, within a
# floor, from left to right.
FLOORS = {
    "words": "_version errors plain streams files frames state status deadline latch loss throttle"
    " gaps",
    "wire": "deflate framing telemetry wire decode",
    "edges": "endings reconnect judge retrying settings interrupt line heads proxies upgrade"
    " dialing transport",
    "one stream's life": "lookout buffers pictures inbox sorting session reader",
    "the subscription": "roster callbacks dispatch runner registration subscription",
    "face": "__init__",
    "doors": "simulator testing integrations cli __main__",
}
ORDER = " ".join(FLOORS.values()).split()


def imports(path):
    """Yield the rooms of the package that a module imports, with those only types need."""
    package = ("plexus_sync", *path.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else ()
            module = ".".join((*base, node.module) if node.module else base)
            names = [f"{module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "plexus_sync":
                room = parts[1] if len(parts) > 1 else "__init__"
                yield room if room in ORDER else "__init__"


def room_of(path):
    """Return the room of a file: its module, or the folder it is in."""
    first = path.relative_to(PACKAGE).parts[0]
    return first[:-3] if first.endswith(".py") else first


MODULES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down_only(path):
    """No module imports one above it, and so no cycle can come to be."""
    room = room_of(path)
    # errors.py needs the streams for its annotations only; streams.py raises its errors.
    allowed = {"streams"} if room == "errors" else set()
    for imported in set(imports(path)) - allowed - {room}:
        assert ORDER.index(imported) < ORDER.index(room), f"{room} imports {imported}"


def test_the_simulator_stands_alone():
    """The service's twin shares no code with the client that it is to prove."""
    for path in (PACKAGE / "simulator").rglob("*.py"):
        assert set(imports(path)) <= {"simulator"}, path


def test_the_core_does_no_io():
    """The words and the wire import nothing that reads a socket or starts a thread."""
    io = {"socket", "ssl", "selectors", "websocket", "subprocess", "asyncio"}
    for floor in ("words", "wire"):
        for name in FLOORS[floor].split():
            tree = ast.parse((PACKAGE / f"{name}.py").read_text(encoding="utf-8"))
            found = {
                alias.name.split(".")[0]
                for node in ast.walk(tree)
                if isinstance(node, ast.Import)
                for alias in node.names
            }
            assert not found & io, name


def test_the_public_names_are_those_of_the_interface():
    """plexus_sync re-exports exactly what the interface names."""
    names = (DATA / "public_names.txt").read_text(encoding="utf-8").split()
    assert sorted(plexus_sync.__all__) == sorted(names)
    modules = {name for name, value in vars(plexus_sync).items() if inspect.ismodule(value)}
    public = {name for name in vars(plexus_sync) if not name.startswith("_")}
    assert public - modules == set(names) - {"__version__"}
    for name in names:
        assert getattr(plexus_sync, name) is not None


def test_importing_connects_and_starts_nothing():
    """An import leaves no thread, and loads none of the extras."""
    program = (
        "import sys, threading, json, plexus_sync; "
        "print(json.dumps([threading.active_count(), sorted(sys.modules)]))"
    )
    output = subprocess.run(
        [sys.executable, "-c", program], check=True, stdout=subprocess.PIPE
    ).stdout
    threads, modules = json.loads(output)
    assert threads == 1
    # python-socks is not among them: websocket-client imports it where it is installed.
    extras = {"rich", "PIL", "numpy", "websockets", "pytest"}
    assert not extras & set(modules)
