"""nbroute.toml, the environment and the offline default: what is chosen, and what is refused."""

from __future__ import annotations

import copy
import os
import pickle
import random
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from damage import mutated

from nbroute import ladders
from nbroute.budgets import Limits
from nbroute.classify.registry import DEFAULT
from nbroute.errors import SettingsError
from nbroute.settings import load
from nbroute.settings.document import read_document
from nbroute.settings.model import ClassifierSettings, EmbedderSettings
from nbroute.settings.profiles import BUILT_IN
from nbroute.settings.trust import trust
from nbroute.types import Price, Target

KEY = "sk-or-v1-not-a-real-key"
LOCAL = "pip install 'nbroute[local]', nbroute pull"
OFFLINE = "OPENROUTER_API_KEY, OPENAI_API_KEY and ANTHROPIC_API_KEY are not set"
CURE = "set it before the first call"
EMPTY = "OPENROUTER_API_KEY is set but empty"
OTHERS = "OPENAI_API_KEY and ANTHROPIC_API_KEY are not set"
SERVERS = ("ollama", "lmstudio", "vllm")


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


# Which profile

AT_OLLAMA = "ollama: ollama at http://localhost:11434/v1, no key needed"
SIMULATED = "simulated: simulated models, no key needed, nothing is sent"
ON_THIS_MACHINE = "local: SmolLM2 on this machine, no key needed"


@pytest.mark.parametrize(
    ("environ", "ready", "origin"),
    [
        ("OPENROUTER OPENAI", None, "openrouter: OpenRouter, key from OPENROUTER_API_KEY"),
        ("ANTHROPIC", None, "anthropic: Anthropic, key from ANTHROPIC_API_KEY"),
        ("", True, f"{ON_THIS_MACHINE} ({OFFLINE})"),
        ("", False, f"{SIMULATED} ({OFFLINE}; for a real model with no key: {LOCAL})"),
        ({"NBROUTE_PROFILE": "local"}, False, f"{ON_THIS_MACHINE} (not here yet: {LOCAL})"),
        ({"OPENROUTER_API_KEY": ""}, True, f"{ON_THIS_MACHINE} ({EMPTY}; {OTHERS})"),
        (
            {"OPENROUTER_API_KEY": " ", "OPENAI_API_KEY": KEY},
            None,
            f"openai: OpenAI, key from OPENAI_API_KEY ({EMPTY})",
        ),
        (
            {"OPENAI_API_KEY": KEY, "NBROUTE_PROFILE": "openrouter"},
            None,
            f"openrouter: OpenRouter (OPENROUTER_API_KEY is not set: {CURE})",
        ),
        ({"OPENAI_API_KEY": KEY, "NBROUTE_PROFILE": "simulated"}, None, SIMULATED),
        ({"NBROUTE_PROFILE": "ollama"}, True, AT_OLLAMA),
    ],
)
def test_the_environment_chooses_the_profile_and_the_origin_says_why(read, environ, ready, origin):
    """A `ready` of None: whether there is a local model decides nothing, and is not asked."""
    if isinstance(environ, str):
        environ = {f"{name}_API_KEY": KEY for name in environ.split()}

    settings = read(local_ready=lambda: pytest.fail("asked") if ready is None else ready, **environ)

    assert f"profile {origin}" == settings.origin
    assert settings.profile == origin.partition(":")[0]
    assert KEY not in repr(settings)


def test_an_argument_comes_before_the_environment_and_that_before_the_file(read):
    text = '[nbroute]\nprofile = "local"'

    assert "local" == read(text).profile
    assert "openai" == read(text, NBROUTE_PROFILE="openai").profile
    assert "simulated" == read(text, profile="simulated", NBROUTE_PROFILE="openrouter").profile


@pytest.mark.parametrize("profile", BUILT_IN)
def test_every_built_in_profile_gives_a_valid_ladder_on_one_configured_provider(read, profile):
    settings = read(profile=profile)
    provider, classifier = the_provider(settings, profile), settings.classifier

    ladders.validate(settings.ladder)
    assert ([profile] * 4, "FRONTIER") == (of_tiers(settings, "provider"), settings.baseline)
    assert [profile] == [one.name for one in settings.providers]
    if provider.billed:  # the lowest model is asked where the rules are unsure
        lowest = settings.ladder.tiers[0].model
        found = (classifier.name, classifier.provider, classifier.model)
        assert ("hybrid", profile, lowest) == found
    else:
        assert DEFAULT == classifier.name
    if profile in SERVERS:  # which are asked for their models, and want no key
        assert ["auto"] * 4 == of_tiers(settings, "model")
        assert "openrouter:openai/gpt-4o-mini" == settings.ladder["SIMPLE"].reference
        assert (False, None, None) == (provider.billed, provider.api_key, provider.api_key_env)
        assert [256, 1024, 4096, 16384] == of_tiers(settings, "max_tokens")


# What a file says


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
classifier_file = "learned.npz"
embedder = "openrouter"
embedder_model = "openai/text-embedding-3-large"
agreement = 0.8
check_timeout_s = 2.5
budget_usd_per_day = 5
budget_usd_per_feature = 2.50
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
[providers.box]
base_url = "https://box.example:8443/v1"
api_key_env = "BOX_KEY"
[profiles.lesson]
provider = "box"
[tiers.fast]
model = "openai/gpt-4o-mini"
fallbacks = ["anthropic/claude-3.5-haiku"]
max_tokens = 99
system = "Answer directly."
description = "Quick."
effort = "low"
price = { input = 0.15, output = 0.60, cached_input = 0.075 }
"""


def test_all_keys_are_read(read, here):
    settings = read(ALL_KEYS)
    openrouter, fast = the_provider(settings, "openrouter"), settings.ladder["fast"]

    cents = Price(Decimal("0.15"), Decimal("0.60"), "configured", Decimal("0.075"))
    told = ("Answer directly.", "Quick.", "low", cents)
    assert (("anthropic/claude-3.5-haiku",), 99) == (fast.fallbacks, fast.max_tokens)
    assert told == (fast.system, fast.description, fast.effort, fast.price)
    assert ("fast", "mid") == (settings.ladder.default, settings.baseline)
    asked = ClassifierSettings("model", "openai", "gpt-4.1-nano", 0.5, here / "learned.npz")
    assert asked == settings.classifier
    vectors = EmbedderSettings("openrouter", "openrouter", "openai/text-embedding-3-large")
    assert vectors == settings.embedder
    assert (0.8, 2.5) == (settings.agreement, settings.check_timeout_s)
    assert settings.limits == Limits(None, Decimal(5), Decimal("2.50"), "cheaper", 5000)
    assert ("only", here / "lesson.db") == (settings.cache, settings.cache_file)
    assert here / "records" / "ledger.db" == settings.ledger_file
    assert (True, True) == (settings.store_text, settings.static)
    assert {"openrouter", "openai", "box"} == {one.name for one in settings.providers}
    assert (5.0, "max_completion_tokens") == (openrouter.timeout_s, openrouter.token_parameter)
    assert "https://openrouter.ai/api/v1" == openrouter.base_url
    assert here / "nbroute.toml" == settings.source_file


def test_what_a_file_does_not_say_is_as_usual_and_a_feature_can_have_a_budget_of_its_own(read):
    usual = read()
    assert EmbedderSettings("auto", None, "text-embedding-3-small") == usual.embedder
    assert (0.92, 10.0, 400_000) == (
        usual.agreement,
        usual.check_timeout_s,
        usual.limits.max_prompt_chars,
    )

    settings = read(
        '[nbroute]\nembedder = "wordllama"\nbudget_usd = 10\n'
        '[nbroute.budget_usd_per_feature]\nchat = 2.50\n"the search" = 1\n'
    )

    each = {"chat": Decimal("2.50"), "the search": Decimal(1)}
    assert Limits(Decimal(10), None, each, "refuse") == settings.limits
    assert "wordllama" == settings.embedder.name


def test_a_tiers_fallbacks_can_be_models_of_other_endpoints(read):
    settings = read(
        """
        [nbroute]
        profile = "openrouter"

        [tiers.SIMPLE]
        model = "openai/gpt-4o-mini"
        context = 8192
        fallbacks = [
            "anthropic/claude-haiku-4.5",
            { provider = "openai", model = "gpt-4o-mini", price = { input = 0.15, output = 0.60 } },
            { model = "mistral/small", price = { input = 1, output = 2 } },
            { provider = "lmstudio", model = "smollm" },
        ]
        """,
        OPENROUTER_API_KEY=KEY,
    )
    simple = settings.ladder["SIMPLE"]

    assert (
        Target("openrouter", "openai/gpt-4o-mini"),
        Target("openrouter", "anthropic/claude-haiku-4.5"),
        Target("openai", "gpt-4o-mini", Price(Decimal("0.15"), Decimal("0.60"), "configured")),
        Target("openrouter", "mistral/small", Price(Decimal(1), Decimal(2), "configured")),
        Target("lmstudio", "smollm"),
    ) == simple.targets
    assert 8192 == simple.context
    assert ["openrouter", "openai", "lmstudio"] == [one.name for one in settings.providers]
    assert f"OPENAI_API_KEY is not set: {CURE}" in settings.origin


def test_litellm_takes_an_address_and_a_key_or_finds_them_itself(read):
    tier = '[tiers.fast]\nprovider = "lite"\nmodel = "openai/gpt-4o-mini"'
    given = 'base_url = "https://proxy:4000"\napi_key_env = "LITE_KEY"'
    found = []
    for lines in ("timeout_s = 9", given):
        settings = read(f'[providers.lite]\nkind = "litellm"\n{lines}\n{tier}', LITE_KEY=KEY)
        lite = the_provider(settings, "lite")
        found.append((lite.kind, lite.billed, lite.base_url, lite.api_key, lite.timeout_s))
        assert settings.origin.startswith("profile file: lite through LiteLLM")

    none, key = ("litellm", True, "", None, 9.0), ("litellm", True, "https://proxy:4000", KEY, 60.0)
    assert [none, key] == found
    assert "through LiteLLM, key from LITE_KEY;" in settings.origin
    assert "hybrid" == settings.classifier.name


# Which file


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


# Tiers and providers of the file


def test_a_tier_of_the_file_changes_the_preset_and_leaves_the_rest(read):
    text = '[tiers.COMPLEX]\nmodel = "openai/gpt-5.2"\nmax_tokens = 99\nsystem = ""'
    settings = read(text, OPENROUTER_API_KEY=KEY)
    preset, new = ladders.preset("four-tier", "openrouter"), settings.ladder["COMPLEX"]

    assert ("openai/gpt-5.2", (), 99, "") == (new.model, new.fallbacks, new.max_tokens, new.system)
    assert preset["COMPLEX"].description == new.description
    assert preset["FRONTIER"] == settings.ladder["FRONTIER"]

    moved = read('[nbroute]\nprofile = "local"\n[tiers.FRONTIER]\nprovider = "openai"')

    assert ["local", "local", "local", "openai"] == of_tiers(moved, "provider")
    assert ladders.preset("four-tier", "openai")["FRONTIER"] == moved.ladder["FRONTIER"]
    assert {"local", "openai"} == {provider.name for provider in moved.providers}
    assert moved.origin.endswith(f"(OPENAI_API_KEY is not set: {CURE})")


BOX = '[providers.box]\nbase_url = "https://box:9000/v1"\n'
OWN = f"""{BOX}billed = false
[tiers.small]
provider = "box"
model = "tiny"
[tiers.large]
provider = "box"
model = "huge"
max_tokens = 100
reference = "openai:gpt-4o"
"""


def test_tiers_of_other_names_make_a_ladder_of_ones_own_in_the_order_of_the_file(read):
    settings = read(OWN)

    assert ("small", "large") == settings.ladder.names
    assert ("small", "large") == (settings.ladder.default, settings.baseline)
    assert [2048, 100] == of_tiers(settings, "max_tokens")
    assert DEFAULT == settings.classifier.name
    assert settings.origin.startswith("profile file: box at https://box:9000/v1, no key needed")


def test_a_profile_that_is_asked_for_answers_with_its_own_models(read):
    box = read(BOX, profile="box")
    settings = read('[nbroute]\nbaseline = "small"\n' + OWN, profile="simulated")

    assert ladders.preset("four-tier", "simulated") == settings.ladder
    assert "FRONTIER" == settings.baseline
    assert settings.origin.endswith("its tiers set aside")
    assert "file" == read(OWN, profile="file").profile
    assert ["auto"] * 4 == of_tiers(box, "model")
    assert "https://box:9000/v1" == the_provider(box, "box").base_url


def test_a_profile_of_the_file_changes_the_files_settings_and_may_name_a_provider(read):
    text = """
    [nbroute]
    budget_usd = 5
    cache = "off"
    [profiles.lesson]
    provider = "simulated"
    ladder = "two-tier"
    budget_usd = 0.5
    """
    lesson = read(text, profile="lesson")

    assert ["simulated", "simulated"] == of_tiers(lesson, "provider")
    assert (Decimal("0.5"), "off") == (lesson.budget_usd, lesson.cache)
    assert Decimal(5) == read(text).budget_usd


# The environment


def test_the_environment_comes_before_the_file(read, tmp_path):
    text = '[nbroute]\nstatic = true\nledger = "l.db"'
    found = [read(text, NBROUTE_STATIC=said).static for said in ("1", "True ", "0", "")]
    settings = read(text, NBROUTE_LEDGER="/data/l.db", NBROUTE_CACHE="c.db")

    assert [True, True, False, False] == found
    assert (Path("/data/l.db"), Path("c.db")) == (settings.ledger_file, settings.cache_file)
    settings.source_file.unlink()
    assert tmp_path / "d" / "nbroute" / "ledger.sqlite3" == read().ledger_file

    files = (tmp_path / "small.gguf", tmp_path / "large.gguf")
    for file in files:
        file.write_bytes(b"GGUF")
    settings = read(NBROUTE_GGUF=os.pathsep.join(map(str, files)))
    assert ("local", files) == (settings.profile, the_provider(settings, "local").gguf)
    assert "small.gguf, large.gguf on this machine" in settings.origin
    # A missing one matters only where it would be loaded.
    assert "openai" == read(NBROUTE_GGUF="/no/such.gguf", OPENAI_API_KEY=KEY).profile


@pytest.mark.skipif(sys.platform != "linux", reason="the folders of Linux")
def test_without_xdg_variables_the_users_folders_are_the_usual_ones(here, tmp_path, monkeypatch):
    for kind in ("CONFIG", "DATA"):
        monkeypatch.delenv(f"XDG_{kind}_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    own = tmp_path / ".config" / "nbroute" / "nbroute.toml"
    own.parent.mkdir(parents=True)
    own.write_text('[nbroute]\nprofile = "vllm"')

    for environ in ({}, {"XDG_CONFIG_HOME": "not absolute"}):
        settings = load(folder=here, environ=environ)
        assert "vllm" == settings.profile
        assert tmp_path / ".local/share/nbroute/ledger.sqlite3" == settings.ledger_file


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


# What is refused

WHOLE, WORDLAMA = "whole number above 0", "'wordlama' is not configured; did you mean 'wordllama'"
FOR_EACH = "[nbroute.budget_usd_per_feature]\nchat = 1\nsearch = -0.5"
ELSEWHERE = 'fallbacks = [{ provider = "opanai", model = "gpt-4o" }]'
REFUSED = {
    "": [
        (f'[providers.openrouter]\napi_key = "{KEY}"', "name that in api_key_env"),
        (f'[providers.openrouter]\napi_key_env = "{KEY}"', "the name of an environment variable"),
        (f'[nbroute]\nopenrouter = "{KEY}"', r"\[nbroute\] openrouter: there is no key"),
        (f'[providers.box]\nbase_url = "https://me:{KEY}@box/v1"', "the value cannot be used"),
        (f"[nbroute]\nprofile = {KEY}", "is not TOML"),
        ("[nbroute\n", "is not TOML: .* line 1, column 9"),
        ("[tier.SIMPLE]", r"unknown table \[tier\]; did you mean 'tiers'"),
        ('ladder = "two-tier"', r"'ladder' is above all tables; put it under \[nbroute\]"),
        ("tiers = 3", r"write \[tiers\]"),
        ("[tiers]\nSIMPLE = 3", r"write \[tiers.SIMPLE\]"),
        ("[providers.box]", "has no base_url"),
        ('[providers.box]\nbase_url = "box:9000"', "an http or https address"),
        ("[providers.simulated]\npace = 1e300", "from 0 to 1000"),
        ("[providers.openai]\ntimeout_s = 0", "seconds above 0"),
        ("[tiers.SIMPEL]\nmax_tokens = 1", "did you mean 'SIMPLE'"),
        ('[tiers.a]\nmodel = "m"\n[tiers.A]\nmodel = "m"', "two tiers are called 'A'"),
        (
            '[nbroute]\nprofile = "lite"\n[providers.lite]\nkind = "litellm"',
            r"\[tiers.SIMPLE\] has no model, and LiteLLM cannot list its models",
        ),
        (
            '[nbroute]\nprofile = "x"\n[profiles.x]\nprovider = "boks"',
            r"\[profiles.x\] provider = 'boks' is not configured",
        ),
    ],
    "[nbroute]\n": [
        ("budget_us = 3", "budget_us = 3: there is no key 'budget_us'; did you mean 'budget_usd'"),
        ('ladder = "for-tier"', "ladder: .*'for-tier'; did you mean 'four-tier'"),
        ('classifier = "ngram"', "'ngram' is not a classifier.*did you mean 'ngrams'"),
        ('profile = "lokal"', r"\[nbroute\] profile = 'lokal' is not a .*did you mean 'local'"),
        ('baseline = "FRONTEER"', "is not a tier of 'four-tier'.*did you mean 'FRONTIER'"),
        ('default_tier = "MEDUM"', "'MEDUM'.*did you mean 'MEDIUM'"),
        ('cache = "onyl"', "give one of use, off, refresh, only; did you mean 'only'"),
        ("budget_usd = 0", "budget_usd = 0 cannot be used; .*leave it out for no budget"),
        ("budget_usd = nan", "budget_usd = NaN cannot"),
        ('budget_usd = "1"', "budget_usd = '1' cannot be used"),
        (FOR_EACH, r"\[nbroute.budget_usd_per_feature\] search = -0.5 .*give US dollars above 0"),
        ("max_prompt_chars = true", "= true cannot be used"),
        ('store_text = "no"', "give true or false"),
        ("agreement = 92", "agreement = 92 cannot.*from 0 to 1"),
        ('embedder = "wordlama"', WORDLAMA),
        ('embedder = "simulated"', "embedder = 'simulated' has no embeddings"),
        ('classifier_provider = "boks"', "classifier_provider = 'boks' is not configured"),
        ('classifier_provider = "openai"', "name it in classifier_model"),
    ],
    "[tiers.SIMPLE]\n": [
        ("max_token = 3", r"\[tiers.SIMPLE\] max_token = 3: .*did you mean 'max_tokens'"),
        ("max_tokens = 0", WHOLE),
        ("max_tokens = 1.5", WHOLE),
        ("max_tokens = 1\n[tiers.COMPLEKS]\nmax_tokens = 1", "did you mean 'COMPLEX'"),
        ('fallbacks = "gpt-4o"', "a list of models"),
        ("fallbacks = [3]", r"\[tiers.SIMPLE\] fallbacks = 3 cannot be used; give a model"),
        ('fallbacks = [{ provider = "openai" }]', "fallbacks = .*cannot be used; give a model"),
        ('fallbacks = [{ modle = "x" }]', r"\[tiers.SIMPLE.fallbacks\] modle: .*mean 'model'"),
        (ELSEWHERE, r"fallbacks: provider = 'opanai' .*; add \[providers.opanai\]; did you"),
        ('provider = "openruter"', r"'openruter' .*add \[providers.openruter\]; .*'openrouter'"),
        ('reference = "gpt-4o"', "provider:model"),
        ("price = { input = -1, output = 1 }", "US dollars per million tokens, 0 or more"),
        ("price = { input = 1, output = 1, cached = 1 }", "cached_input = 0.075"),
        ("price = { input = 1, output = 1, cached_input = -1 }", "0 or more"),
        ("price = { input = 1 }", "output = 0.60"),
    ],
}


@pytest.mark.parametrize(
    ("text", "said"),
    [(f"{table}{lines}", said) for table, cases in REFUSED.items() for lines, said in cases],
)
def test_a_file_that_cannot_be_used_is_named_with_what_is_wrong_in_it(read, here, text, said):
    with pytest.raises(SettingsError, match=said) as refused:
        read(text)

    assert str(refused.value).startswith(str(here / "nbroute.toml"))
    assert 1 == len(str(refused.value).splitlines())
    assert KEY not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"NBROUTE_PROFILE": "lokal"}, "NBROUTE_PROFILE = 'lokal'.*did you mean 'local'"),
        ({"NBROUTE_CONFIG": "/no/such.toml"}, "NBROUTE_CONFIG.*no settings file '/no/such.toml'"),
        ({"NBROUTE_STATIC": "maybe"}, "NBROUTE_STATIC = 'maybe'"),
        ({"NBROUTE_GGUF": "/no/such.gguf"}, "no model file '/no/such.gguf'"),
        ({"OPENAI_BASE_URL": "proxy:4000"}, "OPENAI_BASE_URL cannot be used"),
        ({"profile": "opnai"}, "profile = 'opnai'.*did you mean 'openai'"),
        ({"path": "mine.toml"}, r"no settings file 'mine\.toml'"),
        ({"path": "latin.toml"}, "latin.toml is not UTF-8"),
    ],
)
def test_a_variable_or_an_argument_that_cannot_be_used_is_named(read, given, said):
    Path("latin.toml").write_bytes(b"\xff\xfe[nbroute]")

    with pytest.raises(SettingsError, match=said):
        read(**given)


ODD = [
    *("1e999999999", "1e99999999999999999999", "-0.0", "nan", "inf", "0x7fffffffffffffffffff"),
    *("[[[]]]", "{}", "{ a = 1 }", '""', r'"\u0000"', "07:32:00", "[1, {}]", '"~nobody9/x"'),
    *('["~nobody9/x"]', '"http://[v1.x]"', r'"https://a\u2100b"', "{ provider = 1 }"),
    *('{ model = {}, provider = "" }', "{ input = 1e999999, output = nan }"),
    *("9" * 5000, "[" * 2000, '"' + "a" * 9999 + '"'),
]


def test_whatever_is_in_the_file_it_is_settings_or_an_error_of_one_line(here):
    """Each odd value instead of each other one, and 100 seeded mutations of the bytes."""
    file, chance = here / "my.toml", random.Random(18)  # noqa: S311 - the same each time
    found = [
        (line, f"{line.partition('=')[0]}= {value}")
        for line in ALL_KEYS.splitlines()
        if " = " in line
        for value in ODD
    ]
    texts = [ALL_KEYS.replace(line, odd).encode() for line, odd in found]
    texts += [mutated(ALL_KEYS.encode(), chance) for _ in range(100)]
    said = []
    for text in texts:
        file.write_bytes(text)
        try:
            load(file)
        except SettingsError as error:
            said.append(str(error))

    assert len(said) > 350
    assert all(len(one.splitlines()) == 1 and len(one) < 1000 for one in said)
