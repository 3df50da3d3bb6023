"""Exit codes, and the sentences that end a command."""

from __future__ import annotations

import pytest

from plexus_sync import (
    AuthenticationError,
    BufferOverflow,
    CertificateError,
    ConfigError,
    ConnectionLost,
    FrameTooLarge,
    GatewayError,
    HandshakeError,
    LogsStream,
    PaymentRequiredError,
    PlexusError,
    ProtocolError,
    RetriesExhausted,
)
from plexus_sync.cli.exits import Exit, problem_of, why

STREAM = LogsStream("robot-01")


@pytest.mark.parametrize(
    ("cls", "number", "code", "words"),
    [
        (AuthenticationError, 4401, Exit.KEY_REFUSED, "PLEXUS_API_KEY"),
        (PaymentRequiredError, 4402, Exit.PLAN, "plan"),
        (HandshakeError, 403, Exit.UNREACHABLE, "SOURCE"),
        (CertificateError, 1015, Exit.UNREACHABLE, "SSL_CERT_FILE"),
        (GatewayError, 1011, Exit.UNREACHABLE, "gateway"),
        (ConnectionLost, 1006, Exit.UNREACHABLE, "network"),
        (ProtocolError, 1002, Exit.UNREACHABLE, "Plexus Data API"),
        (FrameTooLarge, 1009, Exit.FAILED, "too large"),
    ],
)
def test_each_error_has_a_code_and_a_sentence(cls, number, code, words):
    """The sentence names the stream, the reason and what to do."""
    problem = problem_of(cls("text", stream=STREAM, code=number, reason="because {so}"))
    assert problem.code == code
    assert problem.sentence.startswith("robot-01/logs: ")
    assert "because {so}" in problem.sentence
    assert words in problem.sentence
    assert "\n" not in problem.sentence


def test_retries_exhausted_is_its_last_failure():
    """What could not be reached in the end is unreachable."""
    error = RetriesExhausted("given up")
    assert problem_of(error).code == Exit.FAILED
    error.__cause__ = ConnectionLost("text", code=1006, reason="refused")
    assert problem_of(error).code == Exit.UNREACHABLE


@pytest.mark.parametrize("error", [BufferOverflow("full"), PlexusError("odd")])
def test_anything_else_has_failed(error):
    """An error without advice of its own tells its own text."""
    problem = problem_of(error)
    assert (problem.code, problem.sentence) == (Exit.FAILED, str(error))


def test_arguments_become_options():
    """Who has typed options is not told of arguments."""
    text = "base_url='x' is not allowed; pass api_key=, or allow_insecure=True; see base_url"
    problem = problem_of(ConfigError(text))
    assert problem.code == Exit.USAGE
    assert problem.sentence == (
        "--url 'x' is not allowed; use --key-file PATH, or --allow-insecure; see --url"
    )


@pytest.mark.parametrize(
    ("code", "reason", "told"),
    [
        (4401, "unauthorized", "4401: unauthorized"),
        (1012, "", "1012"),
        (1006, "refused", "refused"),
        (1006, "", "no reason given"),
        (None, "", "no reason given"),
    ],
)
def test_why(code, reason, told):
    """A code is told where a peer has sent it, not where the library made it up."""
    assert why(ConnectionLost("text", code=code, reason=reason)) == told


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("wss://h?api_key=plx_SECRET", "wss://h?..."),
        ("wss://h#base_url=x", "wss://h#..."),
        ("http://api_key=base_url", "http://api_key=base_url"),
        ("http://plx_SECRET", "http://[api key]"),
    ],
)
def test_what_the_user_gave_is_not_translated(value, shown):
    """Only the library's own words are; a query and a key are not shown."""
    problem = problem_of(ConfigError(f"base_url={value!r} is not allowed: see base_url"))
    assert problem.sentence == f"--url {shown!r} is not allowed: see --url"
    problem = problem_of(ConfigError(f"PLEXUS_DATA_API_URL={value!r} is not allowed: no"))
    assert problem.sentence == f"PLEXUS_DATA_API_URL={shown!r} is not allowed: no"


def test_the_form_of_a_key_is_no_key():
    """The library shows what one looks like."""
    assert problem_of(ConfigError("such as plx_...")).sentence == "such as plx_..."


@pytest.mark.parametrize(
    ("cls", "reason", "cause", "told"),
    [
        (
            ConnectionLost,
            "the proxy at 127.0.0.1:9: Connection refused",
            ConnectionRefusedError(),
            "nothing answers at the proxy 127.0.0.1:9 (Connection refused): check --proxy",
        ),
        (
            ConnectionLost,
            "the proxy at [::1]:9: no such user",
            RuntimeError(),
            "the proxy refused (no such user): check --proxy and its login",
        ),
        (
            AuthenticationError,
            "the proxy answered HTTP 401",
            None,
            "the proxy refused (HTTP 401): check --proxy and its login",
        ),
        (
            ProtocolError,
            "the proxy sent nonsense",
            None,
            "the proxy does not let us through (the proxy sent nonsense): check --proxy",
        ),
    ],
)
def test_a_proxy_in_the_way(cls, reason, cause, told):
    """It is not the server's fault, nor the key's."""
    error = cls("text", stream=STREAM, code=1006, reason=reason)
    error.__cause__ = cause
    problem = problem_of(error)
    assert (problem.code, problem.sentence) == (Exit.UNREACHABLE, f"robot-01/logs: {told}")
