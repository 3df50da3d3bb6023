"""Files that are written whole or not at all."""

from __future__ import annotations

import os

import pytest

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
