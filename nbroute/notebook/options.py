"""The words on a `%%route` or `%%route_compare` line -> options."""

from __future__ import annotations

import argparse
import keyword
import re
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import NoReturn

from nbroute.checks import NAMES as CHECKS
from nbroute.classify.registry import NAMES as CLASSIFIERS
from nbroute.engine.plan import CACHE_MODES, STRATEGIES
from nbroute.errors import SettingsError, did_you_mean
from nbroute.pricing import read_usd

_ASSIGNED = re.compile(r"^\s*([^\W\d]\w*)\s*<<(?:\s+|$)")
#: What is quoted, plainly or by a word processor; an escaped sign; signs of no width.
_PIECES = r"""
    "(?P<double>(?:\\"|[^"])*)"
    |'(?P<single>[^']*)'
    |(?<![^\s=])(?:[“”„‟«»″]|(?P<one>[‘’‚‛‹]))(?P<curly>.*?)(?(one)[‘’›]|[“”‟«»″])(?=\s|$)
    |\\(?P<escaped>["'\s])
    |[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]"""
_PIECE = re.compile(_PIECES, re.VERBOSE)
_WORDS = re.compile(
    rf"""(?P<comment>\#(?!\d+(?:\s|$)).*)
    |(?P<word>(?P<path>(?:[A-Za-z]:|\\)\\[^\s"']*)(?=\s|$)|(?:{_PIECES}|[^\s"'])+)
    |(?P<wrong>["'])""",
    re.VERBOSE,
)
_DASHES = re.compile(r"^-?[\u2010-\u2015\u2212\ufe58\uff0d]+-*(?=[A-Za-z])")
_CLOSE = "close the quote or escape it with \\"
_CURLY = "“”„‟«»″"
_CHECK_HELP = (
    "function of the answer, tests=NAME (code is run against the notebook's assertions), or "
    + ", ".join(CHECKS)
)


class Parser(argparse.ArgumentParser):
    """A parser of a magic's line, which raises our one-line errors and never exits the kernel."""

    def __init__(self, magic: str, description: str, words: str = "") -> None:
        usage = f"%(prog)s [NAME <<]{words} [options]\nprompt, with {{{{name}}}} for a variable"
        super().__init__(magic, usage, description, add_help=False, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Raise what is wrong, and say where the options are listed."""
        raise SettingsError(f"{message:.200}; `{self.prog} -h` lists the options")


def make_parser() -> argparse.ArgumentParser:
    """The options of `%%route`."""
    parser = Parser("%%route", "Send the prompt to the cheapest tier that should do.")
    add = parser.add_argument
    add("-t", "--tier", help="take this tier; nothing is classified")
    add("-m", "--model", help="take this model of the tier's provider; no fallbacks")
    add("-S", "--strategy", default="direct", help=", ".join(STRATEGIES))
    add("--start", metavar="TIER", help="where a cascade begins; nothing is classified")
    add("--tiers", metavar="A,B", type=_names, help="the tiers of a cascade, or parallel's two")
    alike = "similarity from which two answers agree, 0 to 1"
    add("--agreement", type=_number(1, "similarity"), help=alike)
    add("-s", "--system", help="system prompt in place of the tier's")
    add("--thread", metavar="NAME", help="go on with the conversation of that name")
    add("--no-stream", action="store_true", help="show the answer when it is complete")
    _add_common(parser)
    return parser


def make_compare_parser() -> argparse.ArgumentParser:
    """The options of `%%route_compare`."""
    told = (
        "Send the prompt to several tiers or models at once, and show their answers side by side."
    )
    parser = Parser("%%route_compare", told, " [TIER ...]")
    add = parser.add_argument
    add("tiers", nargs="*", metavar="TIER", help="tiers or models; without any, the whole ladder")
    add("--blind", action="store_true", help="hide tiers, costs and times until you vote")
    add("--diff", action="store_true", help="highlight what no other answer says")
    add("--table", action="store_true", help="show the figures as a table, too")
    add("--over", metavar="TABLE", help="a prompt for each row of a DataFrame, or of lists A,B")
    add("--to", metavar="FOLDER", help="keep the answers there; the same cell goes on with them")
    add("--resume", action="store_true", help="go on with what was stopped")
    add("-s", "--system", action="append", help="system prompt; several, or @A,@B, are compared")
    _add_common(parser)
    return parser


def _add_common(parser: argparse.ArgumentParser) -> None:
    """Add what both magics take, for one answer or for each."""
    add = parser.add_argument
    add("-c", "--classifier", help=", ".join(CLASSIFIERS) + ", or a function's name")
    add("--max-tokens", type=_whole, help="token budget of an answer in place of the tier's")
    add("--max-cost", type=_dollars, help="refuse to send what could cost more US dollars")
    add("--over-budget", action="store_true", help="send even where a budget is used up")
    add("--temperature", type=_number(2, "temperature"), help="0 repeats itself, 2 is wild")
    add("--json", action="store_true", help="ask for JSON and check that it is")
    add("--schema", metavar="NAME", help="JSON schema, pydantic model or dataclass to answer in")
    add("--check", action="append", default=[], metavar="NAME", help=_CHECK_HELP)
    add("--feature", help="what this is for; spend can be summed by it")
    add("--cache", metavar="MODE", help=", ".join(CACHE_MODES) + " (only: sends nothing)")
    add("--no-cache", action="store_true", help="as --cache off")
    add("-n", "--dry-run", action="store_true", help="show what would be sent and cost; send none")
    add("-o", "--output", metavar="NAME", help="keep the result in this variable (also NAME <<)")
    add("-q", "--quiet", action="store_true", help="show nothing; keep the result")
    add("-h", "--help", action="store_true", help="show this and send nothing")


def parse(line: str, parser: argparse.ArgumentParser | None = None) -> argparse.Namespace:
    """The options of a `%%route` line; SettingsError with the close matches otherwise."""
    assigned = _ASSIGNED.match(line)
    parser = parser or make_parser()
    rest = words(line[assigned.end() :] if assigned else line)
    found, unknown = parser.parse_known_intermixed_args(rest)
    if unknown:
        hint = did_you_mean(unknown[0], flags(parser))
        if not unknown[0].startswith("-"):
            hint = "the prompt goes on the lines below %%route"
        raise SettingsError(f"unknown option {unknown[0]!r:.80}: {hint}")
    if assigned:
        found.output = assigned[1]
    if found.output and not _is_name(found.output):
        msg = f"{found.output!r:.80} is not a variable name; `-o` takes one such as `answer`"
        raise SettingsError(msg)
    return found


def parse_compare(line: str) -> argparse.Namespace:
    """The options of a `%%route_compare` line; commas part tiers, too."""
    found = parse(line, make_compare_parser())
    asked = [name for word in found.tiers for name in word.split(",")]
    found.tiers = tuple(name.strip() for name in asked if name.strip()) if found.tiers else None
    return found


def _is_name(text: str) -> bool:
    """Whether a variable may have that name, without taking one of IPython's or Python's away."""
    reserved = keyword.iskeyword(text) or text.startswith("__")
    return text.isidentifier() and not reserved and text not in ("get_ipython", "In", "Out")


def words(line: str) -> list[str]:
    r"""The words of a line up to a `# comment`; SettingsError for a quote that is not closed.

    As in a shell, but a backslash is one (`C:\Users`), unless a quote or white space follows.
    """
    found = []
    for part in _WORDS.finditer(line):
        if part["comment"]:
            break
        word = part["path"] or _dashed(_PIECE.sub(_plain, part[0]))
        quote = part[0][0]
        if part["wrong"] or quote == word[:1] in tuple(_CURLY):
            cure = 'write a plain " at both ends' if set(line) & set(_CURLY) else _CLOSE
            msg = f"cannot read {line.strip()!r:.80}: the quote {quote} is not closed; {cure}"
            raise SettingsError(msg)
        found.append(word)
    return found


def uncommented(line: str) -> str:
    """The line without the `# comment` at its end."""
    comments = (part.start() for part in _WORDS.finditer(line) if part["comment"])
    return line[: next(comments, len(line))].strip()


def _plain(piece: re.Match[str]) -> str:
    if piece["double"] is not None:
        return piece["double"].replace('\\"', '"')
    return next((piece[name] for name in ("single", "curly", "escaped") if piece[name]), "")


def _dashed(word: str) -> str:
    """The word with the two dashes that a word processor made one of."""
    name = _DASHES.sub("", word)
    if name == word:
        return word
    return f"{'-' if len(name.partition('=')[0]) == 1 else '--'}{name}"


def flags(parser: argparse.ArgumentParser | None = None) -> tuple[str, ...]:
    """Every option, short and long."""
    actions = (parser or make_parser())._actions  # noqa: SLF001 - argparse has no public list
    return tuple(flag for action in actions for flag in action.option_strings)


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text)):
        msg = f"{text!r:.40} is not a token budget: it takes a whole number from 1 up"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise argparse.ArgumentTypeError(f"{text!r:.40} names no tier: it takes two or more, A,B")
    return names


def _number(most: int, kind: str) -> Callable[[str], float]:
    """The type of an option that takes a number from 0 to `most`."""

    def number(text: str) -> float:
        with suppress(ValueError):
            if 0 <= float(text) <= most:
                return float(text)
        msg = f"{text!r:.40} is not a {kind}: it takes a number from 0 to {most}, such as 0.7"
        raise argparse.ArgumentTypeError(msg)

    return number


def _dollars(text: str) -> Decimal:
    amount = read_usd(text)
    if amount is None:
        msg = f"{text!r:.40} is not an amount of US dollars; it takes one such as 0.05"
        raise argparse.ArgumentTypeError(msg)
    return amount
