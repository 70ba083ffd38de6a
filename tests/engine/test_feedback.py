"""Labels: what people say of answers, and what it says about the tiers that were picked."""

from __future__ import annotations

import pytest
from loopback import Reply

from nbroute.engine.feedback import picked_against_needed
from nbroute.errors import ProviderError, RecordError, SettingsError


@pytest.mark.parametrize(
    ("tier", "feedback", "named", "needed"),
    [
        ("MID", "good", None, "MID"),
        ("MID", "too weak", None, "TOP"),
        ("TOP", "overkill", None, "MID"),
        ("MID", "bad", None, None),
        ("MID", "cheapest acceptable", None, "MID"),
        ("TOP", "too weak", None, None),
        ("LOW", "overkill", None, "LOW"),
        ("LOW", "too weak", "top", "TOP"),
        ("LOW", "bad", "MID", "MID"),
    ],
)
def test_each_word_says_which_tier_the_prompt_needs(router, tier, feedback, named, needed):
    result = router.route("hello", tier=tier, feature="bot", comparison="c1")
    label = router.label(result, feedback.upper().replace(" ", "-"), named)

    told = (label.picked, label.needed, label.feedback, label.prompt, label.result, label.msg_hash)
    assert (tier, needed, feedback, "hello", result.id, result.answer.msg_hash) == told
    assert ("bot", "c1", router.session) == (label.feature, label.comparison, label.session)
    assert [label] == router.ledger.labels()


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


def test_what_has_no_answer_of_a_tier_of_this_ladder_cannot_be_labelled(router, opened, server):
    for thing in (None, "hello", 3):
        with pytest.raises(SettingsError, match="cannot be labelled"):
            router.label(thing, "good")
    other = opened(profile="simulated", ledger=router.ledger)
    gone = r"from tier 'LOW', which ladder 'four-tier' does not"
    with pytest.raises(SettingsError, match=gone):
        other.label(router.route("hello"), "good")
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
    # What answered first was the pick; a tier below it was enough for the third.
    router.label(router.escalate(router.route("fourth")), "good")
    router.label(router.route("third", tier="MID"), "overkill")
    found = picked_against_needed(router)
    assert {("LOW", "MID"): 1, ("MID", "LOW"): 1} == found.counts
    counted = (found.named, found.right, found.too_weak, found.too_expensive, found.unnamed)
    assert (2, 0, 1, 1, 1) == counted
    assert [1, 1, 0] == [found.needing(tier) for tier in ("LOW", "MID", "TOP")]


def test_labels_of_other_sessions_and_ladders_are_there_when_asked_for(router, opened):
    router.label(router.route("hello"), "good")
    later = opened(profile="simulated", ledger=router.ledger)
    later.label(later.route("hi", tier="SIMPLE"), "good")

    assert (1, 2) == (later.spend().calls, later.spend(everything=True).calls)
    assert ["hi"] == later.labels()["prompt"].tolist()
    assert ["hi"] == later.labels(everything=True)["prompt"].tolist()
    assert ["hello", "hi"] == later.labels(everything=True, feedback=True)["prompt"].tolist()


def test_where_the_ledger_cannot_be_written_that_is_said_and_the_label_counts(opened, tmp_path):
    (tmp_path / "file").write_text("")
    router = opened(profile="simulated", ledger=tmp_path / "file" / "ledger.sqlite")
    with pytest.raises(RecordError, match="the label could not be recorded"):
        router.label(router.route("hello"), "good")

    assert ["hello"] == router.labels()["prompt"].tolist()
