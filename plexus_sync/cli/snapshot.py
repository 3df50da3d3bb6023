"""``plexus-sync snapshot``: save pictures of a camera, one or one every so often."""

from __future__ import annotations

import argparse
import os
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Callable, Dict, Optional
from urllib.parse import quote

from ..deadline import Deadline
from ..frames import Frame, InitFrame, VideoFrame
from ..streams import VideoStream
from .describe import Item, clean, video_item
from .exits import Exit, Problem
from .messages import Messages
from .options import (
    add_connection_options,
    add_json_option,
    camera,
    count,
    is_path,
    new_parser,
    seconds,
    subscribe,
)
from .output import Output, open_output
from .watch import Watch

__all__ = ["add_command"]

EXAMPLES = """\
  plexus-sync snapshot robot-01 --camera front out.jpg
  plexus-sync snapshot robot-01 --camera front out.jpg --overwrite
  plexus-sync snapshot robot-01 --camera front --camera rear pictures/ --every 5s
  plexus-sync snapshot robot-01 pictures/ --every 1m --count 60

A picture is written whole or not at all, and never over another one unless told so. With --every
the names are made of camera and time (UTC), and it goes on until Ctrl-C or --count."""

JPEG_BEGINS = b"\xff\xd8"  # the service does not check what a camera sends


def add_command(commands: Any) -> None:
    """Add the command to the parser."""
    parser = new_parser(commands, "snapshot", "save pictures of a camera", EXAMPLES)
    add = parser.add_argument
    add("source", metavar="SOURCE", help="the device, such as robot-01")
    is_path(add("path", metavar="PATH", help="the file; with --every the folder"))
    add(
        "--camera",
        metavar="CAMERA",
        type=camera,
        action="append",
        default=[],
        help="the camera (default: whichever sends first); with --every it may be repeated",
    )
    add("--every", type=seconds, metavar="TIME", help="go on with a picture every 5s, 1m, ...")
    add("--count", type=count, metavar="N", help="with --every: end after so many pictures")
    add("--overwrite", action="store_true", help="replace a file that is there already")
    add(
        "--timeout",
        type=seconds,
        default=20.0,
        metavar="TIME",
        help="give up where no picture comes for so long (default: 20s)",
    )
    add_json_option(parser)
    add_connection_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, messages: Messages) -> Exit:
    """Save pictures."""
    stream = VideoStream(args.source, cameras=args.camera)
    _check(args)
    with open_output(messages, args.json) as output, subscribe(args, stream) as subscription:
        job = _Job(args, messages, output)
        frames = Watch(subscription, messages, Deadline(None)).frames()
        while not job.is_done:
            job.see(next(frames))
    return Exit.DONE


def _check(args: argparse.Namespace) -> None:
    """Refuse what cannot work, before anything is tried; make the folder where there is none."""
    text = str(args.path)  # of which a Path drops the / at the end
    args.path = path = Path(text)
    if args.every is None:
        if args.count is not None:
            raise Problem("--count is for --every: add it, or leave --count out", Exit.USAGE)
        if len(args.camera) > 1:
            raise Problem("several cameras need a folder and --every: add --every TIME", Exit.USAGE)
        if path.is_dir() or text.endswith(("/", os.sep)):
            raise Problem(f"{text} is a folder: give a file name, or add --every TIME", Exit.USAGE)
        if os.path.lexists(path) and not args.overwrite:
            raise _is_there(path)
        folder = path.parent
    else:
        folder = path
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            raise Problem(f"{path} is a file: --every needs a folder", Exit.USAGE) from None
        except OSError as error:
            raise _unwritable(path, error) from None
    if not folder.is_dir():
        raise Problem(f"there is no folder {folder}: make it, or choose another", Exit.USAGE)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise Problem(f"nothing can be written into {folder}: choose another folder, or mend it")


def _is_there(path: Path) -> Problem:
    return Problem(f"{path} is there already: choose another, or add --overwrite", Exit.USAGE)


def _unwritable(path: Path, error: OSError) -> Problem:
    return Problem(f"{path} cannot be written ({error.strerror}): choose another place, or mend it")


class _Job:
    """What was asked for, and what is done of it."""

    def __init__(
        self,
        args: argparse.Namespace,
        messages: Messages,
        output: Output,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._args = args
        self._clock = clock
        self._messages = messages
        self._output = output
        self._left = args.count if args.every is not None else 1
        self._due: Dict[str, float] = {}  # for each camera, on the monotonic clock
        self._patience = Deadline(args.timeout, clock)
        self._online: Optional[str] = None  # why nothing comes, as far as init tells
        self._told_no_jpeg = False

    @property
    def is_done(self) -> bool:
        """Whether all pictures are saved that were asked for."""
        return self._left == 0

    def see(self, frame: Optional[Frame]) -> None:
        """Look at the next frame, or at the clock where none has come."""
        if isinstance(frame, InitFrame):
            self.look_for_camera(frame)
        elif isinstance(frame, VideoFrame):
            self.take(frame)
        self.check_silence()

    def look_for_camera(self, init: InitFrame) -> None:
        """Raise where the device has no such camera; note where it is not online at all."""
        online = {source.source_id: source for source in init.online_sources}
        source = online.get(self._args.source)
        names = ", ".join(map(clean, online)) or "none"
        self._online = None if source else f"it is not among the devices online ({names})"
        # A list that is empty tells nothing: the service leaves it out for some devices.
        known = [found.camera_id for found in source.cameras] if source else []
        for wanted in self._args.camera if known else ():
            if wanted not in known:
                raise Problem(
                    f"{self._args.source} has no camera {wanted!r}: choose --camera from "
                    f"{', '.join(map(clean, known))}"
                )

    def take(self, frame: VideoFrame) -> None:
        """Save the picture if one is due."""
        if not frame.jpeg.startswith(JPEG_BEGINS):
            if not self._told_no_jpeg:
                self._told_no_jpeg = True
                name = clean(frame.camera_id)
                self._messages.note(f"camera {name} sent something that is no JPEG; waiting on")
            return
        self._patience = Deadline(self._args.timeout, self._clock)
        now = self._clock()
        due = self._due.get(frame.camera_id, now)
        if now < due:
            return
        every = self._args.every
        if every is not None:
            self._due[frame.camera_id] = due + every * ((now - due) // every + 1)
        self._save(frame)
        if self._left is not None:
            self._left -= 1

    def check_silence(self) -> None:
        """Raise where no picture has come for too long."""
        if self._patience.expired():
            cameras = " or ".join(map(repr, self._args.camera)) or "any camera"
            raise Problem(
                f"no picture of {cameras} came from {self._args.source} in "
                f"{self._args.timeout:g} s"
                + (f", {self._online}" if self._online else "")
                + ": check the name of the device and that its camera sends, or raise --timeout"
            )

    def _save(self, frame: VideoFrame) -> None:
        path: Path = self._args.path
        if self._args.every is not None:
            path = path / _name(frame)
        try:
            frame.save(path, overwrite=self._args.overwrite)
        except FileExistsError:
            raise _is_there(path) from None
        except OSError as error:
            raise _unwritable(path, error) from None
        item = video_item(frame)
        record = {**item.records[0], "type": "snapshot", "path": str(path)}
        self._output.show(Item((*item.line, (clean(str(path)), "good")), (record,)))


def _name(frame: VideoFrame) -> str:
    """Return a file name; a camera's name may hold anything, '/' included."""
    at = frame.time or datetime.fromtimestamp(frame.received_at or time.time(), timezone.utc)
    stamp = at.strftime("%Y%m%dT%H%M%S.%f")[:-3]
    return f"{quote(frame.camera_id, safe='')}-{stamp}Z.jpg"
