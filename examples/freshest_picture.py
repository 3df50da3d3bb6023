"""Look at the freshest picture of each camera, however long the looking takes.

A video stream keeps one picture of each camera: a newer one takes the place of one that nobody
has had time for. So a slow program skips pictures, and never works through old ones.

    PLEXUS_API_KEY=plx_... python freshest_picture.py robot-01 pictures
"""

import contextlib
import sys
import time
from pathlib import Path

from plexus_sync import Subscription, VideoStream

source = sys.argv[1] if sys.argv[1:] else "robot-01"
folder = Path(sys.argv[2] if sys.argv[2:] else ".")
stream = VideoStream(source, cameras=["front", "rear"])
sub = Subscription(stream)


@sub.on_video_frame
def look(frame):
    """Save the picture, as ``front.jpg`` or ``rear.jpg``."""
    path = folder / f"{frame.camera_id}.jpg"
    frame.save(path, overwrite=True)  # whole or not at all: others may read the file meanwhile
    skipped = sub.status()[stream].dropped
    print(f"{path.name}: picture of {frame.time}, {skipped} skipped so far")
    time.sleep(0.3)  # stands for slow work, such as finding an obstacle


folder.mkdir(parents=True, exist_ok=True)
with contextlib.suppress(KeyboardInterrupt):
    sub.run()
