"""Use a fresh key for each connection: keys that expire are replaced while you watch.

``api_key`` may be a function. It is called before every attempt to connect, on the stream's own
thread, so it may take its time. This one reads a file that something else keeps fresh, as
Kubernetes, Docker and Vault do with secrets; without a file it uses PLEXUS_API_KEY.

    python fresh_key.py robot-01 /run/secrets/plexus_api_key
"""

import contextlib
import os
import sys
from pathlib import Path

from plexus_sync import MetricsStream, Subscription

source = sys.argv[1] if sys.argv[1:] else "robot-01"


def key():
    """Return the key of this moment."""
    if sys.argv[2:]:
        return Path(sys.argv[2]).read_text().strip()
    return os.environ["PLEXUS_API_KEY"]


sub = Subscription(MetricsStream(source, metrics=["battery.percent"]), api_key=key)
sub.on_state(lambda change: print(f"{change.stream} is {change.current.value}"))
sub.on_metric("*", lambda point: print(point.metric, point.value))

with contextlib.suppress(KeyboardInterrupt):
    sub.run()
