"""The command line: `nbroute pull`, `nbroute run` and `nbroute audit`."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence

from nbroute.cli import audit, pull, run
from nbroute.errors import NbrouteError

_INTERRUPTED = 130
_PIPE_CLOSED = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the exit code is 0, 1 for an error, 2 for wrong usage (as SystemExit).

    `audit --max-usd` has one more: 3.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):  # a file's name may be in any script, or none
        sys.stdout.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(argv)
    try:
        code: int = options.command(options)
        sys.stdout.flush()
    except NbrouteError as error:
        print(f"nbroute: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("nbroute: stopped", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        # Else the interpreter flushes into the closed pipe again at its exit, and complains.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _PIPE_CLOSED
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="nbroute", description="Model routing in notebooks.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (pull, run, audit):
        command.add_to(commands)
    return parser
