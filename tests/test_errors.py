"""The tree of errors: what they carry, how they travel."""

from __future__ import annotations

import copy
import functools
import pickle

import pytest

import plexus_sync
from plexus_sync import Gap, LogsStream, TelemetryFrame, errors

STREAM = LogsStream("robot-01")
STREAM_ERRORS = [
    errors.StreamError,
    errors.AuthenticationError,
    errors.PaymentRequiredError,
    errors.HandshakeError,
    errors.CertificateError,
    errors.GatewayError,
    errors.ConnectionLost,
    errors.ProtocolError,
    errors.FrameTooLarge,
    errors.FrameError,
    errors.BufferOverflow,
    errors.RetriesExhausted,
]
TRAVELS = [
    copy.copy,
    copy.deepcopy,
    *(
        functools.partial(lambda protocol, error: pickle.loads(pickle.dumps(error, protocol)), p)
        for p in range(2, pickle.HIGHEST_PROTOCOL + 1)
    ),
]


def callback(frame):
    """Do nothing."""


class Callable:
    """An object that can be called."""

    def __call__(self, frame):
        """Do nothing."""


def test_all_is_exported():
    """Every error of the module, and no other, is public."""
    public = {
        name
        for name, thing in vars(plexus_sync).items()
        if isinstance(thing, type) and issubclass(thing, Exception)
    }
    assert public == set(errors.__all__)


@pytest.mark.parametrize("cls", STREAM_ERRORS)
def test_stream_errors_have_one_root(cls):
    """What happens to a stream is a StreamError and a PlexusError, and no ValueError."""
    assert issubclass(cls, errors.StreamError)
    assert issubclass(cls, errors.PlexusError)
    assert not issubclass(cls, ValueError)


def test_the_rest_of_the_tree():
    """A configuration error is a ValueError too; a frame too large breaks the protocol."""
    assert issubclass(errors.ConfigError, errors.PlexusError)
    assert issubclass(errors.ConfigError, ValueError)
    assert issubclass(errors.FrameTooLarge, errors.ProtocolError)
    for cls in (errors.ConfigError, errors.Closed, errors.CallbackError):
        assert issubclass(cls, errors.PlexusError)
        assert not issubclass(cls, errors.StreamError)


@pytest.mark.parametrize(
    "error",
    [
        errors.PlexusError("x"),
        errors.ConfigError("x"),
        errors.Closed("x"),
        errors.CallbackError(callback, None),
        *(cls("x") for cls in STREAM_ERRORS),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_is_not_final_by_itself(error):
    """Only who ends the stream says that it is final."""
    assert error.final is False


@pytest.mark.parametrize("cls", STREAM_ERRORS)
def test_stream_error_without_details(cls):
    """Where nothing is known the attributes say so."""
    error = cls("what happened")
    assert (str(error), error.stream, error.code, error.reason) == ("what happened", None, None, "")


@pytest.mark.parametrize("travel", TRAVELS)
@pytest.mark.parametrize("cls", STREAM_ERRORS)
def test_stream_errors_travel(cls, travel):
    """A copy and a pickled one are of the same class and hold the same."""
    error = cls("what happened", stream=STREAM, code=4401, reason="unauthorized", final=True)
    again = travel(error)
    assert type(again) is cls
    assert str(again) == "what happened"
    assert vars(again) == vars(error)
    assert (again.stream, again.code, again.reason, again.final) == (
        STREAM,
        4401,
        "unauthorized",
        True,
    )


@pytest.mark.parametrize("travel", TRAVELS)
@pytest.mark.parametrize("cls", [errors.PlexusError, errors.ConfigError, errors.Closed])
def test_plain_errors_travel(cls, travel):
    """Errors without attributes travel too."""
    again = travel(cls("what happened"))
    assert type(again) is cls
    assert str(again) == "what happened"


@pytest.mark.parametrize("travel", TRAVELS)
def test_frame_error_travels_with_its_excerpt(travel):
    """The start of the bad text is kept."""
    assert errors.FrameError("bad").excerpt == b""
    again = travel(errors.FrameError("bad", excerpt=b"{", stream=STREAM))
    assert (again.excerpt, again.stream) == (b"{", STREAM)


def test_handshake_error_has_the_status():
    """The status is the HTTP status, None where there was none."""
    assert errors.HandshakeError("no", code=403).status == 403
    assert errors.HandshakeError("no").status is None


@pytest.mark.parametrize("travel", TRAVELS)
def test_callback_error_travels_without_its_callback(travel):
    """The function is named, since it may be a lambda, which nobody can pickle."""
    frame = TelemetryFrame(())
    error = errors.CallbackError(lambda frame: None, frame)
    again = travel(error)
    assert type(again) is errors.CallbackError
    assert again.callback == error.name
    assert again.name == error.name
    assert again.frame == frame
    assert str(again) == str(error)


def test_callback_error_holds_its_callback():
    """Who gets the error can tell which of his functions it was, and on what."""
    frame = TelemetryFrame(())
    error = errors.CallbackError(callback, frame)
    assert error.callback is callback
    assert error.frame is frame


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (callback, f"{__name__}.callback"),
        (Callable().__call__, f"{__name__}.Callable.__call__"),
        (Callable(), f"{__name__}.Callable"),
        ("already.named", "already.named"),
    ],
)
def test_callback_name(function, name):
    """Whatever can be called has a name that helps to find it."""
    error = errors.CallbackError(function, None)
    assert error.name == name
    assert f"callback {name} raised" in str(error)


def test_name_of_a_partial():
    """A thing without a name of its own is named by its class."""
    assert errors.CallbackError(functools.partial(callback), None).name.endswith("partial")


def test_callback_without_a_module():
    """A function without a module is named by itself."""
    scope = {}
    exec("def nobodys(frame): pass", {"__name__": None}, scope)
    assert errors.CallbackError(scope["nobodys"], None).name == "nobodys"


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        (TelemetryFrame(()), "a TelemetryFrame;"),
        (TelemetryFrame((), stream=STREAM), "a TelemetryFrame of robot-01/logs;"),
        (Gap(STREAM, 1, 2, "overflow"), "a Gap of robot-01/logs;"),
    ],
)
def test_callback_error_tells_the_stream(frame, told):
    """The message says on what it happened, and on which stream, where that is known."""
    assert told in str(errors.CallbackError(callback, frame))
