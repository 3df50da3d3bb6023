"""The table of close codes, and the judge who reads it."""

from __future__ import annotations

import pytest

from plexus_sync import (
    AuthenticationError,
    CertificateError,
    ConnectionLost,
    FrameTooLarge,
    GatewayError,
    HandshakeError,
    LogsStream,
    MetricsStream,
    PaymentRequiredError,
    ProtocolError,
    Reconnect,
    VideoStream,
)
from plexus_sync.endings import Action
from plexus_sync.judge import Judge, Run
from plexus_sync.loss import Loss

METRICS = MetricsStream("robot-01")
LOGS = LogsStream("robot-01")
VIDEO = VideoStream("robot-01")
STREAMS = [METRICS, LOGS, VIDEO]
each_stream = pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.kind)

NOTHING = Run(age=5.0, since_auth=4.0)  # opened nothing, delivered nothing
FRAMES = Run(age=5.0, since_auth=4.0, stood=3.0, frames=True)  # such as an init
DATA = Run(age=5.0, since_auth=4.0, stood=3.0, frames=True, data=True)
STABLE = Run(age=12.0, since_auth=11.0, stood=10.0)  # quiet, but open for stable_after


def judge(stream, code, run=NOTHING, retry_after=None, **policy):
    """Return the verdict of a new judge on one loss."""
    loss = Loss(code, "words", retry_after)
    return Judge(stream, Reconnect(**policy)).verdict(loss, run)


def row_of(verdict):
    """Return what to do, the class of the error and whether it is final."""
    error = verdict.error
    return verdict.action, type(error) if error else None, error.final if error else None


class TestTable:
    """Each row of the table, on each kind of stream."""

    @each_stream
    @pytest.mark.parametrize("run", [NOTHING, FRAMES, DATA, STABLE])
    @pytest.mark.parametrize("code", [1000, 1001, 1005, 1006, 1012, 1013, 1014])
    def test_lost(self, stream, code, run):
        """Whatever may pass by itself is retried after a backoff, and told as ConnectionLost."""
        verdict = judge(stream, code, run)
        assert row_of(verdict) == (Action.RETRY, ConnectionLost, False)
        assert verdict.pause is None

    @each_stream
    def test_lost_for_ever(self, stream):
        """However often in a row it happens, a loss is never final by itself."""
        judge = Judge(stream, Reconnect())
        for _ in range(50):
            assert judge.verdict(Loss(1006, ""), NOTHING).action is Action.RETRY

    @each_stream
    @pytest.mark.parametrize("run", [NOTHING, DATA])
    def test_gateway(self, stream, run):
        """1011 is retried and told as GatewayError."""
        assert row_of(judge(stream, 1011, run)) == (Action.RETRY, GatewayError, False)

    @each_stream
    @pytest.mark.parametrize("code", [4401, 4001])
    @pytest.mark.parametrize("run", [NOTHING, FRAMES, STABLE])
    def test_unauthorized(self, stream, code, run):
        """A refused key is tried once more after a backoff, then it is final."""
        judge = Judge(stream, Reconnect())
        first = judge.verdict(Loss(code, "unauthorized"), NOTHING)
        assert row_of(first) == (Action.RETRY, AuthenticationError, False)
        assert first.pause is None
        second = judge.verdict(Loss(code, "unauthorized"), run)
        assert row_of(second) == (Action.FAIL, AuthenticationError, True)

    @each_stream
    def test_unauthorized_with_losses_between(self, stream):
        """Another loss between two refusals grants no further try, nor does the other code."""
        judge = Judge(stream, Reconnect())
        assert judge.verdict(Loss(4401, ""), NOTHING).action is Action.RETRY
        assert judge.verdict(Loss(1006, ""), FRAMES).action is Action.RETRY
        assert judge.verdict(Loss(4001, ""), NOTHING).action is Action.FAIL

    @each_stream
    def test_unauthorized_after_data(self, stream):
        """A data frame in between grants another try, on whichever connection it came."""
        judge = Judge(stream, Reconnect())
        for _ in range(5):
            assert judge.verdict(Loss(4401, ""), DATA).action is Action.RETRY
        assert judge.verdict(Loss(1006, ""), DATA).action is Action.RETRY
        assert judge.verdict(Loss(4401, ""), NOTHING).action is Action.RETRY
        assert judge.verdict(Loss(4401, ""), NOTHING).action is Action.FAIL

    @each_stream
    @pytest.mark.parametrize("code", [4402, 4002])
    @pytest.mark.parametrize("run", [NOTHING, DATA, STABLE])
    def test_unpaid(self, stream, code, run):
        """A plan without access is final at once."""
        assert row_of(judge(stream, code, run)) == (Action.FAIL, PaymentRequiredError, True)

    @each_stream
    @pytest.mark.parametrize("run", [NOTHING, DATA, STABLE])
    def test_certificate(self, stream, run):
        """A certificate that is not valid is final at once."""
        assert row_of(judge(stream, 1015, run)) == (Action.FAIL, CertificateError, True)

    @each_stream
    @pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 599])
    def test_busy(self, stream, status):
        """An overloaded or broken server is retried after a backoff."""
        verdict = judge(stream, status)
        assert row_of(verdict) == (Action.RETRY, HandshakeError, False)
        assert verdict.error.status == status
        assert verdict.at_least == 0

    @each_stream
    @pytest.mark.parametrize("status", [100, 200, 204, 301, 302, 307, 400, 401, 403, 404, 407, 426])
    def test_refused(self, stream, status):
        """Any other status is final at once, a redirect too."""
        verdict = judge(stream, status)
        assert row_of(verdict) == (Action.FAIL, HandshakeError, True)
        assert verdict.error.status == status

    @each_stream
    @pytest.mark.parametrize(
        ("code", "error"),
        [
            (1002, ProtocolError),
            (1003, ProtocolError),
            (1007, ProtocolError),
            (1008, ProtocolError),
            (1009, FrameTooLarge),
            (1010, ProtocolError),
            (3000, ProtocolError),
            (4000, ProtocolError),
            (4403, ProtocolError),
            (4999, ProtocolError),
        ],
    )
    def test_strikes(self, stream, code, error):
        """Anything else is retried twice; the third in a row is final."""
        judge = Judge(stream, Reconnect())
        rows = [row_of(judge.verdict(Loss(code, ""), FRAMES)) for _ in range(3)]
        again = (Action.RETRY, error, False)
        assert rows == [again, again, (Action.FAIL, error, True)]

    @each_stream
    def test_strikes_of_different_kinds(self, stream):
        """Violations of different kinds count together; what the last one was is told."""
        judge = Judge(stream, Reconnect())
        assert judge.verdict(Loss(1002, ""), NOTHING).action is Action.RETRY
        assert judge.verdict(Loss(4999, ""), STABLE).action is Action.RETRY
        assert row_of(judge.verdict(Loss(1009, ""), NOTHING)) == (Action.FAIL, FrameTooLarge, True)

    @each_stream
    def test_strikes_after_data(self, stream):
        """A data frame in between starts the counting anew; the violation after it counts."""
        judge = Judge(stream, Reconnect())
        runs = [NOTHING, NOTHING, DATA, NOTHING, NOTHING]
        actions = [judge.verdict(Loss(1002, ""), run).action for run in runs]
        assert actions == [Action.RETRY] * 4 + [Action.FAIL]

    def test_refusals_and_strikes_are_counted_apart(self):
        """A refused key is no violation, and a violation no refused key."""
        judge = Judge(METRICS, Reconnect())
        codes = [1002, 4401, 1002]
        assert [judge.verdict(Loss(c, ""), NOTHING).action for c in codes] == [Action.RETRY] * 3
        assert judge.verdict(Loss(4401, ""), NOTHING).action is Action.FAIL

    def test_streams_are_judged_apart(self):
        """Each stream has a judge of its own, with counters of its own."""
        for stream in STREAMS:
            assert judge(stream, 4401).action is Action.RETRY


class TestTimeout:
    """4008, the end of a video stream's time."""

    @pytest.mark.parametrize("stream", [METRICS, LOGS], ids=lambda stream: stream.kind)
    @pytest.mark.parametrize("run", [NOTHING, DATA, STABLE])
    def test_not_on_video(self, stream, run):
        """On metrics and logs it is told and retried as 1011 is."""
        verdict = judge(stream, 4008, run)
        assert row_of(verdict) == (Action.RETRY, GatewayError, False)
        assert verdict.pause is None

    @pytest.mark.parametrize("run", [FRAMES, DATA, STABLE])
    def test_renewed(self, run):
        """After a frame of any kind, or a stable connection, it is renewed at once, no error."""
        verdict = judge(VIDEO, 4008, run)
        assert row_of(verdict) == (Action.RETRY, None, None)
        assert verdict.pause == 0
        assert verdict.good

    @pytest.mark.parametrize(("age", "pause"), [(0.0, 0.2), (0.05, 0.15), (0.2, 0.0), (99.0, 0.0)])
    def test_renewed_not_too_often(self, age, pause):
        """Two attempts are 0.2 s apart at least."""
        verdict = judge(VIDEO, 4008, Run(age=age, since_auth=age, frames=True))
        assert verdict.pause == pytest.approx(pause)

    @pytest.mark.parametrize("data", [False, True])
    @pytest.mark.parametrize(
        ("age", "initial", "earliest"),
        [(0.0, 0.5, 0.2), (0.05, 0.5, 0.15), (9.0, 0.5, 0.0), (0.0, 0.1, 0.1), (0.04, 0.1, 0.06)],
    )
    def test_no_two_attempts_at_once(self, age, initial, earliest, data):
        """They are 0.2 s or ``initial`` apart, however good the connection was."""
        verdict = judge(METRICS, 1006, Run(age=age, data=data), initial=initial)
        assert verdict.earliest == pytest.approx(earliest)

    def test_not_renewed(self):
        """A connection that brought nothing is retried as after 1011: a hung gateway does this."""
        verdict = judge(VIDEO, 4008, NOTHING)
        assert row_of(verdict) == (Action.RETRY, GatewayError, False)
        assert verdict.pause is None
        assert not verdict.good

    @pytest.mark.parametrize(
        ("timeout", "since_auth", "over"),
        [
            (60, 60.0, True),
            (60, 61.5, True),
            (60, 59.0, True),
            (60, 58.99, False),
            (2, 1.0, True),
            (2, 0.99, False),
            (1, 0.5, True),
            (1, 0.49, False),
            (60, None, False),
        ],
    )
    @pytest.mark.parametrize("frames", [True, False])
    def test_asked_for(self, timeout, since_auth, over, frames):
        """Where the caller's timeout has passed, less its tolerance, the stream has ended."""
        stream = VideoStream("robot-01", timeout=timeout)
        run = Run(age=70.0, since_auth=since_auth, frames=frames)
        verdict = judge(stream, 4008, run)
        if over:
            assert row_of(verdict) == (Action.END, None, None)
        else:
            error = (None, None) if frames else (GatewayError, False)
            assert row_of(verdict) == (Action.RETRY, *error)

    def test_server_default(self):
        """Without a timeout of the caller's it is never the end, however long it stood."""
        run = Run(age=600.0, since_auth=600.0, stood=599.0, frames=True, data=True)
        assert judge(VIDEO, 4008, run).action is Action.RETRY


class TestVerdict:
    """What a verdict says beside the action."""

    @pytest.mark.parametrize(
        ("run", "good"),
        [
            (NOTHING, False),
            (FRAMES, False),
            (DATA, True),
            (STABLE, True),
            (Run(stood=9.99, frames=True), False),
        ],
    )
    def test_good(self, run, good):
        """Only data, or stable_after seconds of being open, make a connection a good one."""
        assert judge(METRICS, 1006, run).good is good

    def test_stable_after(self):
        """How long is stable is the caller's to say."""
        assert judge(METRICS, 1006, Run(stood=2.0), stable_after=2.0).good
        assert not judge(METRICS, 1006, Run(stood=1.9), stable_after=2.0).good

    @pytest.mark.parametrize("status", [429, 503])
    @pytest.mark.parametrize(
        ("wish", "obeyed"),
        [(None, 0), (0.0, 0), (7.5, 7.5), (300.0, 300), (301.0, 300), (1e9, 300)],
    )
    def test_retry_after(self, status, wish, obeyed):
        """A server's wish is obeyed up to 300 s."""
        assert judge(METRICS, status, retry_after=wish).at_least == obeyed

    def test_message(self):
        """The error says what happened, on which stream, the code, what is next, what to do."""
        error = judge(LOGS, 1011).error
        assert str(error) == (
            "robot-01/logs: the service has lost its gateway, or this client answered its pings "
            "too late (1011: words); trying again. Nothing to do if it passes; else look at the "
            "device's own link"
        )
        assert (error.stream, error.code, error.reason) == (LOGS, 1011, "words")

    def test_message_of_a_final_error_without_reason(self):
        """A final error says so, and an empty reason leaves no traces."""
        error = Judge(LOGS, Reconnect()).verdict(Loss(4402, ""), NOTHING).error
        assert "(4402); given up." in str(error)
        assert error.reason == ""

    def test_cause(self):
        """What the system raised is kept as the cause."""
        cause = ConnectionResetError(104, "reset")
        verdict = Judge(LOGS, Reconnect()).verdict(Loss(1006, "reset", cause=cause), NOTHING)
        assert verdict.error.__cause__ is cause
        assert verdict.reason == "reset"


class TestOnCode:
    """The caller's own word on a code."""

    @each_stream
    @pytest.mark.parametrize("code", [1000, 1006, 1009, 1011, 4008, 4401, 4402, 4999, 403, 503])
    def test_fail(self, stream, code):
        """The word "fail" makes any code final, and its error is the one of the table."""
        verdict = judge(stream, code, DATA, on_code={code: "fail"})
        assert verdict.action is Action.FAIL
        assert verdict.error.final
        assert verdict.error.code == code

    @each_stream
    @pytest.mark.parametrize("code", [1000, 1006, 1011, 4008, 4401, 4402, 403])
    def test_end(self, stream, code):
        """The word "end" makes any code a normal end, without an error."""
        verdict = judge(stream, code, NOTHING, on_code={code: "end"})
        assert row_of(verdict) == (Action.END, None, None)
        assert verdict.reason == "words"

    @each_stream
    @pytest.mark.parametrize("code", [4401, 4402, 1002, 1009, 4999, 403, 302, 4008])
    def test_retry(self, stream, code):
        """The word "retry" goes on for ever, without counting."""
        judge = Judge(stream, Reconnect(on_code={code: "retry"}))
        for _ in range(10):
            verdict = judge.verdict(Loss(code, ""), NOTHING)
            assert verdict.action is Action.RETRY
            assert verdict.error is not None
            assert verdict.pause is None

    @each_stream
    @pytest.mark.parametrize("code", [1012, 4008, 4401])
    @pytest.mark.parametrize("run", [FRAMES, DATA, STABLE])
    def test_now(self, stream, code, run):
        """The word "now" comes back at once after a good connection, and tells the error."""
        verdict = judge(stream, code, run, on_code={code: "now"})
        assert verdict.action is Action.RETRY
        assert verdict.error is not None
        assert verdict.pause == 0

    @each_stream
    def test_now_after_nothing(self, stream):
        """The word "now" backs off where the connection brought nothing: no server is hammered."""
        verdict = judge(stream, 1012, NOTHING, on_code={1012: "now"})
        assert (verdict.action, verdict.pause, verdict.good) == (Action.RETRY, None, False)

    def test_now_not_too_often(self):
        """Also "now" keeps 0.2 s between two attempts."""
        verdict = judge(METRICS, 1012, Run(age=0.05, frames=True), on_code={1012: "now"})
        assert verdict.pause == pytest.approx(0.15)

    def test_retry_of_the_end_of_time(self):
        """The caller's timeout does not end a stream whose 4008 is to be retried."""
        stream = VideoStream("robot-01", timeout=2)
        run = Run(age=2.5, since_auth=2.0, frames=True)
        assert judge(stream, 4008, run, on_code={4008: "retry"}).action is Action.RETRY

    def test_other_codes(self):
        """A word on one code changes no other."""
        assert judge(METRICS, 4002, on_code={4402: "retry"}).action is Action.FAIL

    def test_retry_after(self):
        """The server's wish is obeyed for a status that the caller wants to retry."""
        assert judge(METRICS, 403, retry_after=9.0, on_code={403: "retry"}).at_least == 9.0


def test_strikes_are_counted_in_a_row():
    """Another ending in between, even one without data, begins the count anew."""
    one = Judge(METRICS, Reconnect())
    codes = [1002, 1002, 1012, 1002, 1002, 1002]
    actions = [one.verdict(Loss(code, "words"), NOTHING).action for code in codes]
    assert actions == [Action.RETRY] * 5 + [Action.FAIL]
