"""How examples are run: as their readers run them, in processes of their own."""

from __future__ import annotations

import sys

import pytest
from programs import ROOT


@pytest.fixture
def start(launch, environment):
    """Start an example by its name; none may ever show a traceback."""
    programs = []

    def start(name, simulator, *arguments, folder=ROOT / "examples"):
        path = str(folder / f"{name}.py")
        program = launch(sys.executable, path, *arguments, env=environment(simulator))
        programs.append(program)
        return program

    yield start
    for program in programs:
        assert "Traceback" not in program.output, program.output
