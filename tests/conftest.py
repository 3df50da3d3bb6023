"""What all tests share: a simulator without devices, and the promises checked after every test."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import sys
import threading

import pytest
from helpers import PATIENCE
from programs import ROOT, Program
from rawserver import trustme

from plexus_sync import Subscription

collect_ignore = ["network"]  # it needs root: only where it is named, as `make network` does


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch, tmp_path):
    """Keep the tests from the key, the URL and the proxies of whoever runs them."""
    for name in ("PLEXUS_API_KEY", "PLEXUS_DATA_API_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture(autouse=True)
def _promises(monkeypatch):
    """Fail a test whose subscriptions do not add up, or that leaves a thread behind."""
    before = set(threading.enumerate())
    made = []
    original = Subscription.__init__

    def recording(self, *args, **kwargs):
        original(self, *args, **kwargs)
        made.append(self)

    monkeypatch.setattr(Subscription, "__init__", recording)
    yield
    for subscription in made:
        assert subscription.close(), "a thread of the subscription is stuck"
        for stream, status in subscription.status().items():
            assert_adds_up(stream, status)
            assert status.buffered == 0
    left = [thread.name for thread in threading.enumerate() if thread not in before]
    assert left == []


def assert_adds_up(stream, status):
    """Assert the accounting of one stream, as the interface promises it for every snapshot."""
    told = ("delivered", "dropped", "filtered", "bad", "discarded", "buffered")
    figures = {name: getattr(status, name) for name in told}
    assert min(figures.values()) >= 0, (stream, status)
    assert status.received == sum(figures.values()), (stream, status)


@pytest.fixture
def adds_up():
    """Give a test the check of the accounting."""
    return assert_adds_up


@pytest.fixture
def simulator():
    """Run a simulator that sends only what the test publishes, and retries a lost gateway soon."""
    from plexus_sync.simulator import Simulator

    class Patient(Simulator):
        """Waits longer for its clients, for a machine that stalls."""

        def wait_for_connections(self, n, timeout=PATIENCE):
            """Wait for exactly n clients."""
            return super().wait_for_connections(n, timeout)

    with Patient(rate=0, video_rate=0, gateway_retry_delay=0.05) as running:
        yield running


@pytest.fixture
def subscribe(simulator):
    """Make subscriptions to the simulator that come back quickly."""
    from plexus_sync import Reconnect

    def subscribe(*streams, **settings):
        settings.setdefault("base_url", simulator.url)
        settings.setdefault("api_key", simulator.api_key)
        settings.setdefault("reconnect", Reconnect(initial=0.01, maximum=0.05))
        return Subscription(*streams, **settings)

    return subscribe


@pytest.fixture(scope="session")
def authority():
    """Return a private authority for certificates."""
    return trustme.CA()


@pytest.fixture
def trusting(authority):
    """Return a context that trusts the authority."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture
def free_port():
    """Return a port of loopback on which nobody listens, kept from others for the test."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture
def silent():
    """Return an address that neither takes nor refuses a connection: its queue is full."""
    held = []
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    for _ in range(3):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
        held.append(filler)
    yield (socket.AF_INET, socket.SOCK_STREAM, 6, "", listener.getsockname())
    for sock in (*held, listener):
        sock.close()


@pytest.fixture
def launch(tmp_path):
    """Start programs, in the test's own folder; end what is left of them afterwards."""
    programs = []

    def launch(*command, env):
        programs.append(Program(command, tmp_path, env))
        return programs[-1]

    # A process started where Ctrl-C is ignored, as in a shell's background, would ignore it too.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield launch
    signal.signal(signal.SIGINT, handler)
    for program in programs:
        program.kill()


@pytest.fixture
def environment():
    """Make the environment of a program that is to find a simulator."""

    def environment(simulator, *paths):
        return {
            **os.environ,
            "PLEXUS_API_KEY": simulator.api_key,
            "PLEXUS_DATA_API_URL": simulator.url,
            "PYTHONPATH": os.pathsep.join([str(ROOT), *paths]),
            "PYTHONASYNCIODEBUG": "1",  # tells of a loop that another thread has touched
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
        }

    return environment


@pytest.fixture
def impatient():
    """Have the interpreter change threads as often as it can."""
    previous = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(previous)
