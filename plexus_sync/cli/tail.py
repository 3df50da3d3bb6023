"""``plexus-sync tail``: print what devices send."""

from __future__ import annotations

import argparse
from fnmatch import fnmatchcase
from typing import Any, Iterator, List, Sequence

from ..deadline import Deadline
from ..frames import EventFrame, Frame, TelemetryFrame, VideoFrame
from ..streams import LogsStream, MetricsStream, Stream, VideoStream
from .describe import Item, describe, point_item
from .exits import Exit, Problem
from .messages import Messages
from .options import (
    add_connection_options,
    add_json_option,
    camera,
    count,
    metric,
    new_parser,
    seconds,
    subscribe,
)
from .output import open_output
from .watch import Watch

__all__ = ["add_command"]

EXAMPLES = """\
  plexus-sync tail metrics robot-01
  plexus-sync tail metrics robot-01 --metric battery.percent --metric 'joint.*'
  plexus-sync tail logs robot-01 robot-02 --seconds 60
  plexus-sync tail video robot-01 --camera front --count 100
  plexus-sync tail metrics robot-01 --json | jq -r '[.metric, .value] | @tsv'
  plexus-sync tail metrics robot-01 --key-file <(pass show plexus)

It goes on until Ctrl-C; a lost connection is made again, and a gap is told where it was."""

DATA = (TelemetryFrame, EventFrame, VideoFrame)


def add_command(commands: Any) -> None:
    """Add the command to the parser."""
    parser = new_parser(commands, "tail", "print what devices send, as it comes", EXAMPLES)
    add = parser.add_argument
    add("kind", choices=("metrics", "logs", "video"), help="which stream")
    add("sources", metavar="SOURCE", nargs="+", help="a device, such as robot-01")
    add(
        "--metric",
        metavar="NAME",
        type=metric,
        action="append",
        default=[],
        help="only this metric; repeat it for more. A pattern such as 'joint.*' is matched here, "
        "and all metrics are sent for it",
    )
    add(
        "--camera",
        metavar="CAMERA",
        type=camera,
        action="append",
        default=[],
        help="only this camera; repeat it for more",
    )
    add("--seconds", type=seconds, metavar="TIME", help="end after so long, such as 30 or 5m")
    add("--count", type=count, metavar="N", help="end after so many points, events or pictures")
    add_json_option(parser)
    add_connection_options(parser)
    parser.set_defaults(run=run)


def _is_pattern(name: str) -> bool:
    return any(letter in name for letter in "*?[")


def _streams(args: argparse.Namespace) -> List[Stream]:
    if args.metric and args.kind != "metrics":
        raise Problem(f"--metric is for metrics, not for {args.kind}: leave it out", Exit.USAGE)
    if args.camera and args.kind != "video":
        raise Problem(f"--camera is for video, not for {args.kind}: leave it out", Exit.USAGE)
    sources = dict.fromkeys(args.sources)
    if args.kind == "logs":
        return [LogsStream(source) for source in sources]
    if args.kind == "video":
        return [VideoStream(source, cameras=args.camera) for source in sources]
    metrics = () if any(map(_is_pattern, args.metric)) else args.metric
    return [MetricsStream(source, metrics=metrics) for source in sources]


def _wanted(name: str, patterns: Sequence[str]) -> bool:
    # A name may itself hold a letter that means something in a pattern.
    return not patterns or any(name == p or fnmatchcase(name, p) for p in patterns)


def _items(frame: Frame, patterns: Sequence[str]) -> Iterator[Item]:
    if not isinstance(frame, TelemetryFrame):
        yield from describe(frame)
        return
    for point in frame.points:
        if _wanted(point.metric, patterns):
            yield point_item(point, frame.received_at)


def run(args: argparse.Namespace, messages: Messages) -> Exit:
    """Print until the time is up, the count is reached or somebody ends it."""
    left = args.count
    shown = 0
    with open_output(messages, args.json) as output, subscribe(args, *_streams(args)) as sub:
        for frame in Watch(sub, messages, Deadline(args.seconds)).frames():
            for item in () if frame is None else _items(frame, args.metric):
                output.show(item)
                if isinstance(frame, DATA):
                    shown += 1
                if shown == left:
                    return Exit.DONE
    if left is not None:
        raise Problem(
            f"{shown} came in {args.seconds:g} s, not {left}: give it more --seconds, or ask for "
            "a smaller --count"
        )
    if not shown:
        raise Problem(_silence(args))
    return Exit.DONE


def _silence(args: argparse.Namespace) -> str:
    """Say what to look at where nothing came at all; the service does not tell."""
    what = ", its name and the filters" if args.metric or args.camera else ", and its name"
    return (
        f"nothing came from {', '.join(args.sources)} within {args.seconds:g} s: check that the "
        f"device is on{what}"
    )
