"""`nbroute pull`: gets a model file for the local profile."""

from __future__ import annotations

import argparse
from typing import Any

from nbroute.cli.terminal import folder


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    words = commands.add_parser("pull", help="get a model file for the local profile")
    words.add_argument("source", nargs="?", help="http(s) address of a GGUF file (else SmolLM2)")
    words.add_argument("--sha256", metavar="HEX", help="the checksum that the file must have")
    words.add_argument("--folder", metavar="DIR", type=folder, help="where to keep the file")
    words.set_defaults(command=_pull)


def _pull(options: argparse.Namespace) -> int:
    from nbroute.providers.pull import pull

    pull(options.source, options.folder, sha256=options.sha256)
    return 0
