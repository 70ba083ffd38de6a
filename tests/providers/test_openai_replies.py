"""The events of an answer, or the one of a whole answer, as pieces; and what is no answer."""

from __future__ import annotations

import pytest
from calls import asking, said

from nbroute.errors import BadReply, ProviderError, Unavailable
from nbroute.providers.openai_errors import Call
from nbroute.providers.openai_replies import answer_in, model_names, pieces
from nbroute.types import Chunk, Usage

CALL = Call("h", "http://h/v1", "m", 1.0, None, None)
USAGE = {"usage": {"prompt_tokens": 20, "completion_tokens": 5}}
END = Chunk(finish_reason="stop")


def message(content, finish_reason="stop", **more):
    return {"choices": [{"message": {"content": content} | more, "finish_reason": finish_reason}]}


def thought(**delta):
    return {"choices": [{"index": 0, "delta": delta}]}


def rated(*values):
    tokens = [{"token": "x", "logprob": value} for value in values]
    return {"choices": [{"delta": {"content": "x"}, "logprobs": {"content": tokens}}]}


def ended(word):
    """The events of an answer that ends with that word, and its pieces."""
    return [said("x", word)], [Chunk("x"), Chunk(finish_reason=word)]


@pytest.mark.parametrize(
    ("events", "chunks"),
    [
        # The id at once, the rest at the end.
        (
            [said("", id="a"), said("Par", model="m-1"), said("is", "stop"), USAGE, "[DONE]"],
            [
                *(Chunk(id="a"), Chunk("Par", id="a"), Chunk("is", id="a")),
                Chunk("", Usage(20, 5), "stop", "m-1", id="a"),
            ],
        ),
        # In one piece, with everything that is known by then.
        (
            [message("Paris.") | USAGE | {"id": "a", "model": "m-1"}],
            [Chunk("Paris.", Usage(20, 5), "stop", "m-1", id="a")],
        ),
        (
            [message("Paris."), USAGE],
            [Chunk("Paris.", None, "stop"), Chunk("", Usage(20, 5), "stop")],
        ),
        # The whole again, after its pieces.
        ([said("Par"), said("is."), message("Paris.")], [Chunk("Par"), Chunk("is."), END]),
        ([said(" "), message("Paris.")], [Chunk(" "), Chunk("Paris.", None, "stop")]),
        # A usage and an end are an end, too.
        ([said("x"), USAGE, "[DONE]"], [Chunk("x"), Chunk("", Usage(20, 5))]),
        # Not in their order, and what is no choice.
        (
            [{"choices": [said("b")["choices"][0] | {"index": 1}, *said("a", "stop")["choices"]]}],
            [Chunk("a"), END],
        ),
        (
            [{"choices": [{"index": 3, "delta": {"content": "a"}}]}, said(None, "stop")],
            [Chunk("a"), END],
        ),
        ([{"choices": None}, 7, [], {"choices": [None]}, said("x", "stop")], [Chunk("x"), END]),
        (
            [said("x", "stop") | {"id": "\ud83d", "model": 7}],
            [Chunk("x", id="?"), Chunk(finish_reason="stop", id="?")],
        ),
        # An error beside a whole answer is none.
        ([{"message": "busy"}, said("x", "stop")], [Chunk("x"), END]),
        # Content as parts, as digits, as a refusal.
        ([message([{"text": "Par"}, {"text": "is"}, None])], [Chunk("Paris", None, "stop")]),
        ([said(10), said(0.5), said(True), said("", "stop")], [Chunk("10"), Chunk("0.5"), END]),
        ([message(None, refusal="No.")], [Chunk("No.", None, "stop")]),
        # Thoughts.
        (
            [
                *(thought(reasoning_content="a"), thought(reasoning="b")),
                thought(content=[{"thinking": [{"text": "c"}]}, {"summary": "d"}, {"text": "e"}]),
                said("", "stop"),
            ],
            [
                *(Chunk(reasoning="a"), Chunk(reasoning="b"), Chunk("e", reasoning="cd"), END),
            ],
        ),
        # Probabilities, of which one that is no number leaves all of them out.
        ([rated(-0.5, -2, 0.25), said("", "stop")], [Chunk("x", logprobs=(-0.5, -2.0, 0.0)), END]),
        *(
            ([rated(-0.5, wrong), said("", "stop")], [Chunk("x"), END])
            for wrong in (None, "-1", True, -1e9, 1e9, float("nan"))
        ),
        # Any vendor's words for the end.
        *(ended(word) for word in ("tool_calls", "stop", "length", "content_filter")),
        *(
            ([said("x", word)], [Chunk("x"), Chunk(finish_reason=ours)])
            for word, ours in {
                "MAX_TOKENS": "length",
                "FinishReason.MAX_TOKENS": "length",
                "content-filter": "content_filter",
                "content_filter: RECITATION": "content_filter",
                "End_Turn": "stop",
            }.items()
        ),
    ],
)
def test_the_events_of_an_answer_come_as_pieces(events, chunks):
    assert chunks == list(pieces(events, asking(), CALL))


AGAIN = "ask again, or name a fallback model"
RAISE = "raise max_tokens, or lower the tier's effort if it has one"
LOST = f"h sent an error instead of an answer from 'm': lost. A{AGAIN[1:]}"


@pytest.mark.parametrize(
    ("events", "says"),
    [
        ([said("x", "error")], f"h says that 'm' failed half-way (finish_reason 'error'): {AGAIN}"),
        (
            [{"choices": [{"finish_reason": "abort", "native_finish_reason": "OOM"}]}],
            f"h says that 'm' failed half-way (finish_reason 'abort OOM'): {AGAIN}",
        ),
        ([{"choices": "x"}], f"h sent no answer from 'm' (no choices in its reply): {AGAIN}"),
        ([said("x"), "[DONE]"], "the answer of 'm' from h broke off half-way: ask again"),
        (
            [said("", "length")],
            f"'m' used up its budget of 64 tokens before any text, perhaps by reasoning: {RAISE}",
        ),
        ([said(" ", "safety")], "the content filter of h withheld the answer: rephrase"),
        ([said(" \n", "stop"), USAGE], f"empty answer from 'm' (finish_reason 'stop'): {AGAIN}"),
        ([message("", None)], f"empty answer from 'm' (finish_reason None): {AGAIN}"),
        (
            [said("x"), {"error": {"message": "lost"}}, said("y", "stop")],
            LOST,
        ),
        (
            [{"choices": [{"delta": {"content": "x"}, "error": {"message": "lost"}}]}],
            LOST,
        ),
        (
            [said("x"), {"detail": "lost"}],
            LOST,
        ),
    ],
)
def test_what_is_no_answer_says_why(events, says):
    with pytest.raises(ProviderError) as caught:
        list(pieces(events, asking(), CALL))
    assert says == str(caught.value)


@pytest.mark.parametrize("error", [OSError("cut"), Unavailable("cut")])
@pytest.mark.parametrize("finish", [None, "stop"])
def test_a_connection_that_breaks_after_the_last_piece_costs_nothing(error, finish):
    def breaking():
        yield said("Paris.", finish)
        raise error

    came = pieces(breaking(), asking(), CALL)
    assert Chunk("Paris.") == next(came)
    if finish and isinstance(error, OSError):
        assert [END] == list(came)
    else:
        with pytest.raises(type(error)):
            next(came)


def test_a_list_of_models_and_any_other_answer_is_itself_or_an_error():
    assert ["a"] == model_names({"data": [{"id": "a"}], "message": "by us"}, CALL)
    assert [] == model_names({"object": "list", "data": None}, CALL)
    assert ["b-1b", "a-9b"] == model_names({"data": [{"id": "a-9b"}, {"id": "b-1b"}]}, CALL)
    assert [7] == answer_in([7], CALL)
    wrong = {"data": None}, [1], "pong", {"data": {}}
    for page in wrong:
        with pytest.raises(BadReply, match="instead of an answer: check base_url 'http://h/v1'"):
            model_names(page, CALL)
    with pytest.raises(BadReply, match=r"h sent an error .*: no such door"):
        model_names({"detail": "no such door", "data": []}, CALL)
