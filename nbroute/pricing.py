"""Usage x price -> cost; a price that is not known is None, never 0.

List prices come from genai-prices, offline, as they stand when first asked for.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import cache
from typing import TYPE_CHECKING, Literal, NamedTuple

from nbroute.types import Cost, CostSource, Price, ProviderKind, Tier, Usage

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo
    from genai_prices.types import Provider as ListProvider

_MILLION = 1_000_000
#: Of a text of fewer tokens a single long word decides how many they are.
_SHORT = 32
_RUN = re.compile(r"(.)\1{8,}", re.DOTALL)
_LISTED = ("openrouter", "openai", "anthropic")
#: Vendors that keep their weights: whoever serves the model serves theirs.
_CLOSED = ("openai", "anthropic", "google")


class _Rates(NamedTuple):
    """US dollars per million tokens, and `fixed` per call, from `above` input tokens on."""

    above: int
    input: Decimal
    cached: Decimal
    output: Decimal
    fixed: Decimal
    source: Literal["list", "configured"] = "list"

    @property
    def price(self) -> Price:
        """The rates without what is special about them."""
        return Price(self.input, self.output, self.source)


def price_of(tier: Tier, model: str, kind: ProviderKind) -> Price | None:
    """The price per token of a call on that tier; None where it is not known.

    `tier.price` is for `tier.model`, a fallback has the list's. Where nothing is billed, all
    models of the tier are valued alike, at `tier.price` or at the price of the reference.
    """
    rates = _rates(tier, model, kind)
    return rates[0].price if rates else None


def cost_of(usage: Usage, tier: Tier, model: str, kind: ProviderKind) -> Cost:
    """What the call cost, the most certain source first.

    Prompts in the long-context bracket and tokens from the endpoint's prompt cache have their
    own rates on the list; with a configured price, cached tokens count as any other. Token
    counts that are none (negative, NaN, a truth value) make the cost unknown.
    """
    billed = usage.billed_usd
    if isinstance(billed, Decimal) and billed.is_finite() and billed >= 0:
        return Cost(billed, "billed")
    rates = _rates(tier, model, kind)
    if not rates:
        return Cost(None, "unknown" if kind == "remote" else "equivalent")
    given, taken = usage.input_tokens, usage.output_tokens
    for count in (given, taken, usage.cached_tokens):
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            return Cost(None, "unknown", rates[0].price)
    applied = rates[0]
    for bracket in rates[1:]:
        if given > bracket.above:
            applied = bracket
    cached = min(usage.cached_tokens, given)
    tokens = (given - cached) * applied.input + cached * applied.cached + taken * applied.output
    source: CostSource = "estimated" if usage.estimated else applied.source
    if kind != "remote":
        source = "equivalent"
    return Cost(tokens / _MILLION + applied.fixed, source, applied.price)


def context_of(tier: Tier) -> int | None:
    """How many tokens the tier's model reads and writes in one call; None where not listed."""
    provider, _, model = (tier.reference or "").rpartition(":")
    return _context(tier.provider, tier.model) or _context(provider, model)


@cache
def _context(provider: str, model: str) -> int | None:
    found = _find(provider, model) if model else None
    return found[1].context_window if found else None


def cost_range(input_tokens: int, tier: Tier, model: str, kind: ProviderKind) -> tuple[Cost, Cost]:
    """The costs of an answer of one token and of one that takes all of `tier.max_tokens`."""
    return (
        cost_of(Usage(input_tokens, 1), tier, model, kind),
        cost_of(Usage(input_tokens, tier.max_tokens), tier, model, kind),
    )


def estimate_tokens(text: str) -> int:
    """About how many tokens the text has; no tokenizer is needed.

    A character of ASCII counts a quarter (OpenAI's rule of thumb for English), one that UTF-8
    writes in two bytes a half (accents, Greek, Cyrillic, Hebrew, Arabic), in three bytes one
    (Chinese, Japanese, Korean, the scripts of India), in four bytes two (emoji). Rounded up,
    and high rather than low: after Petrov et al. 2023, "Language Model Tokenizers Introduce
    Unfairness Between Languages".
    """
    one, two, three, four = _widths(text)
    return -(-(one + 2 * two + 4 * three + 8 * four) // 4)


def least_tokens(text: str) -> int:
    """The fewest tokens that a tokenizer makes of the text; 0 for a short one.

    Of what `estimate_tokens` says, half for ASCII and a quarter for the rest, a long run of one
    character counting as eight. OpenAI's tokenizers o200k and cl100k and Anthropic's old one
    made at least 0.60 of it of 4,000 prompts of MMLU, GSM8K and MT-Bench, 0.84 of 238 Python
    files, and, in the languages of India with o200k, 0.33 of the first article of human rights.
    """
    one, two, three, four = _widths(_RUN.sub(lambda run: run[1] * 8, text))
    estimated = (one + 2 * two + 4 * three + 8 * four) // 4
    return (one // 4 + estimated) // 4 if estimated >= _SHORT else 0


def read_usd(value: object) -> Decimal | None:
    """US dollars from a number or a text (`0.05`, `$0.05`); None for what is not an amount."""
    try:
        amount = Decimal(str(value).strip().removeprefix("$"))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and amount >= 0 else None


def format_usd(amount: Decimal | None) -> str:
    """The amount to three significant digits, or to the cent: $0.000012, $0.50, $1,234.50."""
    if amount is None or not amount.is_finite():
        return "unknown"
    if not amount:
        return "$0"
    size = abs(amount)
    places = 2 if size >= 1 else 2 - size.adjusted()
    rounded = size.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    whole, _, part = f"{rounded:,.{places}f}".partition(".")
    return f"{'-' if amount < 0 else ''}${whole}.{part.rstrip('0').ljust(2, '0')}"


def describe(cost: Cost) -> str:
    """The amount and where it comes from, as on the card: `$0.000012 (list price)`."""
    if cost.usd is None:
        why = "no price for this model"
        if cost.price is not None:
            why = "no usable token count"
        elif cost.source == "equivalent":
            why = "nothing billed, no reference price"
        return f"unknown ({why})"
    return f"{format_usd(cost.usd)} ({_SAID[cost.source]})"


_SAID: dict[CostSource, str] = {
    "billed": "billed",
    "list": "list price",
    "configured": "your price",
    "estimated": "estimate: the token count did not arrive",
    "equivalent": "equivalent: nothing billed",
    "unknown": "source unknown",
}


def _rates(tier: Tier, model: str, kind: ProviderKind) -> tuple[_Rates, ...]:
    own = tier.price
    if own is not None and (kind != "remote" or model == tier.model):
        return (_Rates(-1, own.input, own.input, own.output, Decimal(0), "configured"),)
    if kind == "remote":
        return _list_rates(tier.provider, model)
    provider, _, reference = (tier.reference or "").partition(":")
    return _list_rates(provider, reference)


@cache
def _list_rates(provider: str, model: str) -> tuple[_Rates, ...]:
    """The brackets of the list, the one for ordinary prompts first; empty where there is none.

    Taking a price takes genai-prices 90 microseconds, so each bracket's rates are found with
    its own calculation once: it is linear in the tokens between two brackets.
    """
    from genai_prices import Usage as ListUsage
    from genai_prices.types import TieredPrices

    found = _find(provider, model)
    if found is None:
        return ()
    vendor, info = found

    def total(given: int, taken: int = 0, cached: int = 0) -> Decimal:
        usage = ListUsage(input_tokens=given, output_tokens=taken, cache_read_tokens=cached)
        return info.calc_price(usage, vendor).total_price

    prices = info.calc_price(ListUsage(), vendor).model_price
    # An embedding has no output to pay for; of a chat model its price is missing.
    no_output = prices.output_mtok is None and "embed" not in info.id
    if prices.input_mtok is None or no_output:
        return ()
    tiered = [price for price in vars(prices).values() if isinstance(price, TieredPrices)]
    starts = sorted({tier.start for price in tiered for tier in price.tiers})
    found_rates = []
    for above in (-1, *starts):
        least = max(above + 1, 1)
        base = total(least)
        given = total(least + 1) - base
        cached = given + total(least, 0, 1) - base
        taken, fixed = total(least, 1) - base, base - least * given
        # Without trailing zeros and without an exponent: 0.15 and 10, not 0.150000 and 1E+1.
        given, cached, taken = (
            Decimal(f"{(rate * _MILLION).normalize():f}") for rate in (given, cached, taken)
        )
        found_rates.append(_Rates(above, given, cached, taken, fixed))
    return tuple(found_rates)


def _find(provider: str, model: str) -> tuple[ListProvider, ModelInfo] | None:
    """The model on the list; a provider that the list does not have is not looked up itself.

    There the model's id alone must name, to the letter, one that only its vendor runs: open
    weights cost what the host asks, and a file of one's own may be called anything.
    """
    from genai_prices.data_snapshot import get_snapshot

    hint = provider if provider in _LISTED else None
    if hint is None:
        # `openrouter/a/b` and `openai/gpt-4o`, as LiteLLM writes them.
        gateway, _, rest = model.partition("/")
        if rest and gateway == "openrouter":
            hint, model = gateway, rest
        elif rest and gateway in _CLOSED:
            model = rest
    try:
        vendor, info = get_snapshot().find_provider_model(model, None, hint, None)
    except LookupError:
        return None
    exact = vendor.id in _CLOSED and info.id.lower() == model.lower() and "oss" not in info.id
    return (vendor, info) if hint is not None or exact else None


def _widths(text: str) -> tuple[int, int, int, int]:
    """How many characters UTF-8 writes in one, two, three and four bytes.

    Encoding runs at the speed of C where a loop over the characters would not.
    """
    if text.isascii():
        return len(text), 0, 0, 0
    one = len(text.encode("ascii", "ignore"))
    four = len(text.encode("utf-16-le", "surrogatepass")) // 2 - len(text)
    rest = len(text) - one - four
    three = len(text.encode("utf-8", "surrogatepass")) - one - 4 * four - 2 * rest
    return one, rest - three, three, four
