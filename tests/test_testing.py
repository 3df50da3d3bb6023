"""The pytest plugin."""

import json

from websockets.sync.client import connect

from plexus_sync.testing import plexus_simulator  # noqa: F401 - so that it need not be installed


def test_fixture(plexus_simulator):  # noqa: F811
    """The simulator is running, and its devices send."""
    url = plexus_simulator.url + "/v1/sources/robot-01/metrics/stream"
    with connect(url) as client:
        client.send(json.dumps({"type": "auth", "api_key": plexus_simulator.api_key}))
        assert json.loads(client.recv(timeout=10))["type"] == "telemetry"
