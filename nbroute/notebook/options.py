"""The words on a `%%route` or `%%route_compare` line -> options."""

from __future__ import annotations

import argparse
import keyword
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import NoReturn

from nbroute.checks import NAMES as CHECKS
from nbroute.classify.registry import NAMES as CLASSIFIERS
from nbroute.engine.plan import AGREE_BY, CACHE_MODES, MOST_REPEATS, STRATEGIES
from nbroute.errors import SettingsError, did_you_mean
from nbroute.pricing import read_usd
from nbroute.types import EFFORTS

_ASSIGNED = re.compile(r"^\s*([^\W\d]\w*)\s*<<(?:\s+|$)")
#: What is quoted, plainly or by a word processor; an escaped character; characters of no width.
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
_RESERVED = ("get_ipython", "In", "Out")
_CLOSE = "close the quote or escape it with \\"
_CURLY = "“”„‟«»″"
_CHECK_HELP = (
    "function of the answer, tests=NAME (code is run against the notebook's assertions), or "
    + ", ".join(CHECKS)
)


class Parser(argparse.ArgumentParser):
    """The options on a magic's line, with our one-line errors; it never exits the kernel."""

    def __init__(self, magic: str, description: str, words: str = "") -> None:
        usage = f"%(prog)s [NAME <<]{words} [options]\nprompt, with {{{{name}}}} for a variable"
        super().__init__(magic, usage, description, add_help=False, allow_abbrev=False)

    @property
    def flags(self) -> tuple[str, ...]:
        """Every option, short and long."""
        return tuple(self._option_string_actions)

    def error(self, message: str) -> NoReturn:
        """Raise what is wrong, and say where the options are listed."""
        raise SettingsError(f"{message:.200}; `{self.prog} -h` lists the options")

    def read(self, line: str) -> argparse.Namespace:
        """The options on the line; SettingsError with the close matches otherwise."""
        assigned = _ASSIGNED.match(line)
        rest = words(line[assigned.end() :] if assigned else line)
        found, unknown = self.parse_known_intermixed_args(rest)
        if unknown:
            hint = did_you_mean(unknown[0], self.flags)
            if not unknown[0].startswith("-"):
                hint = f"the prompt goes on the lines below {self.prog}"
            raise SettingsError(f"unknown option {unknown[0]!r:.80}: {hint}")
        name = found.output = assigned[1] if assigned else found.output
        # nor one that would replace IPython's or Python's own
        reserved = name and (keyword.iskeyword(name) or name.startswith("__") or name in _RESERVED)
        if name and (reserved or not name.isidentifier()):
            msg = f"{name!r:.80} is not a variable name; `-o` takes one such as `answer`"
            raise SettingsError(msg)
        if isinstance(found.tiers, list):
            found.tiers = tuple(tier for names in found.tiers for tier in names) or None
        return found


def words(line: str) -> list[str]:
    r"""The words of a line up to a `# comment`; SettingsError for a quote that is not closed.

    As in a shell, but a backslash stays (`C:\Users`) unless a quote or white space follows.
    """
    found = []
    for part in _WORDS.finditer(line):
        if part["comment"]:
            break
        word = part["path"] or _PIECE.sub(_plain, part[0])
        if (name := _DASHES.sub("", word)) != word:  # a word processor turned two dashes into one
            word = f"{'-' if len(name.partition('=')[0]) == 1 else '--'}{name}"
        quote = part[0][0]
        if part["wrong"] or quote == word[:1] in tuple(_CURLY):
            cure = 'write a plain " at both ends' if set(line) & set(_CURLY) else _CLOSE
            msg = f"cannot read {line.strip()!r:.80}: the quote {quote} is not closed; {cure}"
            raise SettingsError(msg)
        found.append(word)
    return found


def spoken(
    command: str, line: str, takes: Sequence[str] = (), flags: Sequence[str] = ()
) -> dict[str, str]:
    """The options on a `%route` line, those in `takes` with their values; a name is under "".

    SettingsError for an unknown option, one given twice or without its value, and two names.
    """
    found, left = dict[str, str](), iter(words(line))
    for word in left:
        name, equals, value = word.partition("=")
        if not name.startswith("-"):
            if "" in found:
                raise SettingsError(f"`{command}` takes one name, not {found['']} and {word:.80}")
            found[""] = word
            continue
        if name not in (*takes, *flags):
            hint = did_you_mean(name, (*takes, *flags))
            raise SettingsError(f"`{command}` takes no {name!r:.80}: {hint}")
        if name in found:
            raise SettingsError(f"`{command}` has {name} twice; give it once")
        value = value if equals or name in flags else next(left, "")
        if (name in takes) != bool(value):
            wrong = "has no value; give one after it" if name in takes else "takes no value"
            raise SettingsError(f"`{command}`: {name} {wrong}")
        found[name] = value
    return found


def uncommented(line: str) -> str:
    """The line without the `# comment` at its end."""
    comments = (part.start() for part in _WORDS.finditer(line) if part["comment"])
    return line[: next(comments, len(line))].strip()


def _plain(piece: re.Match[str]) -> str:
    if piece["double"] is not None:
        return piece["double"].replace('\\"', '"')
    return next((piece[name] for name in ("single", "curly", "escaped") if piece[name]), "")


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text)):
        msg = f"{text!r:.40} is not a token budget: it takes a whole number from 1 up"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def _times(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 2 <= int(text[:9]) <= MOST_REPEATS):
        msg = f"{text!r:.40} is not a number of times to ask: give one from 2 to {MOST_REPEATS}"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise argparse.ArgumentTypeError(f"{text!r:.40} names no tiers; give them as in A,B")
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


ROUTE = Parser("%%route", "Send the prompt to the cheapest tier that should do.")
_add = ROUTE.add_argument
_add("-t", "--tier", help="use this tier; nothing is classified")
_add("-m", "--model", help="use this model of the tier's provider; no fallbacks")
_add("-S", "--strategy", default="direct", help=", ".join(STRATEGIES))
_add("--start", metavar="TIER", help="where a cascade begins; nothing is classified")
_add(
    "--tiers",
    metavar="A,B",
    type=_names,
    help="the tiers of a cascade, two for parallel, three for consensus",
)
_alike = "how similar two answers must be to agree, 0 to 1"
_add("--agreement", type=_number(1, "similarity"), help=_alike)
_add("--by", metavar="WAY", help=f"{', '.join(AGREE_BY)}: how two answers are compared")
_add("-s", "--system", help="system prompt instead of the tier's")
_add("--thread", metavar="NAME", help="continue the conversation of that name")
_add("--no-stream", action="store_true", help="show the answer only when it is complete")

_told = "Send the prompt to several tiers or models at once, and show their answers side by side."
COMPARE = Parser("%%route_compare", _told, " [TIER ...]")
_add = COMPARE.add_argument
_each = "tiers or models; without any, the whole ladder"
_add("tiers", nargs="*", metavar="TIER", type=_names, help=_each)
_add("--blind", action="store_true", help="hide tiers, costs and times until you vote")
_add("--diff", action="store_true", help="highlight what no other answer says")
_add("--table", action="store_true", help="show the figures as a table, too")
_add("--over", metavar="TABLE", help="a prompt for each row of a DataFrame, or of lists A,B")
_add(
    "--to",
    metavar="FOLDER",
    help="keep the answers there; run the cell again to continue",
)
_add("--resume", action="store_true", help="continue what was stopped")
_add("-s", "--system", action="append", help="system prompt; several, or @A,@B, are compared")

for _add in (ROUTE.add_argument, COMPARE.add_argument):
    _add("-c", "--classifier", help=", ".join(CLASSIFIERS) + ", or a function's name")
    _add("--max-tokens", type=_whole, help="token budget of an answer, instead of the tier's")
    _add(
        "--max-cost",
        type=_dollars,
        help="send nothing that could cost more than this, in US dollars",
    )
    _add("--over-budget", action="store_true", help="send even if a budget is used up")
    _add("--temperature", type=_number(2, "temperature"), help="0 repeats itself, 2 is wild")
    _add("--effort", metavar="LEVEL", help=", ".join(EFFORTS) + ": how hard a model thinks first")
    _add(
        "--repeat",
        metavar="N",
        type=_times,
        help="ask N times; show how often the answers agree",
    )
    _add("--json", action="store_true", help="ask for JSON and check that it is")
    _add("--schema", metavar="NAME", help="JSON schema, pydantic model or dataclass to answer in")
    _add("--check", action="append", default=[], metavar="NAME", help=_CHECK_HELP)
    _add("--feature", help="what this is for; spend can be grouped by it")
    _add("--cache", metavar="MODE", help=", ".join(CACHE_MODES) + " (only: sends nothing)")
    _add("--no-cache", action="store_true", help="the same as --cache off")
    _add(
        "-n",
        "--dry-run",
        action="store_true",
        help="show what would be sent and what it would cost",
    )
    _add("-o", "--output", metavar="NAME", help="keep the result in this variable (also NAME <<)")
    _add("-q", "--quiet", action="store_true", help="show nothing; keep the result")
    _add("-h", "--help", action="store_true", help="show this and send nothing")
