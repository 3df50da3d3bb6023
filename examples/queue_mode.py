"""Take frames when it suits your program: without callbacks, a subscription is a queue.

``get`` waits on the thread that calls it, as ``queue.Queue.get`` does, so the program stays in
charge. (``for frame in sub`` is the same without a time limit.)

    PLEXUS_API_KEY=plx_... python queue_mode.py robot-01
"""

import contextlib
import queue
import sys

from plexus_sync import EventFrame, Gap, LogsStream, Subscription

source = sys.argv[1] if sys.argv[1:] else "robot-01"

with contextlib.suppress(KeyboardInterrupt), Subscription(LogsStream(source)) as sub:
    while True:
        try:
            frame = sub.get(timeout=2.0)
        except queue.Empty:
            print("all quiet")  # the moment for something else
            continue
        if isinstance(frame, EventFrame):
            print(frame.time, frame.metric, frame.value)
        elif isinstance(frame, Gap):
            print(f"events may be missing: {frame.reason}")
