"""The example with a slow database: what is written, and what is told where it is not."""

from __future__ import annotations

import contextlib
import sqlite3


def publish(simulator, numbers):
    """Publish one frame of one point for each number."""
    for number in numbers:
        point = {"source_id": "robot-01", "metric": "n", "value": number, "timestamp": 5}
        simulator.publish("robot-01", "metrics", {"type": "telemetry", "points": [point]})


def query(path, statement):
    """Return the rows of a query."""
    with contextlib.closing(sqlite3.connect(str(path), timeout=30)) as database:
        return database.execute(statement).fetchall()


def test_slow_database_holds_every_point(simulator, start, tmp_path):
    """What comes is written, numbered without holes, and there after Ctrl-C."""
    program = start("slow_database", simulator, "robot-01", "points.db")
    simulator.wait_for_connections(1, timeout=30)
    publish(simulator, range(500))
    program.wait_for("^500 rows written")
    assert program.interrupt() == 0
    assert program.lines[-1] == "closed\n"
    points = query(tmp_path / "points.db", "SELECT id, value FROM points ORDER BY id")
    assert points == [(number + 1, str(number)) for number in range(500)]
    assert query(tmp_path / "points.db", "SELECT * FROM gaps") == []
    one = query(tmp_path / "points.db", "SELECT source_id, metric, timestamp FROM points LIMIT 1")
    assert one == [("robot-01", "n", 5)]


def test_slow_database_tells_what_it_had_no_time_for(simulator, start, tmp_path):
    """A database that is locked for long makes gaps, and these account for each hole."""
    path = tmp_path / "points.db"
    program = start("slow_database", simulator, "robot-01", str(path))
    simulator.wait_for_connections(1, timeout=30)
    program.wait_for("rows written")
    with contextlib.closing(sqlite3.connect(str(path), timeout=30)) as database:
        database.execute("BEGIN IMMEDIATE")
        publish(simulator, range(5000))
        program.wait_for(r"buffer full, \d+ frames dropped")
        database.rollback()
    publish(simulator, ["last"])
    while not query(path, "SELECT * FROM points WHERE value = '\"last\"'"):
        program.wait_for("rows written")
    ((written,),) = query(path, "SELECT count(*) FROM points")
    ((gaps, dropped),) = query(path, "SELECT count(*), sum(dropped) FROM gaps")
    assert gaps >= 1
    assert dropped > 0
    assert written + dropped == 5001
    assert query(path, "SELECT DISTINCT reason FROM gaps") == [("overflow",)]
    numbers = [int(value) for (value,) in query(path, "SELECT value FROM points ORDER BY id")[:-1]]
    holes = sum(1 for before, after in zip([-1, *numbers], [*numbers, 5000]) if after - before > 1)
    assert sorted(numbers) == numbers
    assert holes == gaps
    assert program.interrupt() == 0
