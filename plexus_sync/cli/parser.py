"""The command line as a whole."""

from __future__ import annotations

import argparse

from .._version import __version__
from . import completion, demo, doctor, simulate, snapshot, tail
from .options import Parser

__all__ = ["build_parser"]

EPILOG = """\
examples:
  plexus-sync demo                              see what it does, without a robot or a key
  plexus-sync doctor robot-01                   find out why nothing arrives
  plexus-sync tail metrics robot-01             print what a robot sends
  plexus-sync snapshot robot-01 --camera front out.jpg
  plexus-sync simulate --port 8765              a server to try things against

exit codes:
  0 done   1 failed   2 usage   3 key refused   4 plan   5 unreachable   130 interrupted

completion of the shell, where shtab is installed (pip install 'plexus-sync[cli]'):
  bash   eval "$(plexus-sync --print-completion bash)", in ~/.bashrc
  zsh    plexus-sync --print-completion zsh > a folder of $fpath, as _plexus-sync"""


def build_parser() -> Parser:
    """Return the parser of all commands."""
    parser = Parser(
        prog="plexus-sync",
        description="Watch Plexus live streams: metrics, logs and video of robots.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"plexus-sync {__version__}")
    parser.add_argument(
        "--print-completion",
        action=completion.PrintCompletion,
        choices=completion.SHELLS,
        metavar="SHELL",
        help="print what makes a shell complete this command: bash, zsh, tcsh or fish",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in (demo, tail, snapshot, simulate, doctor):
        command.add_command(commands)
    return parser
