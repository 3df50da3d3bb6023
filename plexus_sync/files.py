"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

__all__ = ["write_whole"]


def write_whole(path: Path, data: bytes, *, overwrite: bool) -> None:
    """Write ``data`` to ``path`` in one step, so that no reader ever sees half of it.

    FileExistsError where something is there already and ``overwrite`` is False.
    """
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with open(draft, "xb") as file:
            file.write(data)
        if overwrite:
            os.replace(draft, path)
        else:
            os.link(draft, path)  # unlike a rename, it fails where the name is taken
    except FileExistsError:
        raise FileExistsError(
            f"{path} is there already: choose another name, or say overwrite=True"
        ) from None
    finally:
        if draft.exists():
            draft.unlink()
