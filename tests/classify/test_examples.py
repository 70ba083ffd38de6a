"""Examples of one's own, through the Router; bills that are settled later."""

from __future__ import annotations

import os
import random
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

from nbroute.errors import PromptError, SettingsError
from nbroute.evaluate import model_file
from nbroute.router import Router
from nbroute.settings.document import read_document

OWN = [
    ("zork the blib", "SIMPLE"),
    ("zork the blob", "MEDIUM"),
    ("quux the narf", "COMPLEX"),
    ("flim the flam", "FRONTIER"),
]


@pytest.mark.parametrize("kind", ["frame", "csv", "pairs"])
def test_examples_of_ones_own_take_the_place_of_the_shipped_ones(kind):
    frame = pd.DataFrame(OWN, columns=["prompt", "tier"])
    frame.to_csv("labels.csv", index=False)
    source = {"frame": frame, "csv": "labels.csv", "pairs": OWN}[kind]

    decision = Router(profile="simulated", examples=source).classify("quux the narf", "embedding")

    assert "COMPLEX" == decision.tier


def test_a_file_of_examples_can_be_named_in_the_settings():
    pd.DataFrame(OWN, columns=["prompt", "tier"]).to_csv("labels.csv", index=False)
    Path("nbroute.toml").write_text(
        '[nbroute]\nprofile = "simulated"\nclassifier = "embedding"\nexamples_file = "labels.csv"\n'
    )

    assert "FRONTIER" == Router().classify("flim the flam").tier


@pytest.mark.parametrize(
    ("examples", "says"),
    [
        ([("a prompt", "SIMPEL")], "SIMPLE"),
        (OWN[:3], "no example for the tier 'FRONTIER'"),
        ([], "no examples"),
        ("gone.csv", "gone.csv"),
        (3, "cannot be read"),
    ],
)
def test_examples_that_cannot_be_used_are_refused(examples, says):
    with pytest.raises(SettingsError, match=says):
        Router(profile="simulated", examples=examples)


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"\xff\xfe", b"\0", b"prompt,tier\n\xed\xa0\x80,SIMPLE", b"x" * 200_000),
        *(b"prompt,tier\na," + b"9" * 5_000, b'prompt,tier\n"a\n' * 90_000, b"prompt,prompt\na,b"),
    ],
    ids=len,
)
def test_a_damaged_file_of_examples_is_refused_in_a_line(text):
    Path("odd.csv").write_bytes(text)
    router = Router(profile="simulated")
    use = [lambda: Router(profile="simulated", examples="odd.csv"), lambda: router.fit("odd.csv")]

    for attempt in use:
        with pytest.raises(SettingsError, match=r"odd\.csv|column|row") as caught:
            attempt()
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 400


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_what_is_no_file_is_never_waited_for(make):
    make("odd")
    router = Router(profile="simulated")
    use = [lambda: Router(profile="simulated", examples="odd"), lambda: router.fit("odd")]
    use += [lambda: model_file.load("odd"), lambda: router.map(["a"], to="odd")]
    use += [lambda: read_document(Path("odd"))]

    for attempt in use:
        with pytest.raises(SettingsError, match=r"odd.*a (folder|device or a pipe)"):
            attempt()


def test_what_was_taught_is_known_to_the_next_session():
    Router(profile="simulated").teach("zork the blib", "frontier")

    decision = Router(profile="simulated").classify("zork the blib", "embedding")

    assert "FRONTIER" == decision.tier


def test_an_empty_prompt_is_not_taught():
    with pytest.raises(PromptError):
        Router(profile="simulated").teach(" ", "SIMPLE")


# Settling


def test_a_call_without_a_bill_is_settled_later(router, server):
    server.generations["gen-1"] = {"total_cost": 0.00042, "native_tokens_prompt": 7}
    server.reply(text="A whole answer.", id="gen-1")
    router.route("hello")
    before = router.spend().usd

    settled = router.settle()

    assert (1, 1) == (settled.asked, settled.settled)
    assert Decimal("0.00042") == router.spend().usd != before
    assert "billed" == router.ledger.rows(session=router.session)[0]["cost_source"]
    assert "nothing to settle" in router.settle().told


def test_an_endpoint_without_a_bill_leaves_the_cost_as_it_was(router, server):
    server.reply(text="A whole answer.", id="gen-2")
    router.route("hello")
    before = router.spend().usd

    settled = router.settle()

    assert (1, 0) == (settled.asked, settled.settled)
    assert before == router.spend().usd


def test_an_interrupted_stream_can_be_settled(router, server):
    from nbroute.errors import ProviderError

    server.generations["gen-3"] = {"total_cost": 0.001}
    server.reply(text="one two three four", id="gen-3", cut_after=2)
    with pytest.raises(ProviderError):
        router.route("hello", model="small")

    assert "estimated" == router.ledger.rows(session=router.session)[0]["cost_source"]
    assert 1 == router.settle().settled
    assert Decimal("0.001") == router.spend().usd


# Learning


def test_what_is_better_is_switched_on_saved_and_found_again():
    pytest.importorskip("sklearn")
    words = {"SIMPLE": "apple", "MEDIUM": "banana", "COMPLEX": "cherry", "FRONTIER": "damson"}
    rows = [
        (
            f"{word} matter number {n * 37 % 101} of the {('big', 'old', 'new')[n % 3]} heap",
            tier,
            n % 8,
        )
        for tier, word in words.items()
        for n in range(40)
    ]
    router = Router(profile="simulated")

    fitted = router.fit(pd.DataFrame(rows, columns=["prompt", "tier", "group"]))

    assert fitted.better
    assert "switched on for this router" in repr(fitted)
    assert ("COMPLEX", "learned") == (
        (made := router.classify("cherry matter number 7 of the old heap")).tier,
        made.classifier,
    )
    later = Router(profile="simulated", classifier="learned")
    assert "FRONTIER" == later.classify("damson matter number 9 of the new heap").tier


def test_what_is_not_better_leaves_the_classifier_as_it_is():
    pytest.importorskip("sklearn")
    tiers = ("SIMPLE", "FRONTIER")
    chance = random.Random(3)  # noqa: S311 - labels that nothing in the prompt tells
    rows = [(f"note {n} on item {n * 7}", chance.choice(tiers), n // 10) for n in range(80)]
    router = Router(profile="simulated", ladder="two-tier")
    frame = pd.DataFrame(rows, columns=["prompt", "tier", "group"])

    fitted = router.fit(frame)

    assert not fitted.better
    assert "ngrams" == router.classify("hello there").classifier
