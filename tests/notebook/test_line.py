"""What a user types after a magic's name, and what becomes of it before anything is sent."""

from __future__ import annotations

import pytest
from cells import error_of, run
from IPython.core.completer import provisionalcompleter

from nbroute.errors import SettingsError
from nbroute.notebook import magics
from nbroute.notebook.options import uncommented, words

# Typing in a terminal


@pytest.mark.parametrize("typed", ["%%route", "%%route -t SIMPLE\n", "%%route_compare\nhello\n"])
def test_a_terminal_asks_for_the_lines_of_the_prompt(shell, typed):
    assert "incomplete" == shell.check_complete(typed)[0]
    assert "complete" == shell.check_complete(f"{typed.strip()}\nthe last line\n\n")[0]
    assert "complete" == shell.check_complete("%%route -h\n")[0]


# Loading again


def router_of(shell):
    return run(shell, "%route router")[1].result


def test_reloading_goes_on_with_the_session(shell):
    router = router_of(shell)
    run(shell, "%route budget 2.5")
    run(shell, "%route record talk.rec")
    run(shell, "%%route --thread trip -t SIMPLE\nName three uses of a paper clip.")
    run(shell, "%%route_compare SIMPLE MEDIUM\nhello")

    told, _ = run(shell, "%reload_ext nbroute")

    assert "your session goes on" in told
    assert router is router_of(shell)
    assert "$2.5" in run(shell, "%route budget")[0]
    assert "trip" in run(shell, "%route threads")[0]
    assert "recording to" in run(shell, "%route record")[0]
    run(shell, "%route record empty.rec")
    run(shell, "%reload_ext nbroute")
    assert "recording to" in run(shell, "%route record")[0]
    assert run(shell, "%route vote SIMPLE")[1].success
    assert "MEDIUM" == run(shell, "%route escalate")[1].result.tier
    assert "4 calls" in run(shell, "%route spend")[0]


def test_unloading_gives_the_files_back_and_a_later_load_goes_on(shell, monkeypatch):
    run(shell, "%%route\nhello")
    ledger, closed = router_of(shell).ledger, []
    close = ledger.close
    monkeypatch.setattr(ledger, "close", lambda: closed.append(True) or close())

    shell.run_line_magic("unload_ext", "nbroute")

    assert closed
    assert "session goes on" in run(shell, "%load_ext nbroute")[0]
    assert "1 call " in run(shell, "%route spend")[0]


def test_reloading_goes_on_with_a_replay(shell):
    run(shell, "%route record talk.rec")
    run(shell, "%%route\nhello")
    run(shell, "%route record off")
    run(shell, "%route replay talk.rec")

    run(shell, "%reload_ext nbroute")

    assert "replaying talk.rec" in run(shell, "%route replay")[0]


def test_reloading_takes_settings_that_changed(shell, tmp_path):
    run(shell, "%%route\nhello")
    (tmp_path / "nbroute" / "nbroute.toml").write_text("[nbroute]\nbudget_usd = 3\n")

    run(shell, "%reload_ext nbroute")

    assert "budget: $3 this session" in run(shell, "%route budget")[0]
    assert "1 call " in run(shell, "%route spend")[0]


def test_settings_that_are_broken_meanwhile_lose_nothing(shell, tmp_path):
    run(shell, "%%route\nhello")
    file = tmp_path / "nbroute" / "nbroute.toml"
    file.write_text("[nbroute\n")

    assert "is not TOML" in error_of(shell, "%reload_ext nbroute")

    file.unlink()
    run(shell, "%load_ext nbroute")
    assert "1 call " in run(shell, "%route spend")[0]


def test_reloading_after_an_update_asks_for_a_restart(shell, monkeypatch):
    assert "restart" not in run(shell, "%reload_ext nbroute")[0]
    monkeypatch.setattr(magics, "_LOADED", 1)

    assert "restart the kernel" in run(shell, "%reload_ext nbroute")[0]


# Question marks


@pytest.fixture
def classified(shell, monkeypatch):
    """The texts that were classified."""
    router, seen = router_of(shell), []
    classify = router.classify
    monkeypatch.setattr(router, "classify", lambda text, *a: seen.append(text) or classify(text))
    return seen


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("%route classify Is the sky blue?", "Is the sky blue?"),
        ("decided = %route classify Is the sky blue?", "Is the sky blue?"),
        ("if True:\n    %route classify Why isn't it?", "Why isn't it?"),
        ("%route\tclassify\tIs it?", "Is it?"),
        ("%route\u00a0classify Is it?", "Is it?"),
        ("\ufeff%route classify Is it?", "Is it?"),
        ("x = 1\n%route classify It's # 1?\n%route classify Is it?", "Is it?"),
        ("%route classify Is it ${{price}}?", "Is it $7?"),
        ("%route classify C# or 'F#??", "C# or 'F#??"),
        ("%time %route classify Is it?", "Is it?"),
        ("x = %time %route classify Is it?", "Is it?"),
    ],
)
def test_a_text_keeps_its_question_mark(shell, classified, cell, text):
    shell.user_ns["price"] = 7

    said, done = run(shell, cell)

    assert done.success, said
    assert text == classified[-1]


@pytest.mark.parametrize(
    "cell", ["%%route -h", "%%route\t--help", "\n\n%%route -t X -h", "%%route?"]
)
def test_help_needs_no_cell_body(shell, cell):
    text, done = run(shell, cell)

    assert done.success
    assert "--max-cost" in text
    compared = cell.replace("%%route", "%%route_compare").replace("-t X ", "")
    assert "--blind" in run(shell, compared)[0]


@pytest.mark.parametrize(
    "cell", ["%%route", "\n%%route -t SIMPLE\n", "%%route_compare", "%%route kept <<\n\n"]
)
def test_a_cell_without_a_prompt_is_told_so(shell, cell):
    assert "the cell has no prompt; write it below the %%route" in error_of(shell, cell)


@pytest.mark.parametrize("line", ["%route?", "?%route", "?%%route", "%route -h", "%route --help"])
def test_a_question_mark_behind_the_magic_shows_our_help(shell, line):
    assert "%route spend" in run(shell, line)[0]


@pytest.mark.parametrize(
    "cell",
    [
        "x = '''\n%route classify a?\n'''",
        "%%time\n%route classify a?",
        "%%route\n%route classify a?",
        "f(\n%route a?\n)",
        "%routes a?",
        "len?",
        "%route??",
        "# %route a?",
        "print('%route a?')",
        "%%route answer <<\n\n# only a comment",
    ],
)
def test_other_cells_are_left_to_ipython(shell, cell):
    ours = shell.transform_cell(cell)
    shell.run_line_magic("unload_ext", "nbroute")

    assert shell.transform_cell(cell) == ours

    shell.run_line_magic("load_ext", "nbroute")


# Words


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (r"C:\Users\me\page.html --force", [r"C:\Users\me\page.html", "--force"]),
        (r'"C:\My Files\talk.rec"', [r"C:\My Files\talk.rec"]),
        (r'"C:\My Files\" --force', ["C:\\My Files\\", "--force"]),
        ("C:\\dir\\ --force", ["C:\\dir\\", "--force"]),
        (r"\\server\share\a.rec", [r"\\server\share\a.rec"]),
        (r'-s "say \"hi\"" -q', ["-s", 'say "hi"', "-q"]),
        (r"-s 'it is \d+' my\ file.html don\'t", ["-s", r"it is \d+", "my file.html", "don't"]),
        ("a\tb\u00a0c\u3000d", ["a", "b", "c", "d"]),
        ("-o x=' y '\"z\"", ["-o", "x= y z"]),
        ("'' \"\"", ["", ""]),
        ("-t SIMPLE # cheap, isn't it", ["-t", "SIMPLE"]),
        ("-t SIMPLE #cheap", ["-t", "SIMPLE"]),
        ('-s "# Role" #1 C# --feature a#b', ["-s", "# Role", "#1", "C#", "--feature", "a#b"]),
        ("—tier SIMPLE –t X ‑‑start=Y −n", ["--tier", "SIMPLE", "-t", "X", "--start=Y", "-n"]),
        ("-s “Be ‘brief’, don’t ramble” -q", ["-s", "Be ‘brief’, don’t ramble", "-q"]),
        ("--system=‘don’t ramble’ -q", ["--system=don’t ramble", "-q"]),
        ("-s «Sois bref» „Sei kurz“", ["-s", "Sois bref", "Sei kurz"]),
        ("\ufeff--ti\u200ber\u200b SIMPLE", ["--tier", "SIMPLE"]),
        ('-s "a\u200bb — “c”" x–y — don’t', ["-s", "a\u200bb — “c”", "x–y", "—", "don’t"]),
    ],
)
def test_a_line_is_split_as_it_is_meant(line, expected):
    assert expected == words(line)


@pytest.mark.parametrize(
    ("line", "cure"),
    [
        ("-s 'open", "the quote ' is not closed; close the quote"),
        ("-s “open the door", 'the quote “ is not closed; write a plain " at both ends'),
        ('-s "half and half”', 'the quote " is not closed; write a plain " at both ends'),
    ],
)
def test_a_quote_that_is_not_closed_is_named(line, cure):
    with pytest.raises(SettingsError, match=cure):
        words(line)


def test_a_comment_is_taken_off_a_line():
    assert "label 7 good" == uncommented("label 7 good  # the best")
    assert '#1 C# "a # b"' == uncommented('#1 C# "a # b"')


def test_a_comment_after_a_command_is_one(shell):
    assert run(shell, "%route use simulated # offline")[1].success
    assert run(shell, "%route budget 1 # a dollar")[1].success


def test_a_windows_path_is_written_as_it_stands(shell, tmp_path):
    run(shell, "%%route\nhello")

    run(shell, r"%route export C:\Users\me\page.html")

    assert (tmp_path / "nbroute" / r"C:\Users\me\page.html").exists()


# Hints, system prompts, completion


def test_single_braces_get_a_hint_and_are_sent_as_they_are(shell):
    shell.user_ns["city"] = "Rome"

    text, done = run(shell, "%%route\nIs {city} in {{city}}?")

    assert "Is {city} in Rome?" == done.result.prompt
    assert "did you mean {{city}}?" in text
    assert ("did you mean {{city}}? Single braces are sent as they are",) == done.result.notices
    assert "did you mean {{city}}?" in run(shell, "%%route -n\nIs {city} big?")[0]
    assert (
        "did you mean {{city}}?" in run(shell, "%%route_compare SIMPLE MEDIUM\nIs {city} big?")[0]
    )
    assert "did you mean" not in run(shell, "%%route\nIs {town} big?")[0]


@pytest.fixture
def prompts(tmp_path):
    file = tmp_path / "nbroute" / "nbroute.toml"
    file.write_text(
        '[prompts]\nreviewer = "You review code."\n"poet.v2" = "Answer in {{rhyme}}."\n'
    )
    return file


def test_a_system_prompt_has_a_name(shell, prompts):
    _, done = run(shell, "%%route -s @reviewer\nhello")
    assert "You review code." == done.result.options.system

    _, done = run(shell, "%%route --system=@poet.v2\nhello")
    assert "Answer in {{rhyme}}." == done.result.options.system

    prompts.write_text('[prompts]\nreviewer = "Be kind."\n')
    _, done = run(shell, "%%route -s @reviewer\nhello")
    assert "Be kind." == done.result.options.system


def test_system_prompts_are_compared_by_name(shell, prompts):
    _, done = run(shell, "%%route_compare SIMPLE --system @reviewer,@poet.v2\nhello")

    assert {"You review code.", "Answer in {{rhyme}}."} == {
        one.result.options.system for one in done.result.columns
    }


def test_a_system_prompt_has_placeholders_and_any_other_sign(shell):
    shell.user_ns["role"] = "pirate"

    _, done = run(shell, '%%route -s "@home you are a {{role}}"\nhello')

    assert "@home you are a pirate" == done.result.options.system


def test_an_unknown_system_prompt_is_told_with_where_to_define_it(shell, prompts):
    said = error_of(shell, "%%route -s @revewer\nx")
    assert "did you mean '@reviewer'?" in said
    assert "[prompts]" in said
    assert str(prompts) in said

    prompts.write_text("[prompts]\nreviewer = 3\n")
    assert "[prompts] reviewer = 3 cannot be used" in error_of(shell, "%%route -s @reviewer\nx")

    prompts.unlink()
    assert 'reviewer = "You are ..."' in error_of(shell, "%%route_compare -s @reviewer\nx")


def test_completion_offers_the_users_own(shell, prompts):
    run(
        shell,
        "import math\nfrom math import sqrt\nfrom textwrap import dedent\n"
        "def is_short(answer):\n    return True\n"
        "class Kind:\n    pass\nnumber = 3",
    )

    def offered(typed):
        with provisionalcompleter():
            return {one.text for one in shell.Completer.completions(typed, len(typed))}

    checks, classifiers = offered("%%route --check "), offered("%%route -c ")
    assert {"is_short", "length", "tests="} <= checks
    assert {"is_short", "ngrams"} <= classifiers
    assert not {"sqrt", "dedent", "Kind", "exit", "quit", "get_ipython", "open"} & checks
    assert {"@reviewer", "@poet.v2"} == offered("%%route -s @") == offered("%%route_compare -s ")
    assert "COMPLEX" in offered("%route tiers ")
    assert any("gpt-4o-mini" in one for one in offered("%route tiers SIMPLE="))
    assert "hybrid" in offered("%route classify -c h")
    variables = offered("%%route\nSum {{")
    assert "number" in variables
    assert not {"math", "In", "Out", "exit", "get_ipython"} & variables


def test_close_matches_are_never_ipythons(shell):
    shell.user_ns["weird"] = Weird()
    for cell in ("%%route -c exti\nx", "%%route --check qiut\nx", "%%route --schema Ou\nx"):
        said = error_of(shell, cell)
        for name in ("'exit'", "'quit'", "'Out'", "get_ipython", "'open'"):
            assert name not in said


class Weird:
    """Nothing of it can be looked at."""

    def __getattribute__(self, name):
        raise RuntimeError(name)

    def __call__(self):
        """Do nothing."""


def test_a_proxy_among_the_variables_breaks_no_hint_and_no_completion(shell):
    shell.user_ns["weird"] = Weird()

    assert "not defined" in error_of(shell, "%%route -c rulez\nx")
    assert "not defined" in error_of(shell, "%%route --schema nope\nx")
    assert "PromptError" in error_of(shell, "%%route\n{{weird.x}}")
    with provisionalcompleter():
        assert list(shell.Completer.completions("%%route -c ru", 13))


def test_reloading_asks_the_completion_once_and_unloading_no_more(shell):
    run(shell, "%reload_ext nbroute")
    assert 1 == len(shell.Completer.custom_matchers)

    shell.run_line_magic("unload_ext", "nbroute")

    assert [] == shell.Completer.custom_matchers
