"""Usage x price -> cost; a price that is not known is None, never 0.

List prices come from genai-prices, offline, as they are when first asked for.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from nbroute.decoding import packaged
from nbroute.types import Cost, CostSource, Message, Price, ProviderKind, Tier, Usage

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo
    from genai_prices.types import Provider as ListProvider

_MILLION = 1_000_000
#: In a text of fewer tokens, a single long word decides how many there are.
_SHORT = 32
_RUN = re.compile(r"(.)\1{8,}", re.DOTALL)
#: What no tokenizer joins into one token with its neighbours: a word with the sign or the space
#: before it, signs, and what has its own measure.
_UNIT = re.compile(
    r"(?P<run>\s\s+|(\S)\2{8,})"
    r"|(?P<code>(?=[A-Za-z+/]{0,24}\d)[A-Za-z0-9+/]{40,})"
    r"|(?P<cjk>[\u3000-\u9fff\uff00-\uffef]+)"
    r"|(?P<digits>\d+)"
    r"|[\U00010000-\U0010ffff]"
    r"|\s?[^\w\s]?[A-Za-z\u00aa-\u2fff\ua000-\ufeff]+|_?[A-Za-z]+|\S[^\w\s]{0,7}"
)
#: How many more characters the first token may have than the others, and how many those have.
_UNITS = {"run": (128, 4), "code": (0, 2), "cjk": (0, 2), "digits": (0, 3)}
_WORD = (24, 4)
_NAMES = packaged("nbroute.ladders", "hosts.toml")
_OPEN = re.compile(_NAMES["open"])
_BEDROCK, _TAIL = (re.compile("".join(_NAMES[name])) for name in ("bedrock", "tail"))
#: What is written before a model's name -> the name on the list of the host that serves it.
_HOSTS = {word: host for host, words in _NAMES["hosts"].items() for word in words}
_VARIANTS = {name: Decimal(usd) for name, usd in _NAMES["variants"].items()}


class _Rates(NamedTuple):
    """US dollars per million tokens, and `fixed` per call, from `above` input tokens on."""

    above: int
    input: Decimal
    cached: Decimal
    output: Decimal
    fixed: Decimal
    source: Literal["list", "configured"] = "list"
    sure: bool = True

    @property
    def price(self) -> Price:
        """The rates as a price."""
        own = self.source == "configured" and self.cached != self.input
        return Price(self.input, self.output, self.source, self.cached if own else None)


def price_of(tier: Tier, model: str, kind: ProviderKind) -> Price | None:
    """The price per token of a call on that tier; None where it is not known.

    `tier.price` is for `tier.model`; a fallback has the list's. Where nothing is billed, all
    models of the tier are valued alike, at `tier.price` or at the reference's price.
    """
    rates = _rates(tier, model, kind)
    return rates[0].price if rates else None


def cost_of(
    usage: Usage, tier: Tier, model: str, kind: ProviderKind, answered_by: str | None = None
) -> Cost:
    """What the call cost, from the most certain source.

    A model without a price (an alias, `openrouter/auto`) has that of the model that answered.
    Prompts in the long-context bracket and tokens from the endpoint's prompt cache have their
    own rates on the list; a configured price without `cached_input` has one rate for all input.
    What is not a token count (negative, NaN, a truth value) makes the cost unknown.
    """
    billed = usage.billed_usd
    if isinstance(billed, Decimal) and billed.is_finite() and billed >= 0:
        return Cost(billed, "billed")
    rates = _rates(tier, model, kind) or _rates(tier, answered_by or model, kind)
    if not rates:
        return Cost(None, "unknown" if kind == "remote" else "equivalent")
    given, taken = usage.input_tokens, usage.output_tokens
    if any(type(count) is not int or count < 0 for count in (given, taken, usage.cached_tokens)):
        return Cost(None, "unknown", rates[0].price)
    applied = [bracket for bracket in rates if given > bracket.above][-1]
    cached = min(usage.cached_tokens, given)
    tokens = (given - cached) * applied.input + cached * applied.cached + taken * applied.output
    source: CostSource = "estimated" if usage.estimated or not applied.sure else applied.source
    if kind != "remote":
        source = "equivalent"
    return Cost(tokens / _MILLION + applied.fixed, source, applied.price)


def newest_price(today: date) -> date | None:
    """The start of the newest price on the list; it may have later ones, which are left out."""
    from genai_prices.data_snapshot import get_snapshot
    from genai_prices.types import ConditionalPrice, StartDateConstraint

    starts = (
        price.constraint.start_date
        for vendor in get_snapshot().providers
        for model in vendor.models
        for price in (model.prices if isinstance(model.prices, list) else ())
        if isinstance(price, ConditionalPrice) and isinstance(price.constraint, StartDateConstraint)
    )
    return max((start for start in starts if start <= today), default=None)


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
        cost_of(Usage(input_tokens, min(1, tier.max_tokens)), tier, model, kind),
        cost_of(Usage(input_tokens, tier.max_tokens), tier, model, kind),
    )


def estimate_tokens(text: str) -> int:
    """About how many tokens the text has; no tokenizer is needed.

    A character of ASCII counts as a quarter (OpenAI's rule of thumb for English), one of two
    bytes in UTF-8 as a half (accents, Greek, Cyrillic, Hebrew, Arabic), one of three bytes as
    one (Chinese, Japanese, Korean, the scripts of India), one of four bytes as two (emoji).
    Rounded up, and high rather than low: after Petrov et al. 2023, "Language Model Tokenizers
    Introduce Unfairness Between Languages".
    """
    one, two, three, four = _widths(text)
    return -(-(one + 2 * two + 4 * three + 8 * four) // 4)


def prompt_tokens(messages: Iterable[Message]) -> int:
    """About how many tokens the messages have together."""
    return sum(estimate_tokens(message.content) for message in messages)


def least_tokens(text: str) -> int:
    """The fewest tokens that a tokenizer makes of the text; 0 for a short one.

    Half of what `estimate_tokens` says for ASCII and a quarter for the rest; a long run of one
    character counts as eight. Measured with OpenAI's o200k and cl100k and Anthropic's old
    tokenizer, as a share of the estimate: at least 0.60 on 4,000 prompts of MMLU, GSM8K and
    MT-Bench, 0.84 on 238 Python files, and (o200k) 0.33 on the first article of the declaration
    of human rights in the languages of India.
    """
    one, two, three, four = _widths(_RUN.sub(lambda run: run[1] * 8, text))
    estimated = (one + 2 * two + 4 * three + 8 * four) // 4
    return (one // 4 + estimated) // 4 if estimated >= _SHORT else 0


def fewest_tokens(text: str) -> float:
    """The fewest tokens that a tokenizer makes of the text: a close lower bound.

    Tokenizers first cut text into words, runs of signs and runs of white space, so each is at
    least one token. OpenAI's o200k made 1.0 to 1.3 times as many from prose in English, French
    and German and from 126 Python files, and up to 1.6 times as many from Chinese, Japanese,
    Korean, Hindi and base64; cl100k and Anthropic's old one made as many or more.
    """
    found = 0.0
    for unit in _UNIT.finditer(text):
        free, each = _UNITS.get(unit.lastgroup or "", _WORD)
        found += max(1.0, (unit.end() - unit.start() - free) / each)
    return found


def read_usd(value: object) -> Decimal | None:
    """US dollars from a number or a text (`0.05`, `$0.05`); None for what is not an amount."""
    try:
        amount = Decimal(str(value).strip().removeprefix("$"))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and amount >= 0 else None


def format_usd(amount: Decimal | None, at_least: int = 2) -> str:
    """The amount to the cent, a small one to two significant digits: $0.000012, $1,234.50.

    It has `at_least` that many decimal places.
    """
    if amount is None or not amount.is_finite():
        return "unknown"
    if not amount:
        return "$0"
    size = abs(amount)
    places = max(at_least, 2 if size >= _CENTS else 1 - size.adjusted())
    rounded = size.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    whole, _, part = f"{rounded:,.{places}f}".partition(".")
    return f"{'-' if amount < 0 else ''}${whole}.{part.rstrip('0').ljust(at_least, '0')}"


def column_usd(amounts: Iterable[Decimal | None]) -> list[str]:
    """The amounts of a column, all to the same decimal place: $0.006300 over $0.000012."""
    known = list(amounts)
    places = places_of(known)
    return [format_usd(one, places) for one in known]


def places_of(amounts: Iterable[Decimal | None]) -> int:
    """How many decimal places a column of the amounts needs."""
    return max([2, *(len(format_usd(one).partition(".")[2]) for one in amounts)])


def call_usd(amount: Decimal | None) -> str:
    """What one call costs, so that calls can be compared: `$0.00043`, `$4.30 per 100k calls`."""
    if amount is None or not 0 < amount < _TINY:
        return format_usd(amount)
    return f"{format_usd(amount * 100_000)} per 100k calls"


def describe(cost: Cost) -> str:
    """The amount and where it comes from: `$0.000012 (list price)`."""
    if cost.usd is None:
        return f"unknown ({unknown_why(cost)})"
    return f"{format_usd(cost.usd)} ({SOURCES[cost.source]})"


def unknown_why(cost: Cost) -> str:
    """Why a cost is not known."""
    if cost.price is not None:
        return "no usable token count"
    if cost.source == "equivalent":
        return "nothing billed, no reference price"
    return "no price for this model"


#: Where a cost comes from, in words.
SOURCES: dict[CostSource, str] = {
    "billed": "billed",
    "list": "list price",
    "configured": "your price",
    "estimated": "estimate",
    "equivalent": "would have cost",
    "unknown": "source unknown",
}
_CENTS, _TINY = Decimal("0.1"), Decimal("0.0001")


def _rates(tier: Tier, model: str, kind: ProviderKind) -> tuple[_Rates, ...]:
    own = tier.price
    if own is not None and (kind != "remote" or model == tier.model):
        cached = own.input if own.cached_input is None else own.cached_input
        return (_Rates(-1, own.input, cached, own.output, Decimal(0), "configured"),)
    if kind == "remote":
        return _list_rates(tier.provider, model)
    provider, _, reference = (tier.reference or "").partition(":")
    return _list_rates(provider, reference)


@cache
def _list_rates(provider: str, model: str) -> tuple[_Rates, ...]:
    """The list's brackets for the model, and for OpenRouter's variants of it."""
    rates = _listed_rates(provider, model)
    name, *variants = model.split(":")
    if rates or "openrouter" not in (provider, model.partition("/")[0]):
        return rates
    fee = sum((_VARIANTS.get(one, Decimal(0)) for one in variants), Decimal(0))
    if "free" in variants:
        nothing = Decimal(0)
        return (_Rates(-1, nothing, nothing, nothing, fee, sure=not fee),)
    rates = _listed_rates(provider, name) if set(variants) <= set(_VARIANTS) else ()
    return tuple(one._replace(fixed=one.fixed + fee, sure=False) for one in rates)


def _listed_rates(provider: str, model: str) -> tuple[_Rates, ...]:
    """The list's brackets, the one for ordinary prompts first; empty where there is none.

    genai-prices takes 90 microseconds to work out a price, so it is asked once for each
    bracket: between two brackets a price is linear in the tokens.
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
    # An embedding has no output to pay for; a chat model without that price is incomplete.
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
    """The model on the list, under the names that gateways give it.

    Where the host is unknown, it must be a model that only its vendor runs: open weights cost
    whatever the host asks, and a user's own file may be called anything.
    """
    host, _, rest = model.partition("/")
    if provider in _NAMES["listed"] and (found := _at(provider, model)):
        return found
    if provider == "openrouter":
        return None
    if rest and host in _HOSTS:
        # A region, or a word of LiteLLM's, may come in between.
        between = host in ("bedrock", "vertex_ai", "google-vertex-ai")
        return _at(_HOSTS[host], rest.rpartition("/")[2] if between else rest)
    if _BEDROCK.fullmatch(model):
        return _at("aws", model)
    if model.startswith("accounts/fireworks/"):
        return _at("fireworks", model)
    found = _at(None, rest if host in (*_NAMES["closed"], "models") else model)
    closed = found and found[0].id in _NAMES["closed"] and not _OPEN.search(found[1].id)
    return found if closed else None


def _at(host: str | None, model: str) -> tuple[ListProvider, ModelInfo] | None:
    """The model on the list of that host, or of its vendor; by its name, else without the date."""
    from genai_prices.data_snapshot import get_snapshot

    if host == "fireworks" and "/" not in model:
        model = f"accounts/fireworks/models/{model}"
    for name in dict.fromkeys((model, undated(model))):
        with contextlib.suppress(LookupError):
            vendor, info = get_snapshot().find_provider_model(name, None, host, None)
            # Bedrock's ids are matched by their middle, and nobody else has ids like them.
            if host == "aws" or _names(info.match, name.lower()):
                return vendor, info
    return None


def _names(clause: Any, name: str) -> bool:
    """Whether the list's clause means exactly that model: only a date may follow its name."""
    if hasattr(clause, "or_"):
        return any(_names(one, name) for one in clause.or_)
    if hasattr(clause, "and_"):
        return all(_names(one, name) for one in clause.and_)
    if hasattr(clause, "regex"):
        return bool(clause.is_match(name))
    (text,) = (value for key, value in vars(clause).items() if key != "type")
    rest = name.partition(text.lower())
    tuned = text.startswith("ft:")
    return text.lower() in name and not rest[0] and (tuned or not _TAIL.sub("", rest[2]))


def undated(model: str) -> str:
    """The model's name without its date, version, `-latest` or `-preview`."""
    found = _TAIL.search(model)
    return model[: found.start()] if found and found.end() == len(model) else model


def same_model(asked: str, answered: str) -> bool:
    """Whether the names mean the same model, apart from a vendor before and a date after."""

    def bare(name: str) -> str:
        last = name.lower().rpartition("/")[2].rpartition("anthropic.")[2]
        main, *variants = last.split(":")
        kept = [one for one in variants if one not in (*_VARIANTS, "free")]
        return undated(":".join([main, *kept])).replace(".", "-")

    return bare(asked) == bare(answered)


def maker_of(model: str) -> str:
    """Who made the model, according to its name; "" where that does not say."""
    for word in reversed(model.split("/")[:-1]):
        if word in _NAMES["closed"] or word not in _HOSTS:
            return word
    found = _at(None, model.rpartition("/")[2])
    return found[0].id if found and found[0].id in _NAMES["closed"] else ""


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
