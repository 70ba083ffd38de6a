"""Examples of one's own: read, compared with and learnt from."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pandas as pd
import pytest
from rungs import TWO

from nbroute.classify.examples import Example
from nbroute.errors import SettingsError
from nbroute.evaluate import model_file
from nbroute.evaluate.training_data import read_examples
from nbroute.router import Router
from nbroute.settings.document import read_document

FRAME = pd.DataFrame(
    {"Prompt": ["count to ten", "prove it"], "note": ["", ""], "Tier": ["CHEAP", "expensive"]}
)
PAIRS = (Example("count to ten", "cheap"), Example("prove it", "expensive"))
BOTH = [("count to ten", "cheap"), ("prove it", "expensive")]


def test_examples_are_read_from_tables_dicts_pairs_and_spreadsheets_csv():
    for source in (
        FRAME,
        dict(BOTH),
        {"cheap": ["count to ten"], "expensive": ["prove it"]},
        PAIRS,
        "prompt,tier\ncount to ten,cheap\nprove it,expensive\n",
        "\ufeffprompt;tier\r\ncount to ten;cheap\r\n\r\nprove it;expensive\r\n",
    ):
        if isinstance(source, str):
            Path("own.csv").write_text(source, encoding="utf-8")
        assert PAIRS == read_examples("own.csv" if isinstance(source, str) else source, TWO)


def test_bad_examples_are_settings_errors_of_one_line_that_say_where():
    for source, said in (
        ([("a", "cheap"), ("b", "expensiv")], "pair 2 has the tier 'expensiv', .*'expensive'"),
        ([("a", "cheap")], "no example for the tier 'expensive'"),
        ([("a", "cheap"), ("a ", "expensive")], "pair 2 labels 'a' expensive, but pair 1 .*cheap"),
        (7, "cannot be read from int"),
        ("nowhere.csv", "cannot read the examples in 'nowhere.csv': No such file"),
        (b"text,label\na,cheap\n", "has no column 'prompt', but 'text', 'label'"),
        (b"prompt,tier\nonly a prompt\n", "line 2 of own.csv has the tier ''"),
        (b"prompt,tier\n\xff\xfe\x00,cheap\n", "not a CSV in UTF-8"),
    ):
        if isinstance(source, bytes):
            Path("own.csv").write_bytes(source)
        with pytest.raises(SettingsError, match=said) as caught:
            read_examples("own.csv" if isinstance(source, bytes) else source, TWO)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_is_not_a_file_is_never_waited_for(make):
    make("odd")
    router = Router(profile="simulated")
    uses = [lambda: Router(profile="simulated", examples="odd"), lambda: router.fit("odd")]
    uses += [lambda: model_file.load("odd"), lambda: router.map(["a"], to="odd")]
    uses += [lambda: read_document(Path("odd")), lambda: read_examples("odd", TWO)]

    for use in uses:
        with pytest.raises(SettingsError, match=r"odd.*a (folder|device or a pipe)"):
            use()


OWN = [("zork the blib", "SIMPLE"), ("zork the blob", "MEDIUM")]
OWN += [("quux the narf", "COMPLEX"), ("flim the flam", "FRONTIER")]


def test_examples_of_ones_own_replace_the_shipped_ones():
    pd.DataFrame(OWN, columns=["prompt", "tier"]).to_csv("labels.csv", index=False)
    settings = 'profile = "simulated"\nclassifier = "embedding"\nexamples_file = "labels.csv"\n'
    Path("nbroute.toml").write_text(f"[nbroute]\n{settings}")

    for router in (Router(), Router(profile="simulated", examples=OWN, classifier="embedding")):
        assert [tier for _, tier in OWN] == [router.classify(prompt).tier for prompt, _ in OWN]


def test_a_classifier_that_is_better_and_only_that_is_switched_on_saved_and_found_again():
    pytest.importorskip("sklearn")
    words = {"SIMPLE": "apple", "MEDIUM": "banana", "COMPLEX": "cherry", "FRONTIER": "damson"}
    tiers = [tier for tier in words for _ in range(40)]
    kinds = [f"number {n * 37 % 101} of the {('big', 'old', 'new')[n % 3]} heap" for n in range(40)]
    prompts = [f"{words[tier]} matter {kinds[n % 40]}" for n, tier in enumerate(tiers)]
    frame = pd.DataFrame({"prompt": prompts, "tier": tiers, "group": [*range(8)] * 20})
    router = Router(profile="simulated")

    by_lot = frame.assign(tier=random.Random(3).sample(tiers, len(tiers)))  # noqa: S311
    assert not router.fit(by_lot).better
    assert "ngrams" == router.classify("hello there").classifier

    assert "switched on for this router" in repr(router.fit(frame))
    made = router.classify("cherry matter number 7 of the old heap")
    assert ("COMPLEX", "learned") == (made.tier, made.classifier)
    later = Router(profile="simulated", classifier="learned")
    assert "FRONTIER" == later.classify("damson matter number 9 of the new heap").tier
