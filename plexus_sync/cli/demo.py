"""``plexus-sync demo``: all three streams of a simulated robot, live, with a fault on the way."""

from __future__ import annotations

import argparse
import contextlib
import queue
import time
from collections import deque
from typing import Any, Deque, Dict, Iterator, List, Set, Tuple

from ..deadline import Deadline
from ..frames import Frame, TelemetryFrame, VideoFrame
from ..reconnect import Reconnect
from ..state import State, StateChange
from ..streams import LogsStream, MetricsStream, Stream, VideoStream
from ..subscription import Subscription
from .describe import NAME_WIDTH, Item, Line, clock, describe, point_record, value
from .exits import Exit
from .extras import new_simulator
from .messages import Messages
from .options import add_json_option, new_parser, seconds
from .output import Board, Output, open_output
from .summary import summary

__all__ = ["add_command"]

EXAMPLES = """\
  plexus-sync demo
  plexus-sync demo --seconds 30
  plexus-sync demo --json | head -20"""

SOURCE = "robot-01"
UNITS = {"battery.percent": "%", "cpu.percent": "%", "temperature": "°C"}
CAMERAS = ("front", "thermal")
RATE = 3.0  # frames a second: as fast as one can read
CUT_AT = 0.4  # of the time: late enough to have seen what is normal, early enough to see it mend
REDRAW = 0.1  # seconds
PATIENCE = 10.0  # seconds more, where the machine is too slow to mend the fault in time
# Back within half a second: nobody should wait in a demo.
RECONNECT = Reconnect(initial=0.3, maximum=0.5)

COLUMNS = ("stream", "received", "points", "filtered", "dropped", "gaps", "reconnects")
CLOSING = (
    Item((("Every loss is told by a gap, and every frame is accounted for.", "dim"),)),
    Item(
        (
            ("Now your own:", "dim"),
            ("export PLEXUS_API_KEY=plx_...; plexus-sync tail metrics SOURCE", "metric"),
        )
    ),
)


def add_command(commands: Any) -> None:
    """Add the command to the parser."""
    parser = new_parser(
        commands, "demo", "watch all three streams of a simulated robot for some seconds", EXAMPLES
    )
    parser.add_argument(
        "--seconds", type=seconds, default=8.0, metavar="TIME", help="how long (default: 8)"
    )
    add_json_option(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, messages: Messages) -> Exit:
    """Show the demo."""
    simulator = new_simulator(
        sources=(SOURCE,), cameras=CAMERAS, rate=RATE, video_rate=RATE, gateway_retry_delay=0.2
    )
    with simulator, open_output(messages, args.json) as output:
        subscription = Subscription(
            MetricsStream(SOURCE, metrics=[*UNITS, "nav.state"]),
            LogsStream(SOURCE),
            VideoStream(SOURCE, cameras=CAMERAS),
            api_key=simulator.api_key,
            base_url=simulator.url,
            reconnect=RECONNECT,
        )
        demo = _Demo(subscription, simulator, output, args.seconds)
        with subscription:
            demo.play()
            rows = summary(subscription)
        output.close()
        if output.for_people:  # what fits on 80 columns
            rows = [{name: row[name] for name in COLUMNS} for row in rows]
        output.table("summary", rows)
        for item in CLOSING:
            output.show(item)
    return Exit.DONE


def telemetry_item(frame: TelemetryFrame) -> Item:
    """Describe a whole frame in one line; tail shows each point on its own."""
    shown = {point.metric: point.value for point in frame.points}
    line: List[Any] = [
        (clock(frame.points[0].time), "dim"),
        (frame.points[0].source_id, "source"),
        (f"{'telemetry':<{NAME_WIDTH}}", "metric"),
    ]
    for metric, unit in UNITS.items():
        number = shown.get(metric)
        if isinstance(number, float):
            line += [(metric.partition(".")[0], "dim"), (f"{number:5.1f} {unit}", "number")]
    line.append((value(shown.get("nav.state", "")), "text"))
    return Item(tuple(line), tuple(point_record(point) for point in frame.points))


class _Demo:
    """One showing."""

    def __init__(
        self, subscription: Subscription, simulator: Any, output: Output, duration: float
    ) -> None:
        self._subscription = subscription
        self._simulator = simulator
        self._output = output
        self._duration = duration
        self._end = Deadline(duration)
        self._patience = Deadline(duration + PATIENCE)
        self._cut = Deadline(duration * CUT_AT)
        self._is_cut = False
        self._redraw = Deadline(0.0)
        self._pictures: Dict[str, bytes] = {}
        self._open: Set[Stream] = set()  # as far as was shown
        self._changes: Deque[Tuple[float, StateChange]] = deque()
        subscription.on_state(self._note_change)

    def play(self) -> None:
        """Show frames until the time is up and the fault is mended."""
        while self._goes_on():
            if self._cut.expired() and not self._is_cut and self._all_open():
                self._is_cut = True
                self._remark(time.time(), "fault", "the demo cuts the connections", "bad")
                self._simulator.cut()
            if self._redraw.expired():
                self._redraw = Deadline(REDRAW)
                self._output.board(self._board())
            with contextlib.suppress(queue.Empty):
                self._show(self._subscription.get(timeout=self._redraw.remaining()))
            self._tell_changes()  # also where no frame came after them

    def _goes_on(self) -> bool:
        if not self._end.expired():
            return True
        statuses = self._subscription.status().values()
        mended = self._all_open() and all(status.gaps for status in statuses)
        return not (mended or self._patience.expired())

    def _all_open(self) -> bool:
        return len(self._open) == len(self._subscription.status())

    def _show(self, frame: Frame) -> None:
        self._tell_changes()
        for item in self._items(frame):
            self._output.show(item)

    def _items(self, frame: Frame) -> Iterator[Item]:
        if isinstance(frame, VideoFrame):
            self._pictures[frame.camera_id] = frame.jpeg
        if isinstance(frame, TelemetryFrame):
            yield telemetry_item(frame)
        else:
            yield from describe(frame)

    def _note_change(self, change: StateChange) -> None:
        # No more than this: what a callback raises, such as for a closed pipe, is only logged.
        self._changes.append((time.time(), change))

    def _tell_changes(self) -> None:
        while self._changes:
            at, change = self._changes.popleft()
            if change.current is State.OPEN:
                self._open.add(change.stream)
                self._remark(at, change.stream.kind, "open", "good")
            elif change.current is State.WAITING:
                self._open.discard(change.stream)
                self._remark(at, change.stream.kind, "connection lost, trying again", "bad")

    def _remark(self, at: float, name: str, text: str, style: str) -> None:
        line = (
            (clock(at), "dim"),
            (SOURCE, "source"),
            (f"{name:<{NAME_WIDTH}}", style),
            (text, style),
        )
        self._output.show(Item(line, ({"type": "remark", "about": name, "text": text},)))

    def _board(self) -> Board:
        lines: List[Line] = []
        for stream, status in self._subscription.status().items():
            is_open = status.state is State.OPEN
            lines.append(
                (
                    (
                        "\N{BLACK CIRCLE}" if is_open else "\N{WHITE CIRCLE}",
                        "good" if is_open else "bad",
                    ),
                    (f"{stream.kind:<8}", "source"),
                    (f"{status.state.value:<10}", "good" if is_open else "bad"),
                    (f"{status.received:>4} frames", "number"),
                    (
                        f"{status.gaps} gap{'s'[status.gaps == 1 :]}",
                        "gap" if status.gaps else "dim",
                    ),
                )
            )
        left = self._end.remaining() or 0.0
        lines += [(), ((f"{left:.0f} s left", "dim"),)]
        pictures = {name: self._pictures[name] for name in CAMERAS if name in self._pictures}
        return Board(
            f"{SOURCE} at {self._simulator.url}", pictures, lines, 1 - left / self._duration
        )
