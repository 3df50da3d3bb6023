"""``plexus-sync simulate``: the service's endpoints on this machine, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import signal
import sys
import threading
from typing import Any, Iterator

from .exits import Exit, Problem
from .extras import new_simulator
from .messages import Messages, is_terminal, write
from .options import camera, new_parser
from .output import writing

__all__ = ["add_command"]

EXAMPLES = """\
  plexus-sync simulate --port 8765
  plexus-sync simulate --port 8765 --source robot-01 --source robot-02 --camera front
  plexus-sync simulate --key plx_good --unpaid-key plx_unpaid --expired-key plx_old

then, in another terminal:
  export PLEXUS_DATA_API_URL=ws://127.0.0.1:8765 PLEXUS_API_KEY=plx_simulator
  plexus-sync tail metrics robot-01"""

DEFAULT_KEY = "plx_simulator"


def add_command(commands: Any) -> None:
    """Add the command to the parser."""
    parser = new_parser(commands, "simulate", "simulate the service on this machine", EXAMPLES)
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="where to listen (default: %(default)s)")
    add("--port", type=port, default=0, help="the port (default: one that is free)")
    add("--source", metavar="SOURCE", action="append", help="a device (default: robot-01)")
    add(
        "--camera",
        metavar="CAMERA",
        type=camera,
        action="append",
        help="a camera of each device (default: front, rear, thermal)",
    )
    add("--key", action="append", help="a key that is let in (default: plx_simulator)")
    add("--unpaid-key", metavar="KEY", action="append", help="a key whose plan has no API access")
    add("--expired-key", metavar="KEY", action="append", help="a key that is refused")
    add("--rate", type=rate, default=10.0, help="batches of points a second (default: 10)")
    add("--video-rate", type=rate, default=10.0, help="pictures a second (default: 10)")
    add("--seed", type=int, default=0, help="another seed, other values (default: 0)")
    parser.set_defaults(run=run)


def port(text: str) -> int:
    """Read a port; 0 is any that is free."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed: give 0 to 65535")
    return int(text)


def rate(text: str) -> float:
    """Read a number of frames a second; 0 is none."""
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not 0 <= found < math.inf:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not allowed: give frames a second, 0 or more"
        )
    return found


@contextlib.contextmanager
def _ended_by_sigterm(end: threading.Event) -> Iterator[None]:
    """Set ``end`` on SIGTERM, which is how service managers end what went well."""
    before = signal.signal(signal.SIGTERM, lambda signum, frame: end.set())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _why(error: Exception) -> str:
    """Return the system's own words; the simulator wraps them into a sentence of its own."""
    code = getattr(error, "errno", None) or 0
    if code > 0:
        return os.strerror(code)
    cause = error.__cause__ or error  # a name that cannot be resolved has a number below 0
    why = getattr(cause, "strerror", None) or str(cause)
    return str(why).partition(" (while attempting")[0]


def _usage(args: argparse.Namespace, url: str) -> str:
    """Tell how to use it; a key that was given is not shown."""
    key = "" if args.key else f" PLEXUS_API_KEY={DEFAULT_KEY}"
    return f"in another terminal: export PLEXUS_DATA_API_URL={url}{key}"


def run(args: argparse.Namespace, messages: Messages) -> Exit:
    """Serve until told to end."""
    simulator = new_simulator(
        host=args.host,
        port=args.port,
        sources=args.source or ["robot-01"],
        cameras=args.camera or ["front", "rear", "thermal"],
        rate=args.rate,
        video_rate=args.video_rate,
        keys=args.key or [DEFAULT_KEY],
        unpaid_keys=args.unpaid_key or [],
        expired_keys=args.expired_key or [],
        seed=args.seed,
    )
    end = threading.Event()
    with _ended_by_sigterm(end):
        try:
            simulator.start()
        except (OSError, UnicodeError) as error:
            raise Problem(
                f"cannot listen on {args.host}:{args.port} ({_why(error)}): choose another --port "
                "or --host, or end what uses it"
            ) from None
        try:
            with writing():
                write(sys.stdout, simulator.url + "\n")
            if is_terminal(sys.stderr):
                messages.note(_usage(args, simulator.url))
            end.wait()
        finally:
            simulator.stop()
    return Exit.DONE
