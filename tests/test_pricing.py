from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import genai_prices
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbroute import pricing
from nbroute.ladders import preset
from nbroute.types import Cost, Price, Tier, Usage

MINI = Tier("SIMPLE", "openrouter", "openai/gpt-4o-mini", 256, fallbacks=("openai/gpt-4o",))
OWN_PRICE = Price(Decimal(1), Decimal(2), "configured")
LISTED = [
    ("openai", "gpt-4o-mini"),
    ("openai", "gpt-5.4"),
    ("openai", "gpt-3.5-turbo"),
    ("anthropic", "claude-haiku-5-5"),
    ("openrouter", "anthropic/claude-sonnet-4.5"),
    ("openrouter", "google/gemini-2.5-pro"),
]


def list_price(provider, model):
    return pricing.price_of(Tier("ANY", provider, model, 256), model, "remote")


def test_the_list_has_the_first_articles_prices():
    assert Price(Decimal("0.15"), Decimal("0.6")) == list_price("openai", "gpt-4o-mini")
    assert Price(Decimal("2.5"), Decimal(10)) == list_price("openrouter", "openai/gpt-4o")


@pytest.mark.parametrize(
    "model",
    [
        "SmolLM2-135M-Instruct",
        "deepseek-r1-distill-qwen-1.5b.Q4_K_M.gguf",
        "deepseek-r1:8b",
        "gpt-4o-mini.gguf",
        "gpt-4o-mini-mine",
        "claude-haiku-4-5-distilled",
        "gpt-oss-20b",
        "kimi-k2",
        "llama3.2:1b",
        "auto",
        "",
        "openai/gpt-oss-20b",
        "google/gemma-3-27b-it",
        "gemma-3-27b-it",
        "grok-2",
        "deepseek-chat",
        "deepseek-ai/DeepSeek-V3",
        "mistral-large-latest",
        "meta-llama/Llama-3.1-8B-Instruct",
        "my-gpt-4o",
        "gpt-4o-large",
        "gpt-4o:free",
        "gemini-2.5-flash-mine",
        "azure/my-deployment",
        "bedrock/my-model",
        "my.model-v1:0",
        "groq/my-finetune",
        "sonar",
    ],
)
def test_a_model_served_by_anybody_is_not_given_some_vendors_price(model):
    assert None is list_price("my-box", model)


def test_a_vendors_own_model_has_its_list_price_behind_a_proxy():
    assert list_price("openai", "gpt-4o") == list_price("my-proxy", "gpt-4o")


@pytest.mark.parametrize(
    ("host", "names"),
    [
        (("openai", "gpt-4o"), ["gpt-4o-2024-08-06", "openai/gpt-4o", "gpt-4o-latest"]),
        (
            ("openai", "gpt-4o-mini"),
            [
                "gpt-4o-mini-2024-07-18",
                "gpt-4o-mini-2031-01-01",
                "azure/gpt-4o-mini",
                "azure_ai/gpt-4o-mini",
            ],
        ),
        (("openai", "gpt-4o-2024-05-13"), ["gpt-4o-2024-05-13", "azure/gpt-4o-2024-05-13"]),
        (
            ("anthropic", "claude-3-5-sonnet-20240620"),
            [
                "claude-3-5-sonnet-latest",
                "claude-3-5-sonnet@20240620",
                "vertex_ai/claude-3-5-sonnet@20240620",
                "anthropic/claude-3-5-sonnet-20241022",
                "bedrock/us.anthropic.claude-3-5-sonnet-20241022-v2:0",
                "bedrock/us-east-1/anthropic.claude-3-5-sonnet-20240620-v1:0",
                "anthropic.claude-3-5-sonnet-20240620-v1:0",
                "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-3-5-sonnet-20240620-v1:0",
            ],
        ),
        (
            ("openrouter", "google/gemini-2.5-flash"),
            [
                "gemini/gemini-2.5-flash",
                "models/gemini-2.5-flash",
                "google/gemini-2.5-flash",
                "vertex_ai/gemini-2.5-flash",
                "google-ai-studio/gemini-2.5-flash",
                "google-vertex-ai/google/gemini-2.5-flash",
                "openrouter/google/gemini-2.5-flash",
            ],
        ),
        (
            ("openrouter", "x-ai/grok-4.5"),
            ["xai/grok-4.5", "grok/grok-4.5", "x-ai/grok-4.5", "grok-4.5"],
        ),
    ],
)
def test_a_model_has_its_price_under_the_names_that_gateways_give_it(host, names):
    expected = list_price(*host)

    assert expected.output > 0
    assert [expected] * len(names) == [list_price("proxy", name) for name in names]


@pytest.mark.parametrize(
    "model",
    [
        "mistral/mistral-large-latest",
        "groq/llama-3.1-8b-instant",
        "groq/openai/gpt-oss-20b",
        "deepseek/deepseek-chat",
        "accounts/fireworks/models/deepseek-v3p2",
        "fireworks_ai/accounts/fireworks/models/deepseek-v3p2",
        "together_ai/meta-llama/Llama-3.3-70B-Instruct-Turbo",
        "perplexity/sonar",
    ],
)
def test_open_weights_have_a_price_where_the_name_says_who_serves_them(model):
    assert list_price("proxy", model).output > 0


@pytest.mark.parametrize(
    ("model", "usd", "source"),
    [
        ("openai/gpt-4o", "2.5", "list"),
        ("openai/gpt-4o-2024-08-06", "2.5", "list"),
        # https://openrouter.ai/docs/features/web-search: $4 per 1,000 results, at most five
        ("openai/gpt-4o:online", "2.52", "estimated"),
        ("openai/gpt-4o:nitro", "2.5", "estimated"),
        ("openai/gpt-4o:floor", "2.5", "estimated"),
        ("openai/gpt-4o:extended", "6", "list"),
        ("anthropic/claude-3.7-sonnet:thinking", "3", "list"),
        ("some/model-of-tomorrow:free", "0", "list"),
        ("some/model-of-tomorrow:free:online", "0.02", "estimated"),
        ("openai/gpt-4o:of-tomorrow", None, "unknown"),
        ("openrouter/auto", None, "unknown"),
    ],
)
def test_openrouters_variants_cost_what_it_asks_for_them(model, usd, source):
    tier = Tier("t", "openrouter", model, 100)

    cost = pricing.cost_of(Usage(1_000_000, 0), tier, model, "remote")

    assert (usd and Decimal(usd), source) == (cost.usd, cost.source)


def test_cached_input_has_a_price_of_its_own_where_it_is_given():
    tier = replace(MINI, price=replace(OWN_PRICE, cached_input=Decimal("0.1")))
    usage = Usage(1_000_000, 1_000_000, 500_000)

    cost = pricing.cost_of(usage, tier, MINI.model, "remote")

    assert Cost(Decimal("2.55"), "configured", tier.price) == cost


@pytest.mark.parametrize(
    ("asked", "answered", "same"),
    [
        ("gpt-4o-mini", "gpt-4o-mini-2024-07-18", True),
        ("openai/gpt-4o-mini:online", "gpt-4o-mini-2024-07-18", True),
        ("anthropic/claude-sonnet-4.5", "claude-sonnet-4-5-20250929", True),
        ("bedrock/us.anthropic.claude-3-5-sonnet-20241022-v2:0", "claude-3-5-sonnet", True),
        ("models/gemini-2.5-flash", "gemini-2.5-flash", True),
        ("llama3.2", "llama3.2:latest", True),
        ("gpt-4o", "gpt-4o-mini", False),
        ("llama3.2:1b", "llama3.2:3b", False),
        ("openrouter/auto", "openai/gpt-4o", False),
        ("my-deployment", "gpt-4o-2024-08-06", False),
    ],
)
def test_a_date_and_a_vendor_make_no_other_model(asked, answered, same):
    assert same == pricing.same_model(asked, answered)


def test_a_slug_that_the_endpoint_does_not_have_has_no_price():
    assert None is list_price("openrouter", "anthropic/claude-haiku-3-5")


@pytest.mark.parametrize(("provider", "model"), LISTED)
@given(
    given_tokens=st.one_of(st.integers(0, 2_000_000), st.sampled_from([100_000, 272_000, 272_001])),
    taken=st.integers(0, 200_000),
    share=st.floats(0, 1),
)
def test_a_cost_is_the_one_that_the_price_list_works_out(
    provider, model, given_tokens, taken, share
):
    cached = int(given_tokens * share)
    listed = genai_prices.calc_price(
        genai_prices.Usage(
            input_tokens=given_tokens, output_tokens=taken, cache_read_tokens=cached
        ),
        model,
        provider_id=provider,
    )
    tier = Tier("t", provider, model, 100)

    cost = pricing.cost_of(Usage(given_tokens, taken, cached), tier, model, "remote")

    assert listed.total_price == cost.usd
    assert "list" == cost.source


def test_a_prompt_in_the_long_context_bracket_is_recorded_with_the_brackets_price():
    tier = Tier("power", "openai", "gpt-5.4", 8192)

    assert Decimal("2.5") == pricing.price_of(tier, "gpt-5.4", "remote").input
    cost = pricing.cost_of(Usage(272_001, 1), tier, "gpt-5.4", "remote")
    assert Price(Decimal(5), Decimal("22.5")) == cost.price


def test_an_unknown_price_is_none_and_not_zero():
    tier = replace(MINI, model="openai/gpt-99")

    cost = pricing.cost_of(Usage(10, 10), tier, tier.model, "remote")

    assert Cost(None, "unknown") == cost
    assert "unknown (no price for this model)" == pricing.describe(cost)


def test_what_the_endpoint_billed_comes_before_any_price():
    usage = Usage(1_000_000, 0, billed_usd=Decimal("0.07"))

    cost = pricing.cost_of(usage, replace(MINI, price=OWN_PRICE), MINI.model, "remote")

    assert Cost(Decimal("0.07"), "billed") == cost


@pytest.mark.parametrize("billed", ["-1", "NaN", "Infinity"])
def test_a_bill_that_is_no_amount_is_passed_over(billed):
    usage = Usage(1_000_000, 0, billed_usd=Decimal(billed))

    assert "list" == pricing.cost_of(usage, MINI, MINI.model, "remote").source


def test_a_price_of_ones_own_comes_before_the_list():
    cost = pricing.cost_of(
        Usage(1_000_000, 1_000_000, 500_000), replace(MINI, price=OWN_PRICE), MINI.model, "remote"
    )

    assert Cost(Decimal(3), "configured", OWN_PRICE) == cost


def test_a_fallback_has_the_lists_price_and_not_the_one_of_the_tiers_model():
    cost = pricing.cost_of(
        Usage(1_000_000, 0), replace(MINI, price=OWN_PRICE), "openai/gpt-4o", "remote"
    )

    assert (Decimal("2.5"), "list") == (cost.usd, cost.source)


def test_a_count_that_was_estimated_makes_the_cost_an_estimate():
    cost = pricing.cost_of(Usage(1_000_000, 0, estimated=True), MINI, MINI.model, "remote")

    assert (Decimal("0.15"), "estimated") == (cost.usd, cost.source)


@pytest.mark.parametrize(
    "usage",
    [
        Usage(-1, 5),
        Usage(5, -1),
        Usage(5, 5, -1),
        Usage(True, 5),
        Usage(float("nan"), 5),
        Usage(None, 5),
    ],
)
def test_a_token_count_that_is_none_makes_the_cost_unknown(usage):
    cost = pricing.cost_of(usage, MINI, MINI.model, "remote")

    assert (None, "unknown") == (cost.usd, cost.source)
    assert "unknown (no usable token count)" == pricing.describe(cost)


def test_more_cached_tokens_than_tokens_count_as_all_of_them():
    all_cached = pricing.cost_of(Usage(10, 0, 10), MINI, MINI.model, "remote")

    assert all_cached == pricing.cost_of(Usage(10, 0, 99), MINI, MINI.model, "remote")


def test_a_local_answer_is_worth_what_the_reference_would_have_cost():
    tier = preset("four-tier", "local")["SIMPLE"]

    cost = pricing.cost_of(Usage(1_000_000, 0, estimated=True), tier, tier.model, "local")

    assert (Decimal("0.15"), "equivalent") == (cost.usd, cost.source)
    assert "$0.15 (would have cost)" == pricing.describe(cost)


def test_a_local_answer_without_a_reference_is_unknown_but_surely_not_billed():
    tier = Tier("SIMPLE", "local", "gpt-4o-mini.gguf", 256)

    cost = pricing.cost_of(Usage(10, 10), tier, tier.model, "local")

    assert Cost(None, "equivalent") == cost
    assert "unknown (nothing billed, no reference price)" == pricing.describe(cost)


def test_a_simulated_fallback_is_valued_as_the_tiers_model():
    tier = preset("four-tier", "simulated")["MEDIUM"]

    cost = pricing.cost_of(Usage(1_000_000, 0), tier, tier.fallbacks[0], "simulated")

    assert (Decimal("0.80"), "equivalent") == (cost.usd, cost.source)


def test_a_range_goes_from_one_token_to_the_whole_budget():
    low, high = pricing.cost_range(100, MINI, MINI.model, "remote")

    assert Decimal("0.0000156") == low.usd
    assert Decimal("0.0001686") == high.usd


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("a", 1),
        ("What is the capital of France?", 8),
        ("法国的首都是哪里", 8),
        ("Größe", 2),
        ("привет", 3),
        ("😀", 2),
        ("\ud800", 1),
        ("\x00" * 8, 2),
    ],
)
def test_tokens_are_estimated_from_characters_and_their_script(text, tokens):
    assert tokens == pricing.estimate_tokens(text)


@pytest.mark.parametrize(
    ("text", "tokens"),  # as OpenAI's o200k_base has them
    [
        ("The bridge was built by engineers in the nineteenth century.", 11),
        ("北京是中华人民共和国的首都，有着悠久的历史和文化。", 15),
        ("सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता प्राप्त है।", 22),
        ("Les êtres humains naissent libres et égaux en dignité et en droits.", 16),
        ("def area(radius):\n    if radius < 0:\n        return None\n", 15),
        (f"|{'-' * 60}|{'-' * 60}|", 7),
        ("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygp", 35),
        (" " * 100 + "x", 3),
    ],
)
def test_the_fewest_tokens_of_a_text_are_close_to_what_it_has_and_never_more(text, tokens):
    assert tokens / 2 < pricing.fewest_tokens(text) <= tokens


@given(st.text(), st.text())
def test_a_longer_text_never_has_fewer_tokens(text, more):
    assert pricing.estimate_tokens(text) <= pricing.estimate_tokens(text + more)


@given(st.text(st.characters(exclude_categories=[])))
def test_characters_are_told_apart_by_their_width_in_utf_8(text):
    lengths = [len(character.encode("utf-8", "surrogatepass")) for character in text]

    assert tuple(lengths.count(n) for n in (1, 2, 3, 4)) == pricing._widths(text)


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (None, "unknown"),
        ("NaN", "unknown"),
        ("0", "$0"),
        ("0.00", "$0"),
        ("0.000012", "$0.000012"),
        ("0.00001185", "$0.000012"),
        ("0.000000004", "$0.000000004"),
        ("0.0021", "$0.0021"),
        ("0.0210", "$0.021"),
        ("0.5", "$0.50"),
        ("0.99996", "$1.00"),
        ("1.234", "$1.23"),
        ("1E+1", "$10.00"),
        ("1234.5", "$1,234.50"),
        ("-0.02", "-$0.02"),
    ],
)
def test_an_amount_shows_enough_digits_to_be_seen(amount, shown):
    assert shown == pricing.format_usd(None if amount is None else Decimal(amount))


@given(st.decimals(min_value=Decimal("1e-12"), max_value=1, allow_nan=False))
def test_no_amount_that_is_something_is_shown_as_nothing(amount):
    shown = pricing.format_usd(amount)

    assert Decimal(shown.removeprefix("$")) > 0


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("billed", "$0.0021 (billed)"),
        ("list", "$0.0021 (list price)"),
        ("configured", "$0.0021 (your price)"),
        ("estimated", "$0.0021 (estimate)"),
        ("equivalent", "$0.0021 (would have cost)"),
    ],
)
def test_a_cost_says_where_it_comes_from(source, said):
    assert said == pricing.describe(Cost(Decimal("0.0021"), source))
