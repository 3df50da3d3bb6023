"""React to what goes wrong: losses that are mended, data that is missing, the end of it all.

The library comes back by itself from whatever is worth it, and tells you: each failure goes to
``on_error``, each change to ``on_state``, and each stretch without data is a ``Gap`` in its place
among the frames. What is final is raised by ``run()``.

    PLEXUS_API_KEY=plx_... python gaps_and_errors.py robot-01
"""

import sys
from datetime import datetime

from plexus_sync import MetricsStream, PlexusError, Reconnect, Subscription

source = sys.argv[1] if sys.argv[1:] else "robot-01"
sub = Subscription(
    MetricsStream(source, stale_timeout=30.0),  # this robot sends all the time, or is in trouble
    reconnect=Reconnect(maximum=10.0, max_elapsed=3600.0),
)


@sub.on_gap
def missing(gap):
    """Tell from when to when data may be missing."""
    start, end = datetime.fromtimestamp(gap.started_at), datetime.fromtimestamp(gap.ended_at)
    print(f"GAP    {start:%H:%M:%S} to {end:%H:%M:%S}: {gap.reason}, {gap.dropped} dropped")


@sub.on_error
def failed(error):
    """Tell what went wrong."""
    print(f"ERROR  {'for good' if error.final else 'for now'}: {error}")


@sub.on_state
def changed(change):
    """Tell how the stream fares."""
    print(f"STATE  {change.previous.value} -> {change.current.value} {change.reason}")


sub.on_metric("battery.percent", lambda point: print(f"DATA   {point.value} %"))

try:
    sub.run()
except PlexusError as error:
    sys.exit(f"The end: {error}")
except KeyboardInterrupt:
    print("Stopped.")
