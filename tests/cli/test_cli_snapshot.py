"""``plexus-sync snapshot``."""

from __future__ import annotations

import argparse
import base64
import errno
import os

import pytest
from helpers import JPEG, FakeClock

from plexus_sync import VideoFrame
from plexus_sync.cli import main, snapshot
from plexus_sync.cli.messages import Messages
from plexus_sync.cli.output import JsonOutput

PICTURE = {"type": "video_frame", "camera_id": "front", "frame": JPEG}


def publish(simulator, *frames, source="robot-01"):
    """Send frames to the command as soon as it is connected."""
    simulator.wait_for_connections(1)
    for frame in frames:
        simulator.publish(source, "video", {**PICTURE, **frame})


def test_one_picture(run, busy, tmp_path):
    """Of the camera that was asked for, written as it was sent."""
    path = tmp_path / "out.jpg"
    result = run("snapshot", "robot-01", "--camera", "rear", path)
    assert (result.code, result.err) == (0, "")
    (record,) = result.records
    assert (record["type"], record["path"], record["camera_id"]) == ("snapshot", str(path), "rear")
    assert len(path.read_bytes()) == record["jpeg_bytes"]
    assert os.listdir(tmp_path) == ["out.jpg"]


def test_of_whichever_camera(run, quiet, beside, tmp_path):
    """The first that sends."""
    beside(publish, quiet, {"camera_id": "any"})
    assert run("snapshot", "robot-01", tmp_path / "out.jpg").records[0]["camera_id"] == "any"
    assert (tmp_path / "out.jpg").read_bytes() == base64.b64decode(JPEG)


def test_a_file_that_is_there_already(run, busy, tmp_path):
    """It is kept unless told otherwise."""
    path = tmp_path / "out.jpg"
    path.write_text("precious")
    run("snapshot", "robot-01", path).said(2, "there already", "--overwrite")
    assert path.read_text() == "precious"
    assert run("snapshot", "robot-01", path, "--overwrite").code == 0
    assert path.read_bytes().startswith(b"\xff\xd8")


def test_a_file_that_comes_meanwhile(run, quiet, beside, tmp_path):
    """It is kept too."""
    path = tmp_path / "out.jpg"

    def meanwhile():
        quiet.wait_for_connections(1)
        path.write_text("precious")
        publish(quiet, {})

    beside(meanwhile)
    run("snapshot", "robot-01", path).said(2, "there already", "--overwrite")
    assert path.read_text() == "precious"


def test_every_so_often(run, busy, tmp_path):
    """Into a folder, which is made; names are made of camera and time."""
    folder = tmp_path / "new" / "pictures"
    result = run("snapshot", "robot-01", folder, "--every", "200ms", "--count", 4)
    assert result.code == 0
    names = sorted(os.listdir(folder))
    assert names == sorted(os.path.basename(record["path"]) for record in result.records)
    assert len(names) == 4
    assert {name.split("-")[0] for name in names} == {"front", "rear", "thermal"}


def test_pictures_between_are_left_out(tmp_path):
    """One is taken when it is due, and those that were missed are not made up for."""
    clock = FakeClock(0.0)
    saved = []
    job = new_job(clock, every=5.0, count=4, path=tmp_path)
    job._save = saved.append
    for clock.now in (0.0, 4.9, 5.0, 17.0, 19.9, 20.0):
        frame = VideoFrame("robot-01", "front", b"\xff\xd8", timestamp=clock.now)
        job.take(frame)
    assert [frame.timestamp for frame in saved] == [0.0, 5.0, 17.0, 20.0]
    assert job.is_done


def test_without_a_count_it_goes_on(tmp_path):
    """Until somebody ends it."""
    saved = []
    job = new_job(FakeClock(), every=5.0, count=None, path=tmp_path)
    job._save = saved.append
    job.take(VideoFrame("robot-01", "front", b"\xff\xd8"))
    assert saved
    assert not job.is_done


def new_job(clock, **more):
    """Return a job with the options of the command."""
    options = {"timeout": 10.0, "camera": [], "source": "robot-01", "overwrite": False, **more}
    messages = Messages()
    return snapshot._Job(argparse.Namespace(**options), messages, JsonOutput(messages), clock)


@pytest.mark.parametrize(
    ("frame", "name"),
    [
        (VideoFrame("r", "front", b"", timestamp=1746969660123), "front-20250511T132100.123Z.jpg"),
        (VideoFrame("r", "../a b", b"", timestamp=0), "..%2Fa%20b-19700101T000000.000Z.jpg"),
        (VideoFrame("r", "c", b"", received_at=1.5), "c-19700101T000001.500Z.jpg"),
    ],
)
def test_names(frame, name):
    """No camera's name leads out of the folder; a time is always there."""
    assert snapshot._name(frame) == name


def test_a_time_out_of_range():
    """Then it is the time at which it came, or is saved."""
    assert snapshot._name(VideoFrame("r", "c", b"", timestamp=1e300)).startswith("c-2")


def test_an_unknown_camera(run, quiet, tmp_path):
    """The service's list of cameras tells it at once."""
    result = run("snapshot", "robot-01", "--camera", "frnt", tmp_path / "out.jpg")
    result.said(1, "'frnt'", "front, rear, thermal")
    assert os.listdir(tmp_path) == []


def test_a_device_that_sends_nothing(run, quiet, tmp_path):
    """It says so after the time-out, and who is online."""
    arguments = (tmp_path / "out.jpg", "--timeout", "300ms")
    run("snapshot", "robot-9", *arguments).said(1, "robot-9", "online (robot-01)", "--timeout")
    result = run("snapshot", "robot-01", "--camera", "front", *arguments)
    result.said(1, "'front'", "0.3 s")
    assert "online" not in result.err


def test_nobody_is_online(run, quiet, beside, tmp_path):
    """A list that is empty, or null, tells nothing of cameras."""

    def lists():
        quiet.wait_for_connections(1)
        quiet.publish("robot-01", "video", {"type": "init", "online_sources": None})
        quiet.publish("robot-01", "video", b'{"type": "x"}')

    beside(lists)
    result = run("snapshot", "robot-01", tmp_path / "out.jpg", "--timeout", "500ms")
    result.said(1, "devices online (none)")


def test_a_picture_that_is_none(run, quiet, beside, tmp_path):
    """It is not saved; the next one is."""
    bad = {"frame": base64.b64encode(b"no picture").decode(), "camera_id": "rear"}
    beside(publish, quiet, bad, {})
    result = run("snapshot", "robot-01", tmp_path / "out.jpg")
    assert result.code == 0
    assert result.err == ("plexus-sync: camera rear sent something that is no JPEG; waiting on\n")
    assert (tmp_path / "out.jpg").read_bytes() == base64.b64decode(JPEG)


def test_two_bad_pictures_are_one_problem(capsys):
    """They are told once."""
    job = new_job(FakeClock(), every=None)
    for _ in range(2):
        job.take(VideoFrame("robot-01", "front", b"no"))
    assert not job.is_done
    assert capsys.readouterr().err.count("no JPEG") == 1


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["{here}"], "folder"),
        (["{here}/none/out.jpg"], "make it"),
        (["{here}/file/out.jpg"], "make it"),
        (["{here}/out.jpg", "--count", "2"], "--every"),
        (["{here}/out.jpg", "--camera", "a", "--camera", "b"], "--every"),
        (["{here}/out.jpg", "--every", "soon"], "500ms"),
        (["{here}/out.jpg", "--every", "0"], "above 0"),
        (["{here}/file", "--every", "1"], "is a file"),
        (["{here}/out.jpg", "--camera", ""], "--camera"),
    ],
)
def test_usage(run, quiet, tmp_path, arguments, word):
    """Whatever is wrong is told before anything is tried."""
    (tmp_path / "file").write_text("")
    words = [argument.format(here=tmp_path) for argument in arguments]
    run("snapshot", "robot-01", *words).said(2, word)
    assert quiet.received == []


def test_a_folder_that_cannot_be_written(run, quiet, tmp_path, monkeypatch):
    """It is told before anything is tried."""
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    run("snapshot", "robot-01", tmp_path / "out.jpg").said(1, "nothing can be written", "folder")
    assert quiet.received == []


def test_a_folder_that_cannot_be_made(run, quiet, tmp_path):
    """The system's reason is told."""
    (tmp_path / "file").write_text("")
    run("snapshot", "robot-01", tmp_path / "file" / "a", "--every", "1").said(1, "Not a directory")


def test_a_disk_that_is_full(run, busy, tmp_path, monkeypatch):
    """The system's reason is told."""

    def full(self, path, overwrite):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(VideoFrame, "save", full)
    run("snapshot", "robot-01", tmp_path / "out.jpg").said(1, "No space left", "out.jpg")


def test_for_people(terminal, busy, tmp_path):
    """A line for each picture."""
    screens = terminal()
    path = tmp_path / "out.jpg"
    assert main(["snapshot", "robot-01", "--camera", "front", str(path)]) == 0
    assert "320 x 240" in screens.out.getvalue()
    assert path.exists()


def test_a_folder_that_is_not_there(run, quiet, tmp_path):
    """The / at the end says what was meant; no file of its name is made."""
    folder = f"{tmp_path}/newfolder/"
    result = run("snapshot", "robot-01", "--camera", "front", folder)
    result.said(2, f"{folder} is a folder: give a file name, or add --every TIME")
    assert list(tmp_path.iterdir()) == []


def test_several_cameras_need_a_folder(run, quiet, tmp_path):
    """The sentence says which option does it."""
    cameras = ("--camera", "front", "--camera", "rear")
    result = run("snapshot", "robot-01", *cameras, tmp_path / "x")
    result.said(2, "several cameras need a folder and --every: add --every TIME")
