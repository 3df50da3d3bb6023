"""Every ending of the table, on each of the three streams, with the outcome that it promises."""

from __future__ import annotations

import pytest
from helpers import PATIENCE

from plexus_sync import (
    AuthenticationError,
    Closed,
    ConnectionLost,
    Gap,
    GatewayError,
    GatewayReconnectingFrame,
    InitFrame,
    LogsStream,
    MetricsStream,
    PaymentRequiredError,
    ProtocolError,
    Reconnect,
    State,
    StreamError,
    VideoStream,
)
from plexus_sync.endings import Action, ending

STREAMS = {
    "metrics": MetricsStream("robot-01"),
    "logs": LogsStream("robot-01"),
    "video": VideoStream("robot-01"),
}


def frame_of(kind, number):
    """Return a data frame that carries a number."""
    point = {"source_id": "robot-01", "metric": "n", "value": number, "timestamp": number}
    if kind == "metrics":
        return {"type": "telemetry", "points": [dict(point, **{"class": "metric"})]}
    if kind == "logs":
        return dict(point, **{"class": "event", "type": "event"})
    return {
        "type": "video_frame",
        "source_id": "robot-01",
        "camera_id": "front",
        "frame": "/9j/",
        "timestamp": number,
    }


def number_of(frame):
    """Return the number that a data frame carries."""
    return frame.points[0].timestamp if hasattr(frame, "points") else frame.timestamp


class Watch:
    """A subscription to one stream, and what it told."""

    def __init__(self, simulator, subscribe, kind, **settings):
        self.simulator = simulator
        self.kind = kind
        self.stream = settings.pop("stream", STREAMS[kind])
        self.errors = []
        self.states = []
        self.sub = subscribe(self.stream, **settings)
        self.sub.on_error(self.errors.append)
        self.sub.on_state(lambda change: self.states.append(change.current))
        self.sub.start()
        simulator.wait_for_connections(1)

    def publish(self, number):
        """Have the device send a numbered frame."""
        assert self.simulator.publish("robot-01", self.kind, frame_of(self.kind, number)) == 1

    def next(self):
        """Return the next frame but for the inits that video sends on each connection."""
        while True:
            frame = self.sub.get(PATIENCE)
            if not isinstance(frame, InitFrame):
                return frame

    def drain(self):
        """Take everything; video may tell a Gap for each new connection."""
        while True:
            self.next()

    def come_back(self, end):
        """Have the connection ended after frame 1 and before frame 2; return the Gap between."""
        self.publish(1)
        assert number_of(self.next()) == 1
        end()
        self.simulator.wait_for_connections(1)
        self.publish(2)
        gap = self.next()
        assert number_of(self.next()) == 2
        assert isinstance(gap, Gap)
        assert (gap.stream, gap.dropped) == (self.stream, 0)
        assert gap.started_at <= gap.ended_at
        assert self.sub.status()[self.stream].reconnects == 1
        return gap


@pytest.fixture(params=list(STREAMS))
def watch(request, simulator, subscribe):
    """Watch one of the three streams; the test ends it."""
    watches = []

    def watch(**settings):
        watches.append(Watch(simulator, subscribe, request.param, **settings))
        return watches[-1]

    watch.kind = request.param
    yield watch
    for each in watches:
        each.sub.close()


@pytest.mark.parametrize("code", [1000, 1001, 1005, 1006, 1012, 1013, 1014])
def test_a_lost_connection_is_made_anew(watch, simulator, code):
    """Back off and reconnect; told as ConnectionLost, and a Gap stands in between."""
    one = watch()
    gap = one.come_back(lambda: simulator.close(code))
    assert gap.reason == "connection"
    (error,) = one.errors
    assert type(error) is ConnectionLost
    assert (error.code, error.stream, error.final) == (code, one.stream, False)
    assert one.states[-4:] == [
        State.WAITING,
        State.CONNECTING,
        State.AUTHENTICATING,
        State.OPEN,
    ]


def test_a_cut_is_a_lost_connection(watch, simulator):
    """TCP ends without a close frame: 1006."""
    one = watch()
    one.come_back(simulator.cut)
    assert [error.code for error in one.errors] == [1006]


def test_a_gateway_failure_is_told_as_such(watch, simulator):
    """1011 is a GatewayError, after which it reconnects."""
    one = watch()
    one.come_back(lambda: simulator.close(1011, "gateway error"))
    (error,) = one.errors
    assert type(error) is GatewayError
    assert error.reason == "gateway error"


def test_an_outage_to_the_end_makes_one_gap(watch, simulator):
    """gateway_reconnecting, then 1011, then a new connection: one Gap from the outage's start."""
    one = watch()
    one.publish(1)
    assert number_of(one.next()) == 1
    simulator.gateway_outage(0.3)  # its attempts are used up after 0.25 s
    notices = [one.next() for _ in range(5)]
    assert all(isinstance(notice, GatewayReconnectingFrame) for notice in notices)
    assert [notice.attempt for notice in notices] == [1, 2, 3, 4, 5]
    assert [notice.max_attempts for notice in notices] == [5 if one.kind == "video" else None] * 5
    after = one.next()
    while isinstance(after, GatewayReconnectingFrame):  # the outage may still last
        after = one.next()
    assert isinstance(after, Gap)
    assert after.reason == "connection"
    assert after.started_at == notices[0].received_at
    assert type(one.errors[0]) is GatewayError


def test_a_refused_key_gets_one_more_try(watch, simulator):
    """4401 (video 4001): once more after a backoff, then AuthenticationError."""
    one = watch()
    simulator.keys.clear()
    simulator.cut()
    with pytest.raises(AuthenticationError) as raised:
        one.next()
    assert raised.value.final
    refused = [error for error in one.errors if isinstance(error, AuthenticationError)]
    code = 4001 if one.kind == "video" else 4401
    assert [(error.code, error.final) for error in refused] == [(code, False), (code, True)]
    assert one.states[-1] is State.FAILED


@pytest.mark.parametrize("code", [4001, 4401])
def test_data_in_between_grants_another_try(watch, simulator, code):
    """Each refusal after data is the first again; both codes are known on all streams."""
    one = watch(reconnect=Reconnect(initial=0.001))
    for number in range(1, 6, 2):
        one.publish(number)
        while number_of(one.next()) != number:
            pass
        simulator.close(code)
        simulator.wait_for_connections(1)
        one.publish(number + 1)
        assert isinstance(one.next(), Gap)
        assert number_of(one.next()) == number + 1
    assert not any(error.final for error in one.errors)


def test_a_fresh_key_is_asked_for_each_attempt(watch, simulator):
    """Where api_key is a callable, an expired key costs one connection."""
    keys = iter(["plx_simulator", "plx_expired", "plx_fresh"])
    simulator.keys.add("plx_fresh")
    one = watch(api_key=lambda: next(keys))
    one.come_back(simulator.cut)
    assert [type(error) for error in one.errors] == [ConnectionLost, AuthenticationError]


@pytest.mark.parametrize("code", [4002, 4402])
def test_a_plan_without_access_is_final(watch, simulator, code):
    """PaymentRequiredError at once, and no other attempt."""
    one = watch()
    simulator.close(code, "payment required")
    with pytest.raises(PaymentRequiredError) as raised:
        one.next()
    assert (raised.value.code, raised.value.final) == (code, True)
    assert one.errors == [raised.value]
    assert one.sub.status()[one.stream].attempts == 1


def test_an_expired_stream_is_renewed_on_video_only(watch, simulator):
    """4008: on video a new connection and no error; on metrics and logs it is as 1011."""
    one = watch()
    gap = one.come_back(lambda: simulator.close(4008, "stream timeout"))
    assert gap.reason == "connection"
    assert [type(error) for error in one.errors] == ([] if one.kind == "video" else [GatewayError])


@pytest.mark.parametrize("code", [1002, 1003, 1007, 1008, 1009, 3000, 4999])
def test_an_unknown_end_is_final_the_third_time(watch, simulator, code):
    """Anything else: back off; the third in a row without data is a ProtocolError."""
    one = watch()
    for _ in range(3):
        simulator.wait_for_connections(1)
        simulator.close(code)
    with pytest.raises(ProtocolError) as raised:
        one.drain()
    assert raised.value.code == code
    assert [error.final for error in one.errors] == [False, False, True]


def test_on_code_overrides_the_table(watch, simulator):
    """An override may end normally what would have come back, fail it, or go on."""
    one = watch(reconnect=Reconnect(initial=0.001, on_code={1012: "end", 4402: "retry"}))
    simulator.close(4402)
    simulator.wait_for_connections(1)
    simulator.close(1012)
    with pytest.raises(Closed):
        one.drain()
    assert one.states[-1] is State.ENDED
    assert [type(error) for error in one.errors] == [PaymentRequiredError]
    two = watch(reconnect=Reconnect(on_code={1006: "fail"}))
    simulator.cut()
    with pytest.raises(ConnectionLost) as raised:
        two.next()
    assert raised.value.final


def test_a_time_out_that_was_asked_for_ends_the_stream(simulator, subscribe):
    """VideoStream(timeout=1): after a second it has ended, normally, without an error."""
    one = Watch(simulator, subscribe, "video", stream=VideoStream("robot-01", timeout=1))
    with pytest.raises(Closed):
        one.next()
    assert one.errors == []
    assert one.states[-1] is State.ENDED
    assert one.sub.status()[one.stream].attempts == 1


def test_a_stale_connection_is_made_anew(simulator, subscribe):
    """A server that sends nothing within stale_timeout is given up: ConnectionLost, 1006."""
    stream = MetricsStream("robot-01", stale_timeout=0.2)
    one = Watch(simulator, subscribe, "metrics", stream=stream)
    one.publish(1)
    assert number_of(one.next()) == 1
    gap = one.next()  # when it is open again, a second after the auth frame
    assert isinstance(gap, Gap)
    assert "stale" in one.errors[0].reason


def test_a_half_open_link_is_found(simulator, subscribe):
    """No FIN, no pong: ConnectionLost after ping_interval and ping_timeout."""
    one = Watch(simulator, subscribe, "logs", ping_interval=0.05, ping_timeout=0.1)
    simulator.stall(PATIENCE, source="robot-01")
    simulator.wait_for_connections(2)  # the new connection beside the one that hangs
    error = one.sub.status()[one.stream].last_error
    assert type(error) is ConnectionLost
    assert "ping" in error.reason


@pytest.mark.parametrize("kind", STREAMS)
def test_any_code_has_a_row(kind):
    """Whatever code or status comes, the table has something to say about it."""
    for code in (*range(100, 600), *range(1000, 5000)):
        row = ending(code, STREAMS[kind])
        assert row.meaning
        assert row.advice
        assert issubclass(row.error, StreamError)
    assert ending(4999, STREAMS[kind]).action is Action.STRIKE
