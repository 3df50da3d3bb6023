"""``plexus-sync doctor``: find out, step by step, why nothing arrives."""

from __future__ import annotations

import argparse
import os
import re
import stat
import time
from pathlib import Path
from typing import Any, Dict, Optional, Union

from ..deadline import Deadline
from ..errors import ConfigError, ConnectionLost, StreamError
from ..frames import EventFrame, InitFrame, TelemetryFrame, VideoFrame
from ..settings import KEY_FILE, KEY_VARIABLE, KeySource, Settings
from ..streams import LogsStream, MetricsStream, VideoStream
from ..subscription import Subscription
from .describe import Item, clean
from .exits import Exit, Problem, problem_of, proxy_sentence, why
from .messages import Messages
from .options import (
    add_connection_options,
    add_json_option,
    connection,
    new_parser,
    seconds,
)
from .output import Output, open_output
from .probe import Probe, Stopped
from .watch import Watch

__all__ = ["add_command"]

EXAMPLES = """\
  plexus-sync doctor                  the way to the service, and the key
  plexus-sync doctor robot-01         and whether the robot sends, and its clock
  plexus-sync doctor --url wss://plexus.example --key-file key.txt

It ends with the sentence that says what to do about the first step that failed, and the exit code
that fits it; the key is never shown."""

Data = Union[TelemetryFrame, EventFrame, VideoFrame]

CLOCK_TOLERANCE = 5.0  # seconds; a slow link and a gateway's batches stay well below
TIMED_OUT = re.compile(r"in time$|took longer")
USUAL_KEY = re.compile(r"plx_\S{32}")

ADVICE = {
    "dns": "the name in {url} cannot be resolved ({reason}): look for a typing error in --url, "
    "else check this machine's network and DNS",
    "tcp": "nothing answers at {url} ({reason}): check the port in --url, and that no firewall "
    "stands between",
    "proxy": "the proxy does not let us through to {url} ({reason}): check --proxy",
    "tls": "what answers at {url} does not speak TLS ({reason}): check the port in --url, or "
    "begin it with ws:// where the server is on this machine",
    "upgrade": "what answers at {url} has ended the connection ({reason}): check that --url is the "
    "Plexus Data API, else try again in a minute",
    "auth": "the service did not say whether the key is good ({reason}): try again in a minute, "
    "then ask those who run it",
}

SILENT = "what answers at {url} did not complete the upgrade ({reason}): check --url"


def add_command(commands: Any) -> None:
    """Add the command to the parser."""
    parser = new_parser(commands, "doctor", "find out why nothing arrives", EXAMPLES)
    parser.add_argument("source", metavar="SOURCE", nargs="?", help="a device, such as robot-01")
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=10.0,
        metavar="TIME",
        help="how long to wait for the service, and for a first frame (default: 10s)",
    )
    add_json_option(parser)
    add_connection_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, messages: Messages) -> Exit:
    """Check one thing after the other."""
    options = connection(args)
    if args.source is not None:
        MetricsStream(args.source)  # a wrong name is told before anything is tried
    with open_output(messages, args.json) as output:
        return _Doctor(args, options, messages, output).examine()


class _Failed(Exception):
    """A check has failed; the problem is what the command ends with."""

    def __init__(self, check: str, problem: Problem) -> None:
        self.check = check
        self.problem = problem


class _Doctor:
    """One examination."""

    def __init__(
        self, args: argparse.Namespace, options: Dict[str, Any], messages: Messages, output: Output
    ) -> None:
        self._source: Optional[str] = args.source
        self._key_file: Optional[str] = args.key_file
        self._timeout: float = args.timeout
        self._options = options
        self._messages = messages
        self._output = output
        key = options["api_key"]
        others = {name: option for name, option in options.items() if name != "api_key"}
        self._settings = Settings(keys=KeySource(key), **others)
        self._probe = Probe(self._source, self._settings, self._timeout)
        self._left = ["key", *self._probe.steps, "auth", "frame", "clock"]  # checks to come
        self._online: Optional[str] = None

    def examine(self) -> Exit:
        """Make all checks; the first that fails ends it with what it has to say."""
        try:
            self._check_key()
            try:
                self._check_connection()
                self._check_auth()
            finally:
                self._probe.close()
            self._check_device()
        except _Failed as failed:
            self._pass_until(failed.check)
            self._show("failed", failed.check)
            while self._left:
                self._show("not tried", self._left[0])
            raise failed.problem from None
        return Exit.DONE

    def _check_key(self) -> None:
        path: Optional[Path] = None
        if self._key_file is not None:
            path, where = Path(self._key_file), clean(self._key_file)
        elif os.environ.get(KEY_VARIABLE, "").strip():
            where = KEY_VARIABLE
        else:
            path, where = KEY_FILE, str(KEY_FILE)
        try:
            self._settings.keys.resolve()
        except ConfigError as error:
            raise _Failed("key", problem_of(error)) from None
        usual = USUAL_KEY.fullmatch(self._settings.keys.fetch().reveal())
        form = "" if usual else ", though not of the usual form: plx_ and 32 characters"
        others = "; other users can read this file: chmod 600" if _is_open(path) else ""
        self._show("ok", "key", f"from {where}{form}{others}")

    def _check_connection(self) -> None:
        self._messages.status(f"connecting to {self._settings.base_url}")
        began = time.monotonic()
        try:
            self._probe.connect()
        except Stopped as stopped:
            raise self._stopped(stopped) from None
        took = time.monotonic() - began
        self._pass_until("upgrade")
        self._show("ok", "upgrade", f"{self._settings.base_url}, in {took:.2f} s")

    def _check_auth(self) -> None:
        self._messages.status("waiting for the service to look at the key")
        try:
            frame = self._probe.authenticate(self._settings.keys.fetch())
        except Stopped as stopped:
            raise self._stopped(stopped) from None
        detail = "the key is good"
        if isinstance(frame, InitFrame):
            online = [source.source_id for source in frame.online_sources]
            self._online = ", ".join(map(clean, online)) or "none"
            detail += f"; devices online: {self._online}"
        self._show("ok", "auth", detail)

    def _check_device(self) -> None:
        if self._source is None:
            for check in ("frame", "clock"):
                self._show("skipped", check, "name a SOURCE to have it checked")
            return
        frame = self._first_frame(self._source)
        if frame is None:
            online = "" if self._online is None else f" (devices online: {self._online})"
            sentence = (
                f"nothing came from {self._source} in {self._timeout:g} s{online}: check its name, "
                "that it is on and that it sends"
            )
            raise _Failed("frame", Problem(sentence))
        kind = frame.stream.kind if frame.stream is not None else ""
        self._show("ok", "frame", f"the first came on the {kind} stream")
        self._check_clock(frame)

    def _first_frame(self, source: str) -> Optional[Data]:
        """Return what comes first on any of the device's streams."""
        self._messages.status(f"waiting for a first frame of {source}")
        streams = (MetricsStream(source), LogsStream(source), VideoStream(source))
        with Subscription(*streams, **self._options) as subscription:
            watch = Watch(subscription, self._messages, Deadline(self._timeout))
            try:
                for frame in watch.frames():
                    if isinstance(frame, (TelemetryFrame, EventFrame, VideoFrame)):
                        return frame
            except StreamError as error:
                raise _Failed("frame", problem_of(error)) from None
        return None

    def _check_clock(self, frame: Data) -> None:
        sent = _timestamp(frame)
        if sent is None or frame.received_at is None:
            self._show("skipped", "clock", "the frame has no timestamp")
            return
        behind = frame.received_at - sent / 1000
        if abs(behind) > CLOCK_TOLERANCE:
            way = "before" if behind > 0 else "after"
            sentence = (
                f"frames of {self._source} are stamped {abs(behind):.0f} s {way} this machine's "
                "time: set the clocks of the device and of this machine, best by NTP"
            )
            raise _Failed("clock", Problem(sentence))
        self._show("ok", "clock", f"stamped {behind:.2f} s before it arrived here")

    def _stopped(self, stopped: Stopped) -> _Failed:
        """Say what to do; more exactly than the error can, where the step is known."""
        error = stopped.error
        at_proxy = self._probe.proxy if stopped.step in ("dns", "tcp", "proxy") else None
        sentence = None if at_proxy is None else proxy_sentence(error)
        if sentence is not None:
            return _Failed(stopped.step, Problem(sentence, Exit.UNREACHABLE))
        if isinstance(error, ConnectionLost):
            advice = ADVICE[stopped.step]
            if at_proxy is not None and stopped.step != "proxy":
                advice = "nothing answers at the proxy {proxy} ({reason}): check --proxy"
            elif stopped.step == "upgrade" and TIMED_OUT.search(error.reason):
                advice = SILENT
            text = advice.format(url=self._settings.base_url, reason=why(error), proxy=at_proxy)
            return _Failed(stopped.step, Problem(text, Exit.UNREACHABLE))
        return _Failed(stopped.step, problem_of(error))

    def _pass_until(self, check: str) -> None:
        """Show the checks before this one, which were passed on the way to it."""
        while self._left[0] != check:
            self._show("ok", self._left[0], self._probe.describe(self._left[0]))

    def _show(self, outcome: str, check: str, detail: str = "") -> None:
        self._left.remove(check)
        style = {"ok": "good", "failed": "bad"}.get(outcome, "dim")
        line = ((f"{outcome:<9}", style), (f"{check:<8}", "source"), (detail, "text"))
        record = {"type": "check", "check": check, "outcome": outcome, "detail": detail}
        self._output.show(Item(line, (record,)))


def _is_open(path: Optional[Path]) -> bool:
    """Return whether others than its owner can read a file; a pipe is no file."""
    if path is None or os.name != "posix" or not os.path.isfile(os.path.expanduser(path)):
        return False
    return bool(os.stat(os.path.expanduser(path)).st_mode & (stat.S_IRGRP | stat.S_IROTH))


def _timestamp(frame: Data) -> Union[int, float, None]:
    """Return the newest timestamp in the frame, ms since the epoch."""
    if isinstance(frame, TelemetryFrame):
        stamps = [point.timestamp for point in frame.points if point.timestamp is not None]
        return max(stamps, default=None)
    return frame.timestamp
