"""Watch a fleet: one subscription, a stream for each robot, one place for all callbacks.

Callbacks never run at the same time, so they share plain variables; one busy robot does not keep
the others waiting. Every second a table shows each robot's battery and how its stream fares.

    PLEXUS_API_KEY=plx_... python fleet.py robot-01 robot-02 robot-03
"""

import contextlib
import sys
import time

from plexus_sync import MetricsStream, Subscription

sources = sys.argv[1:] or ["robot-01", "robot-02", "robot-03"]
sub = Subscription(*(MetricsStream(source, metrics=["battery.percent"]) for source in sources))
battery = {}


@sub.on_metric("battery.percent")
def keep(point):
    """Remember how full a robot's battery is."""
    battery[point.source_id] = point.value


with contextlib.suppress(KeyboardInterrupt), sub:
    while True:
        print(f"{'robot':<12} {'battery':>9} {'stream':<14} {'frames':>6} {'gaps':>4}")
        for stream, status in sub.status().items():
            percent = battery.get(stream.source_id, "unknown")
            state = status.state.value
            print(f"{stream.source_id:<12} {percent:>9} {state:<14} ", end="")
            print(f"{status.delivered:>6} {status.gaps:>4}")
        time.sleep(1.0)
