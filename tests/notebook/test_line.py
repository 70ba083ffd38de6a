"""What a user types after a magic's name, and what becomes of it before anything is sent."""

from __future__ import annotations

from pathlib import Path

from cells import error_of, run

from nbroute.notebook.options import words


def test_a_terminal_asks_for_the_lines_of_the_prompt(shell):
    for typed in ("%%route", "%%route -t SIMPLE\n", "%%route_compare\nhello\n"):
        assert "incomplete" == shell.check_complete(typed)[0]
        assert "complete" == shell.check_complete(f"{typed.strip()}\nthe last line\n\n")[0]
    assert "complete" == shell.check_complete("%%route -h\n")[0]


def router_of(shell):
    return run(shell, "%route router")[1].result


def test_reloading_continues_the_session(shell):
    router = router_of(shell)
    run(shell, "%route budget 2.5")
    run(shell, "%route record talk.rec")
    run(shell, "%%route --thread trip -t SIMPLE\nName three uses of a paper clip.")
    run(shell, "%%route_compare SIMPLE MEDIUM\nhello")

    told, _ = run(shell, "%reload_ext nbroute")

    assert "your session continues; profile simulated" in told
    assert router is router_of(shell)
    for command, said in (
        ("budget", "$2.5"),
        ("threads", "trip"),
        ("record", "recording to"),
        ("vote SIMPLE", "your vote: SIMPLE"),
        ("escalate", "MEDIUM"),
        ("spend", "4 calls"),
    ):
        assert said in run(shell, f"%route {command}")[0]


def test_unloading_gives_the_files_and_the_completion_back_and_a_later_load_continues(
    shell, monkeypatch
):
    run(shell, "%%route\nhello")
    ledger, closed = router_of(shell).ledger, []
    close = ledger.close
    monkeypatch.setattr(ledger, "close", lambda: closed.append(True) or close())

    shell.run_line_magic("unload_ext", "nbroute")

    assert closed
    assert [] == shell.Completer.custom_matchers
    assert shell.find_cell_magic("route") is None
    assert "session continues" in run(shell, "%load_ext nbroute")[0]
    assert "1 call " in run(shell, "%route spend")[0]


def test_reloading_takes_settings_that_changed_and_broken_ones_lose_nothing(shell):
    run(shell, "%%route\nhello")
    file = Path("nbroute.toml")
    file.write_text("[nbroute\n")
    assert "is not TOML" in error_of(shell, "%reload_ext nbroute")
    file.write_text("[nbroute]\nbudget_usd = 3\n")

    run(shell, "%reload_ext nbroute")

    assert "budget: $3 this session" in run(shell, "%route budget")[0]
    assert "1 call " in run(shell, "%route spend")[0]


QUESTIONS = [
    ("%route classify Is the sky blue?", "Is the sky blue?"),
    ("decided = %route classify Is the sky blue?", "Is the sky blue?"),
    ("if True:\n    %route classify Why isn't it?", "Why isn't it?"),
    ("x = 1\n%route classify It's # 1?\n%route classify Is it?", "Is it?"),
    ("%route classify Is it ${{price}}?", "Is it $7?"),
    ("%time %route classify Is it?", "Is it?"),
    ("%route classify C# or 'F#??", "C# or 'F#??"),
]


def test_a_text_keeps_its_question_mark(shell, monkeypatch):
    router, seen = router_of(shell), []
    classify = router.classify
    monkeypatch.setattr(router, "classify", lambda text, *a: seen.append(text) or classify(text))
    shell.user_ns["price"] = 7

    for cell, text in QUESTIONS:
        said, done = run(shell, cell)
        assert done.success, said
        assert text == seen[-1], cell


def test_help_needs_no_cell_body(shell):
    for said, cells in {
        "--max-cost": ("%%route -h", "%%route?"),
        "--blind": ("%%route_compare -h", "%%route_compare?"),
        "%route spend": ("%route?", "?%route", "%route -h"),
    }.items():
        for cell in cells:
            assert said in run(shell, cell)[0]


def test_other_cells_are_left_to_ipython(shell):
    others = [
        *("x = '''\n%route classify a?\n'''", "%%time\n%route classify a?", "%routes a?", "len?"),
        *("%%route\n%route classify a?", "# %route a?", "print('%route a?')"),
    ]
    ours = [shell.transform_cell(cell) for cell in others]
    shell.run_line_magic("unload_ext", "nbroute")

    assert ours == [shell.transform_cell(cell) for cell in others]


def test_a_line_is_split_as_it_is_meant():
    for line, expected in (
        (r"C:\Users\me\page.html --force", [r"C:\Users\me\page.html", "--force"]),
        (r'"C:\My Files\" --force', ["C:\\My Files\\", "--force"]),
        (r'-s "say \"hi\"" -q', ["-s", 'say "hi"', "-q"]),
        (r"-s 'it is \d+' my\ file.html don\'t", ["-s", r"it is \d+", "my file.html", "don't"]),
        ("a\tb\u00a0c\u3000d", ["a", "b", "c", "d"]),
        ("-t SIMPLE # cheap, isn't it", ["-t", "SIMPLE"]),
        ('-s "# Role" #1 C# --feature a#b', ["-s", "# Role", "#1", "C#", "--feature", "a#b"]),
        ("—tier SIMPLE –t X ‑‑start=Y −n", ["--tier", "SIMPLE", "-t", "X", "--start=Y", "-n"]),
        ("-s “Be ‘brief’, don’t ramble” -q", ["-s", "Be ‘brief’, don’t ramble", "-q"]),
        ("\ufeff--ti\u200ber\u200b SIMPLE", ["--tier", "SIMPLE"]),
    ):
        assert expected == words(line)


def test_single_braces_get_a_hint_and_are_sent_as_they_are(shell):
    shell.user_ns["city"] = "Rome"
    hint = "did you mean {{city}}?"

    text, done = run(shell, "%%route\nIs {city} in {{city}}?")

    assert "Is {city} in Rome?" == done.result.prompt
    assert hint in text
    assert hint in run(shell, "%%route -n\nIs {city} big?")[0]
    assert "did you mean" not in run(shell, "%%route\nIs {town} big?")[0]


def test_a_system_prompt_has_a_name_or_placeholders_and_an_unknown_name_its_cure(shell):
    file = Path("nbroute.toml")
    file.write_text('prompts = { reviewer = "You review.", "poet.v2" = "Answer in {{rhyme}}." }')
    shell.user_ns["role"] = "pirate"

    for option, system in (
        ("--system=@poet.v2", "Answer in {{rhyme}}."),
        ('-s "@home you are a {{role}}"', "@home you are a pirate"),
    ):
        assert system == run(shell, f"%%route {option}\nhello")[1].result.options.system
    _, done = run(shell, "%%route_compare SIMPLE --system @reviewer,@poet.v2\nhello")
    systems = {one.result.options.system for one in done.result.columns}
    assert {"You review.", "Answer in {{rhyme}}."} == systems
    said = error_of(shell, "%%route -s @revewer\nx")
    for part in ("did you mean '@reviewer'?", "[prompts]", str(file.absolute())):
        assert part in said
    file.unlink()
    assert 'reviewer = "You are ..."' in error_of(shell, "%%route_compare -s @reviewer\nx")
