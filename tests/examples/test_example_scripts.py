"""The examples that are plain scripts, each run against a simulator."""

from __future__ import annotations

import ast
import base64
from pathlib import Path

import pytest

from plexus_sync.simulator import Simulator

HERE = Path(__file__).parent
EXAMPLES = sorted((HERE.parents[1] / "examples").glob("*.py"))


def telemetry(metric, value, source_id="robot-01"):
    """Return a telemetry frame of one point."""
    point = {"source_id": source_id, "metric": metric, "value": value, "timestamp": 1700000000000}
    return {"type": "telemetry", "points": [point]}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_run_and_says_how(path):
    """Each example has a test that bears its name, and a docstring that tells how to run it."""
    tests = [
        node.name
        for module in HERE.glob("test_*.py")
        for node in ast.parse(module.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef)
    ]
    assert any(name.startswith(f"test_{path.stem}_") for name in tests)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert f"python {path.name}" in ast.get_docstring(tree)


def test_legacy_script_prints_points(simulator, start):
    """The blocking script prints what comes, for the source that it was given."""
    program = start("legacy_script", simulator, "robot-07")
    simulator.wait_for_connections(1, timeout=30)
    simulator.publish("robot-07", "metrics", telemetry("battery.percent", 81.5, "robot-07"))
    line = program.wait_for("battery").string
    assert line == "2023-11-14 22:13:20+00:00 battery.percent 81.5\n"
    assert program.interrupt() == 0


def test_background_thread_informs_the_main_loop(simulator, start):
    """The main loop goes on by itself, and sees what the callbacks have learned."""
    program = start("background_thread", simulator)
    program.wait_for(r"driving at 0\.0 m/s, knowing {}")
    simulator.wait_for_connections(1, timeout=30)
    simulator.publish("robot-01", "metrics", telemetry("battery.percent", 81.5))
    program.wait_for(r"driving at 1\.5 m/s, knowing {'battery.percent': 81.5}")
    simulator.publish("robot-01", "metrics", telemetry("battery.percent", 12))
    program.wait_for(r"driving at 0\.5 m/s, knowing {'battery.percent': 12}")
    assert program.interrupt() == 0


def test_queue_mode_takes_events_and_tells_silence(simulator, start):
    """The program gets its turn when nothing comes, and frames and gaps when they do."""
    program = start("queue_mode", simulator)
    program.wait_for("all quiet")
    simulator.wait_for_connections(1, timeout=30)
    event = {"type": "event", "source_id": "robot-01", "metric": "nav.state", "value": "DOCKED"}
    simulator.publish("robot-01", "logs", event)
    program.wait_for("None nav.state DOCKED")
    simulator.cut()
    program.wait_for("events may be missing: connection")
    assert program.interrupt() == 0


def test_fleet_shows_each_robot(start):
    """The table has each robot with its own battery, state and gaps."""
    with Simulator(sources=("r1", "r2", "r3"), rate=0, video_rate=0) as simulator:
        program = start("fleet", simulator, "r1", "r2", "r3")
        simulator.wait_for_connections(3, timeout=30)
        simulator.publish("r2", "metrics", telemetry("battery.percent", 42.5, "r2"))
        program.wait_for(r"^r2 +42\.5 +open +1 +0$")
        program.wait_for(r"^r3 +unknown +open +0 +0$")
        simulator.cut(source="r1")
        program.wait_for(r"^r1 +unknown +open +0 +1$")
        program.wait_for(r"^r2 +42\.5 +open +1 +0$")
        assert program.interrupt() == 0


def test_freshest_picture_skips_old_ones(simulator, start, tmp_path):
    """A slow program gets the newest picture of each camera, and few of those before."""
    program = start("freshest_picture", simulator, "robot-01", "pictures")
    simulator.wait_for_connections(1, timeout=30)

    def publish(camera_id, number):
        jpeg = base64.b64encode(b"%d" % number).decode()
        frame = {"type": "video_frame", "source_id": "robot-01", "camera_id": camera_id}
        simulator.publish(
            "robot-01", "video", {**frame, "frame": jpeg, "timestamp": number * 60000}
        )

    publish("front", 1)
    program.wait_for(r"^front.jpg: picture of 1970-01-01 00:01:00\+00:00, 0 skipped so far$")
    for number in range(2, 31):
        publish("front", number)
    publish("rear", 7)
    program.wait_for(r"^front.jpg: picture of 1970-01-01 00:30:00\+00:00, [1-9]\d* skipped so far$")
    assert program.output.count("front.jpg") < 15
    assert (tmp_path / "pictures" / "front.jpg").read_bytes() == b"30"
    if "rear.jpg" not in program.output:
        program.wait_for("^rear.jpg: picture of 1970-01-01 00:07:00")
    assert (tmp_path / "pictures" / "rear.jpg").read_bytes() == b"7"
    assert program.interrupt() == 0


def test_gaps_and_errors_are_told_to_the_end(simulator, start):
    """A loss is told, the gap after it too, and a key that is refused ends the program."""
    program = start("gaps_and_errors", simulator)
    simulator.wait_for_connections(1, timeout=30)
    simulator.publish("robot-01", "metrics", telemetry("battery.percent", 81.5))
    program.wait_for(r"^DATA   81\.5 %$")
    simulator.cut()
    program.wait_for(r"^ERROR  for now: robot-01/metrics: .*1006")
    program.wait_for(r"^GAP    \d\d:\d\d:\d\d to \d\d:\d\d:\d\d: connection, 0 dropped$")
    simulator.expired_keys.add(simulator.api_key)
    simulator.close(4401)
    program.wait_for(r"^ERROR  for good: robot-01/metrics: .*4401")
    assert program.wait() == 1
    assert program.lines[-1].startswith("The end: robot-01/metrics: ")
    assert program.output.count("STATE  open -> waiting") == 2


def test_gaps_and_errors_ends_on_ctrl_c(simulator, start):
    """Ctrl-C is no error."""
    program = start("gaps_and_errors", simulator)
    program.wait_for("STATE  authenticating -> open")
    assert program.interrupt() == 0
    assert program.lines[-1] == "Stopped.\n"


def test_fresh_key_is_read_for_each_connection(start, tmp_path):
    """When a key has expired, the one that has taken its place in the file is used."""
    path = tmp_path / "key"
    path.write_text("plx_first\n")
    with Simulator(rate=0, video_rate=0, keys=("plx_first", "plx_second")) as simulator:
        program = start("fresh_key", simulator, "robot-01", str(path))
        simulator.wait_for_connections(1, timeout=30)
        simulator.publish("robot-01", "metrics", telemetry("battery.percent", 81.5))
        program.wait_for("^battery.percent 81.5$")
        path.write_text("plx_second\n")
        simulator.expired_keys.add("plx_first")
        simulator.cut()
        program.wait_for("is waiting$")
        program.wait_for("is authenticating$")
        simulator.wait_for_connections(1, timeout=30)
        simulator.publish("robot-01", "metrics", telemetry("battery.percent", 80.5))
        program.wait_for("^battery.percent 80.5$")
        assert program.interrupt() == 0
        assert "plx_" not in program.output


def test_fresh_key_without_a_file_uses_the_environment(simulator, start):
    """Without a file the key is that of the environment."""
    program = start("fresh_key", simulator)
    program.wait_for("robot-01/metrics is open")
    assert program.interrupt() == 0


def test_asyncio_program_shows_frames_while_it_ticks(simulator, start):
    """Frames reach a coroutine, and others go on meanwhile."""
    program = start("asyncio_program", simulator)
    program.wait_for("^tick$")
    simulator.wait_for_connections(1, timeout=30)
    simulator.publish("robot-01", "metrics", telemetry("battery.percent", 81.5))
    program.wait_for("^{'battery.percent': 81.5}$")
    program.wait_for("^tick$")
    assert program.interrupt() == 0


CTRL_C_IN_A_PRINT = """
import builtins, runpy, signal, sys

def interrupted(*args, show=print):
    show(*args)
    signal.raise_signal(signal.SIGINT)

builtins.print = interrupted
runpy.run_path(sys.argv.pop(1), run_name="__main__")
"""


def test_ctrl_c_in_a_task_of_the_asyncio_program(simulator, start, tmp_path):
    """It ends the program as anywhere else, with no word of a task that was interrupted."""
    path = HERE.parents[1] / "examples" / "asyncio_program.py"
    (tmp_path / "interrupted.py").write_text(CTRL_C_IN_A_PRINT)
    program = start("interrupted", simulator, str(path), folder=tmp_path)
    program.wait_for("^tick$")
    assert program.wait() == 0
