"""How a connection ended, in one vocabulary."""

from __future__ import annotations

from plexus_sync.loss import ABNORMAL, PROTOCOL, TLS, Loss, Lost


def test_what_is_raised_carries_all_of_it():
    """Who catches it finds the code, the words, the time to wait and the cause."""
    cause = OSError("reset")
    lost = Lost(429, "too many requests", retry_after=5.0, cause=cause)
    assert str(lost) == "too many requests"
    assert lost.loss == Loss(429, "too many requests", 5.0, cause)
    assert lost.loss.cause is cause


def test_a_plain_loss():
    """Most have a code and a reason, and nothing more."""
    loss = Lost(ABNORMAL, "end of stream").loss
    assert (loss.code, loss.reason) == (1006, "end of stream")
    assert loss.retry_after is None
    assert loss.cause is None


def test_codes_of_rfc_6455():
    """What never stands in a close frame has the codes that the RFC keeps for it."""
    assert (ABNORMAL, TLS, PROTOCOL) == (1006, 1015, 1002)
