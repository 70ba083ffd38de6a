"""The session under other settings: figures that must add up, and nothing sent."""

from __future__ import annotations

import math
import re
from decimal import Decimal

import pandas as pd
import pytest
from cells import desk_of, run

from nbroute.classify.model import ModelClassifier
from nbroute.errors import PromptError, SettingsError
from nbroute.ladders import preset
from nbroute.notebook.whatif import WhatIfPanel
from nbroute.storage.ledger import SqliteLedger
from nbroute.types import Decision, Ladder, Price, Tier


def route_all(router, *prompts, **options):
    return [router.route(prompt, **options) for prompt in prompts]


def tiers_of(found):
    return [row.would_be for row in found.rows()]


def test_recorded_tokens_are_priced_on_every_tier(router, server):
    server.reply(text="a b c", usage={"prompt_tokens": 100, "completion_tokens": 50})
    router.route("hello")

    found = router.what_if().strategies

    spent = {"all on TOP": "0.0025", "all on MID": "0.0006", "router": "0.0002"}
    spent |= {"router + cache": "0.0002", "as it was": "0.0002"}
    assert spent == {one.name: str(one.spend.usd) for one in found}
    assert (Decimal("0.0023"), None) == (found[2].saved_usd, found[2].saved_equivalent_usd)


def test_a_model_that_was_never_asked_is_stood_in_for_and_nothing_is_sent(router, server):
    router.route("What is the capital of France?")
    own = ModelClassifier(pytest.fail, provider="loop", model="small")

    for classifier in ("model", own):
        found = router.what_if(classifier=classifier, threshold=0.9)
        found.frame(), found.curve(), found.prompts()
        assert ["LOW"] == tiers_of(found.at(threshold=0))
        assert "so ngrams decides there" in repr(found)
    assert 1 == len(server.requests)


def test_under_the_settings_in_force_it_is_what_the_session_or_a_batch_did(simulated):
    route_all(simulated, "What is 2+2?", "fix typo: teh", "Design a system", "What is 2+2?")
    session = simulated.what_if()
    batch = simulated.map(["What is 3+3?", "fix typo: hte", "What is 3+3?"], workers=1)

    for found, count in ((session, 4), (simulated.what_if(results=batch), 3)):
        assert count == len(found)
        *_, cached, was = found.strategies
        assert was.spend.equivalent_usd == cached.spend.equivalent_usd
        assert was.mix == {tier: share for tier, share in cached.mix.items() if share}
        assert was.latency_ms == pytest.approx(cached.latency_ms)
        assert 1 == [row.cached for row in found.rows()].count(True)
        assert "nothing to write" in found.setting


def test_an_escalation_is_one_prompt_and_what_was_compared_or_not_answered_is_left_out(
    router, server
):
    for tier in ("LOW", "TOP"):
        router.route("hello", tier=tier, comparison="c1")
    server.reply(status=400, error="no")
    with pytest.raises(Exception, match="no"):
        router.route("what?")
    first = router.route("hello")
    second = router.escalate(first)

    found = router.what_if()
    was = found.strategies[-1]

    assert ["hello"] == [row.prompt for row in found.rows()]
    assert ("MID", "LOW") == (found.rows()[0].was, found.rows()[0].would_be)
    assert first.cost_usd + second.cost_usd == was.spend.usd
    assert {"MID": 1.0} == was.mix
    assert "left out: 1 prompt without an answer." in found.notes


def test_the_threshold_moves_the_unsure_one_tier_up(router):
    sure = {"a": 0.3, "b": 0.8}
    route_all(router, *sure)

    found = router.what_if(
        classifier=lambda prompt: Decision("LOW", "mine", "so", sure[prompt]), threshold=0.5
    )

    assert ["MID", "LOW"] == tiers_of(found)
    assert {"LOW": 0.5, "MID": 0.5, "TOP": 0.0} == found.mix()
    assert {"LOW": 0.0, "MID": 1.0, "TOP": 0.0} == found.at(threshold=1).mix()
    curve = found.curve([0, 0.5, 1])
    assert [1.0, 0.5, 0.0] == curve["LOW"].tolist()
    assert [1.0] * 3 == curve[["LOW", "MID", "TOP"]].sum(axis=1).tolist()
    assert curve["usd"].is_monotonic_increasing


def test_what_the_slider_shows_is_what_the_setting_does(simulated, opened, tmp_path):
    prompts = ["What is 2+2?", "format this json: {}", "Write a test for parse()", "hm", "plan it"]
    route_all(simulated, *prompts)
    found = simulated.what_if(threshold=0.82)
    file = tmp_path / "nbroute.toml"
    file.write_text(f'{found.setting}\nprofile = "simulated"\n')

    after = opened(file, ledger=tmp_path / "b.sqlite")

    assert tiers_of(found) == [after.route(prompt).tier for prompt in prompts]
    assert tiers_of(found) != [row.was for row in found.rows()]
    assert "nothing to write" in after.what_if().setting


def test_a_model_that_was_asked_is_taken_at_its_recorded_word_and_cost(make_router, server):
    router = make_router(classifier="model")
    server.reply(text="TOP")
    asked = router.route("hello")

    found = router.what_if(cache=False)

    assert ["TOP"] == tiers_of(found)
    assert asked.cost_usd == found.chosen.spend.usd
    assert any("the session's own decision and its cost are used" in one for one in found.notes)


def test_money_that_is_unknown_or_of_another_kind_is_said_to_be(simulated):
    simulated.route("hello")
    tiers = (
        Tier("LOW", "simulated", "simulated/gpt-4o-mini", 64, price=Price(Decimal(1), Decimal(2))),
        Tier("TOP", "openrouter", "nobody/knows-this", 64),
    )

    found = simulated.what_if(ladder=Ladder("own", tiers, "LOW"))

    top = found.strategies[0]
    assert (1, Decimal(0)) == (top.spend.unknown_calls, top.spend.usd)
    assert {None} == {one.saved_usd for one in found.strategies}
    assert re.search(r"all on TOP +unknown", repr(found))
    listed = simulated.what_if(ladder=preset("three-tier", "openrouter"))
    assert "estimate at list prices" == listed.frame()["kind"].iloc[0]
    was = listed.strategies[-1]
    assert (None, None) == (was.saved_usd, was.saved_equivalent_usd)
    assert "comparable" in repr(listed)


def test_the_setting_to_write_is_toml_for_what_has_a_name(simulated):
    simulated.route("hello")

    found = simulated.what_if("two-tier", "rules:two-tier", 0.6, cache=False)

    assert (
        '# nbroute.toml\n[nbroute]\nladder = "two-tier"\nclassifier = "rules:two-tier"\n'
        'step_up_below = 0.6\ncache = "off"'
    ) == found.setting


def test_prompts_of_ones_own_have_the_tokens_of_their_frame_or_estimated_ones(simulated):
    found = simulated.what_if(prompts=["hello", "hello there"], output_tokens=100, cache=False)
    tokens = {"prompt": ["a", "b"], "input_tokens": [10, math.nan], "output_tokens": [5, 7]}
    frame = simulated.what_if(prompts=pd.DataFrame(tokens))

    names = [one.name for one in found.strategies]
    assert ["all on FRONTIER", "all on MEDIUM", "router", "router + cache"] == names
    assert "Tokens are estimated for 2 prompts, as none were counted." in found.notes
    assert "Tokens are estimated for 1 prompt, as none were counted." in frame.notes
    price = simulated.ladder["SIMPLE"].price
    estimate = (price.input * (2 + 3) + price.output * 200) / 1_000_000
    assert estimate == found.chosen.spend.equivalent_usd


def test_a_session_of_the_ledger_is_read_where_it_keeps_texts(opened, tmp_path):
    for store_text in (True, False):
        ledger = SqliteLedger(tmp_path / f"{store_text}.sqlite", store_text=store_text)
        first = opened(profile="simulated", ledger=ledger, session="monday")
        first.escalate(first.route("What is 2+2?"))
        found = opened(profile="simulated", ledger=ledger).what_if(session="monday")
        if store_text:
            assert [("What is 2+2?", "MEDIUM")] == [(row.prompt, row.was) for row in found.rows()]
            assert first.what_if().strategies[-1].spend == found.strategies[-1].spend
        else:
            assert 0 == len(found)
            assert "store_text = true" in repr(found)


def test_bad_input_names_the_cure(simulated):
    for asked, told in (
        ({"threshold": 1.5}, "from 0 to 1"),
        ({"ladder": "two-teir"}, "did you mean 'two-tier'"),
        ({"prompts": ["x"], "session": "y"}, "not several"),
        ({"prompts": pd.DataFrame({"text": ["x"]})}, "no column 'prompt'"),
        ({"results": ["hello"]}, "for texts there is prompts="),
        ({"prompts": [""]}, "prompt 0 is"),
    ):
        with pytest.raises((SettingsError, PromptError), match=told):
            simulated.what_if(**asked)


def test_the_magic_prints_the_table_where_there_is_no_widget(shell):
    def said(line):
        return shell.run_line_magic("route", f"whatif {line}")

    assert "Route some first" in repr(said(""))
    run(shell, "%%route -q\nWhat is 2+2?")

    assert 'ladder = "two-tier"' in repr(said("threshold=0.95 ladder=two-tier cache=off"))
    with pytest.raises(SettingsError, match="did you mean 'threshold'"):
        said("treshold=0.5")


def test_the_panel_redraws_what_the_controls_say_and_the_session_goes_on_with_it(shell):
    desk = desk_of(shell)
    before = desk.router
    panel = WhatIfPanel(before, desk.apply)
    desk.followers.append(panel)
    assert "there are no prompts" in panel.html
    run(shell, "%%route -q\nhello")
    assert "1 cell ran since" in panel.html
    panel.act("again")
    for typed in ("", "-5", "nan", "many", "90"):
        panel.act("percent", value=typed)
    panel.act("ladder", value="three-tier")
    assert "step_up_below = 0.9" in panel.html
    assert before.what_if("three-tier", threshold=0.9).mix() == panel.found().mix()

    panel.act("apply")

    after = desk.router
    assert (0.9, "three-tier") == (after.settings.classifier.step_up_below, after.ladder.name)
    assert (before.session, before.ledger) == (after.session, after.ledger)
    assert "applied for this session" in panel.html
    assert run(shell, "%%route\nhello")[1].success


def test_the_panels_html_is_escaped_and_has_no_prompt_in_it(opened):
    tiers = (Tier("<b>LOW", "simulated", "simulated/gpt-4o-mini", 64),)
    router = opened(profile="simulated", ladder=Ladder("<i>", tiers, "<b>LOW"))
    router.route("secret words")

    html = WhatIfPanel(router).html

    assert "&lt;b&gt;LOW" in html
    assert not re.search("<b>LOW|secret", html)
