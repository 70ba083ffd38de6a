"""The pages say what is true: links lead somewhere, code runs, output is what is printed.

The blocks of a page are run in order in one shell on the simulated profile, as a notebook's cells:

- `python` and `ipython`: a cell. `output` after it: what it prints in a terminal, where `...`
  stands for anything.
- `toml`: a settings file, whole in itself.
- `sh`: `nbroute` commands are run where NOT_HERE names no reason; a `make` target has to exist.
- `text`: neither run nor compared.

`<!-- not run: why -->` above a block leaves it out.
"""

from __future__ import annotations

import doctest
import re
import shlex
import shutil
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from cells import run
from markdown_it import MarkdownIt

from nbroute.cli import main
from nbroute.notebook.commands import COMMANDS
from nbroute.notebook.options import COMPARE, ROUTE
from nbroute.settings import load
from nbroute.settings.model import sections

ROOT = Path(__file__).parents[2]
NAVIGATION = re.findall(r"(\S+\.md)$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.MULTILINE)
PAGES = [ROOT / "README.md", *(ROOT / "docs" / name for name in NAVIGATION)]
LINKING = [*PAGES, *ROOT.glob("C*.md"), ROOT / "notebooks" / "README.md"]
RUN = {"python", "ipython"}
KNOWN = RUN | {"output", "toml", "sh", "text"}
# Commands that a page may show and a test does not run, by their second word.
NOT_HERE = {
    "pull": "downloads a model",
    "run": "takes a minute; tests/cli runs it",
    "check-endpoint": "needs a key",
}
UNMARKED = re.compile(r"<!-- not run: \S.* -->\s*")


@dataclass(frozen=True)
class Block:
    line: int
    kind: str
    text: str
    left_out: bool


def blocks(page: Path) -> list[Block]:
    tokens = MarkdownIt().parse(page.read_text("utf-8"))
    before = [None, *tokens]
    return [
        Block(
            token.map[0] + 1,
            token.info.split(" ", 1)[0],
            token.content,
            last is not None and bool(UNMARKED.fullmatch(last.content)),
        )
        for last, token in zip(before, tokens, strict=False)
        if token.type == "fence"
    ]


def anchors(page: Path) -> set[str]:
    """The headings' anchors, as both GitHub and Python-Markdown write them."""
    tokens = MarkdownIt().parse(page.read_text("utf-8"))
    titles = [
        "".join(part.content for part in title.children)
        for opening, title in pairwise(tokens)
        if opening.type == "heading_open"
    ]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def links(page: Path) -> list[str]:
    """The relative ones."""
    found = [
        child.attrs.get("href") or child.attrs.get("src")
        for token in MarkdownIt().enable("table").parse(page.read_text("utf-8"))
        for child in token.children or ()
        if child.type in {"link_open", "image"}
    ]
    return [link for link in found if not re.match(r"\w+:", link)]


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", LINKING, ids=named)
def test_each_link_leads_to_a_file_and_a_heading(page):
    for link in links(page):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link
        assert page.parent.name != "docs" or not link.startswith(".."), "not on the site"


def test_each_page_and_picture_can_be_reached():
    pages = {path.name for path in (ROOT / "docs").glob("*.md")}
    shown = {Path(link).name for page in LINKING for link in links(page) if link.endswith(".png")}

    assert sorted(NAVIGATION) == sorted(pages)
    assert shown == {path.name for path in (ROOT / "docs" / "pictures").iterdir()}


def test_the_readme_is_read_in_three_minutes():
    assert len((ROOT / "README.md").read_text("utf-8")) <= 9_000


def test_each_option_command_and_setting_is_on_its_page():
    cell, compare, models = (
        (ROOT / "docs" / f"{name}.md").read_text("utf-8") for name in ("cell", "compare", "models")
    )
    parsers = ((ROUTE, cell), (COMPARE, cell + compare))
    options = [(one, text) for parser, text in parsers for one in parser._option_string_actions]
    words = [(word, cell) for word in COMMANDS]
    keys = [(f"`{key}`", models) for table in sections().values() for key in table]

    assert [name for name, text in (*options, *words, *keys) if name not in text] == []


def test_few_blocks_are_left_out():
    all_of_them = [block for page in PAGES for block in blocks(page) if block.kind in RUN]

    assert len([block for block in all_of_them if block.left_out]) <= len(all_of_them) // 10


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_the_blocks_of_a_page_do_what_it_says(page, shell, capfd):
    shutil.copytree(ROOT / "notebooks", "notebooks")
    shown, cell = "", None
    for block in blocks(page):
        where = f"{named(page)}:{block.line}"
        assert block.kind in KNOWN, f"{where} is a block of an unknown kind: {block.kind!r}"
        if block.left_out:
            shown, cell = None, None
        elif block.kind in RUN:
            assert cell is None or cell[1].success, f"{cell[0]} failed:\n{shown}"
            shown, done = run(shell, block.text.rstrip("\n"))
            cell = where, done
        elif block.kind == "output":
            assert shown is None or alike(block.text, shown), f"{where} is really:\n{shown}"
            cell = None
        elif block.kind == "toml":
            Path("page.toml").write_text(block.text, "utf-8")
            load("page.toml", environ={})
        elif block.kind == "sh":
            shown, cell = "".join(commands(block.text, capfd)), None
    assert cell is None or cell[1].success, f"{cell[0]} failed:\n{shown}"


def alike(wanted: str, shown: str) -> bool:
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    shown = re.sub(r"^(Out\[\d+\]: |.*(?:prompt|call)/s.*)", "", shown, flags=re.MULTILINE)
    return doctest.OutputChecker().check_output(wanted.strip(), shown.strip(), flags)


def commands(text: str, capfd: pytest.CaptureFixture[str]) -> list[str]:
    """Run what can be run here; what it printed."""
    made = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    printed = []
    for line in text.replace("\\\n", " ").splitlines():
        match shlex.split(line, comments=True):
            case ["make", target, *_]:
                assert target in made, line
            case ["nbroute", command, *rest] if command not in NOT_HERE or "simulated" in rest:
                capfd.readouterr()
                main([command, *rest])
                printed.append(capfd.readouterr().out)
    return printed
