"""The public surface is frozen, and `nbroute.Router` puts together what it is given."""

from __future__ import annotations

import inspect

import pytest

import nbroute
from nbroute import errors
from nbroute.providers.openai_compatible import OpenAICompatible

PUBLIC = """
    Attempt Batch Decision Embedder Event Ladder Options Price Provider Reply Request
    RouteResult Router Settings Simulated SqliteLedger Target Tier Usage Verdict checks errors
    load_ipython_extension sandbox unload_ipython_extension"""
ERRORS = """
    AllModelsFailed AuthError BadReply BudgetExceeded ContextTooLong Interrupted Moderated
    NbrouteError PromptError ProviderError QuotaUsedUp RateLimited RecordError ReplayMiss
    RequestRejected SettingsError TimedOut Unavailable UnknownModel"""
ROUTER = """
    above allow_code amap aroute audit calibrate carry_out classifier classify close compare
    doctor escalate explain fit fit_check forget go_on judge label labels ladder ledger map quality
    record recorder replaying report route session set_budget settle spend stream strengths
    take_back taught teach what_if"""


def test_the_public_names_are_these_and_each_can_be_had():
    assert sorted(nbroute.__all__) == PUBLIC.split()
    assert all(getattr(nbroute, name) is not None for name in PUBLIC.split())
    checks = ["NAMES", "agree", "best", "final_value", "judge", "own", "parse_json", "wanted"]
    assert checks == [name for name in nbroute.checks.__all__ if hasattr(nbroute.checks, name)]
    with pytest.raises(AttributeError, match="no attribute 'Ruter'"):
        _ = nbroute.Ruter
    found = [n for n, v in vars(errors).items() if inspect.isclass(v) and n[0] != "_"]
    assert sorted(n for n in found if n != "Any") == ERRORS.split()
    assert all(issubclass(getattr(errors, name), errors.NbrouteError) for name in ERRORS.split())
    methods = [name for name in dir(nbroute.Router) if not name.startswith("_")]
    assert sorted(set(methods) - {"parts", "settings"}) == ROUTER.split()
    assert all(getattr(nbroute.Router, name).__doc__ for name in ROUTER.split())


def test_a_provider_of_ones_own_classifies_too_whatever_the_environment(
    monkeypatch, server, opened
):
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-elsewhere")
    mine = OpenAICompatible("mine", server.url, "sk-mine")

    assert "ok" == opened(provider=mine, classifier="model").route("hello").text
    assert 2 == len(server.requests)
