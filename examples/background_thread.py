"""Watch in the background while a control loop of your own has the main thread.

The callbacks run on one background thread from ``with`` to its end. Here they keep the newest
value of each metric, and the loop decides by them how fast to drive.

    PLEXUS_API_KEY=plx_... python background_thread.py robot-01
"""

import contextlib
import sys
import time

from plexus_sync import MetricsStream, Subscription

source = sys.argv[1] if sys.argv[1:] else "robot-01"
sub = Subscription(MetricsStream(source))
latest = {}  # one thread sets single items, the other reads them: that needs no lock


@sub.on_metric("battery.*")
@sub.on_metric("temperature")
def keep(point):
    """Remember the newest value of a metric."""
    latest[point.metric] = point.value


def speed():
    """Return how fast to drive, in m/s; without a word from the robot, not at all."""
    battery = latest.get("battery.percent")
    if battery is None:
        return 0.0
    return 1.5 if battery > 20 else 0.5


with contextlib.suppress(KeyboardInterrupt), sub:
    while True:
        print(f"driving at {speed()} m/s, knowing {latest}")
        time.sleep(0.5)  # stands for the work of your program
