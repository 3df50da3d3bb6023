"""Exit codes, and one sentence for whatever ends a command: what is wrong, and what to do."""

from __future__ import annotations

import enum
import re
from typing import Optional, Tuple, Type

import attrs

from ..errors import (
    AuthenticationError,
    CertificateError,
    ConfigError,
    ConnectionLost,
    FrameTooLarge,
    GatewayError,
    HandshakeError,
    PaymentRequiredError,
    PlexusError,
    ProtocolError,
    RetriesExhausted,
    StreamError,
)
from ..loss import ABNORMAL, PROTOCOL, TLS
from ..settings import URL_VARIABLE

__all__ = [
    "Exit",
    "Problem",
    "in_words_of_the_command",
    "problem_of",
    "proxy_sentence",
    "scrub",
    "why",
]


class Exit(enum.IntEnum):
    """What the shell is told."""

    DONE = 0
    FAILED = 1  # it was tried, and did not work
    USAGE = 2  # known to be wrong before anything was tried
    KEY_REFUSED = 3
    PLAN = 4
    UNREACHABLE = 5
    INTERRUPTED = 130  # 128 + SIGINT, as shells have it


class Problem(Exception):
    """Ends a command with one sentence for its user; an empty one where all is said already."""

    def __init__(self, sentence: str, code: Exit = Exit.FAILED) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.code = code


# The library speaks of arguments; who reads this has typed options.
_WORDS = (
    (r"\bpass api_key=", "use --key-file PATH"),
    (r"\bapi_key=", "the key file "),
    (r"\bgoes into api_key\b", "goes into PLEXUS_API_KEY or --key-file PATH"),
    (r"\bbase_url=", "--url "),
    (r"\bbase_url\b", "--url"),
    (r"\bproxy=", "--proxy "),
    (r"^proxy has\b", "--proxy has"),
    (r"\bsource_id=", "SOURCE "),
    (r"\bsource_id\b", "SOURCE"),
    (r"\ballow_insecure=True", "--allow-insecure"),
    (r"\bpass ssl_context", "set SSL_CERT_FILE"),
)


# What the library says of a value that it shows: the value may hold anything, these words too.
_REFUSAL = re.compile(r"([A-Za-z_]+=)(.*)( is not allowed: .*)", re.DOTALL)


def scrub(text: str) -> str:
    """Return the text without what looks like a key or a login; ``plx_...`` is no key."""
    text = re.sub(r"(?<=://)[^\s/?#]*@", "...@", text)
    return re.sub(r"plx_(?!\.\.\.)[^\s'\"]+", "[api key]", text)


def in_words_of_the_command(text: str) -> str:
    """Return the library's message with options in place of the arguments it speaks of.

    Of a value that it shows neither a query nor a key is left.
    """
    refusal = _REFUSAL.fullmatch(text)
    if refusal is None:
        return scrub(_translated(text))
    name, value, rule = refusal.groups()
    if name in ("base_url=", f"{URL_VARIABLE}="):
        value = re.sub(r"[?#].*(?=.$)", lambda query: query[0][0] + "...", value, flags=re.DOTALL)
    return _translated(name) + scrub(value) + _translated(rule)


def _translated(text: str) -> str:
    for pattern, word in _WORDS:
        text = re.sub(pattern, word, text)
    return text


# Codes that the library gives to what has none; 1002 may come from a peer, with its words beside.
_OWN_CODES = (ABNORMAL, PROTOCOL, TLS)


@attrs.frozen
class _Advice:
    """What one class of error means to the user of a command; ``{reason}`` is what was told."""

    code: Exit
    sentence: str


# The first class that fits; so a subclass stands before its base.
_ADVICE: Tuple[Tuple[Type[StreamError], _Advice], ...] = (
    (
        AuthenticationError,
        _Advice(
            Exit.KEY_REFUSED,
            "the service refused the API key ({reason}): check PLEXUS_API_KEY, --key-file or "
            "~/.plexus/config.json, whichever of them you use",
        ),
    ),
    (
        PaymentRequiredError,
        _Advice(
            Exit.PLAN,
            "the plan behind this API key has no API access ({reason}): change the plan, or use "
            "the key of another organisation",
        ),
    ),
    (
        HandshakeError,
        _Advice(
            Exit.UNREACHABLE,
            "the server refused the stream ({reason}): check --url and the name of the SOURCE",
        ),
    ),
    (
        CertificateError,
        _Advice(
            Exit.UNREACHABLE,
            "the server's certificate is not valid ({reason}): check --url and this machine's "
            "clock, or set SSL_CERT_FILE for an authority of your own",
        ),
    ),
    (
        GatewayError,
        _Advice(
            Exit.UNREACHABLE,
            "the service has lost its gateway ({reason}): try again in a minute, or look at the "
            "device's own link",
        ),
    ),
    (
        ConnectionLost,
        _Advice(
            Exit.UNREACHABLE,
            "no connection ({reason}): check --url and the network, or ask plexus-sync doctor",
        ),
    ),
    (
        FrameTooLarge,
        _Advice(
            Exit.FAILED,
            "a frame was too large ({reason}): ask whoever runs the device to send smaller ones",
        ),
    ),
    (
        ProtocolError,
        _Advice(
            Exit.UNREACHABLE,
            "what answers there does not speak as the service does ({reason}): check that --url "
            "is the Plexus Data API",
        ),
    ),
)


def problem_of(error: PlexusError) -> Problem:
    """Return how a command ends with an error of the library."""
    if isinstance(error, ConfigError):
        return Problem(in_words_of_the_command(str(error)), Exit.USAGE)
    if isinstance(error, RetriesExhausted) and isinstance(error.__cause__, StreamError):
        error = error.__cause__
    if isinstance(error, StreamError):
        sentence = proxy_sentence(error)
        if sentence is not None:
            return Problem(_where(error) + sentence, Exit.UNREACHABLE)
    for cls, advice in _ADVICE:
        if isinstance(error, cls):
            return Problem(_where(error) + advice.sentence.format(reason=why(error)), advice.code)
    return Problem(in_words_of_the_command(str(error)))


def proxy_sentence(error: StreamError) -> Optional[str]:
    """Return what to do about a proxy that stands in the way; None where it is no proxy's fault."""
    reason = error.reason or ""
    if not reason.startswith("the proxy"):
        return None
    at = re.fullmatch(r"the proxy at (\S+): (.*)", reason, re.DOTALL)
    answer = re.fullmatch(r"the proxy answered (.*)", reason, re.DOTALL)
    if at and (error.__cause__ is None or isinstance(error.__cause__, OSError)):
        return f"nothing answers at the proxy {at[1]} ({at[2]}): check --proxy"
    if at or answer:
        told = at[2] if at else answer[1] if answer else ""
        return f"the proxy refused ({told}): check --proxy and its login"
    return f"the proxy does not let us through ({reason}): check --proxy"


def _where(error: StreamError) -> str:
    return "" if error.stream is None else f"{error.stream}: "


def why(error: StreamError) -> str:
    """Return what the peer or the system gave as the reason, with the code where it sent one."""
    code = None if error.code in _OWN_CODES else error.code
    return ": ".join(str(part) for part in (code, error.reason) if part) or "no reason given"
