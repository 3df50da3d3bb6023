"""Options that several commands share, and what their texts may be."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any, Dict, NoReturn, Optional

from ..streams import Stream
from ..subscription import Subscription
from .exits import Exit, Problem, scrub
from .messages import write
from .output import writing

__all__ = [
    "Parser",
    "add_connection_options",
    "add_json_option",
    "camera",
    "connection",
    "count",
    "is_path",
    "metric",
    "new_parser",
    "read_key",
    "seconds",
    "subscribe",
]

# What shtab.FILE is.
FILES = {
    "bash": "_shtab_compgen_files",
    "zsh": "_files",
    "tcsh": "f",
    "fish": "(__fish_complete_path (commandline -ct))",
}
_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class Parser(argparse.ArgumentParser):
    """Says in one sentence what is wrong, without the usage before it."""

    def error(self, message: str) -> NoReturn:
        """End the command."""
        raise Problem(f"{scrub(message)} (see {self.prog} --help)", Exit.USAGE)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Refuse what is unknown here, where the command is known whose help tells more."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found, unknown

    def _print_message(self, message: str, file: Any = None) -> None:
        # For --help and --version; argparse's own hides, on newer Pythons, that it cannot write.
        with writing():
            write(file, message)


class _NoKey(argparse.Action):
    """Refuses a key on the command line, without showing it."""

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        """End the command."""
        raise Problem(
            "there is no --key, because other users could read it in the list of processes: use "
            "--key-file PATH or PLEXUS_API_KEY",
            Exit.USAGE,
        )


def new_parser(commands: Any, name: str, summary: str, examples: str, **options: Any) -> Parser:
    """Add a command; ``examples`` are shown below its help."""
    parser: Parser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        **options,
    )
    return parser


def is_path(argument: argparse.Action) -> None:
    """Have shells complete the names of files; shtab, which reads it, need not be there."""
    argument.complete = FILES  # type: ignore[attr-defined]


def _refused(text: str, rule: str) -> argparse.ArgumentTypeError:
    return argparse.ArgumentTypeError(f"{text!r} is not allowed: {rule}")


def seconds(text: str) -> float:
    """Read a duration: 5, 5s, 500ms, 2m, 1h."""
    match = re.fullmatch(r"(\d{1,9}(?:\.\d*)?|\.\d+)\s*(ms|s|m|h|)", text.strip(), re.ASCII)
    duration = float(match[1]) * _UNITS[match[2]] if match else 0.0
    if duration <= 0:
        raise _refused(text, "give a time above 0 such as 5, 5s, 500ms, 2m or 1h")
    return duration


def count(text: str) -> int:
    """Read a whole number of at least 1."""
    if not re.fullmatch(r"\d{1,18}", text, re.ASCII) or int(text) < 1:
        raise _refused(text, "give a whole number, 1 or more")
    return int(text)


def metric(text: str) -> str:
    """Read the name of one metric, or a pattern."""
    if "," in text:
        raise _refused(text, "a name has no comma; repeat --metric for each name")
    if not text.strip():
        raise _refused(text, "give the name of a metric, such as battery.percent")
    return text.strip()


def camera(text: str) -> str:
    """Read the name of one camera."""
    if not text.strip():
        raise _refused(text, "give the name of a camera, such as front")
    return text


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Add --json."""
    parser.add_argument(
        "--json",
        action="store_true",
        help="print JSON lines on a terminal too (without it only when piped)",
    )


def add_connection_options(parser: argparse.ArgumentParser) -> None:
    """Add what tells the server and the key."""
    group = parser.add_argument_group(
        "connection",
        "The API key comes from --key-file, else from the environment's PLEXUS_API_KEY,\n"
        "else from ~/.plexus/config.json. There is no --key: other users could read it\n"
        "in the list of processes.",
    )
    group.add_argument(
        "--url",
        metavar="URL",
        help="the server (default: the environment's PLEXUS_DATA_API_URL, "
        "else wss://api.plexus.company)",
    )
    is_path(
        group.add_argument(
            "--key-file",
            metavar="PATH",
            help="a file that holds the API key, alone or as api_key in JSON",
        )
    )
    group.add_argument("--key", "--api-key", nargs="?", action=_NoKey, help=argparse.SUPPRESS)
    group.add_argument(
        "--proxy", metavar="URL", help="go through a proxy; 'env' takes that of the environment"
    )
    group.add_argument(
        "--allow-insecure",
        action="store_true",
        help="allow ws:// to other hosts than this one: the key is then sent in clear text",
    )
    group.add_argument(
        "-v", "--verbose", action="store_true", help="say on stderr what the library logs"
    )


def read_key(path: Optional[str]) -> Optional[str]:
    """Return the key that a file holds; None where no file is given. No error shows what it holds.

    The file is a key and nothing else, or the vendor's JSON.
    """
    if path is None:
        return None
    try:
        text = Path(path).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, ValueError, RuntimeError) as error:
        if re.search(r"(^|[\s'\"=])plx_", path):
            raise Problem(
                "--key-file takes the path of a file, not the key itself", Exit.USAGE
            ) from None
        why = getattr(error, "strerror", None) or "it holds no text"
        raise Problem(
            f"the key file {path} cannot be read ({why}): check --key-file", Exit.USAGE
        ) from None
    try:
        found = json.loads(text)["api_key"]
    except (ValueError, TypeError, KeyError):
        found = text
    if not isinstance(found, str) or not found.isprintable() or len(found.split()) != 1:
        raise Problem(
            f"the key file {path} holds no key: put the key into it, such as plx_..., alone or as "
            "api_key in JSON",
            Exit.USAGE,
        )
    return found


def connection(args: argparse.Namespace) -> Dict[str, Any]:
    """Return what the options say to a Subscription; the key's file is read once only.

    It may be a pipe, as of ``--key-file <(pass show plexus)``.
    """
    return {
        "api_key": read_key(args.key_file),
        "base_url": args.url,
        "proxy": args.proxy,
        "allow_insecure": args.allow_insecure,
    }


def subscribe(args: argparse.Namespace, *streams: Stream) -> Subscription:
    """Return a subscription to the server that the options tell."""
    return Subscription(*streams, **connection(args))
