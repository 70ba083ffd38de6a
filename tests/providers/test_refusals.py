"""What endpoints refuse, in the words that their users report: changed, asked once more, noted."""

from __future__ import annotations

import json
from dataclasses import replace
from operator import itemgetter
from pathlib import Path

import pytest
from calls import asking, failure, text_of
from loopback import Reply

from nbroute.errors import ContextTooLong, ProviderError
from nbroute.pricing import prompt_tokens
from nbroute.providers.token_limits import Limits, learnt_from, listed_in
from nbroute.types import Message

#: `source` is where a row's words are from; those without one are alike, from memory.
DATA = json.loads((Path(__file__).parents[1] / "data" / "refusals.json").read_text())
REQUEST = asking(max_tokens=2000, temperature=0.5)


def ask(provider, request):
    """The answer's text and the notices."""
    chunks = list(provider.send(request))
    return text_of(chunks), [c.notice for c in chunks if c.notice]


@pytest.mark.parametrize("case", DATA["refused"], ids=itemgetter("case"))
def test_what_is_refused_is_changed_once_remembered_and_noted(server, provider, case):
    request = replace(REQUEST, **case["request"])
    server.reply(status=case["status"], body=case["body"])
    (text, notices), again = ask(provider, request), ask(provider, request)

    refused, changed, remembered = (seen.json for seen in server.requests)
    names = refused.keys() | changed.keys()
    assert case["sent"] == {n: changed.get(n) for n in names if refused.get(n) != changed.get(n)}
    assert changed == remembered
    assert (text, []) == again
    assert text
    assert ["some/model "] == [notice[:11] for notice in notices]


@pytest.mark.parametrize("case", DATA["budget of 2000 tokens"], ids=itemgetter("case"))
def test_a_token_budget_that_is_too_large_is_lowered_to_what_fits(server, provider, case):
    server.reply(status=400, error=case["words"])
    (_, notices), (_, again) = ask(provider, REQUEST), ask(provider, REQUEST)

    fits = case["fits"]
    assert [2000, fits, fits] == [seen.json["max_tokens"] for seen in server.requests]
    assert f"{fits:,}, not 2,000" in notices[0]
    assert [] == again


@pytest.mark.parametrize("words", DATA["prompt too long"])
def test_a_prompt_that_alone_is_too_long_is_not_asked_again(server, provider, words):
    server.reply(status=400, error=words)
    assert words[:60] in failure(provider, ContextTooLong, REQUEST)
    assert 1 == len(server.requests)


def limits_in(row):
    return row["limits"] and Limits(**row["limits"])


@pytest.mark.parametrize("row", DATA["listed"])
def test_what_the_list_says_of_the_model_is_its_limit(row):
    page = {"data": [{"id": "other", "n_ctx": 7}, {"id": "some/model"} | row["fields"]]}
    assert limits_in(row) == listed_in(page, "some/model")


def test_a_window_that_the_refusal_leaves_out_is_looked_up_once(server, provider):
    server.reply(status=400, error="Please reduce the length of the messages or completion.")
    server.reply(body={"data": [{"id": "some/model", "context_length": 1000}]})
    notices = [ask(provider, REQUEST)[1], ask(provider, REQUEST)[1]]

    given = prompt_tokens(REQUEST.messages)
    assert [2000, 1000 - given, 1000 - given] == [
        seen.json["max_tokens"] for seen in server.requests if seen.json
    ]
    assert ["/v1/models"] == [seen.path for seen in server.requests if not seen.json]
    assert [1, 0] == [*map(len, notices)]


@pytest.mark.parametrize("row", DATA["learnt"])
def test_the_endpoints_count_of_a_prompt_is_remembered(row):
    found = learnt_from(row["words"], Limits(7000), row["budget"], row["given"])
    assert limits_in(row) == found


def test_an_answer_gets_the_room_that_is_left():
    budgets = [Limits(window=100).budget(50, given) for given in (49, 51, 99, 100)]
    assert [50, 49, 1, 50] == budgets
    assert [9, 1] == [Limits(9).budget(50, 0), Limits(9, 100, 5).budget(50, 94)]


def test_a_budget_is_lowered_once_for_the_answer_and_once_for_the_window(server, provider):
    most = "output tokens: at most {}"
    window = "the context length is 4096 tokens but you sent 3000 + {} tokens"
    for words in (most.format(1500), window.format(1500), most.format(9)):
        server.reply(status=400, error=words)
    assert "at most 9" in failure(provider, ProviderError, REQUEST)
    assert [2000, 1500, 1096] == [seen.json["max_tokens"] for seen in server.requests]


def test_each_prompt_gets_the_budget_that_fits_it(server, provider):
    def counting(sent):
        prompt = sum(len(one["content"]) // 5 for one in sent["messages"])
        both = prompt + sent["max_tokens"]
        words = (
            f"This model's maximum context length is 4096 tokens. However, you requested {both} "
            f"tokens ({prompt} in the messages, {sent['max_tokens']} in the completion)."
        )
        return Reply(status=400, error=words) if both > 4096 else Reply()

    server.handler = counting
    long = replace(REQUEST, messages=(Message("user", "word " * 3000),))
    longer = replace(REQUEST, messages=(Message("user", "word " * 4000),))

    taken = []
    for request in (long, REQUEST, longer, long):
        ask(provider, request)
        taken.append(server.requests[-1].json["max_tokens"])

    assert [1096, 2000, 96, 1096] == taken


@pytest.mark.parametrize("status", [400, 500])
def test_words_of_the_prompt_that_a_server_shows_teach_nothing(server, provider, status):
    prompt = "Why is 'temperature' not supported and max_tokens: 5 > 3 in my stream?"
    request = asking(prompt, max_tokens=2000, temperature=0.5)
    server.reply(status=status, error=f"cannot answer {prompt!r} now")
    failure(provider, ProviderError, request)
    ask(provider, request)

    assert server.requests[0].json == server.requests[1].json


def test_a_range_that_a_temperature_is_out_of_says_nothing_of_others(server, provider):
    server.reply(status=400, error="temperature: range: 0..1")
    for temperature in (1.5, 0.5, 1.5):
        ask(provider, replace(REQUEST, temperature=temperature))
    assert [1.5, None, 0.5, None] == [seen.json.get("temperature") for seen in server.requests]


def test_a_server_that_refuses_whatever_comes_has_the_last_word(server, provider):
    server.handler = lambda sent: Reply(
        status=400,
        error=f"Unsupported parameter: {', '.join(sent)}; the system role is not supported",
    )
    told = failure(provider, ProviderError, replace(REQUEST, json=True, logprobs=True))

    assert "Unsupported parameter" in told
    assert len(server.requests) <= 9
    sent = [json.dumps(seen.json) for seen in server.requests]
    assert len(sent) == len({*sent})
