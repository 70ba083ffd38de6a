"""Labels: what people say of answers, and what it says about the tiers that were picked."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
from loopback import Reply

from nbroute.engine.feedback import picked_against_needed
from nbroute.errors import ProviderError, RecordError, SettingsError
from nbroute.router import Router

PROMPTS = Path(__file__).parents[1] / "data" / "tier_prompts.jsonl"


@pytest.mark.parametrize(
    ("tier", "feedback", "named", "needed"),
    [
        ("MID", "good", None, "MID"),
        ("MID", "too weak", None, "TOP"),
        ("MID", "overkill", None, "LOW"),
        ("MID", "bad", None, None),
        ("MID", "cheapest acceptable", None, "MID"),
        ("TOP", "too weak", None, None),
        ("LOW", "overkill", None, "LOW"),
        ("LOW", "too weak", "top", "TOP"),
        ("LOW", "bad", "MID", "MID"),
    ],
)
def test_each_word_says_which_tier_the_prompt_needs(router, tier, feedback, named, needed):
    label = router.label(router.route("hello", tier=tier), feedback, named)

    assert (tier, needed) == (label.picked, label.needed)
    assert [label] == router.ledger.labels()


def test_a_label_says_what_was_judged(router):
    result = router.route("hello", feature="bot", comparison="c1")

    label = router.label(result, "good", picked="TOP")

    assert ("hello", result.id, "bot", "test", router.session) == (
        label.prompt,
        label.result,
        label.feature,
        label.ladder,
        label.session,
    )
    assert ("TOP", "LOW", "c1") == (label.picked, label.needed, label.comparison)
    assert result.answer.msg_hash == label.msg_hash


def test_the_pick_of_an_escalated_answer_is_what_answered_first(router):
    result = router.escalate(router.route("hello"))

    label = router.label(result, "good")

    assert ("LOW", "MID") == (label.picked, label.needed)


def test_a_cached_answer_can_be_labelled(router):
    router.route("hello")

    assert "LOW" == router.label(router.route("hello"), "good").needed


@pytest.mark.parametrize("spelling", ["Too Weak", "too-weak", "TOO_WEAK", "  too   weak "])
def test_a_word_is_taken_in_any_spelling(router, spelling):
    assert "too weak" == router.label(router.route("hello"), spelling).feedback


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["to weak"], r"'to weak': did you mean 'too weak'\?"),
        (["bad", "MIDD"], r"'MIDD'.*did you mean 'MID'"),
        (["good", "TOP"], "does not go with 'TOP'"),
        (["overkill", "TOP"], "does not go with 'TOP'"),
        (["too weak", "LOW"], "does not go with 'LOW'"),
    ],
)
def test_a_word_that_cannot_be_kept_is_refused(router, words, says):
    with pytest.raises(SettingsError, match=says):
        router.label(router.route("hello", tier="MID"), *words)

    assert [] == router.ledger.labels()


@pytest.mark.parametrize("thing", [None, "hello", 3])
def test_what_is_not_a_result_is_a_clear_error(router, thing):
    with pytest.raises(SettingsError, match="cannot be labelled"):
        router.label(thing, "good")


def test_an_answer_of_a_tier_that_is_gone_or_did_not_come_is_a_clear_error(router, server):
    result = router.route("hello")
    with (
        closing(Router(profile="simulated", ledger=router.ledger)) as other,
        pytest.raises(SettingsError, match=r"from tier 'LOW', which ladder 'four-tier' does not"),
    ):
        other.label(result, "good")
    server.answer(Reply(status=500))
    with pytest.raises(ProviderError) as raised:
        router.route("hello again")

    with pytest.raises(SettingsError, match="got no answer, so there is nothing to label"):
        router.label(raised.value.result, "good")


def test_labels_are_the_last_word_on_each_prompt_as_its_tier(router):
    empty = router.labels()
    first, second = router.route("first"), router.route("second")
    for result, words in ((first, ("good", "bad", "too weak")), (second, ("good", "bad"))):
        for word in words:
            router.label(result, word)

    frame = router.labels()

    assert ["first", "MID", "LOW", "too weak"] == list(
        frame[["prompt", "tier", "picked", "feedback"]].loc[0]
    )
    assert 1 == len(frame)
    assert (0, frame.dtypes.to_dict()) == (len(empty), empty.dtypes.to_dict())
    assert 5 == len(router.labels(feedback=True))
    assert [None, None] == router.labels(feedback=True)["tier"].tolist()[1::3]
    with pytest.raises(SettingsError, match="1 rows are too few"):
        router.fit(frame)
    router.take_back(first)
    assert [] == list(router.labels()["prompt"])


def test_labels_of_other_sessions_and_ladders_are_there_when_asked_for(router):
    router.label(router.route("hello"), "good")
    with closing(Router(profile="simulated", ledger=router.ledger)) as later:
        later.label(later.route("hi", tier="SIMPLE"), "good")

        assert ["hi"] == later.labels()["prompt"].tolist()
        assert ["hi"] == later.labels(everything=True)["prompt"].tolist()
        assert ["hello", "hi"] == later.labels(everything=True, feedback=True)["prompt"].tolist()


def test_picks_are_counted_against_what_was_needed(router):
    for tier, word in (("LOW", "good"), ("MID", "overkill"), ("LOW", "too weak"), ("LOW", "bad")):
        router.label(router.route(f"{tier} {word}", tier=tier), word)

    found = picked_against_needed(router)

    assert (3, 1, 1, 1, 1) == (
        found.named,
        found.right,
        found.too_weak,
        found.too_expensive,
        found.unnamed,
    )
    assert [2, 1, 0] == [found.needing(tier) for tier in ("LOW", "MID", "TOP")]


def test_a_classifier_is_learned_from_labels_and_used():
    lines = [json.loads(line) for line in PROMPTS.read_text().splitlines()]
    with closing(Router(profile="simulated", classifier=lambda _: "MEDIUM")) as router:
        tiers = router.ladder.names
        for place, tier in enumerate(tiers):
            word, picked = ("too weak", place - 1) if place else ("overkill", 1)
            for line in [one for one in lines if one["tier"] == tier][:60]:
                router.label(router.route(line["prompt"], tier=tiers[picked]), word)

        fitted = router.fit(router.labels(everything=True))
        made = router.classify("Who painted Guernica?", classifier=fitted.classifier)

    assert 240 == fitted.rows
    assert ("SIMPLE", "learned") == (made.tier, made.classifier)
    assert fitted.figures[0].value > 0.5


def test_a_ledger_that_cannot_be_written_is_told_and_the_label_counts(tmp_path):
    (tmp_path / "file").write_text("")
    ledger = tmp_path / "file" / "ledger.sqlite"
    with closing(Router(profile="simulated", ledger=ledger)) as router:
        with pytest.raises(RecordError, match="the label could not be recorded"):
            router.label(router.route("hello"), "good")

        assert ["hello"] == router.labels()["prompt"].tolist()
