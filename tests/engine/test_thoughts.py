"""What a reasoning model thinks before it answers: told apart, folded away, kept."""

import json

import pytest

from nbroute.errors import BadReply
from nbroute.storage.ledger import SqliteLedger
from nbroute.types import Text, Thinking

THOUGHT = "The capital of France? Paris, surely."


@pytest.fixture
def router(make_router, tmp_path):
    with SqliteLedger(tmp_path / "ledger.sqlite", store_text=True) as ledger:
        yield make_router(ledger=ledger)


@pytest.mark.parametrize(
    ("said", "answer", "thought"),
    [
        (f"<think>\n{THOUGHT}\n</think>\n\nParis.", "Paris.", THOUGHT),
        ("<think>\n\n</think>\n\nParis.", "Paris.", ""),
        (f"<think>{THOUGHT}</think><think>So.</think>Paris.", "Paris.", f"{THOUGHT}So."),
        (f"[THINK]{THOUGHT}[/THINK]Paris.", "Paris.", THOUGHT),
        (f"◁think▷{THOUGHT}◁/think▷Paris.", "Paris.", THOUGHT),
        ("<think>a < b </thin </think>Paris.", "Paris.", "a < b </thin"),
        # The chat template has begun the thought.
        (f"{THOUGHT}\n</think>\n\nParis.", "Paris.", THOUGHT),
        # No thoughts: these are what the answer is about.
        ("It ends with </think>, as in `</think>`.",) * 2 + ("",),
        ("```\na\n</think>\nb\n```",) * 2 + ("",),
        ("Write <think> first.\n</thinking>",) * 2 + ("",),
        ("  \n Paris.",) * 2 + ("",),
    ],
)
@pytest.mark.parametrize("size", [1, 3, None])
def test_a_thought_at_the_head_is_no_part_of_the_answer(  # noqa: PLR0917 - a table
    server, router, said, answer, thought, size
):
    pieces = [said[place : place + size] for place in range(0, len(said), size)] if size else None
    server.reply(text=said, chunks=pieces, usage=None)
    seen = []
    result = router.route("Capital of France?", stream=size is not None, observe=seen.append)

    assert (result.text, result.reasoning) == (answer, thought)
    assert router.ledger.rows()[-1]["reasoning"] == (thought or None)
    assert result.answer.output_tokens >= len(THOUGHT if thought == THOUGHT else answer) // 4
    if not (size and said.startswith(THOUGHT)):
        assert "".join(event.text for event in seen if isinstance(event, Text)) == answer
        assert (Thinking() in seen) == (bool(thought) and size is not None)


def test_the_marks_of_a_thought_are_those_of_many_models(server, router):
    words = ("think", "thinking", "thought", "reason", "reasoning")
    tags = ["seed:think", *(tag for word in words for tag in (word, word.title(), word.upper()))]
    marks = {f"<{tag}>": f"</{tag}>" for tag in tags} | {"[THINK]": "[/THINK]"}
    marks |= {"<|begin_of_thought|>": "<|end_of_thought|>"}
    marks |= {"<|channel|>analysis<|message|>": "<|channel|>final<|message|>"}
    for begin, end in marks.items():
        server.reply(text=f"{begin}Hm.{end}Paris.")
        result = router.route(begin)
        assert ("Paris.", "Hm.") == (result.text, result.reasoning)


@pytest.mark.parametrize("stream", [True, False])
def test_a_thought_in_a_field_of_its_own(server, router, stream):
    inside = [{"type": "text", "text": THOUGHT}]  # https://docs.mistral.ai/capabilities/reasoning
    parts = [{"type": "thinking", "thinking": inside}, {"type": "text", "text": "Paris."}]
    for told in ({"content": parts}, {"reasoning_content": THOUGHT, "content": "Paris."}):
        kind = "text/event-stream" if stream else None
        server.reply(body=bodies(told, stream), content_type=kind)
        result = router.route("Capital of France?", stream=stream, cache="off")
        assert (result.text, result.reasoning) == ("Paris.", THOUGHT)


@pytest.mark.parametrize("finish", ["length", "stop"])
@pytest.mark.parametrize("told", [{"reasoning_content": THOUGHT}, {"content": f"<think>{THOUGHT}"}])
@pytest.mark.parametrize("stream", [True, False])
def test_nothing_but_a_thought_is_no_answer(server, router, told, finish, stream):
    body = bodies(told, stream, finish)
    server.reply(body=body, content_type="text/event-stream" if stream else None)

    with pytest.raises(BadReply) as raised:
        router.route("Capital of France?", tier="MID", stream=stream)
    cures = {"length": ": its budget of 256 tokens is used up, raise max_tokens"}
    cures["stop"] = (
        " (finish_reason 'stop'): ask again, raise max_tokens, or see whether the server's "
        "reasoning parser takes the answer for a thought"
    )
    assert f"'medium' gave no answer, only its reasoning{cures[finish]}" == str(raised.value)
    spent = raised.value.result.attempts[-1]
    assert (spent.reasoning, spent.output_tokens) == (THOUGHT, 30)
    assert spent.cost_usd > 0


def test_a_thought_may_be_long_but_not_without_end(server, router):
    for size, finish in ((600_042, "stop"), (600_048, "length")):
        told = {"reasoning_content": "x" * size, "content": "Paris."}
        server.reply(body=bodies(told, True), content_type="text/event-stream")
        result = router.route("Capital of France?", max_tokens=1, cache="off")
        assert finish == result.answer.finish_reason


def test_what_is_read_of_an_answer_is_read_without_its_thought(server, router):
    thinking = '<think>{"n": 1}? I am sorry, I cannot.</think>'
    server.reply(text=f'{thinking}{{"n": 2}}')
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}

    asked = {"schema": schema, "strategy": "cascade", "checks": ["refusal"]}
    first = router.route("A number?", **asked)
    again = router.route("A number?", **asked)

    assert (first.data, first.passed) == ({"n": 2}, True)
    assert (again.cached, again.reasoning) == (True, first.reasoning)

    router.route("And another?", thread="numbers")
    server.reply(text="<think>Hm.</think>Three.")
    router.route("One more?", thread="numbers")
    router.route("The last?", thread="numbers")
    turns = [message["content"] for message in server.requests[-1].json["messages"]]
    assert "Three." in turns
    assert "Hm." not in "".join(turns)


def bodies(told, stream, finish="stop"):
    part = "delta" if stream else "message"
    usage = {"prompt_tokens": 9, "completion_tokens": 30, "total_tokens": 39}
    choice = {"index": 0, part: {"role": "assistant", **told}, "finish_reason": finish}
    body = {"id": "x", "model": "qwen3", "choices": [choice], "usage": usage}
    return f"data: {json.dumps(body)}\n\ndata: [DONE]\n\n" if stream else body
