"""Examples of one's own: read, compared with and learnt from."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pandas as pd
import pytest
from rungs import TWO

from nbroute.classify.examples import Example
from nbroute.errors import PromptError, SettingsError
from nbroute.evaluate import model_file
from nbroute.evaluate.training_data import read_examples
from nbroute.router import Router
from nbroute.settings.document import read_document

FRAME = pd.DataFrame(
    {"Prompt": ["count to ten", "prove it"], "note": ["", ""], "Tier": ["CHEAP", "expensive"]}
)
PAIRS = (Example("count to ten", "cheap"), Example("prove it", "expensive"))
BOTH = [("count to ten", "cheap"), ("prove it", "expensive")]


@pytest.mark.parametrize(
    "source",
    [
        FRAME,
        dict(BOTH),
        {"cheap": ["count to ten"], "expensive": ["prove it"]},
        [BOTH[0], ["prove it", "Expensive"]],
        PAIRS,
        iter([*BOTH, BOTH[1]]),
        "prompt,tier\ncount to ten,cheap\nprove it,expensive\n",
        "\ufeffprompt;tier\r\ncount to ten;cheap\r\n\r\nprove it;expensive\r\n",
        'tier\tid\tprompt\ncheap\t1\tcount to ten\nexpensive\t2\t"prove it"\n',
    ],
)
def test_examples_are_read_from_tables_dicts_pairs_and_spreadsheets_csv(source):
    if isinstance(source, str):
        Path("own.csv").write_text(source, encoding="utf-8")
        assert PAIRS == read_examples(Path("own.csv"), TWO)
        source = "own.csv"

    assert PAIRS == read_examples(source, TWO)


def test_a_prompt_in_a_csv_may_have_line_breaks_and_commas():
    FRAME.assign(Prompt=["one,\ntwo", 'say "hi"']).to_csv("own.csv", index=False)

    assert ["one,\ntwo", 'say "hi"'] == [one.prompt for one in read_examples("own.csv", TWO)]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ([("a", "cheap"), ("b", "expensiv")], "pair 2 has the tier 'expensiv', .*'expensive'"),
        ([("a", "cheap"), ("b", None)], "pair 2 has the tier None"),
        ([("a", "cheap")], "no example for the tier 'expensive'"),
        ([], "no examples in it: give at least one prompt for each of 'cheap', 'expensive'"),
        ([("a", "cheap"), ("a ", "expensive")], "pair 2 labels 'a' expensive, but pair 1 .*cheap"),
        ([("  ", "cheap")], "pair 1 has the prompt '  '"),
        ([("a", "cheap", 3)], "example 1 is .* give a pair"),
        (["ab"], "example 1 is 'ab': give a pair"),
        ({"a": "cheap", "b": ["cheap"]}, "entry 2 of the dict has the tier 'b'"),
        (FRAME.drop(columns="Tier"), "the table has no column 'tier', but 'Prompt', 'note'"),
        (FRAME.assign(Prompt=["a", float("nan")]), "row 1 of the table has the prompt nan"),
        (FRAME.iloc[:0], "no examples in it"),
        (7, "cannot be read from int"),
        (b"prompt,tier", "cannot be read from bytes"),
        ("nowhere.csv", "cannot read the examples in 'nowhere.csv': No such file"),
    ],
)
def test_bad_examples_are_settings_errors_that_say_where(source, message):
    with pytest.raises(SettingsError, match=message):
        read_examples(source, TWO)


BAD_FILES = {
    b"": "is empty",
    b"prompt,tier\n": "no examples in it",
    b"text,label\na,cheap\n": "has no column 'prompt', but 'text', 'label'",
    b"prompt,tier\nonly a prompt\n": "line 2 of own.csv has the tier ''",
    b"prompt,tier\n\xff\xfe\x00,cheap\n": "not a CSV in UTF-8",
    b"prompt,tier\n" + b"x" * 200_000 + b",cheap\n": "field larger than field limit",
    **dict.fromkeys([b"\xff\xfe", b"\0", b"prompt,tier\n\xed\xa0\x80,SIMPLE"], r"own\.csv"),
    **dict.fromkeys([b"x" * 200_000, b"prompt,prompt\na,b"], r"own\.csv|column"),
    b"prompt,tier\na," + b"9" * 5_000: "row|line",
    b'prompt,tier\n"a\n' * 9_000: "row|line",
}


@pytest.mark.parametrize("content", BAD_FILES, ids=lambda content: f"{content[:20]}")
def test_a_bad_file_is_a_settings_error_of_one_line_that_says_where(content):
    Path("own.csv").write_bytes(content)

    with pytest.raises(SettingsError, match=BAD_FILES[content]) as caught:
        Router(profile="simulated", examples="own.csv")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo], ids=["folder", "pipe"])
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


@pytest.mark.parametrize("kind", ["pairs", "setting"])
def test_examples_of_ones_own_replace_the_shipped_ones(kind):
    if kind == "setting":
        pd.DataFrame(OWN, columns=["prompt", "tier"]).to_csv("labels.csv", index=False)
        settings = 'profile = "simulated"\nclassifier = "embedding"\nexamples_file = "labels.csv"\n'
        Path("nbroute.toml").write_text(f"[nbroute]\n{settings}")
        router = Router()
    else:
        router = Router(profile="simulated", examples=OWN, classifier="embedding")

    assert [tier for _, tier in OWN] == [router.classify(prompt).tier for prompt, _ in OWN]


def test_what_was_taught_is_known_to_the_next_session_and_an_empty_prompt_is_not_taught():
    router = Router(profile="simulated")
    router.teach("zork the blib", "frontier")
    with pytest.raises(PromptError):
        router.teach(" ", "SIMPLE")

    decision = Router(profile="simulated").classify("zork the blib", "embedding")

    assert "FRONTIER" == decision.tier


# Learning


def labelled(prompts):
    return pd.DataFrame(prompts, columns=["prompt", "tier", "group"])


def test_a_classifier_that_is_better_is_switched_on_saved_and_found_again():
    pytest.importorskip("sklearn")
    words = {"SIMPLE": "apple", "MEDIUM": "banana", "COMPLEX": "cherry", "FRONTIER": "damson"}
    kinds = ("big", "old", "new")
    rows = [
        (f"{word} matter number {n * 37 % 101} of the {kinds[n % 3]} heap", tier, n % 8)
        for tier, word in words.items()
        for n in range(40)
    ]
    router = Router(profile="simulated")

    fitted = router.fit(labelled(rows))

    assert fitted.better
    assert "switched on for this router" in repr(fitted)
    made = router.classify("cherry matter number 7 of the old heap")
    assert ("COMPLEX", "learned") == (made.tier, made.classifier)
    later = Router(profile="simulated", classifier="learned")
    assert "FRONTIER" == later.classify("damson matter number 9 of the new heap").tier


def test_one_that_is_not_better_leaves_the_classifier_as_it_is():
    pytest.importorskip("sklearn")
    chance = random.Random(3)  # noqa: S311 - labels that nothing in the prompt tells
    rows = [(f"note {n}", chance.choice(("SIMPLE", "FRONTIER")), n // 10) for n in range(80)]
    router = Router(profile="simulated", ladder="two-tier")

    assert not router.fit(labelled(rows)).better
    assert "ngrams" == router.classify("hello there").classifier
