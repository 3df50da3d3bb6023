"""What several test modules share: texts on the wire, clocks, threads, a subscription."""

from __future__ import annotations

import json
import threading
import traceback
from pathlib import Path

from plexus_sync import Gap, MetricsStream, Reconnect, Subscription
from plexus_sync.inbox import Lane

DATA = Path(__file__).parent / "data"
PATIENCE = 30.0  # seconds before a test that hangs fails instead
LONG = 100 * PATIENCE  # where a time limit must not be what ends something
METRICS = MetricsStream("robot-01")
JPEG = "/9j/4AAQSkZJRgABAQAAAQABAAD/2Q=="


class FakeClock:
    """A clock that stands still until it is told to go on."""

    def __init__(self, now=1000.0):
        self.now = now

    def __call__(self):
        """Return the time."""
        return self.now

    def advance(self, seconds):
        """Let time pass."""
        self.now += seconds


class InThread:
    """A call that runs on a thread of its own, from now on."""

    def __init__(self, function, *args):
        self._results = []
        self._errors = []
        self._thread = threading.Thread(target=self._run, args=(function, *args), daemon=True)
        self._thread.start()

    def _run(self, function, *args):
        try:
            self._results.append(function(*args))
        except BaseException as error:
            self._errors.append(error)

    def result(self):
        """Wait for the call; return what it returned or raise what it raised."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "the call hangs"
        if self._errors:
            raise self._errors[0]
        return self._results[0]


def join_helpers():
    """Wait for the threads that dialing has left alone in calls that nobody can wake."""
    for thread in threading.enumerate():
        if thread.name in ("plexus-sync DNS", "plexus-sync SOCKS"):
            thread.join(PATIENCE)
            assert not thread.is_alive()


def text(frame):
    """Return a frame as the service sends it."""
    return json.dumps(frame).encode()


def point(value=1, source_id="robot-01", metric="n", **more):
    """Return one point as an object of JSON."""
    return {"source_id": source_id, "metric": metric, "value": value, "class": "metric", **more}


def telemetry(*points):
    """Return the text of a telemetry frame."""
    return text({"type": "telemetry", "points": list(points)})


def event(value=1, source_id="robot-01"):
    """Return the text of an event frame."""
    return text({"type": "event", **point(value, source_id), "class": "event"})


def picture(camera_id="front", frame=JPEG, **more):
    """Return the text of a video frame."""
    return text({"type": "video_frame", "camera_id": camera_id, "frame": frame, **more})


def shown_of(error):
    """Return what a report may show of an error and of all that led to it, as one text.

    That is the texts, the attributes, and the variables of every frame but those of the tests.
    """
    shown, errors, seen = [], [error], set()
    while errors:
        error = errors.pop()
        if error is None or id(error) in seen:
            continue
        seen.add(id(error))
        errors += [error.__cause__, error.__context__]
        shown += [str(error), repr(error), repr(vars(error))]
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if Path(__file__).parent not in Path(frame.f_code.co_filename).parents:
                shown.append(variables_of(frame))
    return "\n".join(shown)


def variables_of(frame):
    """Return the variables of a frame, as a report shows them."""
    return "\n".join(f"{name} = {value!r}" for name, value in frame.f_locals.items())


def vectors(name):
    """Return the sample frames of one file, one text each."""
    return (DATA / f"{name}.jsonl").read_bytes().splitlines()


def watching(url, stream=METRICS, **settings):
    """Return a subscription that nothing ends but what the server does, and the errors it tells."""
    for name in ("connect_timeout", "ping_interval", "ping_timeout"):
        settings.setdefault(name, LONG)
    settings.setdefault("reconnect", Reconnect(initial=0.001, maximum=0.002))
    sub = Subscription(stream, api_key="plx_key", base_url=url, **settings)
    errors = []
    sub.on_error(errors.append)
    return sub, errors


def values(sub, count):
    """Return what the next frames of one point carry; of a Gap its reason."""
    frames = [sub.get(timeout=PATIENCE) for _ in range(count)]
    return [each.reason if isinstance(each, Gap) else each.points[0].value for each in frames]


class Undecoding:
    """A lane's decoder that leaves frames as they came."""

    def __init__(self, decoder):
        self._decoder = decoder

    def __getattr__(self, name):
        return getattr(self._decoder, name)

    def frames(self, entries):
        """Return each entry as one that was filtered."""
        return [(entry, None) for entry in entries]


def take(owner):
    """Take what a lane or a buffer hands over next, undecoded.

    It is nothing, a frame, a Gap, or a Gap and the frame behind it.
    """
    if not owner.lent:
        if isinstance(owner, Lane):
            if not isinstance(owner.decoder, Undecoding):
                owner.decoder = Undecoding(owner.decoder)
            owner.lend()
        else:
            loan = owner.next_loan()
            owner.lend(loan, [(entry, None) for entry in loan])
    if not owner.lent:
        return ()
    item = owner.lent.popleft()
    if isinstance(item, Gap):
        return (item,)
    (text, received_at, wire, gap), _ = item
    entry = (text, received_at, wire, None)
    return (entry,) if gap is None else (gap, entry)


def handed_over(lane):
    """Take everything from a lane as a dispatcher does: Gaps and decoded frames."""
    found = []
    while lane.lent or lane.lend():
        item = lane.lent.popleft()
        if isinstance(item, tuple):
            (_, _, _, gap), item = item
            found += [] if gap is None else [gap]
        found.append(item)
    return found


def unpacked(items):
    """Return the frames among what a decoder has made of entries."""
    return [item[1] if isinstance(item, tuple) else item for item in items]
