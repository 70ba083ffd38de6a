"""JSON, characters and added files, before anybody knows what they are about."""

from __future__ import annotations

import runpy
import sys
from importlib import import_module
from pathlib import Path

import pytest
from ledgers import python

import nbroute
from nbroute.decoding import Halves, parse
from nbroute.errors import SettingsError
from nbroute.notebook.commands import base


def test_what_cannot_be_read_is_a_value_error_in_words():
    for text in (b"\xff", "[" * 101 + "]" * 101, "{", '"'):
        with pytest.raises(ValueError, match=r"^it is "):
            parse(text)
    assert [1, {"a": "\ud83d"}] == parse(b'\xef\xbb\xbf[1, {"a": "\\ud83d"}]')


def test_the_halves_of_a_character_are_joined():
    for pieces, text in (
        (["a\ud83d", "", "\ude00\ud83d", "\ude00"], "a😀😀"),
        (["\ud83d", "b", "\ude00", "c"], "\ufffdb\ufffdc"),
        (["\udcf0\udc9f", "\udc98\udc80.", "\udce2\udc98", "x", "\udcff"], "😀.\ufffdx\ufffd"),
    ):
        halves = Halves()
        assert text == "".join(map(halves.feed, pieces)) + halves.end()


VALUE = "def check(reply, value):\n    return True\n"
FITS = f"fits = lambda value: True\n{VALUE}"
DECIDES = "class Own:\n    name = 'ngrams'\n    def classify(self, prompt, ladder): ...\n"
COMMAND = "from nbroute.notebook.commands.base import command\n"
COUNTS = f"{COMMAND}@command()\ndef count(desk, rest):"
#: By the file that reads a folder: the folder, and what is wrong with a file there.
WRONG = {
    "checks/named.py": ("checks.more", {
        "": "it has no check; write check(reply), which returns whether the answer will do.",
        "check = 3": "its check cannot be used; write check(reply), which returns",
        VALUE: "it has no TAKES; say in it, in words, what number it takes, or write check(reply), "
        "which takes none.",
        f"TAKES = 3\n{FITS}": "its TAKES cannot be used; say in it",
        f"TAKES = 'x'\n{VALUE}": "it has no fits; write fits(value), which returns whether a "
        "number will do.",
        "TAKES = 'x'\nfits = check = len": "its check cannot be used; write check(reply, value), "
        "as it has TAKES, or leave TAKES and fits out.",
        "\nraise ValueError('no')": " cannot be imported: ValueError: no at line 2",
    }),
    "classify/registry.py": ("classify.more", {
        "": "it has no CLASSIFIER; write CLASSIFIER = Yours()",
        f"{DECIDES}CLASSIFIER = Own": "its CLASSIFIER cannot be used; write CLASSIFIER = Yours()",
        f"{DECIDES}CLASSIFIER = Own()": "the name 'ngrams' is taken; give this one another",
    }),
    "settings/model.py": ("providers.more", {
        "": "it has no provider; write provider(name",
        "def provider(name): ...": "its provider cannot be used; write provider(name",
    }),
    "notebook/commands/__init__.py": ("notebook.commands", {
        "": "it has no command; write @command()",
        f"{COMMAND}@command()\ndef count(rest): ...": "write count(desk, rest)",
        f"{COUNTS} ...": "count has no docstring",
        f"{COUNTS}\n    'Count.'\n{COUNTS}\n    'Count.'": "the name 'count' is taken",
    }),
}  # fmt: skip


@pytest.mark.parametrize(
    ("reader", "code", "said"),
    [(one, *row) for one, (_, rows) in WRONG.items() for row in rows.items()],
)
def test_a_file_that_was_added_and_cannot_be_used_is_one_line_with_the_file_and_the_cure(
    reader, code, said, tmp_path, monkeypatch
):
    folder, file = f"nbroute.{WRONG[reader][0]}", tmp_path / "added.py"
    file.write_text(code)
    monkeypatch.setattr(import_module(folder), "__path__", [str(tmp_path)])
    monkeypatch.setattr(base, "COMMANDS", {})

    with pytest.raises(SettingsError) as caught:
        runpy.run_path(str(Path(nbroute.__file__).parent / reader))
    (line,) = str(caught.value).splitlines()
    assert line.startswith(str(file))
    assert said in line
    assert f"{folder}.added" not in sys.modules  # so that a corrected file is read


def test_the_command_line_says_it_in_one_line_too(tmp_path):
    (tmp_path / "added.py").write_text("")
    code = (
        "import nbroute.providers.more as more, nbroute.__main__ as command\n"
        f"more.__path__.append({str(tmp_path)!r})\nraise SystemExit(command.main())"
    )
    with python(code) as process:
        _, err = process.communicate(timeout=60)
    assert (1, 1) == (process.returncode, len(err.splitlines()))
    assert "it has no provider" in err
