"""The words on a `%%route_compare` line -> options."""

from __future__ import annotations

import argparse

from nbroute.notebook import options
from nbroute.notebook.options import Parser, dollars, whole


def make_parser() -> argparse.ArgumentParser:
    """The options of `%%route_compare`."""
    parser = Parser(
        prog="%%route_compare",
        add_help=False,
        allow_abbrev=False,
        usage="%%%%route_compare [NAME <<] [TIER ...] [options]\n"
        "prompt, with {{name}} for a notebook variable",
        description="Send the prompt to several tiers or models at once, and show the answers "
        "beside one another.",
    )
    add = parser.add_argument
    add("tiers", nargs="*", metavar="TIER", help="tiers or models; without any, the whole ladder")
    add("--blind", action="store_true", help="hide tiers, costs and times until you vote")
    add("--diff", action="store_true", help="mark the words that only one answer has")
    add("-c", "--classifier", help="who says where routing would send it")
    add("-s", "--system", help="system prompt in place of the tiers'")
    add("--max-tokens", type=whole, help="token budget of each answer in place of the tiers'")
    add("--max-cost", type=dollars, help="refuse what could cost more US dollars, each answer")
    options.add_answering(parser)
    add("-n", "--dry-run", action="store_true", help="show what it would cost; send none")
    add("-o", "--output", metavar="NAME", help="keep the comparison in this variable")
    add("-q", "--quiet", action="store_true", help="show nothing; keep the comparison")
    add("-h", "--help", action="store_true", help="show this and send nothing")
    return parser


def parse(line: str) -> argparse.Namespace:
    """The options of a `%%route_compare` line; commas part tiers, too."""
    found = options.parse(line, make_parser())
    asked = [name for word in found.tiers for name in word.split(",")]
    found.tiers = tuple(name.strip() for name in asked if name.strip()) if found.tiers else None
    return found


def flags() -> tuple[str, ...]:
    """Every option, short and long."""
    return options.flags(make_parser())
