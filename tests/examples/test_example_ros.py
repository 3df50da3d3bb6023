"""The rospy example against a real ROS master: what it publishes is read back by ``rostopic``."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import socket
import sys
import sysconfig
from pathlib import Path
from xmlrpc.client import ServerProxy

import pytest
from PIL import Image

from plexus_sync.simulator import Simulator

ROOT = Path(__file__).resolve().parents[2]
DEBIANS = "/usr/lib/python3/dist-packages"  # where Debian's rospy is, for any interpreter

MISSING = [name for name in ("roscore", "rostopic") if shutil.which(name) is None]
MISSING += [name for name in ("rospy", "sensor_msgs") if not (Path(DEBIANS) / name).is_dir()]
# .ci/ros sets the variable, so that there the test cannot be left out unnoticed.
pytestmark = pytest.mark.skipif(
    bool(MISSING) and os.environ.get("PLEXUS_REQUIRE_ROS") != "1",
    reason=f"ROS 1 is not installed ({', '.join(MISSING)}): .ci/ros installs it from Debian",
)


@pytest.fixture
def master(launch, tmp_path):
    """Run a ROS master; yield the environment in which it is found."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONUNBUFFERED": "1",
        "ROS_HOME": str(tmp_path),
        "ROS_LOG_DIR": str(tmp_path),
        "ROS_IP": "127.0.0.1",
        "ROS_MASTER_URI": f"http://127.0.0.1:{port}",
    }
    roscore = launch("roscore", "-p", str(port), env=environment)
    roscore.wait_for("started core service")
    yield environment
    roscore.interrupt()  # it ends the master and the logger, which are in groups of their own


@pytest.fixture
def node(launch, environment, master):
    """Start the example with the interpreter of the tests."""
    nodes = []

    def node(simulator, *arguments):
        # Our own packages before Debian's, which are for another interpreter, perhaps.
        paths = environment(simulator, sysconfig.get_paths()["purelib"], DEBIANS)
        path = str(ROOT / "examples" / "rospy_node.py")
        nodes.append(launch(sys.executable, path, *arguments, env={**paths, **master}))
        return nodes[-1]

    yield node
    for program in nodes:
        assert "Traceback" not in program.output, program.output


def echo(launch, master, topic):
    """Return one message of a topic, as rostopic shows it."""
    rostopic = launch("rostopic", "echo", "-n", "1", topic, env=master)
    rostopic.wait_for("^---$")
    assert rostopic.wait() == 0
    return rostopic.output


def test_rospy_node_publishes_metrics_and_pictures(launch, master, node):
    """Others see numbers and JPEGs on the node's topics, under its parameters."""
    with Simulator(sources=("robot-07",), rate=20.0, video_rate=20.0) as simulator:
        program = node(simulator, "_source:=robot-07", "_metrics:=[battery.percent, nav.state]")
        simulator.wait_for_connections(2, timeout=30)
        (metrics,) = [c for c in simulator.connections if c.stream == "metrics"]
        assert set(metrics.metrics) == {"battery.percent", "nav.state"}

        number = echo(launch, master, "/plexus/metrics/battery_percent")
        assert 0 <= float(re.match(r"data: (\S+)", number).group(1)) <= 100
        message = echo(launch, master, "/plexus/front/compressed")
        assert 'frame_id: "front"' in message
        assert 'format: "jpeg"' in message
        assert int(re.search(r"  secs: (\d+)", message).group(1)) > 1700000000
        jpeg = bytes(map(int, re.search(r"data: \[(.*)\]", message).group(1).split(",")))
        assert Image.open(io.BytesIO(jpeg)).size == (320, 240)
        assert program.interrupt() == 0
        simulator.wait_for_connections(0, timeout=30)


def test_rospy_node_ends_when_ros_says_so(master, node):
    """What ``rosnode kill`` sends ends it as Ctrl-C does."""
    with Simulator(rate=0, video_rate=0) as simulator:
        program = node(simulator)
        simulator.wait_for_connections(2, timeout=30)
        with ServerProxy(master["ROS_MASTER_URI"]) as ros:
            address = ros.lookupNode("/test", "/plexus")[2]
        # It may be gone before it has answered.
        with contextlib.suppress(ConnectionError), ServerProxy(address) as plexus:
            plexus.shutdown("/test", "enough")
        assert program.wait() == 0
        simulator.wait_for_connections(0, timeout=30)


def test_rospy_node_ends_with_its_stream(master, node):
    """A key that is refused is told in the words of ROS, and ends the node."""
    with Simulator(rate=0, video_rate=0) as simulator:
        simulator.expired_keys.add(simulator.api_key)
        program = node(simulator)
        program.wait_for(r"\[WARN\].* robot-01/(metrics|video): .*refused")
        assert program.wait() == 0
