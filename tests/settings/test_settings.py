"""nbroute.toml, the environment and the offline default: what is chosen, and what is refused."""

from __future__ import annotations

import copy
import pickle
import random
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from damage import mutated

from nbroute import ladders
from nbroute.classify.registry import DEFAULT
from nbroute.errors import SettingsError
from nbroute.settings import load
from nbroute.settings.document import read_document
from nbroute.settings.model import ClassifierSettings, EmbedderSettings, Settings
from nbroute.settings.profiles import BUILT_IN
from nbroute.settings.trust import trust
from nbroute.settings.writing import text_of, write
from nbroute.types import Price, Target, Tier

KEY = "sk-or-v1-not-a-real-key"
LOCAL = "pip install 'nbroute[local]', nbroute pull"
OFFLINE = "OPENROUTER_API_KEY, OPENAI_API_KEY and ANTHROPIC_API_KEY are not set"
EMPTY = "OPENROUTER_API_KEY is set but empty"
OTHERS = "OPENAI_API_KEY and ANTHROPIC_API_KEY are not set"


@pytest.fixture
def here(tmp_path):
    folder = tmp_path / "project" / "notebooks"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def read(here, tmp_path):
    """Load, from a folder with this nbroute.toml, trusted, and this environment alone."""

    def read_settings(text=None, *, path=None, profile=None, local_ready=lambda: False, **environ):
        homes = {"XDG_CONFIG_HOME": str(tmp_path / "c"), "XDG_DATA_HOME": str(tmp_path / "d")}
        if text is not None:
            (here / "nbroute.toml").write_text(text, encoding="utf-8")
            trust(read_document(here / "nbroute.toml"), homes)
        where = {"folder": here, "environ": {**homes, **environ}}
        return load(path, profile=profile, local_ready=local_ready, **where)

    return read_settings


def of_tiers(settings, field):
    return [getattr(tier, field) for tier in settings.ladder.tiers]


def the_provider(settings, name):
    return next(provider for provider in settings.providers if provider.name == name)


SIMULATED = "simulated: simulated models, no key needed, nothing is sent"
ON_THIS_MACHINE = "local: SmolLM2 on this machine, no key needed"


def test_the_environment_chooses_the_profile_and_the_origin_says_why(read):
    keys = {"OPENROUTER_API_KEY": KEY, "OPENAI_API_KEY": KEY}
    settings = read(local_ready=lambda: pytest.fail("asked for nothing"), **keys)
    assert "profile openrouter: OpenRouter, key from OPENROUTER_API_KEY" == settings.origin
    assert KEY not in repr(settings)
    for environ, ready, origin in (
        ({}, True, f"{ON_THIS_MACHINE} ({OFFLINE})"),
        ({}, False, f"{SIMULATED} ({OFFLINE}; for a real model with no key: {LOCAL})"),
        ({"NBROUTE_PROFILE": "local"}, False, f"{ON_THIS_MACHINE} (not here yet: {LOCAL})"),
        ({"OPENROUTER_API_KEY": ""}, True, f"{ON_THIS_MACHINE} ({EMPTY}; {OTHERS})"),
    ):
        settings = read(local_ready=lambda found=ready: found, **environ)
        told = f"profile {origin}"
        assert (origin.partition(":")[0], told) == (settings.profile, settings.origin)


@pytest.mark.parametrize("profile", BUILT_IN)
def test_every_built_in_profile_gives_a_valid_ladder_on_one_configured_provider(read, profile):
    settings = read(profile=profile)
    provider, classifier = the_provider(settings, profile), settings.classifier

    ladders.validate(settings.ladder)
    assert ([profile] * 4, "FRONTIER") == (of_tiers(settings, "provider"), settings.baseline)
    assert [profile] == [one.name for one in settings.providers]
    assert classifier.name == ("hybrid" if provider.billed else DEFAULT)
    if provider.billed:  # the lowest model is asked where the rules are unsure
        lowest = settings.ladder.tiers[0].model
        assert (profile, lowest) == (classifier.provider, classifier.model)
    if profile in ("ollama", "lmstudio", "vllm"):  # asked for their models, and want no key
        assert ["auto"] * 4 == of_tiers(settings, "model")
        assert (False, None, None) == (provider.billed, provider.api_key, provider.api_key_env)


ALL_KEYS = """
[nbroute]
profile = "openrouter"
ladder = "three-tier"
default_tier = "fast"
baseline = "mid"
classifier = "model"
classifier_provider = "openai"
classifier_model = "gpt-4.1-nano"
classifier_threshold = 0.5
step_up_below = 0.25
classifier_file = "learned.npz"
embedder = "openrouter"
embedder_model = "openai/text-embedding-3-large"
agreement = 0.8
check_timeout_s = 2.5
budget_usd_per_day = 5
budget_usd_per_feature = { "the chat" = 2.50 }
on_limit = "cheaper"
cache = "only"
cache_file = "lesson.db"
ledger = "records/ledger.db"
store_text = true
static = true
max_prompt_chars = 5000
[providers.openrouter]
timeout_s = 5
token_parameter = "max_completion_tokens"
[providers."a box"]
billed = false
base_url = "https://box.example:8443/v1"
api_key_env = "BOX_KEY"
[profiles.lesson]
provider = "a box"
[tiers.fast]
model = "openai/gpt-4o-mini"
fallbacks = ["haiku", { provider = "a box", model = "m", price = { input = 1, output = 2 } }]
max_tokens = 99
context = 8192
reference = "openai:gpt-4o"
system = "Be brief.\\nBe \\"kind\\" \\u007f."
description = "Quick."
effort = "low"
price = { input = 0.15, output = 0.60, cached_input = 0.075 }
"""


def test_all_keys_are_read(read, here):
    settings = read(ALL_KEYS)
    preset = ladders.preset("three-tier", "openrouter")
    free = Price(Decimal(1), Decimal(2), "configured")
    fast = Tier(
        *("fast", "openrouter", "openai/gpt-4o-mini", 99, 'Be brief.\nBe "kind" \x7f.'),
        fallbacks=("haiku", Target("a box", "m", free)),
        price=Price(Decimal("0.15"), Decimal("0.60"), "configured", Decimal("0.075")),
        reference="openai:gpt-4o",
        description="Quick.",
        context=8192,
        effort="low",
    )

    assert settings == Settings(
        profile="openrouter",
        origin="profile openrouter: OpenRouter and a box at https://box.example:8443/v1 and "
        f"OpenAI; settings from {here / 'nbroute.toml'} (OPENROUTER_API_KEY, BOX_KEY and "
        "OPENAI_API_KEY are not set: set it before the first call)",
        ladder=replace(preset, tiers=(fast, *preset.tiers[1:]), default="fast"),
        providers=settings.providers,
        classifier=ClassifierSettings(
            *("model", "openai", "gpt-4.1-nano", 0.5, here / "learned.npz"), step_up_below=0.25
        ),
        baseline="mid",
        ledger_file=here / "records" / "ledger.db",
        embedder=EmbedderSettings("openrouter", "openrouter", "openai/text-embedding-3-large"),
        agreement=0.8,
        check_timeout_s=2.5,
        budget_usd_per_day=Decimal(5),
        budget_usd_per_feature={"the chat": Decimal("2.50")},
        on_limit="cheaper",
        cache="only",
        cache_file=here / "lesson.db",
        store_text=True,
        static=True,
        max_prompt_chars=5000,
        source_file=here / "nbroute.toml",
    )
    assert {"openrouter", "openai", "a box"} == {one.name for one in settings.providers}
    openrouter = the_provider(settings, "openrouter")
    assert (5.0, "max_completion_tokens") == (openrouter.timeout_s, openrouter.token_parameter)


def test_a_named_file_comes_before_the_nearest_and_that_before_the_users_own(read, here, tmp_path):
    own = tmp_path / "c" / "nbroute" / "nbroute.toml"
    own.parent.mkdir(parents=True)
    own.write_text('[nbroute]\nprofile = "vllm"')
    found = [read().profile]
    own.write_text("")
    for folder, profile in {here.parent: "lmstudio", here: "local", tmp_path: "ollama"}.items():
        (folder / "nbroute.toml").write_text(f'\ufeff[nbroute]\nprofile = "{profile}"', "utf-8")
        found.append(read().profile)
    named = {"NBROUTE_CONFIG": str(tmp_path / "nbroute.toml")}
    found += [read(**named).profile, read(path=own, **named).profile]

    assert ["vllm", "lmstudio", "local", "local", "ollama", "simulated"] == found


def test_a_tier_with_another_model_or_provider_has_not_the_fallbacks_of_the_preset(read):
    new = read('[tiers.COMPLEX]\nmodel = "m"', OPENROUTER_API_KEY=KEY).ladder["COMPLEX"]
    assert ("m", ()) == (new.model, new.fallbacks)

    moved = read('[nbroute]\nprofile = "local"\n[tiers.FRONTIER]\nprovider = "openai"')
    assert ["local", "local", "local", "openai"] == of_tiers(moved, "provider")
    assert ladders.preset("four-tier", "openai")["FRONTIER"] == moved.ladder["FRONTIER"]


BOX = '[providers.box]\nbase_url = "https://box:9000/v1"\n'
OWN = f"""{BOX}billed = false
[tiers.small]
provider = "box"
model = "tiny"
[tiers.large]
provider = "box"
model = "huge"
max_tokens = 100
"""


def test_tiers_of_other_names_are_a_ladder_of_ones_own_unless_a_profile_is_asked_for(read):
    settings = read(OWN)
    asked_for = read(f'[nbroute]\nbaseline = "small"\n{OWN}', profile="simulated")
    box = read(BOX, profile="box")

    assert ("small", "large") == settings.ladder.names
    assert ("small", "large") == (settings.ladder.default, settings.baseline)
    assert [2048, 100] == of_tiers(settings, "max_tokens")
    assert settings.origin.startswith("profile file: box at https://box:9000/v1, no key needed")
    assert ladders.preset("four-tier", "simulated") == asked_for.ladder
    assert "FRONTIER" == asked_for.baseline
    assert asked_for.origin.endswith("its tiers set aside")
    assert ["auto"] * 4 == of_tiers(box, "model")


def test_a_profile_of_the_file_changes_the_files_settings_and_may_name_a_provider(read):
    text = '[profiles.lesson]\nprovider = "simulated"\nladder = "two-tier"\nbudget_usd = 0.5\n'
    text += '[nbroute]\nbudget_usd = 5\ncache = "off"'
    lesson = read(text, profile="lesson")

    assert ["simulated", "simulated"] == of_tiers(lesson, "provider")
    assert (Decimal("0.5"), "off") == (lesson.budget_usd, lesson.cache)
    assert Decimal(5) == read(text).budget_usd


def test_an_argument_comes_before_the_environment_and_that_before_the_file(read, tmp_path):
    text = '[nbroute]\nprofile = "local"'
    assert "local" == read(text).profile
    assert "openai" == read(text, NBROUTE_PROFILE="openai").profile
    assert "simulated" == read(text, profile="simulated", NBROUTE_PROFILE="openrouter").profile

    (file := tmp_path / "my.toml").write_text(f"{OWN}[profiles.lesson]\nprovider = 'local'")
    teacher = {"path": file, "NBROUTE_PROFILE": "simulated"}
    assert ("file", ("small", "large")) == (read(**teacher).profile, read(**teacher).ladder.names)
    assert "lesson" == read(**teacher, profile="lesson").profile
    file.write_text('[tiers.SIMPLE]\nmodel = "m"')
    assert "m" == read(**teacher, OPENROUTER_API_KEY=KEY).ladder["SIMPLE"].model
    file.write_text("[tiers.SIMPLE]\nmax_tokens = 9")
    assert ("simulated", 9) == (read(**teacher).profile, read(**teacher).ladder.tiers[0].max_tokens)

    text = '[nbroute]\nstatic = true\nledger = "l.db"'
    assert [True, False] == [read(text, NBROUTE_STATIC=said).static for said in ("True ", "0")]
    settings = read(text, NBROUTE_LEDGER="/data/l.db", NBROUTE_CACHE="c.db")
    assert (Path("/data/l.db"), Path("c.db")) == (settings.ledger_file, settings.cache_file)
    settings.source_file.unlink()
    assert tmp_path / "d" / "nbroute" / "ledger.sqlite3" == read().ledger_file
    (tmp_path / "small.gguf").write_bytes(b"GGUF")
    local = read(NBROUTE_GGUF=str(tmp_path / "small.gguf"))
    assert (tmp_path / "small.gguf",) == the_provider(local, "local").gguf


def test_a_key_is_never_shown_or_pickled_and_comes_back_from_the_environment(read, monkeypatch):
    settings = read(OPENROUTER_API_KEY=KEY + "\n")  # as it was pasted
    pickled = pickle.dumps(settings)

    assert KEY == settings.providers[0].api_key
    assert KEY not in f"{settings!r} {settings.origin}"
    assert KEY.encode() not in pickled
    elsewhere = pickle.loads(pickled)  # noqa: S301 - made here
    assert elsewhere.providers[0].api_key is None
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    back = pickle.loads(pickled)  # noqa: S301 - made here
    assert settings == back == copy.deepcopy(settings)
    assert KEY == copy.copy(settings.providers[0]).api_key


FOR_EACH = "[nbroute.budget_usd_per_feature]\nchat = 1\nsearch = -0.5"
REFUSED = {
    "": [
        (f'[providers.openrouter]\napi_key = "{KEY}"', "name that in api_key_env"),
        (f'[providers.openrouter]\napi_key_env = "{KEY}"', "the name of an environment variable"),
        (f'[providers.box]\nbase_url = "https://me:{KEY}@box/v1"', "the value cannot be used"),
        (f"[nbroute]\nprofile = {KEY}", "is not TOML"),
        ("[tier.SIMPLE]", r"unknown table \[tier\]; did you mean 'tiers'"),
        ('ladder = "two-tier"', r"'ladder' is above all tables; put it under \[nbroute\]"),
        ("[tiers.SIMPEL]\nmax_tokens = 1", "did you mean 'SIMPLE'"),
        ("[providers.box]", "has no base_url"),
        (
            '[nbroute]\nprofile = "lite"\n[providers.lite]\nkind = "litellm"',
            r"\[tiers.SIMPLE\] has no model, and LiteLLM cannot list its models",
        ),
    ],
    "[nbroute]\n": [
        ("budget_us = 3", "budget_us = 3: there is no key 'budget_us'; did you mean 'budget_usd'"),
        ('default_tier = "MEDUM"', "'MEDUM'.*did you mean 'MEDIUM'"),
        ('embedder = "wordlama"', "'wordlama' is not configured; did you mean 'wordllama'"),
        ('classifier_provider = "openai"', "name it in classifier_model"),
        ('classifier = "ngram"', "'ngram' is not a classifier.*did you mean 'ngrams'"),
        ("budget_usd = 0", "budget_usd = 0 cannot be used; .*leave it out for no budget"),
        (FOR_EACH, r"\[nbroute.budget_usd_per_feature\] search = -0.5 .*give US dollars above 0"),
        ("agreement = 92", "agreement = 92 cannot.*from 0 to 1"),
    ],
    "[tiers.SIMPLE]\n": [
        ('fallbacks = [{ provider = "openai" }]', "fallbacks = .*cannot be used; give a model"),
        ("price = { input = -1, output = 1 }", "US dollars per million tokens, 0 or more"),
    ],
}


def test_a_file_that_cannot_be_used_is_named_with_what_is_wrong_in_it(read, here):
    rows = [(f"{table}{lines}", said) for table, ones in REFUSED.items() for lines, said in ones]
    for text, said in rows:
        with pytest.raises(SettingsError, match=said) as refused:
            read(text)
        assert str(refused.value).startswith(str(here / "nbroute.toml"))
        assert 1 == len(str(refused.value).splitlines())
        assert KEY not in str(refused.value)


def test_a_variable_or_an_argument_that_cannot_be_used_is_named(read):
    Path("latin.toml").write_bytes(b"\xff\xfe[nbroute]")
    hidden = {"NBROUTE_PROFILE": "simulated"}
    for given, said in (
        ({"NBROUTE_PROFILE": "lokal"}, "NBROUTE_PROFILE = 'lokal'.*did you mean 'local'"),
        ({"NBROUTE_CONFIG": "/no/such.toml"}, "NBROUTE_CONFIG.*no settings file '/no/such.toml'"),
        ({"NBROUTE_GGUF": "/no/such.gguf"}, "no model file '/no/such.gguf'"),
        ({"NBROUTE_STATIC": "maybe"}, "NBROUTE_STATIC = 'maybe'"),
        ({"profile": "opnai"}, "profile = 'opnai'.*did you mean 'openai'"),
        (hidden | {"text": '[tiers.SIMPLE]\nprovider = "bx"'}, r"SIMPLE\] prov.* \[providers.bx\]"),
        (hidden | {"text": '[profiles.p]\nprovider = "bx"'}, r"nbroute.toml: \[profiles.p\] prov"),
        (hidden | {"text": '[nbroute]\nclassifier_provider = "bx"'}, "classifier_provider = 'bx'"),
        ({"path": "latin.toml"}, "latin.toml is not UTF-8"),
    ):
        with pytest.raises(SettingsError, match=said):
            read(**given)


def test_whatever_is_in_the_file_it_is_settings_or_an_error_of_one_line(here):
    file, chance = here / "my.toml", random.Random(18)  # noqa: S311 - the same each time
    said = []
    for _ in range(200):
        file.write_bytes(mutated(ALL_KEYS.encode(), chance))
        try:
            load(file)
        except SettingsError as error:
            said.append(str(error))

    assert len(said) > 100
    assert all(len(one.splitlines()) == 1 and len(one) < 1000 for one in said)


@pytest.mark.parametrize("given", [*BUILT_IN, "ALL_KEYS"])
def test_what_is_written_loads_to_the_same_settings(tmp_path, given):
    file = tmp_path / "nbroute.toml"
    file.write_text(ALL_KEYS.replace('classifier_file = "learned.npz"', ""))
    settings = load(file) if given == "ALL_KEYS" else load(profile=given)

    write(file, text_of(settings, settings.ladder), force=True)

    again = load(file)
    for name in ("ladder", "baseline", "classifier"):
        assert getattr(settings, name) == getattr(again, name)
    before, after = (
        {replace(one, api_key=None) for one in each.providers} for each in (settings, again)
    )
    assert before <= after
