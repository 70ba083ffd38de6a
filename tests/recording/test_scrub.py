"""Keys are taken out of what is handed on, however they are written; ordinary words stay."""

from __future__ import annotations

import html
import json
from types import SimpleNamespace

import pytest

from nbroute.providers.litellm import LiteLLM
from nbroute.providers.openai_compatible import OpenAICompatible
from nbroute.recording.scrub import REMOVED, Scrubber, secrets_of

KEYS = """
    sk-proj-Ab12Cd34Ef56Gh78Ij90Kl12Mn34 sk-or-v1-0123456789abcdef0123456789abcdef
    sk-ant-api03-AbCdEfGhIjKlMnOp0123456789-_AA AIzaSyA1234567890abcdefghijklmnopqrstuv
    ghp_0123456789abcdefghijABCDEFGHIJ012345 hf_abcdefghijKLMNOPQRSTuvwxyz01234567
    AKIAIOSFODNN7EXAMPLE ASIAIOSFODNN7EXAMPLE pplx-0123456789abcdef0123456789abcdef
    nvapi-Ab12Cd34Ef56Gh78-Ij90Kl12_Mn34 ya29.a0AfH6SMBx-0123456789_abcdef
    eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r
    glpat-0123456789abcdefghij xoxb-012345678901-abcdefabcdef sk_live_0123456789abcdef
"""


@pytest.mark.parametrize("key", KEYS.split())
def test_keys_of_well_known_shapes_are_removed(key):
    told = Scrubber().text(f"use {key}, please; Authorization: Bearer {key}\n'{key}'")

    assert f"use {REMOVED}, please; Authorization: Bearer {REMOVED}\n'{REMOVED}'" == told


def test_what_else_is_a_key_goes_and_ordinary_words_stay():
    scrubber = Scrubber(["ollama", "lm-studio", "none", "key", " ", "another-key-1"])
    for text, expected in (
        ("https://me:pass@example.com/x", f"https://{REMOVED}@example.com/x"),
        ("https://host/v1?api-key=0123456789abcdef0123", f"https://host/v1?{REMOVED}"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMII0123\n-----END RSA PRIVATE KEY-----", REMOVED),
        *((text, None) for text in ("sk-" * 70_000, "-eyJaaaaaaaa" * 17_000)),
        *((text, None) for text in ("bearer " + "a" * 200_000, "://a:" * 40_000)),
        *(("risk-assessment-of-the-year-2024-report", None), ("the bearer of it", None)),
        *(("class sk-toggleable-control", None), ("https://e.com/a?b=c, me@e.com", None)),
        *(("task-1234567890123456789", None), ("ask ollama or lm-studio", None), ("", None)),
    ):
        assert (text if expected is None else expected) == scrubber.text(text), text[:30]


SPECIAL = 'Zq9-odd+key/with=signs&<"x">\''


def test_a_key_is_removed_however_it_is_written():
    encoded = "Zq9-odd%2Bkey%2Fwith%3Dsigns%26%3C%22x%22%3E%27"
    broken = (SPECIAL.replace("/", "/\\\n    "), SPECIAL.replace("+", "+ "))

    for shown in (encoded, json.dumps(SPECIAL), html.escape(SPECIAL), *broken):
        assert "Zq9" not in Scrubber([SPECIAL]).text(f"the key is {shown}.")


def test_a_provider_says_what_is_secret_or_is_searched_for_it():
    for provider, secrets in (
        (OpenAICompatible("lab", "https://me:word@lab.example/v1", "key"), ["key", "me", "word"]),
        (LiteLLM(api_key="a key", api_base="https://me@lab.example"), ["a key", "me"]),
        (SimpleNamespace(secrets=lambda: ("word",), api_key="other"), ["word"]),
        (SimpleNamespace(_api_key="own-key"), ["own-key"]),
        (SimpleNamespace(base_url="https://me:word@lab.example/v1"), ["me", "word"]),
    ):
        assert secrets == secrets_of(provider)
