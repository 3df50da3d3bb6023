"""The command ``plexus-sync``; also ``python -m plexus_sync``.

One file for each command. Nothing is imported before ``main`` runs: a Ctrl-C while all of it is
read would else be told by a traceback.
"""

from __future__ import annotations

from typing import Optional, Sequence

__all__ = ["main"]

INTERRUPTED = 130  # exits.Exit has it too, which cannot be had yet


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the command and return its exit code; ``argv`` is without the program's name."""
    try:
        from . import command

        return command.main(argv)
    except KeyboardInterrupt:
        return INTERRUPTED
