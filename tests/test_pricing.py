from __future__ import annotations

from dataclasses import replace
from datetime import date
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
OWN = replace(MINI, price=OWN_PRICE)
MILLION = Usage(1_000_000, 0)


def list_price(provider, model):
    return pricing.price_of(Tier("ANY", provider, model, 256), model, "remote")


def rows(table):
    return [line.split() for line in table.strip().splitlines()]


def cost(usage, tier=MINI, model=None, kind="remote"):
    return pricing.cost_of(usage, tier, model or tier.model, kind)


# Which model that is


ANYBODYS = """
    SmolLM2-135M-Instruct deepseek-r1-distill-qwen-1.5b.Q4_K_M.gguf deepseek-r1:8b
    gpt-4o-mini.gguf gpt-4o-mini-mine claude-haiku-4-5-distilled gpt-oss-20b llama3.2:1b
    auto openai/gpt-oss-20b google/gemma-3-27b-it grok-2 deepseek-chat deepseek-ai/DeepSeek-V3
    mistral-large-latest my-gpt-4o gpt-4o:free gemini-2.5-flash-mine azure/my-deployment
    bedrock/my-model my.model-v1:0 groq/my-finetune sonar"""
HOSTED = """
    mistral/mistral-large-latest groq/llama-3.1-8b-instant groq/openai/gpt-oss-20b
    deepseek/deepseek-chat accounts/fireworks/models/deepseek-v3p2 perplexity/sonar
    fireworks_ai/accounts/fireworks/models/deepseek-v3p2 fireworks_ai/deepseek-v3p2
    together_ai/meta-llama/Llama-3.3-70B-Instruct-Turbo"""


def test_a_model_that_anybody_may_serve_has_a_price_where_its_name_says_who_serves_it():
    assert [] == [model for model in ("", *ANYBODYS.split()) if list_price("my-box", model)]
    assert [] == [model for model in HOSTED.split() if not list_price("proxy", model).output]


SONNET = "claude-3-5-sonnet"
NAMES = {
    ("openai", "gpt-4o"): "gpt-4o gpt-4o-2024-08-06 openai/gpt-4o gpt-4o-latest",
    ("openai", "gpt-4o-mini"): "gpt-4o-mini-2024-07-18 gpt-4o-mini-2031-01-01 azure/gpt-4o-mini",
    ("openai", "gpt-4o-2024-05-13"): "gpt-4o-2024-05-13 azure/gpt-4o-2024-05-13",
    ("anthropic", f"{SONNET}-20240620"): f"""
        {SONNET}-latest vertex_ai/{SONNET}@20240620 anthropic/{SONNET}-20241022
        bedrock/us.anthropic.{SONNET}-20241022-v2:0 anthropic.{SONNET}-20240620-v1:0
        bedrock/us-east-1/anthropic.{SONNET}-20240620-v1:0
        arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.{SONNET}-20240620-v1:0""",
    ("openrouter", "google/gemini-2.5-flash"): """
        gemini/gemini-2.5-flash models/gemini-2.5-flash google/gemini-2.5-flash
        vertex_ai/google/gemini-2.5-flash google-ai-studio/gemini-2.5-flash
        google-vertex-ai/google/gemini-2.5-flash openrouter/google/gemini-2.5-flash""",
    ("openrouter", "google/gemini-2.5-pro"): "gemini-2.5-pro google/gemini-2.5-pro-preview",
    ("openrouter", "x-ai/grok-4.5"): "xai/grok-4.5 grok/grok-4.5 x-ai/grok-4.5 grok-4.5",
}


def test_a_model_has_its_price_under_the_names_that_gateways_give_it():
    for host, names in NAMES.items():
        assert list_price(*host).output > 0
        prices = {name: list_price("proxy", name) for name in names.split()}
        assert dict.fromkeys(prices, list_price(*host)) == prices


# https://openrouter.ai/docs/features/web-search: $4 per 1,000 results, at most five
VARIANTS = """
    openai/gpt-4o                         2.5   list
    openai/gpt-4o-2024-08-06              2.5   list
    openai/gpt-4o:online                  2.52  estimated
    openai/gpt-4o:nitro                   2.5   estimated
    openai/gpt-4o:extended                6     list
    anthropic/claude-3.7-sonnet:thinking  3     list
    some/model-of-tomorrow:free           0     list
    some/model-of-tomorrow:free:online    0.02  estimated
    openai/gpt-4o:of-tomorrow             -     unknown
    openrouter/auto                       -     unknown
    anthropic/claude-haiku-3-5            -     unknown"""


def test_openrouters_variants_cost_what_it_asks_for_them():
    for model, usd, source in rows(VARIANTS):
        found = cost(MILLION, Tier("t", "openrouter", model, 100))
        assert (None if usd == "-" else Decimal(usd), source) == (found.usd, found.source)
        assert found == cost(MILLION, Tier("t", "proxy", f"openrouter/{model}", 100))


SAME = """
    gpt-4o-mini                  gpt-4o-mini-2024-07-18      yes
    openai/gpt-4o-mini:online    gpt-4o-mini-2024-07-18      yes
    anthropic/claude-sonnet-4.5  claude-sonnet-4-5-20250929  yes
    models/gemini-2.5-flash      gemini-2.5-flash            yes
    llama3.2                     llama3.2:latest             yes
    openai/gpt-4o:free:nitro     gpt-4o                      yes
    bedrock/us.anthropic.claude-3-5-sonnet-20241022-v2:0 claude-3-5-sonnet yes
    gpt-4o                       gpt-4o-mini                 no
    llama3.2:1b                  llama3.2:3b                 no
    openrouter/auto              openai/gpt-4o               no
    my-deployment                gpt-4o-2024-08-06           no"""
MAKERS = {"openai/gpt-4o": "openai", "meta-llama/Llama-3.3": "meta-llama", "llama3.2:1b": ""}
MAKERS |= {"groq/meta-llama/llama-4": "meta-llama", "claude-sonnet-4-5": "anthropic"}
MAKERS |= {"groq/claude-sonnet-4-5": "anthropic"}


def test_a_date_or_a_vendor_does_not_make_another_model_and_its_name_says_who_made_it():
    for asked, answered, same in rows(SAME):
        assert (same == "yes") is pricing.same_model(asked, answered), asked
    assert MAKERS == {model: pricing.maker_of(model) for model in MAKERS}


def test_the_list_has_a_date_prices_and_context_windows():
    newest = pricing.newest_price(date.today())  # noqa: DTZ011
    assert date(2024, 1, 1) < newest == pricing.newest_price(newest)
    assert pricing.newest_price(date(1999, 1, 1)) is None
    assert Price(Decimal("0.15"), Decimal("0.6")) == list_price("openai", "gpt-4o-mini")
    local = Tier("t", "local", "x.gguf", 9)
    assert 128_000 == pricing.context_of(MINI)
    assert 128_000 == pricing.context_of(replace(local, reference="openai:gpt-4o"))
    assert pricing.context_of(local) is None
    assert list_price("openai", "whisper-1") is None  # it is not priced by tokens
    assert Price(Decimal("0.02"), Decimal(0)) == list_price("openai", "text-embedding-3-small")
    tuned = list_price("openai", "ft:gpt-4o-mini-2024-07-18:acme::abc")
    assert Price(Decimal("0.3"), Decimal("1.2")) == tuned


# What a call costs


LISTED = """openai/gpt-4o-mini openai/gpt-5.4 anthropic/claude-haiku-5-5
    openrouter/anthropic/claude-sonnet-4.5 openrouter/google/gemini-2.5-pro"""


@pytest.mark.parametrize("listed", LISTED.split())
@given(
    st.integers(0, 2_000_000) | st.sampled_from([100_000, 272_000, 272_001]),
    st.integers(0, 200_000),
    st.floats(0, 1),
)
def test_a_cost_is_the_one_that_the_price_list_works_out(listed, read, written, share):
    provider, _, model = listed.partition("/")
    cached = int(read * share)
    usage = genai_prices.Usage(input_tokens=read, output_tokens=written, cache_read_tokens=cached)
    expected = genai_prices.calc_price(usage, model, provider_id=provider).total_price
    found = cost(Usage(read, written, cached), Tier("t", provider, model, 100))

    assert (expected, "list") == (found.usd, found.source)


def test_a_call_is_recorded_with_the_price_of_its_bracket_or_of_the_model_that_answered():
    tier = Tier("power", "openai", "gpt-5.4", 8192)
    assert Decimal("2.5") == pricing.price_of(tier, "gpt-5.4", "remote").input
    assert Price(Decimal(5), Decimal("22.5")) == cost(Usage(272_001, 1), tier).price

    own = Price(Decimal(2), Decimal(8), "configured", Decimal("0.5"))
    assert own == cost(Usage(1, 1), replace(tier, price=own)).price

    auto = Tier("t", "openrouter", "openrouter/auto", 100)
    found = pricing.cost_of(MILLION, auto, auto.model, "remote", "openai/gpt-4o")
    assert (Decimal("2.5"), "list") == (found.usd, found.source)
    low, high = pricing.cost_range(100, MINI, MINI.model, "remote")  # one token to all
    assert (Decimal("0.0000156"), Decimal("0.0001686")) == (low.usd, high.usd)


HALF_CACHED = Usage(1_000_000, 1_000_000, 500_000)
CACHED = replace(MINI, price=replace(OWN_PRICE, cached_input=Decimal("0.1")))


def billed(usd):
    return replace(MILLION, billed_usd=Decimal(usd))


def test_a_bill_comes_before_ones_own_price_and_that_before_the_list():
    for usage, tier, model, usd, source in (
        (billed("0.07"), OWN, None, "0.07", "billed"),
        (billed("0"), OWN, None, "0", "billed"),
        *[(billed(usd), MINI, None, "0.15", "list") for usd in ("-1", "NaN", "Infinity")],
        (HALF_CACHED, OWN, None, "3", "configured"),
        (HALF_CACHED, CACHED, None, "2.55", "configured"),
        (Usage(10, 0, 99), CACHED, None, "0.000001", "configured"),  # at most all are cached
        (MILLION, OWN, "openai/gpt-4o", "2.5", "list"),  # a fallback is not the tier's model
        (replace(MILLION, estimated=True), MINI, None, "0.15", "estimated"),
        (MILLION, replace(MINI, model="openai/gpt-99"), None, None, "unknown"),
    ):
        found = cost(usage, tier, model)
        assert (usd and Decimal(usd), source) == (found.usd, found.source)


def test_what_is_not_a_token_count_makes_the_cost_unknown():
    for tokens in ((-1, 5), (5, -1), (5, 5, -1), (True, 5), (float("nan"), 5)):
        found = cost(Usage(*tokens))
        assert (None, "unknown") == (found.usd, found.source)
        assert "unknown (no usable token count)" == pricing.describe(found)


def test_what_nobody_bills_is_worth_what_it_would_have_cost():
    for said, tier in (
        ("$0.15 (would have cost)", preset("four-tier", "local")["SIMPLE"]),
        ("$0.80 (would have cost)", preset("four-tier", "simulated")["MEDIUM"]),
        ("unknown (nothing billed, no reference price)", Tier("A", "local", "gpt-4o.gguf", 256)),
    ):
        for model in tier.models:
            found = cost(replace(MILLION, estimated=True), tier, model, tier.provider)
            assert ("equivalent", said) == (found.source, pricing.describe(found))


# Tokens


@given(st.text(st.characters(exclude_categories=[])))
def test_tokens_are_estimated_by_the_width_of_characters_in_utf_8(text):
    quarters = {1: 1, 2: 2, 3: 4, 4: 8}
    widths = [len(character.encode("utf-8", "surrogatepass")) for character in text]

    assert -(-sum(quarters[width] for width in widths) // 4) == pricing.estimate_tokens(text)
    prompts = ("What is the capital of France?", "法国的首都是哪里", "\ud83d a")
    assert [8, 8, 2] == [pricing.estimate_tokens(prompt) for prompt in prompts]


def test_the_fewest_tokens_of_a_text_are_close_to_what_it_has_and_never_more():
    for text, tokens in {  # as OpenAI's o200k_base has them
        "The bridge was built by engineers in the nineteenth century.": 11,
        "北京是中华人民共和国的首都，有着悠久的历史和文化。": 15,
        "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता प्राप्त है।": 22,
        f"|{'-' * 60}|{'-' * 60}|": 7,
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygp": 35,
    }.items():
        assert tokens / 2 < pricing.fewest_tokens(text) <= tokens
        assert pricing.least_tokens(text) <= tokens
    least = {"-" * 136: 2, "ab1" * 20: 30, "北京是": 1.5, "1234567": 7 / 3, "ab" * 20: 4, "😀😀": 2}
    least |= {"-" * 132: 1, "ab" * 14: 1, "get_it, 'or not'": 6, "+" * 8: 1, "": 0, "a \n b": 3}
    assert least == {text: pricing.fewest_tokens(text) for text in least}
    least = {"-" * 400: 0, "éà" * 64: 16, "北京" * 32: 16, "😀😁" * 32: 32}
    least |= {"word" * 32: 16, "word" * 31: 0, "ab--------" * 20: 25}
    assert least == {text: pricing.least_tokens(text) for text in least}


# Amounts


SHOWN = """
    NaN unknown | 0.00 $0 | 0.000012 $0.000012 | 0.00001185 $0.000012
    0.000000004 $0.000000004 | 0.0021 $0.0021 | 0.0210 $0.021 | 0.5 $0.50 | 0.99996 $1.00
    1.234 $1.23 | 1E+1 $10.00 | 1234.5 $1,234.50 | -0.02 -$0.02"""
SOURCES = {"billed": "billed", "list": "list price", "configured": "your price"}
SOURCES |= {"estimated": "estimate", "equivalent": "would have cost", "unknown": "source unknown"}


def test_an_amount_shows_enough_digits_to_be_seen_and_where_it_comes_from():
    for amount, shown in rows(SHOWN.replace("|", "\n")):
        assert shown == pricing.format_usd(Decimal(amount))
    amounts = [Decimal("0.0063"), Decimal("0.000012"), None]
    assert ["$0.006300", "$0.000012", "unknown"] == pricing.column_usd(amounts)
    assert ["$1.50", "$0"] == pricing.column_usd([Decimal("1.5"), Decimal(0)])
    calls = [Decimal("0.000043"), Decimal("0.0001"), None, Decimal(0)]
    shown = ["$4.30 per 100k calls", "$0.0001", "unknown", "$0"]
    assert shown == [pricing.call_usd(usd) for usd in calls]
    for source, words in SOURCES.items():
        assert f"$0.0021 ({words})" == pricing.describe(Cost(Decimal("0.0021"), source))
    assert "unknown (no price for this model)" == pricing.describe(Cost(None, "unknown"))


def test_dollars_are_read_from_a_number_or_a_text():
    read = {" $1.5 ": Decimal("1.5"), 2: Decimal(2), 0.1: Decimal("0.1"), 0: Decimal(0)}
    read |= dict.fromkeys(("-1", "NaN", "inf", "much", "", None, "€3"))
    assert read == {said: pricing.read_usd(said) for said in read}
