"""Feed an asyncio program: one line hands each frame over to the loop.

The subscription stays on its threads, and ``loop.call_soon_threadsafe`` is the way from any
thread into a loop. Nothing blocks it: coroutines just await the next frame.

    PLEXUS_API_KEY=plx_... python asyncio_program.py robot-01
"""

import asyncio
import contextlib
import sys

from plexus_sync import MetricsStream, Subscription, TelemetryFrame

source = sys.argv[1] if sys.argv[1:] else "robot-01"


async def show(frames):
    """Print the frames as they come."""
    while True:
        frame = await frames.get()
        if isinstance(frame, TelemetryFrame):
            print({point.metric: point.value for point in frame.points})


async def tick():
    """Do something else meanwhile, as asyncio programs do."""
    while True:
        print("tick")
        await asyncio.sleep(0.5)


async def main():
    """Watch a robot, and tick."""
    loop, frames = asyncio.get_running_loop(), asyncio.Queue()
    sub = Subscription(MetricsStream(source, metrics=["battery.percent", "cpu.percent"]))
    sub.on_frame(lambda frame: loop.call_soon_threadsafe(frames.put_nowait, frame))  # the line
    with sub:
        await asyncio.gather(show(frames), tick())


with contextlib.suppress(KeyboardInterrupt):
    asyncio.run(main())
