"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from helpers import PATIENCE, InThread

from plexus_sync import files
from plexus_sync.files import write_whole


@pytest.mark.parametrize("overwrite", [True, False])
def test_writes_the_file_and_leaves_nothing_else(tmp_path, overwrite):
    """The file holds the bytes, and is alone."""
    path = tmp_path / "picture.jpg"
    write_whole(path, b"data", overwrite=overwrite)
    assert path.read_bytes() == b"data"
    assert os.listdir(str(tmp_path)) == ["picture.jpg"]


def test_keeps_what_is_there(tmp_path):
    """A file of the same name is kept, and the error says what to do."""
    path = tmp_path / "picture.jpg"
    path.write_bytes(b"old")
    with pytest.raises(FileExistsError, match=r"picture\.jpg is there already.*overwrite=True"):
        write_whole(path, b"new", overwrite=False)
    assert path.read_bytes() == b"old"
    assert os.listdir(str(tmp_path)) == ["picture.jpg"]


def test_overwrites_where_it_may(tmp_path):
    """With overwrite the old file is gone."""
    path = tmp_path / "picture.jpg"
    path.write_bytes(b"old, and longer")
    write_whole(path, b"new", overwrite=True)
    assert path.read_bytes() == b"new"
    assert os.listdir(str(tmp_path)) == ["picture.jpg"]


def test_a_directory_that_is_missing(tmp_path):
    """The operating system's own error comes through."""
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "nowhere" / "picture.jpg", b"data", overwrite=False)


@pytest.mark.parametrize("overwrite", [True, False])
def test_a_step_that_fails_leaves_nothing(tmp_path, monkeypatch, overwrite):
    """When the last step fails neither half a file nor the draft stays."""

    def fail(source, target):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    monkeypatch.setattr(os, "link", fail)
    with pytest.raises(OSError, match="disk full"):
        write_whole(tmp_path / "picture.jpg", b"data", overwrite=overwrite)
    assert os.listdir(str(tmp_path)) == []


def test_a_link_is_replaced_and_not_followed(tmp_path):
    """What a link points to is not touched, be it there or not."""
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to(target)
    with pytest.raises(FileExistsError):
        write_whole(link, b"new", overwrite=False)
    target.write_bytes(b"old")
    with pytest.raises(FileExistsError):
        write_whole(link, b"new", overwrite=False)
    write_whole(link, b"new", overwrite=True)
    assert (target.read_bytes(), link.read_bytes()) == (b"old", b"new")
    assert not link.is_symlink()


def test_a_device_or_a_pipe_is_not_replaced(tmp_path):
    """A file in the place of /dev/null would be the end of a system; links to such are kept too."""
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(str(pipe))
    link.symlink_to(os.devnull)
    for path in (pipe, link, tmp_path):
        with pytest.raises(OSError, match="no regular file"):
            write_whole(path, b"data", overwrite=True)
    assert pipe.is_fifo()
    assert os.readlink(str(link)) == os.devnull
    assert sorted(os.listdir(str(tmp_path))) == ["link", "pipe"]


@pytest.mark.parametrize("overwrite", [True, False])
def test_the_data_is_on_the_disk_before_the_name(tmp_path, monkeypatch, overwrite):
    """A power cut leaves the old file, the new one or none, and no name without its data."""
    steps = []
    for name in ("fsync", "replace", "link"):
        original = getattr(os, name)
        monkeypatch.setattr(
            os,
            name,
            lambda *args, name=name, original=original: (steps.append(name), original(*args)),
        )
    write_whole(tmp_path / "picture.jpg", b"data", overwrite=overwrite)
    assert steps == ["fsync", "replace" if overwrite else "link"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_process_that_is_killed(tmp_path, step):
    """It leaves the old file as it was, and at most a draft beside it."""
    path = tmp_path / "picture.jpg"
    path.write_bytes(b"old")
    program = (
        "import os, pathlib, signal\n"
        "from plexus_sync.files import write_whole\n"
        f"os.{step} = lambda *args: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"write_whole(pathlib.Path({str(path)!r}), b'new', overwrite=True)\n"
    )
    env = {**os.environ, "PYTHONPATH": str(Path(files.__file__).parent.parent)}
    assert subprocess.run([sys.executable, "-c", program], env=env, check=False).returncode == -9
    assert path.read_bytes() == b"old"
    (draft,) = set(os.listdir(str(tmp_path))) - {"picture.jpg"}
    assert draft.startswith(".")


def test_of_several_who_write_one_has_the_name(tmp_path):
    """Without overwrite exactly one writes; the others are told, and nothing is mixed."""
    path, barrier = tmp_path / "picture.jpg", threading.Barrier(8)

    def write(number):
        barrier.wait(PATIENCE)
        write_whole(path, b"%d" % number * 100_000, overwrite=False)
        return number

    won = []
    for call in [InThread(write, number) for number in range(8)]:
        with contextlib.suppress(FileExistsError):
            won.append(call.result())
    assert len(won) == 1
    assert path.read_bytes() == b"%d" % won[0] * 100_000
    assert os.listdir(str(tmp_path)) == ["picture.jpg"]


def test_the_umask_decides_who_may_read(tmp_path):
    """A picture is as private as any other file that the process makes."""
    before = os.umask(0o077)
    try:
        write_whole(tmp_path / "picture.jpg", b"data", overwrite=False)
    finally:
        os.umask(before)
    assert (tmp_path / "picture.jpg").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("there", [True, False])
def test_a_file_system_without_hard_links(tmp_path, monkeypatch, there):
    """It is as whole there, and a file that is there already is kept as well."""

    def refuse(source, target):
        raise PermissionError("no hard links here")

    monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "picture.jpg"
    if there:
        path.write_bytes(b"old")
        with pytest.raises(FileExistsError, match="overwrite=True"):
            write_whole(path, b"data", overwrite=False)
    else:
        write_whole(path, b"data", overwrite=False)
    assert path.read_bytes() == (b"old" if there else b"data")
    assert os.listdir(str(tmp_path)) == ["picture.jpg"]
