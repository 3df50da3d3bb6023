"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import uuid
from pathlib import Path

__all__ = ["write_whole"]


def write_whole(path: Path, data: bytes, *, overwrite: bool) -> None:
    """Write ``data`` to ``path`` in one step, so that no reader ever sees half of it.

    FileExistsError where something is there already and ``overwrite`` is False. A link is replaced,
    never followed; a device or a pipe is never replaced.
    """
    if overwrite and path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is no regular file, and is not replaced", str(path))
    draft = path.with_name(f".{uuid.uuid4().hex}")
    try:
        with open(draft, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # else a power cut may leave the name without the data
        if overwrite:
            os.replace(draft, path)
        else:
            _move_to_new(draft, path)
    except FileExistsError:
        raise FileExistsError(
            f"{path} is there already: choose another name, or say overwrite=True"
        ) from None
    finally:
        if draft.exists():
            draft.unlink()


def _move_to_new(draft: Path, path: Path) -> None:
    try:
        os.link(draft, path)  # unlike a rename, it fails where the name is taken
    except FileExistsError:
        raise
    except OSError:  # no hard links here, as on FAT: take the name first, then replace
        open(path, "xb").close()
        try:
            os.replace(draft, path)
        except BaseException:
            path.unlink()
            raise
