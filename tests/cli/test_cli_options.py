"""Options that several commands share."""

from __future__ import annotations

import argparse
import json

import pytest

from plexus_sync.cli import options
from plexus_sync.cli.exits import Exit, Problem


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5", 5), ("5s", 5), (" 5 s ", 5), ("500ms", 0.5), ("1.5m", 90), ("2h", 7200), (".5", 0.5)],
)
def test_seconds(text, seconds):
    """A time has a unit, or is in seconds."""
    assert options.seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("read", "texts"),
    [
        (options.seconds, ["", "0", "0s", "-1", "5x", "x", "1e3", "inf", "nan", "٣", "."]),
        (options.count, ["", "0", "-1", "1.5", "x", "٣"]),
        (options.metric, ["", "  ", "a,b", ","]),
        (options.camera, ["", "  "]),
    ],
)
def test_what_is_no_such_thing_is_refused(read, texts):
    """The message shows it and says what would do."""
    for text in texts:
        with pytest.raises(argparse.ArgumentTypeError) as caught:
            read(text)
        assert repr(text) in str(caught.value)


def test_what_is_such_a_thing():
    """Names of metrics are trimmed, as the service does; those of cameras are as they are."""
    assert options.count("17") == 17
    assert options.metric(" a.b ") == "a.b"
    assert options.camera(" front") == " front"


@pytest.mark.parametrize(
    "text", ["plx_secret\n", "  plx_secret", '{"api_key": "plx_secret", "other": 1}']
)
def test_a_key_file(tmp_path, monkeypatch, text):
    """It holds the key alone, or the vendor's JSON."""
    (tmp_path / "key").write_text(text)
    assert options.read_key(str(tmp_path / "key")) == "plx_secret"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert options.read_key("~/key") == "plx_secret"
    assert options.read_key(None) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"plx_a plx_b",
        b"plx_secret\x07",
        json.dumps({"api_key": 5}).encode(),
        json.dumps({"key": "plx_secret"}).encode(),
        b'["plx_secret" ]',
        b"\xff\xfeplx_secret",
    ],
)
def test_a_file_without_a_key(tmp_path, data):
    """What it holds is never shown: it may be a key after all."""
    (tmp_path / "key").write_bytes(data)
    with pytest.raises(Problem) as caught:
        options.read_key(str(tmp_path / "key"))
    assert caught.value.code == Exit.USAGE
    assert "secret" not in caught.value.sentence
    assert str(tmp_path / "key") in caught.value.sentence


def test_a_key_file_that_is_not_there(tmp_path):
    """The system's reason is told."""
    with pytest.raises(Problem, match="No such file"):
        options.read_key(str(tmp_path / "none"))


def test_files_are_completed_as_shtab_does_it():
    """What stands here for a module that need not be installed is what that module has."""
    shtab = pytest.importorskip("shtab")
    for shell in shtab.SUPPORTED_SHELLS:
        assert options.FILES.get(shell, shtab.FILE[shell]) == shtab.FILE[shell]


@pytest.mark.parametrize("path", ["plx_SECRET", "api_key=plx_SECRET"])
def test_a_key_in_place_of_its_file(path):
    """It is not shown as the name of a file that is not there."""
    with pytest.raises(Problem) as caught:
        options.read_key(path)
    assert caught.value.code == Exit.USAGE
    assert caught.value.sentence == "--key-file takes the path of a file, not the key itself"


@pytest.mark.parametrize("url", ["http://h", "wss://h?api_key=plx_SECRET", "wss://h?base_url=x#y"])
def test_a_wrong_url_of_the_environment(run, monkeypatch, url):
    """The variable is named, which is what to mend; no query is shown."""
    monkeypatch.setenv("PLEXUS_DATA_API_URL", url)
    for command in (["tail", "metrics", "robot-01"], ["snapshot", "robot-01", "x"], ["doctor"]):
        result = run(*command)
        result.said(2, "plexus-sync: PLEXUS_DATA_API_URL")
        for word in ("--url", "SECRET", "base_url", "api_key"):
            assert word not in result.err
    run("doctor", "--url", "http://x").said(2, "--url 'http://x' is not allowed")


def test_the_scheme_of_a_proxy(run):
    """The option is named as it was typed."""
    run("doctor", "--proxy", "socks6://x").said(2, "--proxy has the scheme 'socks6'")
