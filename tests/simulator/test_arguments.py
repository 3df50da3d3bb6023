"""What a simulator refuses to be made with."""

import importlib.util
import math

import pytest

from plexus_sync.simulator import Simulator


@pytest.mark.parametrize("name", ["rate", "video_rate"])
@pytest.mark.parametrize("rate", [-1, math.inf, math.nan])
def test_rates(name, rate):
    """A rate is a number of frames a second."""
    with pytest.raises(ValueError, match=f"^{name} "):
        Simulator(**{name: rate})


@pytest.mark.parametrize("name", ["keys", "unpaid_keys", "expired_keys", "sources", "cameras"])
def test_one_string_for_several(name):
    """One string is not taken for its letters, and a key is not shown."""
    with pytest.raises(ValueError, match=f"^{name} must be a sequence") as caught:
        Simulator(**{name: "plx_secret"})
    assert "plx_secret" not in str(caught.value)


@pytest.mark.parametrize("option", [{"gateway_retry_delay": 0}, {"gateway_retries": 0}])
def test_retries(option):
    """There is an attempt at least, and some time between them."""
    with pytest.raises(ValueError, match="gateway_retr"):
        Simulator(**option)


def test_pillow_is_missed_at_once(monkeypatch):
    """Without Pillow it says so before it starts, unless no picture is wanted."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="pip install"):
        Simulator()
    Simulator(video_rate=0)
    Simulator(cameras=())


@pytest.mark.parametrize("name", ["", "a/b"])
def test_sources(name):
    """A device has a name that can be asked for."""
    with pytest.raises(ValueError, match=r"^the source .* without '/'"):
        Simulator(sources=["robot-01", name])
