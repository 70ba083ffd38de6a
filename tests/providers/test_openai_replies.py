"""The events of an answer, or the one of a whole answer, as pieces; and what is no answer."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from calls import asking, said

from nbroute.errors import BadReply, ProviderError, Unavailable
from nbroute.providers.openai_errors import Call
from nbroute.providers.openai_replies import answer_in, model_names, pieces
from nbroute.types import Chunk

#: Of `pieces`, each `chunk` has only what is not the default.
DATA = json.loads((Path(__file__).parents[1] / "data" / "replies.json").read_text("utf-8"))
CALL = Call("h", "http://h/v1", "m", 1.0, None, None)


def shown(chunk):
    """What of a chunk is not the default, as JSON."""
    plain = asdict(Chunk())
    told = {name: value for name, value in asdict(chunk).items() if value != plain[name]}
    return json.loads(json.dumps(told, default=str))


@pytest.mark.parametrize("row", DATA["pieces"])
def test_the_events_of_an_answer_come_as_pieces(row):
    assert row["chunks"] == [*map(shown, pieces(row["events"], asking(), CALL))]


@pytest.mark.parametrize("row", DATA["failures"])
def test_what_is_no_answer_says_why(row):
    with pytest.raises(ProviderError) as caught:
        list(pieces(row["events"], asking(), CALL))
    assert row["says"] == str(caught.value)


@pytest.mark.parametrize("error", [OSError("cut"), Unavailable("cut")])
@pytest.mark.parametrize("finish", [None, "stop"])
def test_a_connection_that_breaks_after_the_last_piece_costs_nothing(error, finish):
    def breaking():
        yield said("Paris.", finish)
        raise error

    came = pieces(breaking(), asking(), CALL)
    assert Chunk("Paris.") == next(came)
    if finish and isinstance(error, OSError):
        assert [Chunk(finish_reason="stop")] == list(came)
    else:
        with pytest.raises(type(error)):
            next(came)


def test_a_list_of_models_and_any_other_answer_is_itself_or_an_error():
    assert [] == model_names({"object": "list", "data": None}, CALL)
    page = {"data": [{"id": "a-9b"}, {"id": "b-1b"}], "message": "by us"}
    assert ["b-1b", "a-9b"] == model_names(page, CALL)
    assert [7] == answer_in([7], CALL)
    for page in ({"data": None}, [1], "pong", {"data": {}}):
        with pytest.raises(BadReply, match="instead of an answer: check base_url 'http://h/v1'"):
            model_names(page, CALL)
    with pytest.raises(BadReply, match=r"h sent an error .*: no such door"):
        model_names({"detail": "no such door", "data": []}, CALL)
