"""``import plexus_sync`` brings what it needs and nothing else; the list is ``data/imports.json``.

Each test asks a fresh interpreter, and compares it with one that has imported nothing.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import DATA

import plexus_sync

PACKAGE = Path(plexus_sync.__file__).parent
LISTED = {
    name: set(names)
    for name, names in json.loads((DATA / "imports.json").read_text(encoding="utf-8")).items()
}

IMPORT = "import plexus_sync; "
SUBSCRIBE = (
    IMPORT + "plexus_sync.Subscription("
    "plexus_sync.MetricsStream('r'), api_key='k', base_url='ws://127.0.0.1:9'); "
)
TELL = (
    "import json, sys; "
    "print(json.dumps({n: getattr(m, '__file__', None) for n, m in sys.modules.items()}))"
)


def modules_of(program):
    """Return the modules that a program imports, with their files; not those of any program."""
    env = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}

    def run(code):
        program = [sys.executable, "-c", code]
        output = subprocess.run(program, env=env, stdout=subprocess.PIPE, check=True).stdout
        return json.loads(output)

    bare = run(TELL)
    return {name: file for name, file in run(program + TELL).items() if name not in bare}


def third_party(modules):
    """Return the top-level packages that are neither ours nor the standard library's."""
    tops = {name.partition(".")[0] for name, file in modules.items() if "-packages" in str(file)}
    return {name for name in tops if not name.startswith("_")} - {"plexus_sync"}


def ours(modules):
    """Return our own modules, without the name of the package."""
    return {name[len("plexus_sync.") :] for name in modules if name.startswith("plexus_sync.")}


def imported_at_once(name):
    """Return the modules that one of ours imports when it is itself imported, by its own text."""
    tree = ast.parse((PACKAGE / f"{name}.py").read_text(encoding="utf-8"))
    for node in tree.body:  # not what is inside a function, or below TYPE_CHECKING
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module


@pytest.fixture(scope="module")
def imported():
    """Return what ``import plexus_sync`` brings."""
    return modules_of(IMPORT)


@pytest.fixture(scope="module")
def subscribed():
    """Return what has come when a Subscription is made."""
    return modules_of(SUBSCRIBE)


def test_our_own_modules(imported):
    """What connects is not among them: who decodes or unpickles frames does without."""
    assert ours(imported) == LISTED["ours"]


def test_the_standard_library(imported):
    """What our modules ask for themselves is listed, every name of it."""
    names = {name for module in ours(imported) for name in imported_at_once(module)}
    others = LISTED["third party"] | {"__future__"}
    assert names - others == LISTED["standard library"]


def test_third_parties(imported, subscribed):
    """So are the packages that come with it, and those that a Subscription adds."""
    wanted = LISTED["third party"]
    optional = LISTED["third party where installed"]
    assert third_party(imported) - optional == wanted
    wanted = wanted | LISTED["third party of a subscription"]
    optional = optional | LISTED["third party of a subscription where installed"]
    assert third_party(subscribed) - optional == wanted


def test_what_stays_out(imported, subscribed):
    """What is heavy stays out, also where somebody whom we import could bring it."""
    assert not imported.keys() & (LISTED["never"] | LISTED["not before a subscription"])
    assert not subscribed.keys() & LISTED["never"]
