"""The file of a recording: what stays readable, and what is said of one that is broken."""

from __future__ import annotations

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


BROKEN = [
    ("", "is empty; make a recording with `%route record"),
    (f"{TEXT}\nsome notes\n", r"line \d+: 'some notes' is not an entry"),
    (f"{TEXT}<<<<<<< HEAD\n", "there is a merge conflict"),
]
#: What one wrong value in it makes of the file.
WRONG = [
    ('1,\n "written_by": "nbroute', '2,\n "written_by": "\\u001b[2J\\n', r"written by \[2J 0"),
    ('"tiers"', '"steps"', "line 1: the recording's header is damaged .it lacks 'tiers'"),
    ('"lab": "remote"', '"lab": "moon"', "providers: there is no 'moon'"),
    ('"input": "0.15"', '"input": "NaN"', "header is damaged"),
    ('"output": 9,', '"output": -9,', r"line 96: .*output is -9"),
    ('"RateLimited"', '"SettingsError"', "no error 'SettingsErr"),
    ('"Paris.",', "7,", r"reply.text is \[7, '.*: expected text or a list of lines"),
    ('"max_tokens": 64', f'"max_tokens": {"9" * 5000}', "this is not JSON"),
]
BROKEN += [(TEXT.replace(old, new, 1), says) for old, new, says in WRONG]


@pytest.mark.parametrize(("text", "says"), BROKEN, ids=lambda one: one[-40:])
def test_a_broken_file_says_where_and_what_to_do(opened, talk, text, says):
    talk.write_text(text, "utf-8")

    with pytest.raises(RecordError, match=says) as caught:
        opened(replay=talk)

    assert "talk.rec" in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_missing_file_another_encoding_and_a_damaged_vector_are_named(opened, talk):
    with pytest.raises(RecordError, match=r"there is no recording .*correct the path, or make one"):
        opened(replay=talk)
    talk.write_text(TEXT, "utf-16")
    with pytest.raises(RecordError, match="is not UTF-8 text; save it as UTF-8"):
        opened(replay=talk)
    talk.write_text(TEXT.replace("AACAPwAAAAAAAAA/", "AACAfwAAAAAAAAA/"), "utf-8")
    with pytest.raises(RecordError, match="damaged vector of 'text-embedding-3-small'"):
        opened(replay=talk).parts.embedder().embed(["a text"])


def test_a_file_cut_off_anywhere_is_whole_or_has_a_cure_that_works(recorded, talk):
    recorded.route(FRANCE)
    whole, cured = talk.read_bytes(), 0
    for end in range(29, len(whole), 29):
        talk.write_bytes(whole[:end])
        try:
            Recording(talk)
        except RecordError as error:
            cut = re.search("delete the file from line ([0-9]+) on", str(error))
            kept = whole[:end].split(b"\n")[: int(cut[1]) - 1]
            talk.write_bytes(b"\n".join(kept))
            if kept:
                Recording(talk)
                cured += 1
    assert cured
