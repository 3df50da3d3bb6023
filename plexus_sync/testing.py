"""A pytest plugin, loaded by pytest itself: the fixture ``plexus_simulator``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterator

import pytest

if TYPE_CHECKING:
    from .simulator import Simulator


@pytest.fixture
def plexus_simulator() -> Iterator[Simulator]:
    """Run a simulator of the Plexus Data API for one test.

    It has the device ``robot-01``, which sends 50 batches of points, 10 events and, from each
    of the cameras ``front``, ``rear`` and ``thermal``, 10 pictures a second, always the same
    values; ``plexus_simulator.url`` and ``plexus_simulator.api_key`` are what a client needs.
    It is in ``plexus_sync.simulator``, and needs the extra ``simulator``.
    """
    # Not at the top: pytest loads this module in every project that has it installed.
    from .simulator import Simulator

    with Simulator(rate=50.0, video_rate=10.0) as simulator:
        yield simulator
