"""A link between two hosts for each test; the test's own thread is on the near one."""

from __future__ import annotations

import pytest
from link import Link


@pytest.fixture
def link():
    """Give a test the link; what it starts runs on the near host."""
    with Link() as link, link.near:
        yield link
