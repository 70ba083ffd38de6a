"""Conversations: what of them is sent, which tier a turn is asked of, what is kept."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from conftest import LADDER
from loopback import Reply

from nbroute import errors
from nbroute.types import Decision


@pytest.fixture
def levels(make_router):
    """A router whose classifier goes by a word in what it is shown."""

    def levels(prompt):
        return "TOP" if "proof" in prompt else "LOW"

    return make_router(classifier=levels)


def test_a_thread_sends_its_turns_along_and_an_escalation_replaces_one(router, server):
    server.reply(text="Lisbon.")
    first = router.route("What is the capital of Portugal?", thread="trip")
    server.reply(text="Lisbon, of course.")
    router.escalate(first)
    router.route("And of Spain?", thread="trip", tier="LOW")
    router.route("And of Italy?")

    *_, follow, alone = (one.json["messages"] for one in server.requests)
    assert [
        ("system", "Be brief."),
        ("user", "What is the capital of Portugal?"),
        ("assistant", "Lisbon, of course."),
        ("user", "And of Spain?"),
    ] == [(m["role"], m["content"]) for m in follow]
    assert 2 == len(alone)


def test_a_follow_up_is_classified_with_what_it_follows_and_a_new_question_comes_down(levels):
    prompts = ["Give a proof that there are infinitely many primes.", "Why does that work?"]
    prompts += ["And is it short?", "What is the German word for apple?"]
    results = [levels.route(prompt, thread="maths") for prompt in prompts]

    assert ["TOP", "TOP", "TOP", "LOW"] == [result.tier for result in results]
    reasons = [result.decision.reason.partition("; ")[2] for result in results]
    read = [f"read with the {turns} before it" for turns in ("turn", "2 turns")]
    assert ["", *read, ""] == reasons
    assert ("thread 'maths' came down from TOP to LOW: levels: says LOW",) == results[3].notices
    told = "thread 'maths' moved up from LOW to TOP: levels: says TOP; read with the turn before it"
    assert (told,) == levels.route("And a proof of it?", thread="maths").notices


def test_a_short_prompt_that_refers_to_what_was_said_is_a_follow_up(levels):
    eleven = "And one two three four five six seven eight nine ten eleven"
    follow, new = (eleven, "Explain this.", "これは何ですか"), (f"{eleven} twelve", "Name a fruit.")
    for number, prompt in enumerate((*follow, *new)):
        levels.route("A proof, please.", thread=f"t{number}")
        tier = levels.route(prompt, thread=f"t{number}").tier
        assert ("TOP" if prompt in follow else "LOW") == tier


def test_a_tier_chosen_by_hand_holds_for_a_follow_up_and_no_longer(levels):
    first = levels.route("Name a fruit.", thread="t")
    raised = levels.escalate(first, "MID")
    follow = levels.route("And another one?", thread="t")
    new = levels.route("Name the tallest mountain of Africa, please.", thread="t")

    assert ["MID", "MID", "LOW"] == [raised.tier, follow.tier, new.tier]
    assert 3 == len(levels.threads.turns("t"))
    read = "levels: says LOW; read with the turn before it; a follow-up stays on MID, which you "
    assert Decision("MID", "levels", f"{read}chose") == follow.decision
    assert "TOP" == levels.route("And a proof of it?", thread="t").tier


def test_a_history_that_does_not_fit_is_trimmed_to_what_does_with_a_notice(make_router, server):
    tiers = tuple(replace(tier, context=120) for tier in LADDER.tiers)
    router = make_router(ladder=replace(LADDER, tiers=tiers))
    questions = [f"Question {number:02}, so?" for number in range(13)]
    for question in questions:  # each 4 tokens by our count, and 1 for the answer
        router.route(question, thread="long")
    last = router.route("and why?", thread="long")  # 2, and 3 of the tier's own

    said = "thread 'long': the first 2 of 13 turns were left out, as small reads 120 tokens"
    assert (said,) == last.notices
    sent = server.requests[-1].json
    turns = [text for question in questions[2:] for text in (question, "ok")]
    kept = ["Be brief.", *turns, "and why?"]
    assert (60, kept) == (sent["max_tokens"], [one["content"] for one in sent["messages"]])
    server.reply(chunks=["word " * 20_000] * 10)
    router.route("tell me all", thread="huge")
    router.route("and why is that?", thread="huge")
    assert 2 == len(server.requests[-1].json["messages"])


@pytest.mark.parametrize("name", ["поездка 🧳", "a\u202eb", "<b>it's</b>", "n" * 5000])
def test_threads_of_any_name_are_listed_and_forgotten_and_have_no_turn_that_failed(
    router, server, name
):
    router.route("hello", thread=name, feature=name)
    turn = router.route("and now?", thread=name)
    said = [one["content"] for one in server.requests[1].json["messages"]]
    assert ["hello", "ok", "and now?"] == said[-3:]
    server.reply(status=400, error="no")
    with pytest.raises(errors.ProviderError):
        router.route("it fails", thread=name)
    router.route("hello", thread="b")

    assert {name, "b"} == {row["thread"] for row in router.ledger.rows()}
    assert name in router.spend("feature")
    assert ["hello", "and now?"] == [one.prompt for one in router.threads.turns(name)]
    router.threads.forget(name)
    assert ("b",) == router.threads.names()
    with pytest.raises(errors.SettingsError, match="'b'"):
        router.threads.forget(name)
    assert "MID" == router.escalate(turn).tier


def test_many_threads_of_one_router_lose_no_call_and_no_turn(router, server):
    server.handler = lambda _: Reply(delay=0.01)
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda n: router.route(f"hello {n}", thread="shared"), range(16)))

    assert {f"hello {n}" for n in range(16)} == {t.prompt for t in router.threads.turns("shared")}
    assert 16 == len({result.id for result in results}) == len(server.requests)
    assert 16 == router.spend().calls


def test_the_results_of_a_session_are_watched_sorted_and_handed_on(router, make_router, caplog):
    seen, history = [], router.history

    def breaks():
        seen.append(len(history.results()))
        raise ValueError("boom")

    forget = history.watch(breaks)
    first, second = router.route("one", thread="t"), router.route("two", notices=["By the way."])
    router.route("a verdict", purpose="judge")
    forget()
    third = router.route("three")
    history.arrange([third.id, "unknown", first.id])
    router.set_budget(1)
    other = make_router()
    other.go_on(router)

    assert ([1, 2], ("By the way.",)) == (seen, second.notices)
    assert "a watcher of the session failed" in caplog.text
    assert (third, second, first) == other.history.results()
    assert (1, ("t",)) == (other.limits.budget_usd, other.threads.names())
