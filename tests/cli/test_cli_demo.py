"""``plexus-sync demo``."""

from __future__ import annotations

import pytest

from plexus_sync.cli import demo
from plexus_sync.frames import Point, TelemetryFrame

SECONDS = 0.5  # it goes on until the fault is mended


@pytest.fixture
def quicker(monkeypatch):
    """Show as much as the whole demo in less time."""
    monkeypatch.setattr(demo, "RATE", 12.0)
    monkeypatch.setattr(demo, "RECONNECT", demo.Reconnect(initial=0.05, maximum=0.1))


def test_for_programs(run, quicker):
    """All three streams, a fault, a gap in each, and the accounts."""
    result = run("demo", "--seconds", SECONDS)
    assert (result.code, result.err) == (0, "")
    records = result.records
    types = [record["type"] for record in records]
    for kind in ("point", "event", "video_frame", "init", "gap", "remark", "summary"):
        assert kind in types
    about = [(record["about"], record["text"]) for record in records if record["type"] == "remark"]
    fault = about.index(("fault", "the demo cuts the connections"))
    for stream in ("metrics", "logs", "video"):
        assert (stream, "open") in about[:fault]
        assert (stream, "connection lost, trying again") in about[fault:]
        assert (stream, "open") in about[fault:]
    summary = {record["stream"]: record for record in records if record["type"] == "summary"}
    assert list(summary) == ["metrics", "logs", "video"]
    for record in summary.values():
        assert (record["reconnects"], record["gaps"]) == (1, 1)
        parts = ("delivered", "dropped", "filtered", "bad", "discarded", "buffered")
        assert record["received"] == sum(record[part] for part in parts)


def test_for_people(terminal, quicker):
    """Lines, a board with pictures, a table that fits, and what to do next."""
    from plexus_sync.cli import main

    screens = terminal()
    assert main(["demo", "--seconds", str(SECONDS)]) == 0
    out = screens.out.getvalue()
    for word in (
        "battery",
        "front",
        "thermal",
        "gap in metrics",
        "▀",
        "reconnects",
        "tail metrics",
    ):
        assert word in out
    assert screens.err.getvalue() == ""


def test_for_people_without_rich(terminal, without, quicker):
    """The same in plain text."""
    from plexus_sync.cli import main

    without("rich")
    screens = terminal()
    assert main(["demo", "--seconds", str(SECONDS)]) == 0
    out = screens.out.getvalue()
    assert "\x1b" not in out
    for word in ("battery", "gap in metrics", "reconnects", "tail metrics"):
        assert word in out


def test_a_fault_that_does_not_mend(run, quicker, monkeypatch):
    """It ends all the same."""
    monkeypatch.setattr(demo, "PATIENCE", 0.1)
    monkeypatch.setattr("plexus_sync.simulator.Simulator.cut", lambda self: 0)
    result = run("demo", "--seconds", SECONDS)
    assert result.code == 0
    assert "gap" not in [record["type"] for record in result.records]


def test_a_line_of_telemetry():
    """What is missing is left out."""
    frame = TelemetryFrame((Point("robot-01", "cpu.percent", 12.34, 5), Point("robot-01", "x", 1)))
    (item,) = [demo.telemetry_item(frame)]
    assert [text.strip() for text, _ in item.line[1:]] == [
        *("robot-01", "telemetry", "cpu", "12.3 %", "")
    ]
    assert len(item.records) == 2


def test_a_closed_pipe(spawn, ended):
    """It ends at once and quietly."""
    process = spawn("demo")
    assert process.stdout.readline()
    process.stdout.close()
    assert ended(process) == (0, "")


@pytest.mark.parametrize("missing", ["plexus_sync.simulator", "PIL"])
def test_without_the_extra(run, without, missing):
    """One sentence says which pip install to run."""
    without(missing)
    result = run("demo")
    assert result.code == 1
    assert result.err.count("\n") == 1


def test_websockets_is_missing(run, without, monkeypatch):
    """The simulator's own sentence comes through."""
    import sys

    for name in list(sys.modules):
        if name.startswith(("plexus_sync.simulator", "websockets")):
            monkeypatch.delitem(sys.modules, name)
    without("websockets")
    run("demo").said(1, "pip install 'plexus-sync[simulator]'")
