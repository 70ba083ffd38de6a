"""Labels: what people say of answers, and what it says about the tiers that were picked."""

from __future__ import annotations

import pandas as pd
import pytest
from loopback import Reply

from nbroute.engine.feedback import PickedAgainstNeeded, picked_against_needed
from nbroute.errors import ProviderError, SettingsError
from nbroute.types import Label


def test_each_word_says_which_tier_the_prompt_needs(router):
    for tier, feedback, named, needed in (
        ("MID", "good", None, "MID"),
        ("MID", "too weak", None, "TOP"),
        ("TOP", "overkill", None, "MID"),
        ("MID", "bad", None, None),
        ("MID", "cheapest acceptable", None, "MID"),
        ("TOP", "too weak", None, None),
        ("LOW", "overkill", None, "LOW"),
        ("LOW", "too weak", "top", "TOP"),
        ("LOW", "bad", "MID", "MID"),
    ):
        result = router.route("hello", tier=tier, feature="bot", comparison="c1")
        label = router.label(result, feedback.upper().replace(" ", "-"), named)

        made = {"id": label.id, "ts": label.ts, "session": router.session, "ladder": "test"}
        said = {"feedback": feedback, "picked": tier, "needed": needed, "prompt": "hello"}
        about = {"msg_hash": result.answer.msg_hash, "result": result.id}
        assert Label(**made, **said, **about, comparison="c1", feature="bot") == label
        assert (12, result.answer.ts) <= (len(label.id), label.ts) < (13, 2e9)
        assert label == router.ledger.labels()[-1]
    assert 9 == len(router.ledger.labels())


CURE = "as the tier needed; change the word or leave the tier out"


def test_a_word_that_cannot_be_kept_is_refused(router):
    result = router.route("hello", tier="MID")
    for words, says in {
        ("to weak",): "no feedback is called 'to weak': did you mean 'too weak'?",
        ("bad", "MIDD"): "unknown tier 'MIDD' on ladder 'test': did you mean 'MID'?",
        ("good", "TOP"): f"'good' of MID's answer does not go with 'TOP' {CURE}",
        ("good", "LOW"): f"'good' of MID's answer does not go with 'LOW' {CURE}",
        ("overkill", "TOP"): f"'overkill' of MID's answer does not go with 'TOP' {CURE}",
        ("too weak", "LOW"): f"'too weak' of MID's answer does not go with 'LOW' {CURE}",
    }.items():
        with pytest.raises(SettingsError) as caught:
            router.label(result, *words)
        assert says == str(caught.value)
    assert [] == router.ledger.labels()


def test_what_has_no_answer_of_a_tier_of_this_ladder_cannot_be_labelled(router, opened, server):
    for thing in (None, "hello", 3):
        with pytest.raises(SettingsError) as caught:
            router.label(thing, "good")
        told = f"{thing!r} cannot be labelled; give a result that router.route() returned"
        assert told == str(caught.value)
    other = opened(profile="simulated", ledger=router.ledger)
    with pytest.raises(SettingsError) as caught:
        other.label(router.route("hello"), "good")
    assert (
        "the answer comes from tier 'LOW', which ladder 'four-tier' does not have; go back to the "
        "profile that it was routed with (`%route use PROFILE`), or route it again"
    ) == str(caught.value)
    server.answer(Reply(status=500))
    with pytest.raises(ProviderError) as raised:
        router.route("hello again")
    nothing = "this prompt got no answer, so there is nothing to label; route it again"
    with pytest.raises(SettingsError, match=nothing):
        router.label(raised.value.result, "good")


def test_labels_are_the_last_word_on_each_prompt_as_its_tier(router):
    empty = router.labels()
    first, second = router.route("first"), router.route("second")
    for result, words in ((first, ("good", "bad", "too weak")), (second, ("good", "bad"))):
        for word in words:
            router.label(result, word)

    frame = router.labels()

    (row,) = frame.to_dict("records")
    time = pd.Timestamp(router.ledger.labels()[2].ts, unit="s", tz="UTC")
    assert abs(time - row.pop("time")) < pd.Timedelta("1us")
    assert {"datetime64[ns, UTC]", "object"} == {*map(str, frame.dtypes)}
    words = {"prompt": "first", "tier": "MID", "picked": "LOW", "feedback": "too weak"}
    words |= {"session": router.session, "ladder": "test", "result": first.id}
    assert words | {"comparison": None, "feature": None} == row
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
    named = {("LOW", "MID"): 1, ("MID", "LOW"): 1}
    found = picked_against_needed(router)
    assert PickedAgainstNeeded(("LOW", "MID", "TOP"), named, unnamed=1) == found
    counted = (found.named, found.right, found.too_weak, found.too_expensive)
    assert (2, 0, 1, 1) == counted
    assert [1, 1, 0] == [found.needing(tier) for tier in ("LOW", "MID", "TOP")]


def test_labels_of_other_sessions_and_ladders_are_there_when_asked_for(router, opened):
    router.label(router.route("hello"), "good")
    later = opened(profile="simulated", ledger=router.ledger)
    later.label(later.route("hi", tier="SIMPLE"), "good")

    assert (1, 2) == (later.spend().calls, later.spend(everything=True).calls)
    assert (1, 2) == (later.report().results, later.report(everything=True).results)
    assert ["hi"] == later.labels()["prompt"].tolist()
    assert ["hi"] == later.labels(everything=True)["prompt"].tolist()
    assert 1 == picked_against_needed(later, everything=True).elsewhere
    assert ["hello", "hi"] == later.labels(everything=True, feedback=True)["prompt"].tolist()
