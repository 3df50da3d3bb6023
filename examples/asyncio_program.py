"""Feed an asyncio program: one line hands each frame over to the loop.

The subscription stays on its threads, and ``loop.call_soon_threadsafe`` is the way from any
thread into a loop. Nothing blocks it: coroutines just await the next frame.
Errors come the same way; a final one ends the program.

    PLEXUS_API_KEY=plx_... python asyncio_program.py robot-01
"""

import asyncio
import contextlib
import signal
import sys

from plexus_sync import MetricsStream, PlexusError, Subscription, TelemetryFrame

source = sys.argv[1] if sys.argv[1:] else "robot-01"


async def show(things):
    """Print the frames as they come, until an error says that no more will."""
    while True:
        thing = await things.get()
        if isinstance(thing, TelemetryFrame):
            print({point.metric: point.value for point in thing.points})
        elif isinstance(thing, PlexusError) and thing.final:
            raise thing


async def tick():
    """Do something else meanwhile, as asyncio programs do."""
    while True:
        print("tick")
        await asyncio.sleep(0.5)


async def main():
    """Watch a robot, and tick."""
    loop, things = asyncio.get_running_loop(), asyncio.Queue()
    # Else Ctrl-C is raised in whatever task runs, which Python before 3.11 reports as lost.
    with contextlib.suppress(NotImplementedError):  # on Windows
        loop.add_signal_handler(signal.SIGINT, asyncio.current_task().cancel)

    def hand_over(thing):
        loop.call_soon_threadsafe(things.put_nowait, thing)  # the line

    sub = Subscription(MetricsStream(source, metrics=["battery.percent", "cpu.percent"]))
    sub.on_frame(hand_over)
    sub.on_error(hand_over)
    with sub:
        await asyncio.gather(show(things), tick())


with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
    try:
        asyncio.run(main())
    except PlexusError as error:
        sys.exit(str(error))
