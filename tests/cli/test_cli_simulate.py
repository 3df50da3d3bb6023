"""``plexus-sync simulate``."""

from __future__ import annotations

import signal
import socket
import sys
import threading

import pytest
from helpers import PATIENCE

from plexus_sync import (
    AuthenticationError,
    LogsStream,
    MetricsStream,
    PaymentRequiredError,
    Subscription,
)
from plexus_sync.cli import main


def test_it_serves_until_sigterm(spawn, ended):
    """Its one line is its URL, as soon as it is ready; SIGTERM is a normal end."""
    process = spawn(
        *("simulate", "--source", "r1", "--camera", "c1", "--key", "plx_k", "--rate", "50"),
        *("--unpaid-key", "plx_u", "--expired-key", "plx_e", "--video-rate", "5", "--seed", "7"),
    )
    url = process.stdout.readline().strip()
    assert url.startswith("ws://127.0.0.1:")
    with Subscription(MetricsStream("r1"), api_key="plx_k", base_url=url) as subscription:
        assert subscription.get(PATIENCE).points[0].source_id == "r1"
    for key, error in (("plx_u", PaymentRequiredError), ("plx_e", AuthenticationError)):
        subscription = Subscription(LogsStream("r1"), api_key=key, base_url=url)
        with subscription, pytest.raises(error):
            subscription.get(PATIENCE)
    assert ended(process, signal.SIGTERM) == (0, "")
    assert process.stdout.read() == ""


def test_ctrl_c(spawn, ended):
    """It ends as every command does."""
    process = spawn("simulate")
    assert process.stdout.readline()
    assert ended(process, signal.SIGINT) == (130, "")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_it_ends_in_this_process(run, interrupts, monkeypatch, number, code):
    """The handler of SIGTERM that was there before is there again."""
    from plexus_sync.simulator import Simulator

    stopped = []
    original = Simulator.stop
    monkeypatch.setattr(Simulator, "stop", lambda self: stopped.append(original(self)))
    monkeypatch.setattr(
        "plexus_sync.cli.simulate.write", lambda stream, text: signal.raise_signal(number)
    )
    before = signal.getsignal(signal.SIGTERM)
    assert run("simulate", "--rate", 0, "--video-rate", 0).code == code
    assert stopped == [None]
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_port_in_use(run, busy):
    """One sentence says what to do."""
    port = busy.url.rpartition(":")[2]
    run("simulate", "--port", port).said(1, f"127.0.0.1:{port}", "Address already in use", "--port")


def test_a_host_that_cannot_be_resolved(run, monkeypatch):
    """The reason is the resolver's own."""

    def unknown(*args, **kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "create_server", unknown)
    result = run("simulate", "--host", "nowhere")
    result.said(1, "cannot listen on nowhere:0 (Name or service not known)", "--host")


def test_a_host_that_cannot_be_a_name(run):
    """The reason is Python's."""
    run("simulate", "--host", "x" * 70).said(1, "cannot listen", "--host")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--port", "65536"], "65535"),
        (["--port", "-1"], "--port"),
        (["--port", "x"], "65535"),
        (["--rate", "-1"], "0 or more"),
        (["--rate", "nan"], "0 or more"),
        (["--video-rate", "fast"], "0 or more"),
        (["--seed", "x"], "--seed"),
        (["--camera", ""], "camera"),
    ],
)
def test_usage(run, arguments, word):
    """Whatever is wrong is told before anything starts."""
    run("simulate", *arguments).said(2, word)


def test_without_the_extra(run, without):
    """One sentence says which pip install to run."""
    without("PIL")
    run("simulate").said(1, "pip install 'plexus-sync[simulator]'")


def test_python_s_own_words_about_an_address_are_cut(run, monkeypatch):
    """They would only tell once more what stands there."""

    def unknown(*args, **kwargs):
        told = "Name or service not known (while attempting to bind on address ('nowhere', 0))"
        raise socket.gaierror(socket.EAI_NONAME, told)

    monkeypatch.setattr(socket, "create_server", unknown)
    run("simulate", "--host", "nowhere").said(1, "nowhere:0 (Name or service not known): ")


def test_a_source_that_nobody_could_ask_for(run):
    """As a subscription would refuse it."""
    run("simulate", "--source", "a/b").said(2, "'a/b' is not allowed", "without '/'")


@pytest.mark.parametrize("given", [False, True])
def test_how_to_use_it(terminal, interrupts, monkeypatch, given):
    """It is told to people, without a key that was given."""
    screens = terminal()
    monkeypatch.setattr(threading.Event, "wait", _ctrl_c_in_main(threading.Event.wait))
    key = ["--key", "plx_mine"] if given else []
    assert main(["simulate", "--rate", "0", "--video-rate", "0", *key]) == 130
    url = screens.out.getvalue().strip()
    told = screens.err.getvalue()
    assert f"export PLEXUS_DATA_API_URL={url}" in told
    assert ("PLEXUS_API_KEY=plx_simulator" in told) is not given
    assert "plx_mine" not in told


def _ctrl_c_in_main(original):
    """Return an Event.wait that is interrupted where the command waits for its end."""

    def wait(self, timeout=None):
        if sys._getframe(1).f_code.co_filename.endswith("simulate.py"):
            raise KeyboardInterrupt
        return original(self, timeout)

    return wait
