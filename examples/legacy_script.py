"""A plain blocking script: print what a robot measures until Ctrl-C.

The callbacks run on the script's own thread, inside ``run()``: no event loop, no locks.

    PLEXUS_API_KEY=plx_... python legacy_script.py robot-01
"""

import contextlib
import sys

from plexus_sync import MetricsStream, Subscription

source = sys.argv[1] if sys.argv[1:] else "robot-01"
sub = Subscription(MetricsStream(source, metrics=["battery.percent", "cpu.percent"]))


@sub.on_telemetry
def show(frame):
    """Print the points of one frame."""
    for point in frame.points:
        print(point.time, point.metric, point.value)


with contextlib.suppress(KeyboardInterrupt):  # by then run() has closed everything
    sub.run()
