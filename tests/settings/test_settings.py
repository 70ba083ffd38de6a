from __future__ import annotations

import copy
import os
import pickle
from decimal import Decimal
from pathlib import Path

import pytest

from nbroute import ladders
from nbroute.budgets import Limits
from nbroute.classify.registry import DEFAULT, NAMES
from nbroute.errors import SettingsError
from nbroute.settings import load
from nbroute.settings.document import read_document
from nbroute.settings.model import ClassifierSettings, EmbedderSettings
from nbroute.settings.profiles import BUILT_IN
from nbroute.settings.trust import trust
from nbroute.types import Price, Target

KEY = "sk-or-v1-not-a-real-key"
OFFLINE = "OPENROUTER_API_KEY, OPENAI_API_KEY and ANTHROPIC_API_KEY are not set"
CURE = "set it before the first call"
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
        if text is not None:
            (here / "nbroute.toml").write_text(text, encoding="utf-8")
        homes = {"XDG_CONFIG_HOME": str(tmp_path / "c"), "XDG_DATA_HOME": str(tmp_path / "d")}
        if text is not None:
            trust(read_document(here / "nbroute.toml"), homes)
        return load(
            path,
            profile=profile,
            environ={**homes, **environ},
            folder=here,
            local_ready=local_ready,
        )

    return read_settings


def models_of(settings):
    return [tier.model for tier in settings.ladder.tiers]


def providers_of(settings):
    return [tier.provider for tier in settings.ladder.tiers]


def the_provider(settings, name):
    return next(provider for provider in settings.providers if provider.name == name)


@pytest.mark.parametrize(
    ("environ", "ready", "profile", "origin"),
    [
        (
            {"OPENROUTER_API_KEY": KEY, "OPENAI_API_KEY": KEY},
            True,
            "openrouter",
            "profile openrouter: OpenRouter, key from OPENROUTER_API_KEY",
        ),
        (
            {"OPENAI_API_KEY": KEY, "ANTHROPIC_API_KEY": KEY},
            True,
            "openai",
            "profile openai: OpenAI, key from OPENAI_API_KEY",
        ),
        (
            {"ANTHROPIC_API_KEY": KEY},
            True,
            "anthropic",
            "profile anthropic: Anthropic, key from ANTHROPIC_API_KEY",
        ),
        (
            {},
            True,
            "local",
            f"profile local: SmolLM2 on this machine, no key needed ({OFFLINE})",
        ),
        (
            {},
            False,
            "simulated",
            f"profile simulated: simulated models, no key needed, nothing is sent ({OFFLINE})",
        ),
        (
            {"OPENROUTER_API_KEY": " ", "OPENAI_API_KEY": KEY},
            True,
            "openai",
            "profile openai: OpenAI, key from OPENAI_API_KEY (OPENROUTER_API_KEY is set but empty)",
        ),
        (
            {"OPENROUTER_API_KEY": ""},
            True,
            "local",
            f"profile local: SmolLM2 on this machine, no key needed ({EMPTY}; {OTHERS})",
        ),
        (
            {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "https://proxy:4000/v1"},
            False,
            "openai",
            "profile openai: OpenAI at https://proxy:4000/v1, key from OPENAI_API_KEY",
        ),
        (
            {"OPENAI_API_KEY": KEY, "NBROUTE_PROFILE": "openrouter"},
            False,
            "openrouter",
            f"profile openrouter: OpenRouter (OPENROUTER_API_KEY is not set: {CURE})",
        ),
        (
            {"OPENAI_API_KEY": KEY, "NBROUTE_PROFILE": "simulated"},
            True,
            "simulated",
            "profile simulated: simulated models, no key needed, nothing is sent",
        ),
        (
            {"NBROUTE_PROFILE": "ollama"},
            True,
            "ollama",
            "profile ollama: ollama at http://localhost:11434/v1, no key needed",
        ),
    ],
)
def test_the_environment_chooses_the_profile_and_the_origin_says_why(
    read, environ, ready, profile, origin
):
    settings = read(local_ready=lambda: ready, **environ)

    assert (profile, origin) == (settings.profile, settings.origin)


def test_whether_the_local_model_is_ready_is_only_asked_where_that_decides(read):
    asked = []

    def ready():
        asked.append("asked")
        return True

    assert "openai" == read(local_ready=ready, OPENAI_API_KEY=KEY).profile
    assert [] == asked
    assert "local" == read(local_ready=ready).profile


def test_an_argument_comes_before_the_environment_and_the_file(read):
    settings = read(
        '[nbroute]\nprofile = "local"', profile="simulated", NBROUTE_PROFILE="openrouter"
    )

    assert "simulated" == settings.profile


def test_the_environment_comes_before_the_files_profile(read):
    assert "local" == read('[nbroute]\nprofile = "local"').profile
    assert "openai" == read('[nbroute]\nprofile = "local"', NBROUTE_PROFILE="openai").profile


@pytest.mark.parametrize("profile", BUILT_IN)
def test_every_built_in_profile_gives_a_valid_ladder_on_one_configured_provider(read, profile):
    settings = read(profile=profile)

    ladders.validate(settings.ladder)
    assert [profile] * 4 == providers_of(settings)
    assert [profile] == [provider.name for provider in settings.providers]
    assert "FRONTIER" == settings.baseline


@pytest.mark.parametrize("profile", ["ollama", "lmstudio", "vllm"])
def test_an_endpoint_on_this_machine_is_asked_for_its_models_and_wants_no_key(read, profile):
    settings = read(profile=profile)
    provider = the_provider(settings, profile)

    assert ["auto"] * 4 == models_of(settings)
    assert "openrouter:openai/gpt-4o-mini" == settings.ladder["SIMPLE"].reference
    assert (False, None, None) == (provider.billed, provider.api_key, provider.api_key_env)
    assert DEFAULT == settings.classifier.name


def test_a_remote_profile_asks_its_lowest_model_where_the_rules_are_unsure(read):
    classifier = read(profile="openai").classifier

    assert ("hybrid", "openai", "gpt-4o-mini") == (
        classifier.name,
        classifier.provider,
        classifier.model,
    )


@pytest.mark.parametrize("profile", ["local", "simulated"])
def test_an_offline_profile_asks_no_model_for_the_tier(read, profile):
    assert DEFAULT == read(profile=profile).classifier.name


@pytest.mark.parametrize("name", NAMES)
def test_every_classifier_can_be_named(read, name):
    assert name == read(f'[nbroute]\nclassifier = "{name}"').classifier.name


def test_the_designs_example_is_understood(read):
    settings = read(
        """
        [nbroute]
        ladder = "four-tier"
        classifier = "hybrid"
        budget_usd = 1.00

        [providers.openrouter]
        kind = "openai"
        base_url = "https://openrouter.ai/api/v1"
        api_key_env = "OPENROUTER_API_KEY"

        [tiers.SIMPLE]
        provider = "openrouter"
        model = "openai/gpt-4o-mini"
        fallbacks = ["anthropic/claude-3.5-haiku"]
        max_tokens = 256
        system = "Answer directly."
        price = { input = 0.15, output = 0.60, cached_input = 0.075 }
        """,
        OPENROUTER_API_KEY=KEY,
    )
    simple = settings.ladder["SIMPLE"]

    assert "file" == settings.profile
    assert Decimal("1.00") == settings.budget_usd
    assert ("anthropic/claude-3.5-haiku",) == simple.fallbacks
    price = simple.price
    assert (Decimal("0.15"), Decimal("0.60")) == (price.input, price.output)
    assert (Decimal("0.075"), "configured") == (price.cached_input, price.source)
    assert "Answer directly." == simple.system
    assert ["openrouter"] * 4 == providers_of(settings)
    assert KEY == the_provider(settings, "openrouter").api_key


def test_all_keys_are_read(read, here):
    settings = read(
        """
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
        """
    )

    assert ("fast", "mid") == (settings.ladder.default, settings.baseline)
    assert settings.classifier == ClassifierSettings(
        "model", "openai", "gpt-4.1-nano", 0.5, here / "learned.npz"
    )
    assert settings.embedder == EmbedderSettings(
        "openrouter", "openrouter", "openai/text-embedding-3-large"
    )
    assert (0.8, 2.5) == (settings.agreement, settings.check_timeout_s)
    assert settings.limits == Limits(None, Decimal(5), Decimal("2.50"), "cheaper", 5000)
    assert ("only", here / "lesson.db") == (settings.cache, settings.cache_file)
    assert here / "records" / "ledger.db" == settings.ledger_file
    assert (True, True, 5000) == (
        settings.store_text,
        settings.static,
        settings.max_prompt_chars,
    )
    assert {"openrouter", "openai"} == {provider.name for provider in settings.providers}
    assert 5.0 == the_provider(settings, "openrouter").timeout_s
    assert "https://openrouter.ai/api/v1" == the_provider(settings, "openrouter").base_url
    assert here / "nbroute.toml" == settings.source_file


def test_a_feature_can_have_a_budget_of_its_own(read):
    settings = read(
        """
        [nbroute]
        profile = "simulated"
        budget_usd = 10

        [nbroute.budget_usd_per_feature]
        chat = 2.50
        "the search" = 1
        """
    )

    assert {"chat": Decimal("2.50"), "the search": Decimal(1)} == settings.budget_usd_per_feature
    assert settings.budget_usd_per_feature == settings.limits.budget_usd_per_feature
    assert (Decimal(10), None, "refuse") == (
        settings.limits.budget_usd,
        settings.limits.budget_usd_per_day,
        settings.limits.on_limit,
    )


def test_without_a_file_texts_are_compared_by_whatever_is_there(read):
    settings = read()

    assert EmbedderSettings("auto", None, "text-embedding-3-small") == settings.embedder
    assert (0.92, 10.0) == (settings.agreement, settings.check_timeout_s)
    assert "wordllama" == read('[nbroute]\nembedder = "wordllama"').embedder.name


@pytest.mark.parametrize("name", ["embedding", "embedding:centroid", "learned"])
def test_a_classifier_that_learned_from_examples_can_be_named(read, name):
    assert name == read(f'[nbroute]\nclassifier = "{name}"').classifier.name


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


def test_litellm_as_a_library_needs_models_and_nothing_else(read):
    settings = read(
        """
        [providers.lite]
        kind = "litellm"
        timeout_s = 9

        [tiers.fast]
        provider = "lite"
        model = "openai/gpt-4o-mini"
        """
    )
    lite = the_provider(settings, "lite")

    assert ("litellm", "", None, 9.0, True) == (
        lite.kind,
        lite.base_url,
        lite.api_key,
        lite.timeout_s,
        lite.billed,
    )
    assert settings.origin.startswith("profile file: lite through LiteLLM; settings from")
    assert "hybrid" == settings.classifier.name


def test_a_litellm_key_and_address_are_taken_where_they_are_given(read):
    settings = read(
        """
        [providers.lite]
        kind = "litellm"
        base_url = "https://proxy:4000"
        api_key_env = "LITE_KEY"

        [tiers.fast]
        provider = "lite"
        model = "openai/gpt-4o-mini"
        """,
        LITE_KEY=KEY,
    )
    lite = the_provider(settings, "lite")

    assert ("https://proxy:4000", KEY) == (lite.base_url, lite.api_key)
    assert "lite through LiteLLM, key from LITE_KEY" in settings.origin


def test_the_nearest_file_above_the_working_folder_is_taken(read, here):
    (here.parent / "nbroute.toml").write_text('[nbroute]\nprofile = "local"')

    assert "local" == read().profile
    assert "simulated" == read('[nbroute]\nprofile = "simulated"').profile


def test_the_users_own_file_is_taken_where_the_project_has_none(read, tmp_path):
    (tmp_path / "c" / "nbroute").mkdir(parents=True)
    (tmp_path / "c" / "nbroute" / "nbroute.toml").write_text('[nbroute]\nprofile = "vllm"')

    assert "vllm" == read().profile


def test_a_named_file_comes_before_the_nearest_and_an_argument_before_the_environment(
    read, tmp_path
):
    (tmp_path / "one.toml").write_text('[nbroute]\nprofile = "vllm"')
    (tmp_path / "two.toml").write_text('[nbroute]\nprofile = "ollama"')
    nearest = '[nbroute]\nprofile = "local"'
    named = {"NBROUTE_CONFIG": str(tmp_path / "one.toml")}

    assert "vllm" == read(nearest, **named).profile
    assert "ollama" == read(nearest, path=tmp_path / "two.toml", **named).profile


def test_a_file_saved_by_notepad_with_a_byte_order_mark_is_read(read):
    assert "local" == read('\ufeff[nbroute]\nprofile = "local"').profile


def test_a_tier_of_the_file_changes_the_preset_and_leaves_the_rest(read):
    settings = read(
        '[tiers.COMPLEX]\nmodel = "openai/gpt-5.2"\nmax_tokens = 99\nsystem = ""',
        OPENROUTER_API_KEY=KEY,
    )
    preset = ladders.preset("four-tier", "openrouter")
    changed = settings.ladder["COMPLEX"]

    assert ("openai/gpt-5.2", (), 99, "") == (
        changed.model,
        changed.fallbacks,
        changed.max_tokens,
        changed.system,
    )
    assert preset["COMPLEX"].description == changed.description
    assert preset["FRONTIER"] == settings.ladder["FRONTIER"]


def test_a_tier_moved_to_another_provider_gets_that_providers_model(read):
    settings = read('[nbroute]\nprofile = "local"\n[tiers.FRONTIER]\nprovider = "openai"')

    assert ["local", "local", "local", "openai"] == providers_of(settings)
    assert ladders.preset("four-tier", "openai")["FRONTIER"] == settings.ladder["FRONTIER"]
    assert {"local", "openai"} == {provider.name for provider in settings.providers}
    assert settings.origin.endswith("(OPENAI_API_KEY is not set: set it before the first call)")


OWN = """
[providers.box]
base_url = "https://box:9000/v1"
billed = false

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
    assert [2048, 100] == [tier.max_tokens for tier in settings.ladder.tiers]
    assert DEFAULT == settings.classifier.name
    assert settings.origin.startswith("profile file: box at https://box:9000/v1, no key needed")


def test_a_profile_that_is_asked_for_answers_with_its_own_models(read):
    settings = read(OWN, profile="simulated")

    assert ladders.preset("four-tier", "simulated") == settings.ladder
    assert settings.origin.endswith("its tiers set aside")
    assert "file" == read(OWN, profile="file").profile


def test_a_provider_of_the_file_can_be_used_as_a_profile(read):
    settings = read('[providers.box]\nbase_url = "https://box:9000/v1"', profile="box")

    assert ["auto"] * 4 == models_of(settings)
    assert "https://box:9000/v1" == the_provider(settings, "box").base_url


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

    assert ["simulated", "simulated"] == providers_of(lesson)
    assert (Decimal("0.5"), "off") == (lesson.budget_usd, lesson.cache)
    assert Decimal(5) == read(text).budget_usd


@pytest.mark.parametrize(
    ("said", "static"), [("1", True), ("true", True), ("0", False), ("", False)]
)
def test_static_output_is_set_by_the_environment(read, said, static):
    assert static == read("[nbroute]\nstatic = true", NBROUTE_STATIC=said).static


def test_the_environment_names_the_ledger_and_the_cache(read, tmp_path):
    settings = read('[nbroute]\nledger = "l.db"', NBROUTE_LEDGER="/data/l.db", NBROUTE_CACHE="c.db")

    assert (Path("/data/l.db"), Path("c.db")) == (settings.ledger_file, settings.cache_file)
    settings.source_file.unlink()
    assert tmp_path / "d" / "nbroute" / "ledger.sqlite3" == read().ledger_file


def test_model_files_of_ones_own_choose_the_local_profile(read, tmp_path):
    files = (tmp_path / "small.gguf", tmp_path / "large.gguf")
    for file in files:
        file.write_bytes(b"GGUF")

    settings = read(NBROUTE_GGUF=os.pathsep.join(map(str, files)))

    assert "local" == settings.profile
    assert files == the_provider(settings, "local").gguf
    assert "small.gguf, large.gguf on this machine" in settings.origin


def test_a_key_is_taken_without_the_line_break_that_was_pasted_with_it(read):
    assert KEY == read(OPENAI_API_KEY=KEY + "\n").providers[0].api_key


def test_a_key_is_never_shown(read):
    settings = read(OPENROUTER_API_KEY=KEY)

    assert KEY == settings.providers[0].api_key
    assert KEY not in repr(settings)
    assert KEY not in settings.origin


def test_a_key_is_in_no_pickle_and_comes_back_from_the_environment(read, monkeypatch):
    settings = read(OPENROUTER_API_KEY=KEY)
    pickled = pickle.dumps(settings)

    assert KEY.encode() not in pickled
    elsewhere = pickle.loads(pickled)  # noqa: S301 - made here
    assert elsewhere.providers[0].api_key is None
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    back = pickle.loads(pickled)  # noqa: S301 - made here
    assert settings == back == copy.deepcopy(settings)
    assert KEY == copy.copy(settings.providers[0]).api_key


REFUSED = {
    "not TOML": ("[nbroute\n", "is not TOML: .* line 1, column 9"),
    "not TOML further down": (
        "[nbroute]\nladder = four",
        "is not TOML: .* line 2, column 10",
    ),
    "misspelt key": (
        "[nbroute]\nbudget_us = 3",
        r"budget_us = 3: there is no key 'budget_us'; did you mean 'budget_usd'",
    ),
    "misspelt key of a tier": (
        "[tiers.SIMPLE]\nmax_token = 3",
        r"\[tiers.SIMPLE\] max_token = 3: .*did you mean 'max_tokens'",
    ),
    "misspelt table": ("[tier.SIMPLE]", r"unknown table \[tier\]; did you mean 'tiers'"),
    "key above the tables": ('ladder = "two-tier"', r"put it under \[nbroute\]"),
    "a table that is none": ("tiers = 3", r"write \[tiers\]"),
    "a tier that is no table": ("[tiers]\nSIMPLE = 3", r"write \[tiers.SIMPLE\]"),
    "unknown ladder": ('[nbroute]\nladder = "for-tier"', "'for-tier'; did you mean 'four-tier'"),
    "unknown classifier": ('[nbroute]\nclassifier = "ngram"', "'ngram'.*did you mean 'ngrams'"),
    "unknown profile": ('[nbroute]\nprofile = "lokal"', "'lokal'.*did you mean 'local'"),
    "unknown baseline": ('[nbroute]\nbaseline = "FRONTEER"', "did you mean 'FRONTIER'"),
    "unknown default": ('[nbroute]\ndefault_tier = "MEDUM"', "'MEDUM'.*did you mean 'MEDIUM'"),
    "unknown cache mode": ('[nbroute]\ncache = "always"', "give one of use, off, refresh, only"),
    "negative budget": ("[nbroute]\nbudget_usd = -1", "budget_usd = -1 cannot be used"),
    "no budget at all": ("[nbroute]\nbudget_usd = 0", "leave it out for no budget"),
    "budget that is no number": ("[nbroute]\nbudget_usd = nan", "budget_usd = NaN cannot"),
    "budget in words": ('[nbroute]\nbudget_usd = "1"', "budget_usd = '1' cannot be used"),
    "truth for a number": ("[nbroute]\nmax_prompt_chars = true", "= true cannot be used"),
    "text for a truth value": ('[nbroute]\nstore_text = "no"', "give true or false"),
    "a day's budget of nothing": ("[nbroute]\nbudget_usd_per_day = 0", "budget_usd_per_day = 0"),
    "a feature's budget below nothing": (
        "[nbroute.budget_usd_per_feature]\nchat = 1\nsearch = -0.5",
        r"\[nbroute.budget_usd_per_feature\] search = -0.5 cannot be used; give US dollars above 0",
    ),
    "a budget for all features of nothing": (
        "[nbroute]\nbudget_usd_per_feature = 0",
        r"\[nbroute\] budget_usd_per_feature = 0 cannot be used",
    ),
    "unknown end of a budget": ('[nbroute]\non_limit = "stop"', "give one of refuse, cheaper"),
    "agreement above 1": ("[nbroute]\nagreement = 92", "agreement = 92 cannot.*from 0 to 1"),
    "a check with no time": ("[nbroute]\ncheck_timeout_s = 0", "seconds above 0"),
    "unknown embedder": (
        '[nbroute]\nembedder = "wordlama"',
        "embedder = 'wordlama' is not configured; did you mean 'wordllama'",
    ),
    "an embedder without vectors": (
        '[nbroute]\nembedder = "simulated"',
        "embedder = 'simulated' has no embeddings",
    ),
    "a context of half a token": ("[tiers.SIMPLE]\ncontext = 0.5", "whole number above 0"),
    "a fallback that is no model": (
        "[tiers.SIMPLE]\nfallbacks = [3]",
        r"\[tiers.SIMPLE\] fallbacks = 3 cannot be used; give a model",
    ),
    "a fallback without a model": (
        '[tiers.SIMPLE]\nfallbacks = [{ provider = "openai" }]',
        "fallbacks = .*openai.* cannot be used; give a model",
    ),
    "a misspelt key of a fallback": (
        '[tiers.SIMPLE]\nfallbacks = [{ modle = "gpt-4o" }]',
        r"\[tiers.SIMPLE.fallbacks\] modle: .*did you mean 'model'",
    ),
    "a fallback at no endpoint": (
        '[tiers.SIMPLE]\nfallbacks = [{ provider = "opanai", model = "gpt-4o" }]',
        r"fallbacks: provider = 'opanai' is not configured; add \[providers.opanai\]; did you",
    ),
    "litellm without models": (
        '[nbroute]\nprofile = "lite"\n[providers.lite]\nkind = "litellm"',
        r"\[tiers.SIMPLE\] has no model, and LiteLLM cannot be asked",
    ),
    "threshold above 1": ("[nbroute]\nclassifier_threshold = 70", "from 0 to 1"),
    "no tokens": ("[tiers.SIMPLE]\nmax_tokens = 0", "max_tokens = 0 cannot be used"),
    "half a token": ("[tiers.SIMPLE]\nmax_tokens = 1.5", "whole number above 0"),
    "one model as fallbacks": ('[tiers.SIMPLE]\nfallbacks = "gpt-4o"', "a list of models"),
    "negative price": (
        "[tiers.SIMPLE]\nprice = { input = -1, output = 1 }",
        "US dollars per million tokens, 0 or more",
    ),
    "a price of another kind": (
        "[tiers.SIMPLE]\nprice = { input = 1, output = 1, cached = 1 }",
        "cached_input = 0.075",
    ),
    "a cached price below 0": (
        "[tiers.SIMPLE]\nprice = { input = 1, output = 1, cached_input = -1 }",
        "0 or more",
    ),
    "half a price": ("[tiers.SIMPLE]\nprice = { input = 1 }", "output = 0.60"),
    "reference without provider": ('[tiers.SIMPLE]\nreference = "gpt-4o"', "provider:model"),
    "provider not configured": (
        '[tiers.SIMPLE]\nprovider = "openruter"',
        r"'openruter' is not configured; add \[providers.openruter\]; did you mean 'openrouter'",
    ),
    "a profile's provider not configured": (
        '[nbroute]\nprofile = "x"\n[profiles.x]\nprovider = "boks"',
        r"\[profiles.x\] provider = 'boks' is not configured",
    ),
    "classifier's provider not configured": (
        '[nbroute]\nclassifier_provider = "boks"',
        "classifier_provider = 'boks' is not configured",
    ),
    "classifier's provider without a model": (
        '[nbroute]\nclassifier_provider = "openai"',
        "name it in classifier_model",
    ),
    "provider without address": ("[providers.box]", "has no base_url"),
    "address that is none": ('[providers.box]\nbase_url = "box:9000"', "an http or https address"),
    "a pace that nobody outlives": ("[providers.simulated]\npace = 1e300", "from 0 to 1000"),
    "time-out of 0": ("[providers.openai]\ntimeout_s = 0", "seconds above 0"),
    "tier of another name among the preset's": (
        "[tiers.SIMPLE]\nmax_tokens = 1\n[tiers.COMPLEKS]\nmax_tokens = 1",
        "'COMPLEKS'; did you mean 'COMPLEX'",
    ),
    "misspelt tier alone": ("[tiers.SIMPEL]\nmax_tokens = 1", "did you mean 'SIMPLE'"),
    "two names in other case": (
        '[tiers.a]\nmodel = "m"\n[tiers.A]\nmodel = "m"',
        "two tiers are called 'A'",
    ),
}


@pytest.mark.parametrize(("text", "said"), REFUSED.values(), ids=REFUSED)
def test_a_file_that_cannot_be_used_is_named_with_what_is_wrong_in_it(read, here, text, said):
    with pytest.raises(SettingsError, match=said) as refused:
        read(text)

    assert str(refused.value).startswith(str(here / "nbroute.toml"))
    assert 1 == len(str(refused.value).splitlines())


@pytest.mark.parametrize(
    "text",
    [
        f'[providers.openrouter]\napi_key = "{KEY}"',
        f'[providers.openrouter]\napi_key_env = "{KEY}"',
        f'[providers.openrouter]\napikey = "{KEY}"',
        f'[nbroute]\nopenrouter = "{KEY}"',
        f'[providers.box]\nbase_url = "https://me:{KEY}@box/v1"',
        f"[nbroute]\nprofile = {KEY}",
    ],
)
def test_a_key_that_was_written_into_the_file_is_not_repeated_in_the_error(read, text):
    with pytest.raises(SettingsError) as refused:
        read(text)

    assert KEY not in str(refused.value)


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"NBROUTE_PROFILE": "lokal"}, "NBROUTE_PROFILE = 'lokal'.*did you mean 'local'"),
        ({"NBROUTE_CONFIG": "/no/such.toml"}, "NBROUTE_CONFIG.*no settings file '/no/such.toml'"),
        ({"NBROUTE_STATIC": "maybe"}, "NBROUTE_STATIC = 'maybe'"),
        ({"NBROUTE_GGUF": "/no/such.gguf"}, "no model file '/no/such.gguf'"),
        ({"OPENAI_BASE_URL": "proxy:4000"}, "OPENAI_BASE_URL cannot be used"),
    ],
)
def test_a_variable_that_cannot_be_used_is_named(read, environ, said):
    with pytest.raises(SettingsError, match=said):
        read(**environ)


def test_a_profile_that_does_not_exist_is_refused_with_the_close_match(read):
    with pytest.raises(SettingsError, match=r"profile = 'opnai'.*did you mean 'openai'"):
        read(profile="opnai")


def test_a_named_file_that_does_not_exist_is_refused(read):
    with pytest.raises(SettingsError, match=r"no settings file 'mine.toml'"):
        read(path="mine.toml")


def test_a_file_that_is_not_text_is_refused(read, here):
    (here / "nbroute.toml").write_bytes(b"\xff\xfe[nbroute]")

    with pytest.raises(SettingsError, match="not UTF-8"):
        read()


def test_a_missing_model_file_matters_only_where_it_would_be_loaded(read):
    assert "openai" == read(NBROUTE_GGUF="/no/such.gguf", OPENAI_API_KEY=KEY).profile


@pytest.mark.parametrize("profile", ["ollama", "lmstudio", "vllm"])
def test_a_server_on_this_machine_keeps_the_ladders_budgets(read, profile):
    tiers = read(profile=profile).ladder.tiers

    assert [256, 1024, 4096, 16384] == [tier.max_tokens for tier in tiers]
