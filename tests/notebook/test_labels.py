"""`%route label`, `labels` and `versions`, votes, and several answers to a prompt."""

from __future__ import annotations

from cells import desk_of, error_of, run


def test_cells_are_labelled_and_counted_in_this_session_and_in_all(shell, simulated):
    text, _ = run(shell, "%route labels")
    assert "no labels yet in this session" in text
    for number, word in enumerate(["good", "too weak", "too weak frontier", "bad"]):
        run(shell, f"%%route -q -t MEDIUM\nprompt {number}")
        assert "labelled " in run(shell, f"%route label {word}")[0]
    run(shell, "%%route -q -t COMPLEX\nprompt 4")
    run(shell, "%route label more-than-needed")

    text, _ = run(shell, "%route labels")

    rows = [line.split() for line in text.splitlines() if line.startswith(("MEDIUM", "COMPLEX"))]
    assert [["MEDIUM", "0", "1", "1", "1"], ["COMPLEX", "0", "1", "0", "0"]] == rows
    assert "of 4 labels, 1 picked what was needed, 1 too expensive, 2 too weak" in text
    assert "left out: 1 label with no tier named" in text
    simulated.label(simulated.route("hello"), "good")
    text, _ = run(shell, "%route labels all")
    assert "of 5 labels, 2 picked what was needed" in text


def test_a_label_that_cannot_be_written_is_one_line_and_counts_in_this_kernel(shell, monkeypatch):
    monkeypatch.setenv("NBROUTE_LEDGER", "/dev/null/ledger.sqlite")
    run(shell, "%%route -q\nhello")

    assert "RecordError: the label could not be recorded" in error_of(shell, "%route label good")
    assert "of 1 label, 1 picked" in run(shell, "%route labels")[0]


def test_a_vote_after_another_profile_goes_to_the_ledger_of_its_answers(shell):
    run(shell, "%%route_compare SIMPLE MEDIUM\nHello")
    run(shell, "%route use simulated")

    assert "your vote: SIMPLE is good enough" in run(shell, "%route vote SIMPLE")[0]
    router = shell.run_line_magic("route", "router")
    assert ["SIMPLE"] == [label.needed for label in router.ledger.labels()]


def test_the_card_or_column_of_a_repeat_has_one_row(shell):
    prompt = "What is the capital of France?"
    dry, _ = run(shell, f"%%route -n -t SIMPLE --repeat 5\n{prompt}")
    card, _ = run(shell, f"%%route -t SIMPLE --repeat 2\n{prompt}")
    columns, _ = run(shell, f"%%route_compare SIMPLE:x3 MEDIUM\n{prompt}")

    assert "SIMPLE 5 times: together at most $" in dry
    one = "$0.000009 (would have cost) · 0.4 s\n"
    assert (
        f"""2 answers: all agree, $0.000018 in all
- SIMPLE · simulated/gpt-4o-mini · used · {one}\
- SIMPLE · simulated/gpt-4o-mini · not used: agrees · {one}"""
        in card
    )
    assert "3 answers: all agree, $" in columns


def test_a_cell_run_again_with_another_prompt_has_its_versions_side_by_side(shell):
    leaves = "Explain why leaves change their colour in autumn."
    run(shell, f"%%route -t MEDIUM\n{leaves}")
    run(shell, f"%%route -t SIMPLE\n{leaves} Be brief.")  # under a hundredth of a cent

    table = run(shell, "%route versions")[1].result
    page = desk_of(shell).panel("versions", desk_of(shell).card(2))

    assert [("v1", "MEDIUM"), ("v2", "SIMPLE")] == [(row[0], row[2]) for row in table.rows]
    assert all(row[3].startswith("$0.00") and "calls" not in row[3] for row in table.rows)
    assert [False, True] == ["<mark" in version for version in page.split(">v2<")]
    assert "per 100k calls" not in page
