"""The file of a recording: what stays readable, and what is said of one that is broken."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest

from nbroute.errors import RecordError
from nbroute.recording import documents as docs
from nbroute.recording.replay import Recording

GOLDEN = Path(__file__).parents[1] / "data" / "recording_v1.rec"
TEXT = GOLDEN.read_text("utf-8")
FRANCE = "What is the capital of France?"


def test_a_file_of_the_first_schema_stays_readable_and_is_the_same_when_it_is_written_again(opened):
    router = opened(replay=GOLDEN)

    easy = router.route(FRANCE)
    hard = router.route("Prove that there is no largest prime.", tier="TOP")

    assert "Paris.\nIt has been since 987." == easy.text
    assert ("LOW", 412.0) == (easy.tier, easy.latency_ms)
    assert (14, 9) == (easy.usage.input_tokens, easy.usage.output_tokens)
    assert ["small", "small-2"] == [one.model for one in easy.attempts]
    assert "RateLimited: slow down" == easy.attempts[0].error
    assert 9.0 == hard.answer.rating
    assert Decimal("0.15") == router.ladder["LOW"].price.input
    assert TEXT == "\n".join(docs.dump(one.fields) for one in docs.documents(TEXT, GOLDEN))


def test_an_editors_file_in_a_folder_that_is_read_only_is_read_and_the_last_answer_counts(
    opened, tmp_path
):
    folder = tmp_path / "shared"
    folder.mkdir()
    entry = next(one for one in TEXT.split("\n\n") if "Paris." in one)
    edited = f"{TEXT}\n{entry}\n".replace("\n", "\r\n")
    edited = "Edited: a\\tb".join(edited.rsplit("Paris.", 1))
    (folder / "talk.rec").write_bytes(b"\xef\xbb\xbf" + edited.encode())
    folder.chmod(0o500)

    result = opened(replay=folder / "talk.rec").route(FRANCE)

    assert result.cached
    assert result.text.startswith("Edited: a\tb")


# Broken files


def swap(old, new, count=-1):
    assert old in TEXT
    return TEXT.replace(old, new, count)


BROKEN = [
    ("", "is empty; make a recording with `%route record"),
    (TEXT[:-60], r"breaks off: .* begins on line 166 .* from line 166 on, keeping all before"),
    (TEXT[:900], "breaks off: what begins on line 1 "),
    ("plain text", "is not a recording of nbroute"),
    (f"{TEXT}\nsome notes\n", r"line \d+: 'some notes' is not an entry"),
    (swap('"schema": 1', '"schema": 2'), r"schema 2, .* nbroute 0\.1\.0.*up"),
    (
        swap("1,", "2,", 1).replace('"nbroute ', '"\\u001b[2J\\n', 1),
        r"written by \[2J 0\.1\.0",
    ),
    (swap('"schema": 1', '"schema": "x"'), "is of schema 'x'"),
    (swap('"tiers"', '"steps"'), "header is damaged .it lacks 'tiers'"),
    (swap('"lab": "remote"', '"lab": "moon"'), "providers: there is no 'moon'"),
    (swap('"lab": "remote",', ""), "providers lacks 'lab'"),
    (swap('"output": 9,', '"output": -9,'), r"line 96: .*output is -9"),
    (swap('"output": 9,', ""), r"line 96: .*it lacks 'output'"),
    (swap('"latency_ms": 412', '"latency_ms": "x"'), "latency_ms is 'x'"),
    (swap('"RateLimited"', '"Tired"'), "there is no error 'Tired'"),
    (swap('"RateLimited"', '"SettingsError"'), "no error 'SettingsErr"),
    (swap('"Paris.",', "7,"), r"reply.text is \[7, '.*: expected text or a list of lines"),
    (swap('"user"', '"stranger"'), r"request.messages\[\d\]: there is no 'stranger'"),
    (swap('"max_tokens": ', f'"max_tokens": {"9" * 5000}', 1), "this is not JSON"),
    (swap('  "rating"', '<<<<<<< HEAD\n"rating"'), "line 161: there is a merge conflict"),
    (f"{TEXT}<<<<<<< HEAD\n", "there is a merge conflict"),
]


@pytest.mark.parametrize(("text", "says"), BROKEN, ids=[says[:40] for _, says in BROKEN])
def test_a_broken_file_says_where_and_what_to_do(opened, talk, text, says):
    talk.write_text(text, "utf-8")

    with pytest.raises(RecordError, match=says) as caught:
        opened(replay=talk)

    assert "talk.rec" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_another_encoding_and_a_damaged_vector_are_named(opened, talk):
    with pytest.raises(RecordError, match=r"there is no recording .*correct the path, or make one"):
        opened(replay=talk)
    talk.write_text(TEXT, "utf-16")
    with pytest.raises(RecordError, match="is not UTF-8 text; save it as UTF-8"):
        opened(replay=talk)

    for vector in ("AAC!", "AACAfwAAAAAAAAA/"):
        talk.write_text(swap("AACAPwAAAAAAAAA/", vector), "utf-8")
        embedder = opened(replay=talk).parts.embedder()
        with pytest.raises(RecordError, match="damaged vector of 'text-embedding-3-small'"):
            embedder.embed(["a text"])


def test_a_file_cut_off_anywhere_is_whole_or_has_a_cure_that_works(recorded, talk):
    def problem():
        try:
            Recording(talk)
        except RecordError as error:
            return str(error)
        return ""

    recorded.route(FRANCE)
    whole = talk.read_bytes()
    seen = set()
    for end in range(0, len(whole), 29):
        talk.write_bytes(whole[:end])
        said = problem()
        cut = re.search("delete the file from line ([0-9]+) on", said)
        if cut:
            talk.write_bytes(b"\n".join(whole[:end].split(b"\n")[: int(cut[1]) - 1]))
            said = problem()
        seen.add((bool(cut), said.replace(str(talk), "FILE").partition(";")[0]))

    assert {(True, ""), (True, "FILE is empty"), (False, "FILE is empty"), (False, "")} >= seen
    assert (True, "") in seen


PRICE = {"input": "1", "output": "1", "source": "list"}
IMPOSSIBLE = {
    "0.providers": [None, ["simulated"]],
    "0.default": ["NOWHERE"],
    "0.agreement": ["high", 3],
    "0.classifier": [{"name": 7}, {"name": "hybrid", "step_up_below": float("nan")}],
    "0.tiers": [[]],
    "0.tiers.0.max_tokens": [0, 10**30],
    "0.tiers.0.name": [" "],
    "0.tiers.0.context": ["long"],
    "0.tiers.0.price": [PRICE | {"input": usd} for usd in ("1e999999", "NaN", "-1")],
    "1.request.messages": [[], "", [{"user": "a", "assistant": "b"}]],
    "1.tier": [3],
    "1.reply": [None],
}
SAYS = {"1.reply": "it lacks 'reply'", "1.tier": "tier is 3: expected text"}


@pytest.mark.parametrize(("place", "values"), IMPOSSIBLE.items(), ids=IMPOSSIBLE)
def test_a_value_that_cannot_be_is_one_line_with_its_place(opened, talk, documents, place, values):
    router = opened()
    router.record(talk)
    router.route(FRANCE)
    *outer, last = (int(name) if name.isdigit() else name for name in place.split("."))
    what = "line 1: the recording's header" if outer[0] == 0 else "the entry beginning here"
    for value in values:
        whole = inside = documents()
        for name in outer:
            inside = inside[name]
        inside[last] = value
        broken = talk.with_name("broken.rec")
        broken.write_text("\n".join(json.dumps(one, indent=1) + "\n" for one in whole))

        with pytest.raises(RecordError, match=f"{what} is damaged .*{SAYS.get(place, '')}") as told:
            opened(replay=broken)
        assert "\n" not in str(told.value)
