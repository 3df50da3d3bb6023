"""Completion for shells: a script by shtab, printed once, so that no key press starts Python."""

from __future__ import annotations

import argparse
import sys
from typing import Any, Optional, Sequence, Union

from .exits import Problem
from .messages import write
from .output import writing

__all__ = ["SHELLS", "PrintCompletion"]

SHELLS = ("bash", "zsh", "tcsh", "fish")


class PrintCompletion(argparse.Action):
    """Prints the script, as ``--version`` prints the version."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Union[str, Sequence[Any], None],
        option_string: Optional[str] = None,
    ) -> None:
        """Print and end."""
        try:
            import shtab  # the extra "cli"; slow to import, and seldom needed
        except ImportError:
            raise Problem("completion needs an extra: pip install 'plexus-sync[cli]'") from None
        shell = str(values)
        if shell not in shtab.SUPPORTED_SHELLS:
            raise Problem(
                f"the installed shtab knows no {shell}: pip install --upgrade shtab, or choose "
                f"from {', '.join(shtab.SUPPORTED_SHELLS)}"
            )
        with writing():
            write(sys.stdout, shtab.complete(parser, shell) + "\n")
        parser.exit()
