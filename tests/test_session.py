"""One connection from its first step to its loss, with a connection and clocks of our own."""

from __future__ import annotations

import itertools
import math
import socket

import pytest
from helpers import FakeClock, InThread, event, handed_over, picture, point, take, telemetry, text

from plexus_sync import Buffer, Gap, LogsStream, MetricsStream, VideoStream, decode
from plexus_sync.gaps import GapBook
from plexus_sync.inbox import Inbox, Lane, LaneFull
from plexus_sync.judge import Run
from plexus_sync.loss import Lost
from plexus_sync.session import Session
from plexus_sync.settings import KeySource, Secret, Settings
from plexus_sync.state import Event
from plexus_sync.wire import DecodedVideo

METRICS = MetricsStream("robot-01")
LOGS = LogsStream("robot-01")
VIDEO = VideoStream("robot-01")
EPOCH = 1_000_000.0  # what the wall clock is ahead of the monotonic one

DATA = telemetry(point(1))
MORE = telemetry(point(2))
FOREIGN = telemetry(point(1, source_id="robot-02"))
NOTICE = text({"type": "gateway_reconnecting", "attempt": 1, "delay_s": 2})
INIT = text({"type": "init", "online_sources": []})
BAD = b"{"
LOSS = Lost(1006, "the end of the script")


def values_of(frames):
    """Return the value of each frame's first point."""
    return [frame.points[0].value for frame in frames]


QUIET = "quiet"  # a step of a script: nothing comes until the next duty
PONG = "pong"  # a step: the pong comes at once


class FakeConnection:
    """A connection that does what a script says.

    A step is QUIET, PONG, an error to raise, or seconds and the messages that come after them.
    """

    def __init__(self, clock, script):
        self._clock = clock
        self._script = iter(script)
        self.calls = []
        self.timeouts = []  # what receive() was asked to wait
        self.pings = []  # when each was sent
        self.awaits_pong = False
        self.deadline = None
        self.readers = []  # what others do while the socket is given away, once each
        self.slept = []  # for how long the reader would have
        self.roused = 0
        self.reads = []
        self.other_business = False
        self._quiet = ()

    # While the socket is given away.

    def may_be_given(self):
        """Nothing of its own is in the way, where somebody reads."""
        return bool(self.readers)

    def fileno(self):
        """Return the descriptor of a socket on which nothing comes."""
        self._quiet = self._quiet or socket.socketpair()
        return self._quiet[0].fileno()

    def give(self):
        """Remember it."""
        self.calls.append("given")

    def take_back(self):
        """Remember it."""
        if self.calls[-1] == "given":
            self.calls.append("taken back")

    def sleep(self, seconds):
        """Let the next reader read in the meantime."""
        self.slept.append(seconds)
        self.readers.pop(0)()

    def rouse(self):
        """Remember it."""
        self.roused += 1

    def receive_at_once(self, reads=1):
        """Do the next step, for any number of reads."""
        self.reads.append(reads)
        return self.receive(0)

    def has_other_business(self):
        """Return whether the test says so."""
        return self.other_business

    def put_back(self, messages):
        """Let them be the next step."""
        self._script = itertools.chain([(0, *messages)], self._script)

    def close(self):
        """Close what was never read."""
        for sock in self._quiet:
            sock.close()

    # Always.

    def open(self, url, settings, deadline):
        """Take a second."""
        self.calls.append(("open", url))
        self.deadline = deadline.remaining()
        self._clock.advance(1)

    def authenticate(self, key):
        """Remember it."""
        self.calls.append(("authenticate", key.reveal()))

    def ping(self):
        """Remember when."""
        self.pings.append(self._clock())
        self.awaits_pong = True

    def receive(self, timeout):
        """Do the next step."""
        self.timeouts.append(timeout)
        step = next(self._script, LOSS)
        if step is QUIET:
            self._clock.advance(timeout)
            return None
        if step is PONG:
            self.awaits_pong = False
            return []
        if isinstance(step, Exception):
            raise step
        seconds, *messages = step
        self._clock.advance(seconds)
        return messages


class Bench:
    """One stream, and the sessions that it has one after the other."""

    def __init__(self, stream=METRICS, **settings):
        self.clock = FakeClock()
        inbox = Inbox()
        self.lookout = inbox.lookout
        self.lane = Lane(stream, inbox, keep_raw=False)
        self.book = GapBook(stream)
        self.settings = Settings(keys=KeySource("plx_key"), **settings)
        self.events = []
        self.warnings = []
        self.silences = []
        self.session = None

    def wall(self):
        """Return the time of day."""
        return EPOCH + self.clock()

    def start(self, script):
        """Make a session with a connection that does what the script says."""
        self.connection = FakeConnection(self.clock, script)
        self.session = Session(
            self.lane,
            self.settings,
            self.book,
            self.connection,
            self.events.append,
            lambda kind, message: self.warnings.append((kind, message)),
            lambda: self.silences.append(self.clock()),
            self.lookout,
            self.clock,
            self.wall,
        )

    def run(self, *script):
        """Run a session to its end; return the time since its auth frame."""
        self.start(script)
        began = self.clock()
        with pytest.raises(Lost) as told:
            self.session.run("wss://api.example/x", Secret("plx_key"))
        self.connection.close()
        self.lost = told.value.loss
        return self.clock() - began - 1

    def taken(self):
        """Take everything from the lane: Gaps, and frames as text and whether they are parsed."""
        return [
            item if isinstance(item, Gap) else (item[0], item[2] is not None)
            for taken in iter(lambda: take(self.lane), ())
            for item in taken
        ]

    def texts(self):
        """Take everything from the lane: Gaps, and the texts of frames."""
        return [item if isinstance(item, Gap) else item[0] for item in self.taken()]


class TestBeginning:
    """Connect, sign in, open."""

    def test_order(self):
        """The connection is opened and signed in before the first state is told."""
        bench = Bench(connect_timeout=7.0)
        bench.run(Lost(4401, "unauthorized"))
        assert bench.connection.calls == [
            ("open", "wss://api.example/x"),
            ("authenticate", "plx_key"),
        ]
        assert bench.connection.deadline == 7.0
        assert bench.events == [Event.AUTHENTICATE]
        assert bench.lost.code == 4401

    def test_open_fails(self):
        """A connection that cannot be made comes through, without any state."""
        bench = Bench()
        bench.start([])

        def refuse(url, settings, deadline):
            bench.clock.advance(3)
            raise Lost(1006, "refused")

        bench.connection.open = refuse
        with pytest.raises(Lost, match="refused"):
            bench.session.run("wss://api.example/x", Secret("plx_key"))
        assert bench.events == []
        assert bench.session.achieved() == Run(age=3.0)

    @pytest.mark.parametrize("message", [DATA, NOTICE, INIT, BAD, FOREIGN, b'{"type": "new"}'])
    @pytest.mark.parametrize("stream", [METRICS, VIDEO], ids=["metrics", "video"])
    def test_open_by_a_frame(self, stream, message):
        """The first frame of any kind, a bad or foreign one too, opens the stream at once."""
        bench = Bench(stream)
        bench.run((0.3, message))
        assert bench.events == [Event.AUTHENTICATE, Event.OPEN]

    @pytest.mark.parametrize("stream", [METRICS, LOGS, VIDEO], ids=lambda stream: stream.kind)
    def test_open_by_time(self, stream):
        """A second without a close opens the stream too."""
        bench = Bench(stream)
        bench.run(QUIET, (0.5,))
        assert bench.connection.timeouts[0] == 1.0
        assert bench.events == [Event.AUTHENTICATE, Event.OPEN]
        assert bench.session.achieved().stood == 0.5

    def test_not_yet_open(self):
        """A ping, or a part of a frame, opens nothing; the rest of the second is waited for."""
        bench = Bench()
        bench.run((0.4,), (0.5,))
        assert bench.connection.timeouts == pytest.approx([1.0, 0.6, 0.1])
        assert bench.events == [Event.AUTHENTICATE]

    def test_open_once(self):
        """A stream is opened once, by what comes first."""
        bench = Bench()
        bench.run((0.2, DATA), (1.5, DATA), QUIET)
        assert bench.events == [Event.AUTHENTICATE, Event.OPEN]


class TestAchieved:
    """What a connection achieved up to now."""

    def test_nothing(self):
        """A connection that was closed before it was open stood no time."""
        bench = Bench()
        bench.run((0.9,))
        run = bench.session.achieved()
        assert (run.age, run.since_auth) == (pytest.approx(1.9), pytest.approx(0.9))
        assert (run.stood, run.frames, run.data) == (0, False, False)

    def test_frames(self):
        """A frame that is no data is a frame; it stood since the first one."""
        bench = Bench(VIDEO)
        bench.run((0.5, INIT), (4.0,))
        run = bench.session.achieved()
        assert (run.frames, run.data, run.stood, run.since_auth) == (True, False, 4.0, 4.5)

    @pytest.mark.parametrize(
        ("stream", "message"), [(METRICS, DATA), (LOGS, event()), (VIDEO, picture())]
    )
    def test_data(self, stream, message):
        """Telemetry, events and pictures are data."""
        bench = Bench(stream)
        bench.run((0.5, message))
        assert bench.session.achieved().data

    @pytest.mark.parametrize(
        ("stream", "message"),
        [
            (METRICS, FOREIGN),
            (METRICS, NOTICE),
            (METRICS, BAD),
            (METRICS, b'{"type": "new"}'),
            (METRICS, b'{"type": "error", "message": "x"}'),
            (LOGS, event(source_id="robot-02")),
            (VIDEO, picture(source_id="robot-02")),
            (VideoStream("robot-01", cameras=["rear"]), picture("front")),
        ],
    )
    def test_no_data(self, stream, message):
        """What is filtered, bad or something else is a frame but no data."""
        bench = Bench(stream)
        bench.run((0.5, message))
        run = bench.session.achieved()
        assert (run.frames, run.data) == (True, False)

    def test_empty_telemetry(self):
        """A telemetry frame without points is not filtered, and so is data."""
        bench = Bench()
        bench.run((0.5, telemetry()))
        assert bench.session.achieved().data
        assert bench.texts() == [telemetry()]


class TestKeepalive:
    """Pings, and what counts as their answer."""

    def test_interval(self):
        """A ping goes out every ping_interval, counted from the auth frame and the last ping."""
        bench = Bench(ping_interval=20.0)
        bench.run(QUIET, QUIET, PONG, QUIET, PONG, QUIET, PONG, QUIET, PONG)
        began = bench.connection.pings[0] - 20
        assert [at - began for at in bench.connection.pings] == [20, 40, 60]
        assert bench.silences == [began + 31]

    def test_busy_stream_is_pinged_too(self):
        """A stream on which something always comes is pinged all the same."""
        bench = Bench(ping_interval=20.0)
        bench.run(*[(5, DATA)] * 4)
        assert len(bench.connection.pings) == 1

    def test_no_answer(self):
        """A peer from which nothing comes for ping_timeout after a ping is gone."""
        bench = Bench(ping_interval=3.0, ping_timeout=7.0)
        assert bench.run(*[QUIET] * 9) == 3 + 7
        assert bench.lost.code == 1006
        assert bench.lost.reason == "no answer to a ping within 7.0 s"

    @pytest.mark.parametrize("message", [[DATA], [BAD], []], ids=["data", "bad", "part"])
    def test_anything_is_an_answer(self, message):
        """A pong may be stuck behind many frames: whatever comes shows that the peer lives."""
        bench = Bench(ping_interval=3.0, ping_timeout=7.0)
        steps = [QUIET, QUIET, (6, *message), (6, *message), (6, *message), QUIET, QUIET]
        assert bench.run(*steps) == 3 + 18 + 7
        assert len(bench.connection.pings) == 1

    def test_late_pong(self):
        """After a late pong the next ping goes out at once, and the one after it in its time."""
        bench = Bench(ping_interval=3.0, ping_timeout=7.0)
        bench.run(QUIET, QUIET, (6,), PONG, PONG, QUIET)
        began = bench.connection.pings[0] - 3
        assert [at - began for at in bench.connection.pings] == [3, 9, 12]

    def test_time_in_the_buffer(self):
        """The time for which the buffer made us wait is not held against the peer."""
        stream = MetricsStream("robot-01", stale_timeout=50)
        bench = Bench(stream, ping_interval=3.0, ping_timeout=7.0)
        put = bench.lane.put

        def slow_put(entries):
            bench.clock.advance(100)
            return put(entries)

        bench.lane.put = slow_put
        passed = bench.run(QUIET, QUIET, (1, DATA), *[QUIET] * 9)
        assert passed == 3 + 1 + 100 + 7
        assert "no answer to a ping" in bench.lost.reason

    def test_very_long_interval(self):
        """With an interval of years no ping goes out, and nothing is lost."""
        bench = Bench(ping_interval=1e9)
        bench.run(QUIET, QUIET, (1e6,))
        assert bench.connection.pings == []
        assert bench.lost.reason == "the end of the script"


class TestStale:
    """stale_timeout."""

    def bench(self, **settings):
        """Return a bench whose stream is stale after 5 s."""
        return Bench(MetricsStream("robot-01", stale_timeout=5), **settings)

    def test_never_any_data(self):
        """Counted from the opening where no data came."""
        bench = self.bench()
        assert bench.run(*[QUIET] * 5) == 1 + 5
        assert (bench.lost.code, bench.lost.reason) == (1006, "stale: no data for 5 s")

    def test_after_data(self):
        """Counted from the last data frame."""
        bench = self.bench()
        assert bench.run((0, DATA), (4, MORE), (4, DATA), *[QUIET] * 5) == 8 + 5

    @pytest.mark.parametrize("message", [FOREIGN, BAD, NOTICE, INIT, b'{"type": "new"}'])
    def test_other_frames(self, message):
        """A frame that is no data does not help."""
        bench = self.bench()
        assert bench.run((0, DATA), (4, message), *[QUIET] * 5) == 5

    @pytest.mark.parametrize("stream", [METRICS, LOGS, VIDEO], ids=lambda stream: stream.kind)
    def test_off(self, stream):
        """By default a stream may be quiet for days."""
        bench = Bench(stream)
        days = itertools.chain.from_iterable([QUIET, PONG] for _ in range(20_000))
        assert bench.run(*days) > 2 * 24 * 3600
        assert bench.lost.reason == "the end of the script"

    def test_video(self):
        """On video a picture of another device does not count."""
        bench = Bench(VideoStream("robot-01", stale_timeout=5))
        steps = [(0, picture()), (4, picture(source_id="robot-02")), *[QUIET] * 5]
        assert bench.run(*steps) == 5


class TestSilence:
    """The warning that a device may not exist."""

    def test_told_once(self):
        """After 30 s without data, counted from the opening, it is told once."""
        bench = Bench(ping_interval=1e6)
        bench.run(*[QUIET] * 5)
        assert bench.silences == [1000 + 1 + 1 + 30]

    @pytest.mark.parametrize("message", [INIT, FOREIGN, BAD, NOTICE])
    def test_other_frames(self, message):
        """Frames that are no data do not stop it: an init comes for any source."""
        bench = Bench(VIDEO if message is INIT else METRICS, ping_interval=1e6)
        bench.run((0, message), (5, message), *[QUIET] * 5)
        assert bench.silences == [1000 + 1 + 30]

    def test_not_after_data(self):
        """Once a data frame has come it is never told."""
        bench = Bench(ping_interval=1e6)
        bench.run((29.9, DATA), (100,), QUIET)
        assert bench.silences == []


class TestGaps:
    """Where data may be missing."""

    def test_first_connection(self):
        """A first connection makes no Gap, by a frame or by time."""
        for step in ((0.1, DATA), QUIET):
            bench = Bench()
            bench.run(step)
            assert not any(isinstance(item, Gap) for item in bench.taken())

    def test_reconnection(self):
        """The Gap of a reconnection stands before the first frame, from the last sign of life."""
        bench = Bench()
        bench.run((0.5, DATA), (2,), Lost(1006, ""))
        since = bench.wall()
        bench.clock.advance(60)
        bench.book.lost()
        bench.run((0.5, MORE))
        gap = Gap(METRICS, since, bench.wall(), "connection")
        assert bench.texts() == [DATA, gap, MORE]

    def test_reconnection_opened_by_time(self):
        """It stands there on reaching open, without waiting for a frame."""
        bench = Bench()
        bench.run((0.5, DATA))
        since = bench.wall()
        bench.book.lost()
        bench.run(QUIET)
        assert bench.texts() == [DATA, Gap(METRICS, since, bench.wall(), "connection")]

    def test_connection_that_was_never_open(self):
        """Attempts in between that did not open make the one Gap longer."""
        bench = Bench()
        bench.run((0.5, DATA))
        since = bench.wall()
        for _ in range(3):
            bench.book.lost()
            bench.run((0.5,))
        bench.book.lost()
        bench.run((0.5, MORE))
        assert bench.texts() == [DATA, Gap(METRICS, since, bench.wall(), "connection"), MORE]

    def test_outage(self):
        """The Gap of an outage stands before the next data frame, from the first notice."""
        bench = Bench()
        bench.run((0, DATA), (1, NOTICE), (2, NOTICE), (3, MORE), (1, DATA))
        since = EPOCH + 1000 + 1 + 1
        gap = Gap(METRICS, since, since + 5, "gateway")
        assert bench.texts() == [DATA, NOTICE, NOTICE, gap, MORE, DATA]

    def test_outage_within_one_read(self):
        """What one read brought is put in its order, the Gap in between."""
        bench = Bench()
        bench.run((1, DATA, NOTICE, INIT, MORE, DATA))
        at = bench.wall()
        gap = Gap(METRICS, at, at, "gateway")
        assert bench.texts() == [DATA, NOTICE, INIT, gap, MORE, DATA]

    @pytest.mark.parametrize("message", [FOREIGN, BAD, INIT])
    def test_outage_goes_on(self, message):
        """A frame that is no data of this stream does not end an outage."""
        bench = Bench()
        bench.run((0, DATA), (1, NOTICE), (1, message))
        assert not any(isinstance(item, Gap) for item in bench.taken())
        assert bench.book.in_outage

    def test_outage_from_the_start(self):
        """An outage that is there from the first frame on makes a Gap too."""
        bench = Bench()
        bench.run((0.5, NOTICE), (5, DATA))
        gap = Gap(METRICS, bench.wall() - 5, bench.wall(), "gateway")
        assert bench.texts() == [NOTICE, gap, DATA]

    def test_loss_during_an_outage(self):
        """A connection lost during an outage makes one Gap, from the outage's start."""
        bench = Bench()
        bench.run((0.5, DATA), (1, NOTICE), (9, NOTICE), Lost(1011, ""))
        since = bench.wall() - 9
        bench.book.lost()
        bench.run((0.5, MORE), (1, DATA))
        gap = Gap(METRICS, since, bench.wall() - 1, "connection")
        assert bench.texts() == [DATA, NOTICE, NOTICE, gap, MORE, DATA]

    def test_video(self):
        """A lost video connection and an outage make Gaps as well."""
        bench = Bench(VIDEO)
        bench.run((0.5, picture()), (1, NOTICE), (1, picture("rear")))
        since = bench.wall()
        bench.book.lost()
        bench.run((0.5, picture("third")))
        outage = Gap(VIDEO, since - 1, since, "gateway")
        lost = Gap(VIDEO, since, bench.wall(), "connection")
        assert bench.texts() == [
            picture(),
            NOTICE,
            outage,
            picture("rear"),
            lost,
            picture("third"),
        ]


class TestParsing:
    """Which frames are parsed on the reader's thread."""

    def test_until_data(self):
        """Until the first data frame everything is parsed, then nothing."""
        bench = Bench()
        bench.run((0, INIT), (1, FOREIGN, DATA, MORE), (1, DATA, MORE))
        assert bench.taken() == [
            (INIT, True),
            (DATA, True),
            (MORE, True),
            (DATA, False),
            (MORE, False),
        ]

    def test_during_an_outage(self):
        """From a notice on everything is parsed until data has come."""
        bench = Bench()
        bench.run((0, DATA), (1, MORE), (1, NOTICE), (1, INIT), (1, MORE), (1, DATA))
        parsed = [item[1] for item in bench.taken() if not isinstance(item, Gap)]
        assert parsed == [True, False, True, True, True, False]

    def test_notice_with_escapes(self):
        """A notice whose letters are written as escapes is found too."""
        escaped = NOTICE.replace(b"gateway", b"g\\u0061teway")
        bench = Bench()
        bench.run((0, DATA), (1, escaped), (1, MORE))
        gap = Gap(METRICS, bench.wall() - 1, bench.wall(), "gateway")
        assert bench.texts() == [DATA, escaped, gap, MORE]

    def test_word_in_a_value(self):
        """The word in a value is no notice."""
        harmless = telemetry(point("gateway_reconnecting"))
        bench = Bench()
        bench.run((0, DATA), (1, harmless), (1, MORE))
        assert bench.texts() == [DATA, harmless, MORE]
        assert not bench.book.in_outage

    @pytest.mark.parametrize(
        "message",
        [
            NOTICE.replace(b"{", b'{"note": "' + b"x" * 1000 + b'", ', 1),
            NOTICE.replace(b"{", b'{"note": "' + b"x" * 1000 + b'\\"type\\":\\"telemetry\\"", ', 1),
        ],
    )
    def test_long_notice(self, message):
        """A notice is found however long it is, among telemetry as long."""
        long = [telemetry(*[point(number)] * 20) for number in range(2)]
        last = b'{"points":[' + b" " * 1000 + b'],"type":"telemetry"}'
        bench = Bench()
        bench.run((0, DATA), (1, *long, message, last))
        gap = Gap(METRICS, bench.wall(), bench.wall(), "gateway")
        assert bench.texts() == [DATA, *long, message, gap, last]

    @pytest.mark.parametrize(
        ("stream", "message"),
        [(VIDEO, picture()), (MetricsStream("robot-01", stale_timeout=60), DATA)],
        ids=["video", "stale_timeout"],
    )
    def test_always(self, stream, message):
        """On video, and with a stale_timeout, everything is parsed."""
        bench = Bench(stream)
        seen = []
        put = bench.lane.put

        def recording_put(entries):
            seen.extend(entry[2] is not None for entry in entries)
            return put(entries)

        bench.lane.put = recording_put
        bench.run(*[(1, message)] * 4)
        assert seen == [True] * 4

    def test_each_connection_begins_anew(self):
        """A new connection parses until its own first data frame."""
        bench = Bench()
        bench.run((0, DATA), (1, MORE))
        bench.run((0, DATA), (1, MORE))
        assert [item[1] for item in bench.taken()] == [True, False, True, False]


class TestCounting:
    """Frames that do not reach the callbacks."""

    def test_filtered(self):
        """What the reader filters is counted with its bytes, and goes no further."""
        bench = Bench(VideoStream("robot-01", cameras=["front"]))
        other = picture("rear")
        bench.run((0, other), (1, picture(), other))
        figures = bench.lane.figures()
        assert (figures["received"], figures["filtered"], figures["buffered"]) == (3, 2, 1)
        assert figures["bytes"] == 2 * len(other) + len(picture())
        assert figures["last_frame_at"] == bench.wall()
        assert bench.texts() == [picture()]

    def test_filtered_later(self):
        """What the reader does not parse is left to the dispatcher to filter."""
        bench = Bench()
        bench.run((0, DATA), (1, FOREIGN))
        assert bench.texts() == [DATA, FOREIGN]
        assert bench.lane.figures()["filtered"] == 0

    def test_foreign_points_are_left_out(self):
        """A frame with points of other devices too keeps its own; it is told from the text."""
        mixed = telemetry(point(1, source_id="robot-02"), point(2))
        bench = Bench()
        bench.run((0, mixed))
        ((entry_text, at, wire, _),) = take(bench.lane)
        frame = bench.lane.decoder.frame(entry_text, at, wire)
        assert [p.value for p in frame.points] == [2]

    def test_bad(self):
        """A frame that cannot be parsed is left to the dispatcher to tell."""
        bench = Bench()
        bench.run((0, BAD), (1, DATA, BAD))
        assert bench.taken() == [(BAD, False), (DATA, True), (BAD, False)]

    def test_drops(self):
        """Frames that the buffer drops are warned of, with stream and number."""
        bench = Bench(MetricsStream("robot-01", buffer=Buffer(2)))
        bench.run((0, DATA, DATA, DATA, DATA, DATA), (1, MORE))
        assert bench.warnings == [
            ("drop", "robot-01/metrics: buffer full, 3 frames dropped"),
            ("drop", "robot-01/metrics: buffer full, 1 frames dropped"),
        ]

    def test_drops_before_a_gap(self):
        """Frames that are dropped before a Gap is put are warned of too."""
        bench = Bench(MetricsStream("robot-01", buffer=Buffer(2)))
        bench.run((0, DATA, DATA, NOTICE, MORE))
        assert sum(int(message.split(", ")[1].split()[0]) for _, message in bench.warnings) == 2
        assert bench.lane.figures()["dropped"] == 2

    def test_drops_on_video(self):
        """On video fresher pictures replace older ones: nothing to warn of."""
        bench = Bench(VIDEO)
        bench.run((0, picture(), picture(), picture()))
        assert bench.warnings == []
        assert bench.lane.figures()["dropped"] == 2

    def test_nothing_dropped(self):
        """Where all had room nothing is warned of."""
        bench = Bench()
        bench.run((0, DATA, DATA))
        assert bench.warnings == []

    def test_overflow_is_an_error(self):
        """Where the buffer is to fail, LaneFull ends the session."""
        bench = Bench(MetricsStream("robot-01", buffer=Buffer(1, overflow="error")))
        bench.start([(0, DATA), (1, MORE), (1, DATA)])
        with pytest.raises(LaneFull):
            bench.session.run("wss://api.example/x", Secret("plx_key"))
        assert bench.session.achieved().data


class TestGivenAway:
    """While there is nothing but data, others read in the reader's place."""

    @pytest.fixture
    def bench(self):
        """Return one whose lookout takes sockets."""
        return self.make()

    @pytest.fixture(autouse=True)
    def _closed(self):
        self.lookouts = []
        yield
        for lookout in self.lookouts:
            lookout.close()

    def make(self, stream=METRICS, **settings):
        """Return one whose lookout takes sockets."""
        bench = Bench(stream, **settings)
        bench.lookout.open()
        self.lookouts.append(bench.lookout)
        return bench

    @staticmethod
    def run(bench, steps, *script):
        """Run a session; after the first message others make so many steps, in the given way."""
        bench.start(script)
        found = []
        bench.connection.readers = [
            lambda: found.extend(bench.session.step(away) for away in steps)
        ]
        try:
            with pytest.raises(Lost) as told:
                bench.session.run("wss://api.example/x", Secret("plx_key"))
            bench.lost = told.value.loss
        finally:
            bench.connection.close()
        return found

    def test_read_by_others(self, bench):
        """What they read goes into the lane, in order with what the reader reads."""
        assert self.run(bench, [0, 0], (0, DATA), (0, MORE), (0, DATA)) == [False, False]
        assert bench.connection.calls[2:] == ["given", "taken back"]
        assert values_of(handed_over(bench.lane)) == [1, 2, 1]

    def test_not_before_data(self, bench):
        """Until then each frame has to be looked at, and the stream may not be open yet."""
        self.run(bench, [], (0, INIT), (0, BAD))
        assert "given" not in bench.connection.calls

    def test_not_in_an_outage(self, bench):
        """The Gap at its end is the reader's to put."""
        self.run(bench, [], (0, DATA, NOTICE), (0, INIT))
        assert "given" not in bench.connection.calls

    def test_not_where_nobody_looks(self, bench):
        """In queue mode the reader reads."""
        bench.lookout.close()
        self.lookouts.clear()
        self.run(bench, [], (0, DATA), (0, MORE))
        assert "given" not in bench.connection.calls

    def test_until_the_next_duty(self):
        """The reader sleeps until a ping is due."""
        bench = self.make(ping_interval=7.0)
        self.run(bench, [], (0.5, DATA), QUIET, PONG)
        assert bench.connection.slept == pytest.approx([6.5])
        assert len(bench.connection.pings) == 1

    def test_nothing_came(self, bench):
        """A step without anything to read does nothing."""
        assert self.run(bench, [0], (0, DATA), QUIET) == [False]
        assert bench.connection.roused == 0

    def test_before_and_after(self, bench):
        """Who is late, with the socket taken back or not given yet, reads nothing."""
        self.run(bench, [], (0, DATA))
        assert not bench.session.step(0)
        assert bench.connection.reads == []

    def test_part_of_a_frame(self, bench):
        """Bytes count as life, though no message is complete."""
        before = bench.wall()
        self.run(bench, [0], (0, DATA), (5.0,))
        bench.book.lost()
        assert bench.book.opened(before + 9).started_at == before + 6

    def test_notice(self, bench):
        """What may be a gateway_reconnecting is left to the reader, whole and in order."""
        assert self.run(bench, [0, 0], (0, DATA), (0, MORE, NOTICE, DATA)) == [False, False]
        assert bench.connection.roused == 1
        told = handed_over(bench.lane)
        assert [type(item).__name__ for item in told[1:]] == [
            "TelemetryFrame",
            "GatewayReconnectingFrame",
            "Gap",
            "TelemetryFrame",
        ]

    def test_parsed_notice(self):
        """Likewise where every frame is parsed."""
        bench = self.make(MetricsStream("robot-01", stale_timeout=60.0))
        self.run(bench, [0], (0, DATA), (0, FOREIGN, MORE), (0, NOTICE))
        assert bench.connection.roused == 0
        assert values_of(handed_over(bench.lane)[:2]) == [1, 2]
        assert bench.lane.figures()["filtered"] == 1

    def test_other_business(self, bench):
        """A ping or the end that came too wakes the reader; what came before is handed over."""
        bench.start([(0, DATA), (0, MORE)])
        found = []

        def read():
            bench.connection.other_business = True
            found.append(bench.session.step(0))

        bench.connection.readers = [read]
        with pytest.raises(Lost):
            bench.session.run("wss://api.example/x", Secret("plx_key"))
        bench.connection.close()
        assert (found, bench.connection.roused) == ([False], 1)
        assert values_of(handed_over(bench.lane)) == [1, 2]

    def test_loss(self, bench):
        """What goes wrong is raised on the reader's thread, as if it had read itself."""
        assert self.run(bench, [0, 0], (0, DATA), Lost(1006, "reset")) == [False, False]
        assert bench.connection.roused == 1
        assert bench.lost.reason == "reset"

    def test_bug(self, bench):
        """A bug ends the stream, and not the thread that reads for it."""
        bench.start([(0, DATA), ZeroDivisionError()])
        steps = []
        bench.connection.readers = [
            lambda: steps.append(InThread(bench.session.step, math.inf).result())
        ]
        with pytest.raises(ZeroDivisionError):
            bench.session.run("wss://api.example/x", Secret("plx_key"))
        bench.connection.close()
        assert steps == [False]

    @pytest.mark.parametrize("raised", [KeyboardInterrupt, ValueError])
    @pytest.mark.parametrize("when", ["before", "behind"])
    def test_exception_of_a_handler_beside_the_lock(self, bench, raised, when):
        """Wherever it comes, it comes through, and the lock is free for the reader."""
        bench.start([(0, DATA)])
        lock = bench.session._lock

        class Interrupted:
            def acquire(self):
                if when == "behind":
                    lock.acquire()
                raise raised

            def release(self):
                lock.release()

            def _is_owned(self):
                return lock._is_owned()

        def read():
            bench.session._lock = Interrupted()
            with pytest.raises(raised):
                bench.session.step(0)
            bench.session._lock = lock

        bench.connection.readers = [read]
        with pytest.raises(Lost, match="interrupted" if when == "behind" else "the end"):
            bench.session.run("wss://api.example/x", Secret("plx_key"))
        bench.connection.close()
        assert not InThread(bench.session.holds_lock).result()
        assert lock.acquire(blocking=False)
        lock.release()

    @pytest.mark.parametrize("raised", [KeyboardInterrupt, ValueError, TimeoutError])
    def test_ctrl_c(self, bench, raised):
        """What a handler raises goes on to where it belongs; the connection is given up."""
        bench.start([(0, DATA), (0, MORE)])
        monkey = []

        def read():
            bench.connection.receive_at_once = interrupted
            with pytest.raises(raised):
                bench.session.step(0)
            monkey.append(bench.connection.roused)

        def interrupted(reads):
            raise raised

        bench.connection.readers = [read]
        with pytest.raises(Lost, match="interrupted"):
            bench.session.run("wss://api.example/x", Secret("plx_key"))
        bench.connection.close()
        assert monkey == [1]

    def test_more_than_there_is_room_for(self):
        """Whoever hands over next waits with the rest; nothing is dropped."""
        bench = self.make(MetricsStream("robot-01", buffer=Buffer(2)))
        bench.start([(0, DATA), (0, *[telemetry(point(n)) for n in range(5)])])
        seen = []

        def read():
            more = True
            while more:
                seen.extend(values_of(handed_over(bench.lane)))
                more = bench.session.step(0)

        bench.connection.readers = [read]
        with pytest.raises(Lost):
            bench.session.run("wss://api.example/x", Secret("plx_key"))
        bench.connection.close()
        seen += values_of(handed_over(bench.lane))
        assert seen == [1, 0, 1, 2, 3, 4]

    @pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest"])
    def test_while_callbacks_go_on(self, overflow):
        """What has no room then overflows, and a warning says so."""
        bench = self.make(MetricsStream("robot-01", buffer=Buffer(2, overflow)))
        frames = [telemetry(point(n)) for n in range(5)]
        self.run(bench, [math.inf], (0, DATA), (0, *frames))
        assert bench.lane.figures()["dropped"] == 4
        assert [kind for kind, _ in bench.warnings] == ["drop"]

    def test_while_callbacks_go_on_and_nothing_may_be_dropped(self):
        """With "block" the reader takes the socket back, and waits for room itself."""
        bench = self.make(MetricsStream("robot-01", buffer=Buffer(2, "block")))
        frames = [telemetry(point(n)) for n in range(3)]
        bench.start([(0, DATA), (0, *frames)])
        bench.connection.readers = [lambda: bench.session.step(math.inf)]
        put = bench.lane.put
        rests = []

        def putting(entries):
            rests.append(len(entries))
            return put(entries) if len(rests) == 1 else 0

        bench.lane.put = putting
        with pytest.raises(Lost):
            bench.session.run("wss://api.example/x", Secret("plx_key"))
        bench.connection.close()
        assert bench.connection.roused == 1
        assert rests == [1, 2]

    def test_overflow_is_an_error(self):
        """With "error" the stream fails, on the reader's thread."""
        bench = self.make(MetricsStream("robot-01", buffer=Buffer(2, "error")))
        bench.start([(0, DATA), (0, *[telemetry(point(n)) for n in range(3)])])
        bench.connection.readers = [lambda: bench.session.step(math.inf)]
        with pytest.raises(LaneFull):
            bench.session.run("wss://api.example/x", Secret("plx_key"))
        bench.connection.close()

    @pytest.mark.parametrize(("away", "reads"), [(0.0, 1), (0.1, 16), (math.inf, 16)])
    def test_freshest_picture(self, away, reads):
        """After a slow callback all that has come is read, and the freshest is left."""
        bench = self.make(VIDEO)
        bench.start([(0, picture()), (0, picture(), picture())])

        def read():
            assert len(handed_over(bench.lane)) == 1
            while bench.session.step(away):
                assert len(handed_over(bench.lane)) == 1

        bench.connection.readers = [read]
        with pytest.raises(Lost):
            bench.session.run("wss://api.example/x", Secret("plx_key"))
        bench.connection.close()
        assert bench.connection.reads == [reads]
        assert bench.lane.figures()["dropped"] == (0 if away == 0 else 1)

    def test_lock(self, bench):
        """A signal handler on top of a step can know where it is."""
        bench.start([(0, DATA), (0, MORE)])
        held = []
        parse = bench.lane.put_at_once

        def putting(*args):
            held.append(bench.session.holds_lock())
            return parse(*args)

        bench.lane.put_at_once = putting
        bench.connection.readers = [lambda: bench.session.step(math.inf)]
        with pytest.raises(Lost):
            bench.session.run("wss://api.example/x", Secret("plx_key"))
        bench.connection.close()
        assert held == [True]
        assert not bench.session.holds_lock()

    @pytest.mark.parametrize("away", [0.0, 0.1])
    def test_a_picture_is_decoded_at_once(self, away):
        """Only where it is handed over next, and where none was of another camera before."""
        bench = self.make(VideoStream("robot-01", cameras=["front"], buffer=Buffer(9)))
        bench.start([(0, picture()), (0, picture(), picture("rear")), (0, picture(), picture())])
        decoded = []

        def read():
            handed_over(bench.lane)
            while len(decoded) < 3:
                bench.session.step(away)
                entry, frame = bench.lane.lent.popleft() if bench.lane.lend() else (None, None)
                if entry is not None:
                    assert frame == decode(entry[0])
                    decoded.append(isinstance(entry[2], DecodedVideo))

        bench.connection.readers = [read]
        with pytest.raises(Lost):
            bench.session.run("wss://api.example/x", Secret("plx_key"))
        bench.connection.close()
        assert decoded == [away == 0.0, False, False]
        assert bench.lane.figures()["filtered"] == 1
