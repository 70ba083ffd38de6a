"""`%%route_compare` in a real InteractiveShell, and its static output."""

from __future__ import annotations

import re
from pathlib import Path

from cells import Shown, error_of, outputs, run
from IPython.utils.capture import capture_output

from nbroute.errors import Interrupted
from nbroute.notebook.comparing.card import Card
from nbroute.notebook.comparing.shown import Twin
from nbroute.notebook.comparing.view import State

TIERS = ["SIMPLE", "MEDIUM", "COMPLEX", "FRONTIER"]
#: What would say which tier answered.
HIDING = ["SIMPLE", "FRONTIER", "gpt-4o", "opus", "nothing billed", "latency", "first token"]


# The magic


def test_a_terminal_prints_each_answer_once_and_figures_to_compare_below_them(shell):
    text, done = run(shell, "%%route_compare\nExplain recursion.")

    assert TIERS == [column.contender.name for column in done.result.columns]
    for column in done.result.columns:
        assert f"--- {column.contender.name} · simulated/" in text
        assert 1 == text.count(column.result.text.strip())
    assert re.search(r"Routing would pick [A-Z]+ \(\d\d% confident\)", text)
    assert "(would have cost)" in text
    text, _ = run(shell, "%%route_compare --blind SIMPLE FRONTIER\nhello")
    assert [] == [word for word in HIDING if word in text]
    assert "--- A ---" in text


def test_a_static_comparison_is_one_output_which_later_cells_show_again(static):
    (first,) = outputs(static, "%%route_compare -o kept\nhello")
    data, metadata = first

    assert [first] == outputs(static, "kept") == outputs(static, "_")
    assert {"text/plain", "text/markdown", "text/html"} == set(data)
    for text in data.values():
        assert "How can I help" in text.partition("Routing would pick")[2]
        assert all(tier in text for tier in TIERS)
    assert "cheapest, fastest" in data["text/plain"].partition("--- MEDIUM")[0]
    assert 1 == data["text/html"].count("cheapest")
    record = metadata["nbroute"]
    assert TIERS == [one["tier"] for one in record["compared"]]
    assert (1, static.user_ns["kept"].id) == (record["schema"], record["comparison"])


def test_tiers_come_among_the_options_and_the_rest_is_read_as_of_a_routed_cell(shell):
    shell.user_ns |= {"city": "Paris", "x": "gone"}
    options = '--max-tokens 50 FRONTIER --system "cost $x {x}" -q -o kept'

    text, done = run(shell, f"%%route_compare SIMPLE,COMPLEX {options}\nIs {{{{city}}}} {{x}} $x?")

    assert ("", None) == (text.strip(), done.result)
    kept = shell.user_ns["kept"]
    assert "Is Paris {x} $x?" == kept.prompt
    assert ["SIMPLE", "COMPLEX", "FRONTIER"] == [one.contender.name for one in kept.columns]
    asked = {(c.result.options.max_tokens, c.result.options.system) for c in kept.columns}
    assert {(50, "cost $x {x}")} == asked


def test_a_dry_run_sends_nothing_and_says_what_it_would_cost_and_refuse(shell):
    text, _ = run(shell, "%%route_compare -n SIMPLE FRONTIER --max-cost 0.001\nhello")

    assert "nothing was sent; 1 prompt × 2 columns: 2 calls" in text
    assert "together at most $" in text
    assert "FRONTIER could come to $1.23" in text
    assert "SIMPLE could come to" not in text
    text, _ = run(shell, "%%route_compare -n SIMPLE FRONTIER -c model\nhello")
    assert "first simulated/gpt-4o-mini is asked for the tier, for $" in text
    assert [] == shell.run_line_magic("route", "router").ledger.rows()


def test_a_wrong_word_is_one_line_with_its_cure(shell):
    for cell, said in (
        ("%%route_compare SIMPEL\nhello", "did you mean 'SIMPLE'?"),
        ("%%route_compare SIMPLE simple\nhello", "asks 'simulated/gpt-4o-mini' on SIMPLE twice"),
        ("%%route_compare --over words\n{{wrods}}", "did you mean 'words'?"),
        ("%%route_compare --over words\nhello", "each of 3 rows would ask the same"),
        ("%%route_compare --over words --blind\n{{words}}", "--blind is for one prompt"),
        ("%%route_compare --over words --resume\n{{words}}", "there is nothing to resume"),
        ("%route matrix", "no table of prompts has been compared yet"),
        ("%route vote SIMPLE", "there is no comparison in this session"),
    ):
        shell.user_ns["words"] = ["cat", "dog", "newt"]

        assert said in error_of(shell, cell)


def test_ctrl_c_keeps_the_answers_that_had_arrived(slow):
    run(slow, "import os, signal\ndef stop(text):\n    os.kill(os.getpid(), signal.SIGINT)")

    with capture_output() as shown:
        done = slow.run_cell("%%route_compare SIMPLE FRONTIER -o kept --check stop\nhello")

    assert isinstance(done.error_in_exec, Interrupted)
    assert "interrupted" == slow.user_ns["kept"].column("FRONTIER").status
    assert "Interrupted" in shown.outputs[0].data["text/plain"]


# Votes


def test_a_vote_is_kept_as_a_label_and_a_second_one_counts_instead(shell):
    _, done = run(shell, "%%route_compare SIMPLE:no/model SIMPLE MEDIUM -o kept\nhello")
    text, _ = run(shell, "%route vote simple")
    run(shell, "%route vote MEDIUM")

    assert "your vote: SIMPLE is good enough" in text
    labels = shell.run_line_magic("route", "router").ledger.labels()
    assert ["SIMPLE", "MEDIUM"] == [label.needed for label in labels]
    assert {"cheapest acceptable"} == {label.feedback for label in labels}
    assert "MEDIUM" == done.result.voted
    for line, said in (
        ("vote", "takes one of the answers compared: SIMPLE:no/model, SIMPLE, MEDIUM"),
        ("vote MEDUIM", "did you mean 'MEDIUM'?"),
        ("vote SIMPLE:no/model", "has no answer to vote for"),
    ):
        assert said in error_of(shell, f"%route {line}")


def test_differences_are_marked_and_unmarked(static):
    ((data, _),) = outputs(static, "%%route_compare --diff --table COMPLEX FRONTIER\nhello")
    ((plain, _),) = outputs(static, "%route differences off")
    ((marked, _),) = outputs(static, "%route differences")

    for one in (data, marked):
        assert "highlighted: what no other answer says" in one["text/plain"]
        assert "[only here:" in one["text/plain"]
        assert '<mark class="nbr-diff"' in one["text/html"]
    assert "<mark" not in plain["text/html"]


def test_blind_answers_have_letters_alone_until_a_vote_reveals_them(static):
    ((data, _),) = outputs(static, "%%route_compare --blind -o kept SIMPLE FRONTIER\nhello")
    ((later, _),) = outputs(static, "kept")
    ((marked, _),) = outputs(static, "%%route_compare --blind --diff SIMPLE FRONTIER\nhello")
    ((shown, _),) = outputs(static, "%route vote b")

    for text in (*data.values(), *later.values(), *marked.values()):
        assert [] == [word for word in HIDING if word in text]
    assert ["A", "B"] == re.findall(r"^--- (\w+) ---$", data["text/plain"], re.MULTILINE)
    voted = re.search(r"B: (\w+) · simulated/", shown["text/plain"])[1]
    assert f"your vote: {voted} is good enough" in shown["text/html"]


def test_a_tier_that_fails_shows_its_error_in_its_column_a_blind_one_after_the_vote(static):
    ((data, metadata),) = outputs(static, "%%route_compare SIMPLE:no/model MEDIUM\nhello")
    assert "UnknownModel: [simulated] no model" in data["text/plain"]
    assert "1 of 2 did not answer" in data["text/plain"]
    assert "<b>no answer</b>: UnknownModel" in data["text/html"]
    assert ["error", "ok"] == [one["status"] for one in metadata["nbroute"]["compared"]]

    ((data, _),) = outputs(static, "%%route_compare --blind SIMPLE:no/model FRONTIER\nhello")
    assert "no answer; the reason is shown after the vote" in data["text/plain"]
    assert "no/model" not in data["text/plain"]


def test_the_order_of_blind_answers_is_not_that_of_the_tiers_and_a_rerun_shows_the_same(static):
    prompts = [f"prompt {number}" for number in range(8)]

    def order(prompt):
        outputs(static, f"%%route_compare --blind SIMPLE FRONTIER\n{prompt}")
        outputs(static, "%route vote A")
        return static.run_line_magic("route", "router").ledger.labels()[-1].needed

    first = [order(prompt) for prompt in prompts]
    assert {"SIMPLE", "FRONTIER"} == set(first)
    assert first == [order(prompt) for prompt in prompts]


def test_answers_stream_side_by_side_and_blind_ones_are_hidden_until_all_have_come(simulated):
    def pages_of(**state):
        card = Card(Shown(), State(**state), list.reverse, simulated.ladder.names)
        card.finish(simulated.compare("hello", ("SIMPLE", "MEDIUM"), observe=card))
        return card.output.pages

    pages, blind = pages_of(), pages_of(blind=True)
    assert "waiting for the first token ..." in pages[0]
    assert any("answering ..." in page for page in pages)
    assert "answering ..." not in pages[-1]
    assert all("How can I help" not in page for page in blind[:-1])
    assert "blind: 0 of 2 answers have arrived" in blind[0]


def test_a_vote_that_cannot_be_written_is_shown_and_the_screen_says_so(simulated):
    card = Card(Shown(), State(), list.reverse, simulated.ladder.names)
    card.finish(simulated.compare("hello", ("SIMPLE", "MEDIUM"), observe=card))
    twin = Twin(card.output, card.inside, card.act, "%route vote NAME")
    card.watchers.append(twin.redraw)
    simulated.ledger.close()
    Path("ledger.sqlite").write_bytes(b"not a database at all" * 500)

    twin.act("vote", "MEDIUM", "")

    assert "RecordError: the label could not be recorded" in twin.html
    assert "your vote: MEDIUM is good enough" in card.output.pages[-1]
