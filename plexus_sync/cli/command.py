"""One run of the command: whatever ends it otherwise than well is raised, and told here, once."""

from __future__ import annotations

import logging
import os
import sys
from typing import Optional, Sequence

from ..errors import PlexusError
from .exits import Exit, Problem, problem_of
from .messages import Messages
from .output import writing
from .parser import build_parser

__all__ = ["main"]


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the command and return its exit code; ``argv`` is without the program's name."""
    messages = Messages()
    try:
        try:
            code = _run(argv, messages)
        finally:
            messages.clear()
        with writing():
            _flush()
        return code
    except Problem as problem:
        messages.note(problem.sentence)
        code = problem.code
    except BrokenPipeError:
        code = Exit.DONE  # whoever read it, such as head, has seen enough
    except KeyboardInterrupt:
        code = Exit.INTERRUPTED
    try:
        _flush()
    except OSError:
        _discard_output()
    return code


def _run(argv: Optional[Sequence[str]], messages: Messages) -> int:
    try:
        args = build_parser().parse_args(argv)
        level = logging.INFO if getattr(args, "verbose", False) else logging.ERROR
        with messages.telling_the_log(level):
            code: Exit = args.run(args, messages)
    except SystemExit as end:  # argparse, after --help or --version
        return int(end.code or 0)
    except PlexusError as error:
        raise problem_of(error) from None
    return code


def _flush() -> None:
    if sys.stdout is not None:
        sys.stdout.flush()


def _discard_output() -> None:
    """Let the interpreter's own flush at the end go nowhere: it would fail again, and say so."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, sys.stdout.fileno())
    finally:
        os.close(nowhere)
