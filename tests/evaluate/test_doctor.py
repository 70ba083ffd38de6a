"""`router.doctor()` and `%route doctor`: what is wrong with a set-up, and its cure."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from calls import KEY, SETTINGS
from cells import error_of, outputs, run
from loopback import Reply

from nbroute.cli import main
from nbroute.evaluate import doctor
from nbroute.storage.ledger import SqliteLedger


def found(examination, what, *, colour=None):
    """The findings of that name, and of that colour if one is named."""
    mine = [one for one in examination.findings if one.what == what]
    return [one for one in mine if colour in (None, one.colour)]


def only(examination, what, **how):
    (one,) = found(examination, what, **how)
    return one


@pytest.fixture
def settings(server, tmp_path, monkeypatch):
    """A settings file with two models at the server; their key is in the environment."""
    monkeypatch.setenv("MINE_API_KEY", KEY)
    file = tmp_path / "mine.toml"
    file.write_text(SETTINGS.format(url=server.url))
    return file


@pytest.fixture
def configured(opened, settings):
    return lambda **options: opened(settings, **options)


def answering(make_router, count, **options):
    """A router that has answered so many prompts."""
    router = make_router(**options)
    for number in range(count):
        router.route(f"What is the capital of country {number}?")
    return router


TOLD = """
ok       key          MINE_API_KEY is set and was accepted
caution  model        asked for large, vendor/next answers: the name is an
                      alias, or was retired
                      %route tiers TOP=vendor/next
ok       model        1 model answered, under the name that was asked for
caution  price        no price is known for small: no sum includes it, and a
                      budget refuses it
                      price = { input = ..., output = ... }  # under [tiers.LOW]
caution  price        no price is known for large: no sum includes it, and a
                      budget refuses it
                      price = { input = ..., output = ... }  # under [tiers.TOP]
"""
SHAKEN = """
caution  shares       LOW gave 20 of 20 answers: 100%, over 80%: are your
                      prompts all alike, or is routing wrong?
                      %route audit --direction up
ok       wording      0 of 120 small changes to 20 prompts change the tier: 0%
                      [0%, 5%]
wrong    wording      20 of 20 prompts go to another tier in another language:
                      100% [84%, 100%]. 'Prove that 2 is irrational' goes to
                      TOP, not LOW
                      %route teach LOW Prove that 2 is irrational
"""


def test_without_send_it_writes_nothing_and_says_what_sending_would_cost(simulated):
    examination = simulated.doctor()

    assert not Path("ledger.sqlite").exists()
    assert [one.cure for one in examination.findings] == [*examination.frame()["cure"]]
    assert "asks each model: 6 calls, at most $0.012 if they were" in repr(examination)


def test_a_key_is_looked_at_and_never_shown(configured, server):
    for key, colour, words in (
        (None, "red", "MINE_API_KEY, the key for mine, is not set"),
        (" \n", "red", "is set but empty"),
        (f'"{KEY}"', "red", "has quotes around it"),
        ("sk-test 0123", "red", "a space or a line break"),
        ("sk-...", "red", "the example of a key"),
        (f"{KEY}\n", "green", "looks well formed"),
    ):
        os.environ.pop("MINE_API_KEY", None)
        os.environ.update({"MINE_API_KEY": key} if key else {})
        examination = configured().doctor()

        finding = only(examination, "key")
        assert (colour, colour == "red") == (finding.colour, finding.cure == "%route key mine")
        assert words in finding.words
        assert "%route doctor --send" == only(examination, "model").cure
        assert [] == server.requests
        assert not key or not key.strip() or key.strip(' "\n') not in f"{examination!r}{finding}"


def test_a_refused_key_is_told_in_the_providers_words_and_asked_once(configured, server):
    server.handler = lambda _: Reply(status=401, error=f"Incorrect API key provided: {KEY}")

    examination = configured().doctor(send=True)

    assert "Incorrect API key" in only(examination, "key", colour="red").words
    assert KEY not in repr(examination)
    assert 1 == len(server.requests)


def test_with_send_each_model_is_asked_once_and_one_under_another_name_or_without_price_is_told(
    configured, server
):
    server.answer(large=Reply(model="vendor/next"))
    router = configured()

    examination = router.doctor(send=True)

    assert ["small", "large"] == server.asked
    assert ["audit", "audit"] == [row["purpose"] for row in router.ledger.rows()]
    assert [] == list(router.history.results())
    assert TOLD in repr(examination)


def test_a_model_that_is_gone_is_named_with_the_nearest_that_the_provider_has(configured, server):
    server.models = ("small", "large-2")
    gone = Reply(status=404, body={"error": {"code": "model_not_found", "message": "gone"}})
    server.answer(large=gone)

    finding = only(configured().doctor(send=True), "model", colour="red")

    assert "TOP's large did not answer" in finding.words
    assert "%route tiers TOP=large-2" == finding.cure


def test_a_model_that_hangs_or_fails_is_a_finding_and_the_others_are_asked(
    configured, server, monkeypatch
):
    for longest, reply, told in (
        (30, Reply(status=500, error="\x1b[2J\x07 the disk is on fire"), "the disk is on fire"),
        (1.5, Reply(delay=3), "no answer within"),
    ):
        monkeypatch.setattr(doctor, "_LONGEST_S", longest)
        server.answer(small=reply)
        examination = configured().doctor(send=True)
        assert told in found(examination, "model", colour="red")[0].words
        assert "large" == server.asked[-1]
        assert "\x1b" not in repr(examination)


def test_max_cost_and_a_budget_bound_what_is_sent(router, server):
    examination = router.doctor(send=True, max_cost=0)
    router.set_budget("0.00000001")
    bounded = router.doctor(send=True)

    assert [] == server.requests
    assert {"amber"} == {one.colour for one in found(examination, "model")}
    assert all("budget" in one.words for one in found(bounded, "model"))


def test_a_tier_is_surely_better_surely_worse_or_too_close(router):
    for verdicts, colour, words in (
        (["expensive"] * 20 + ["tie"] * 5, "green", "surely better"),
        (["cheaper"] * 20 + ["tie"] * 5, "red", "surely worse"),
        (["tie"] * 30, "amber", "too close to tell"),
        (["expensive"], "amber", "the judge preferred MID to LOW in 1 of 1 pair, LOW in 0"),
        (["expensive"] * 6, "amber", "too few to tell: this needs"),
        ([None, None], "amber", "nothing was judged"),
    ):
        frame = pd.DataFrame({"verdict": verdicts}).assign(cheaper="LOW", expensive="MID")
        router.audited = SimpleNamespace(
            sampled=10, population=100, frame=lambda frame=frame: frame
        )

        first, second = found(router.doctor(), "tiers")

        assert colour == first.colour
        assert words in first.words
        assert "unknown" == second.state


def test_labels_say_whether_routing_beats_chance_and_the_words_are_those_of_quality(make_router):
    router = make_router(classifier=lambda prompt: "LOW" if len(prompt) % 2 else "TOP")
    for number in range(40):
        router.label(router.route("x" * (number + 1)), "good")

    finding = only(router.doctor(), "routing")

    assert ("green", router.quality().verdict) == (finding.colour, finding.words)


def test_a_classifier_of_ones_own_is_tried_with_send_alone_and_may_be_shaky_or_fail(make_router):
    router = make_router(classifier=lambda prompt: "TOP" if prompt[0].isupper() else "LOW")
    broken = make_router(classifier=lambda prompt: {}["x"] if "Please" in prompt else "LOW")
    for number in range(12):
        router.route(f"{'Aa'[number % 2]}lpha beta {number}")
        broken.route(f"prompt {number}")

    assert "may send something" in only(router.doctor(), "wording").words
    finding = found(router.doctor(send=True), "wording", colour="amber")[0]
    assert "change the tier" in finding.words
    assert finding.cure.startswith('classifier = "ngrams"')
    assert "KeyError: 'x'" in only(broken.doctor(send=True), "wording").words


def test_from_twenty_answers_on_it_tells_of_one_tier_for_all_of_wording_and_of_translations(
    make_router, server
):
    router = answering(make_router, 19, classifier="ngrams")
    assert not only(router.doctor(), "shares").known
    router.route("What is the capital of country 20?")
    server.answer("Prove that 2 is irrational")

    examination = router.doctor(send=True)

    assert 20 == sum(text.startswith("Translate") for text in server.prompts[20:])
    assert SHAKEN in repr(examination)


def test_what_is_wrong_with_a_ledger_is_red_with_another_one_as_the_cure(make_router):
    healthy = answering(make_router, 60)
    assert "120 rows" in only(healthy.doctor(), "ledger").words
    healthy.close()

    file = Path("ledger.sqlite")
    raw = file.read_bytes()
    file.write_bytes(raw[: len(raw) // 2] + b"\xff" * (len(raw) - len(raw) // 2))
    finding = only(make_router().doctor(), "ledger", colour="red")
    assert finding.cure.startswith("%env NBROUTE_LEDGER=")
    assert "malformed" in finding.words

    Path("a file").write_text("")
    waiting = answering(make_router, 1, ledger=Path("a file") / "ledger.sqlite")
    assert "wait in memory" in only(waiting.doctor(), "ledger", colour="red").words
    kept = make_router(ledger=SqliteLedger(None))
    assert "gone with this kernel" in only(kept.doctor(), "ledger").words


def test_a_settings_file_that_is_untrusted_or_was_broken_since_is_told(
    settings, server, opened, tmp_path, monkeypatch
):
    folder = tmp_path / "cloned"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    file = settings.rename(folder / "nbroute.toml")
    router = opened(announce=lambda _: None)
    finding = only(router.doctor(), "settings", colour="amber")
    file.write_text("[nbroute]\nprofil = 'x'\n")
    broken = only(router.doctor(), "settings", colour="red")

    assert str(file) in finding.words
    assert server.url in finding.words
    assert "%route trust" == finding.cure
    assert "did you mean 'profile'" in broken.words


def test_ctrl_c_keeps_what_was_found(configured, server):
    def stopped(sent):
        if sent["model"] == "large":
            os.kill(os.getpid(), signal.SIGINT)
            return Reply(delay=3)
        return Reply()

    server.handler = stopped
    examination = configured().doctor(send=True)

    assert "you stopped it" in only(examination, "stopped").words
    assert "1 model answered" in only(examination, "model", colour="green").words
    assert found(examination, "ledger")


def test_in_a_shell_the_front_end_and_the_kernel_are_looked_at_too(shell, monkeypatch):
    ((shown, _),) = outputs(shell, "%route doctor")
    assert "<table" in shown["text/html"]
    assert "did you mean '--send'" in error_of(shell, "%route doctor --sent")
    monkeypatch.setattr("nbroute.notebook.doctor._server", lambda: "/opt/other/bin/python3")

    examination = run(shell, "%route doctor")[1].result

    assert "a terminal" in only(examination, "front end").words
    assert "!/opt/other/bin/python3 -m pip" in only(examination, "kernel").cure


@pytest.mark.parametrize("typed", ["n", "y"])
def test_it_asks_before_it_sends(shell, monkeypatch, typed):
    asked = []
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or typed)

    text, _ = run(shell, "%route doctor --send")

    assert "6 calls, at most $0.01" in asked[0]
    assert (typed == "y") == ("answered" in text)


def test_the_command_ends_with_1_where_something_is_red_and_its_cures_are_a_shells(
    settings, monkeypatch, capsys
):
    monkeypatch.setenv("NBROUTE_PROFILE", "simulated")
    assert 0 == main(["doctor"])
    monkeypatch.setenv("NBROUTE_CONFIG", str(settings))
    monkeypatch.delenv("NBROUTE_PROFILE")
    monkeypatch.delenv("MINE_API_KEY")
    Path("ledger.sqlite").write_bytes(b"this is no database" * 100)
    capsys.readouterr()

    assert 1 == main(["doctor"])

    said = capsys.readouterr().out
    assert "MINE_API_KEY" in said
    lines = [line.strip() for line in said.splitlines()]
    assert "nbroute doctor --send" in lines
    assert "export NBROUTE_LEDGER=~/nbroute-ledger.sqlite3" in lines
    assert "in a notebook: %route audit --direction both" in lines
    assert not [line for line in lines if line.startswith(("%route", "!"))]
