"""`nbroute check-endpoint` against loopback servers that play good and bad endpoints."""

from __future__ import annotations

import re

import pytest
from calls import SETTINGS
from loopback import Reply

from nbroute.cli import main

PRICE = "[tiers.LOW.price]\ninput = 1\noutput = 2\n"


@pytest.fixture
def check(server, tmp_path, monkeypatch, capsys):
    """Run the command on a provider at the server; exit code, and the lines by their check."""
    file = tmp_path / "nbroute.toml"
    monkeypatch.setenv("NBROUTE_CONFIG", str(file))
    monkeypatch.setenv("MINE_API_KEY", "sk-test-0123456789")

    def run(*arguments, price=PRICE):
        file.write_text(SETTINGS.format(url=server.url) + price)
        code = main(["check-endpoint", "mine", *arguments])
        first, *lines = capsys.readouterr().out.splitlines()
        assert all(map(str.isprintable, [first, *lines]))
        found = {line[7:22].strip(): (line[:5].strip(), line[24:]) for line in lines}
        found = {name: one for name, one in found.items() if one[0] in ("ok", "note", "fails")}
        return code, first, found

    return run


def good(sent):
    """An endpoint that does as it should, and bills."""
    if sent["model"] != "small":
        return Reply(status=404, body={"error": {"message": f"no model {sent['model']!r}"}})
    asked, schema = sent["messages"], sent.get("response_format")
    text = '{"city": "Paris"}' if schema else "Pa ris"
    if asked[0]["role"] == "system" and "banana" in asked[0]["content"]:
        text = "banana"
    details = {"cached_tokens": 1024 if len(asked[-1]["content"]) > 1_000 else 0}
    usage = {"prompt_tokens": 1600, "completion_tokens": 3, "prompt_tokens_details": details}
    return Reply(text=text, cost=1e-06, usage=usage)


def test_a_good_endpoint_is_all_ok(server, check):
    server.handler = good

    code, first, found = check("--yes", "--cached")

    assert 0 == code
    assert f"7 calls to 'small' at {server.host}: at most $0.0" in first
    assert ["ok"] * 10 == [verdict for verdict, _ in found.values()]
    assert [
        *("followed", "{'city': 'Paris'}", "refused, so that a fallback is asked"),
        *("1,600 tokens in, 3 out", "$0.000001 (billed)") * 2,
        "1,024 of 1,600 tokens",
    ] == [says for _, says in found.values()][2:]
    assert "What is the capital of France? Answer with its name alone." == server.prompts[0]


def bad(sent):
    """An endpoint that takes every name, never streams, counts nothing and heeds no instruction."""
    message = {"role": "assistant", "content": "It is\x1b[2J Paris."}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return Reply(body={"id": "x", "model": "tiny\x1b[2J", "choices": [choice]})


def refusing(sent):
    """An endpoint that does not know the key."""
    return Reply(status=401, error="Incorrect API key provided")


def thoughtful(sent):
    """A model that thinks longer than its budget."""
    choice = {"message": {"content": ""}, "finish_reason": "length"}
    return Reply(body={"choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 64}})


BAD = {
    "whole": r"ok: 'It is\\x1b\[2J Paris\.', .* m?s, answered by '.*'",
    "streamed": "note: .*came in one piece: it, or a proxy in between, does not",
    "schema": "note: not followed",
    "system role": "note: .*not followed: it answered 'It is.* Paris.'",
    "wrong model": "note: answered by '.*': a typo in the name goes unnoticed",
    "usage, whole": "note: .*costs are estimates",
    "cost, streamed": "note: .*price = { input = ..., output = ... } in nbroute.toml",
}


@pytest.mark.parametrize(
    ("handler", "ends", "told"),
    [
        (bad, (0, 5), BAD),
        (thoughtful, (1, 2), {"streamed": "fails: .*by reasoning: try --max-tokens 1000"}),
        (refusing, (1, 1), {"whole": "fails: .*MINE_API_KEY", "the rest": "fails: not tried"}),
    ],
)
def test_what_is_unusual_is_told_line_by_line_with_what_to_do(server, check, handler, ends, told):
    server.handler = handler

    code, first, found = check("--yes", price="")

    assert "no known price" in first
    assert ends == (code, len(server.requests))
    for name, words in told.items():
        assert re.match(words, ": ".join(found[name]))


def test_nothing_is_sent_unless_one_says_yes(server, check, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda question: "n")

    code, first, found = check("another-model")

    assert (1, {}, []) == (code, found, server.requests)
    assert "5 calls to 'another-model'" in first
