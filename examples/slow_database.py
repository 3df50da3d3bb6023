"""Write telemetry into a database that is slow at times, without ever running out of memory.

A bounded buffer stands between: while the database is busy, up to 1000 frames wait. If it is busy
for longer, the oldest are dropped, and the database is told that too: a row in ``gaps`` says from
when to when, and how many frames. One commit a second serves however many rows there are.

    PLEXUS_API_KEY=plx_... python slow_database.py robot-01 telemetry.db
"""

import contextlib
import json
import queue
import signal
import sqlite3
import sys
import time

from plexus_sync import Buffer, Closed, Gap, MetricsStream, Subscription, TelemetryFrame

TABLES = """
CREATE TABLE IF NOT EXISTS points
    (id INTEGER PRIMARY KEY, source_id TEXT, metric TEXT, value TEXT, timestamp INTEGER);
CREATE TABLE IF NOT EXISTS gaps
    (id INTEGER PRIMARY KEY, started_at REAL, ended_at REAL, reason TEXT, dropped INTEGER);
"""


def write(db, frame):
    """Insert what one frame brings; the value is JSON, since it may be a list or an object."""
    if isinstance(frame, TelemetryFrame):
        db.executemany(
            "INSERT INTO points (source_id, metric, value, timestamp) VALUES (?, ?, ?, ?)",
            [(p.source_id, p.metric, json.dumps(p.value), p.timestamp) for p in frame.points],
        )
    elif isinstance(frame, Gap):
        db.execute(
            "INSERT INTO gaps (started_at, ended_at, reason, dropped) VALUES (?, ?, ?, ?)",
            (frame.started_at, frame.ended_at, frame.reason, frame.dropped),
        )


source = sys.argv[1] if sys.argv[1:] else "robot-01"
path = sys.argv[2] if sys.argv[2:] else "telemetry.db"
sub = Subscription(MetricsStream(source, buffer=Buffer(1000, overflow="drop_oldest")))
# Ctrl-C closes the subscription, which ends the loop between two frames, not inside a write.
signal.signal(signal.SIGINT, lambda *_: sub.close())

with contextlib.closing(sqlite3.connect(path, timeout=60.0)) as db:
    db.executescript(TABLES)
    commit_at = time.monotonic() + 1.0
    try:
        while True:
            with contextlib.suppress(queue.Empty):
                write(db, sub.get(timeout=1.0))
            if time.monotonic() >= commit_at:
                db.commit()
                print(db.total_changes, "rows written")
                commit_at = time.monotonic() + 1.0
    except Closed:
        print("closed")
    finally:
        sub.close()
        db.commit()
