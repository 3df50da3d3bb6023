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
