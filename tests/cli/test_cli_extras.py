"""The simulator, which needs an extra."""

from __future__ import annotations

import pytest

from plexus_sync.cli.exits import Exit, Problem
from plexus_sync.cli.extras import new_simulator


@pytest.mark.parametrize("module", ["plexus_sync.simulator", "PIL"])
def test_what_is_missing_is_told(without, monkeypatch, module):
    """With the command that installs it."""
    without(module)
    with pytest.raises(Problem) as caught:
        new_simulator()
    assert caught.value.code == Exit.FAILED


def test_what_is_wrong_is_told():
    """It is a mistake in usage."""
    with pytest.raises(Problem, match="rate") as caught:
        new_simulator(rate=-1)
    assert caught.value.code == Exit.USAGE
