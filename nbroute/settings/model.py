"""The keys of nbroute.toml with what they take and their defaults, and the resulting settings.

A field is a key of the file if its type says what it takes: a `Literal`, or one of the kinds
below. The key has the field's name, unless its metadata give another.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from decimal import Decimal
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    TypedDict,
    get_args,
    get_origin,
    get_type_hints,
)
from urllib.parse import urlsplit

from nbroute.additions import can_take, demanded, distinct, modules_of
from nbroute.budgets import Limits, OnLimit
from nbroute.classify.registry import DEFAULT
from nbroute.errors import SettingsError
from nbroute.pricing import read_usd
from nbroute.providers.keys import Key
from nbroute.types import CacheMode, Effort, Ladder, Price, Target

#: What speaks to an endpoint, by its `kind`, where it is none of those built in.
MORE_PROVIDERS = modules_of("nbroute.providers.more")
_GIVEN = ("base_url", "api_key", "api_key_env", "timeout_s", "deadline_s", "kind")
for _more in MORE_PROVIDERS.values():
    demanded(
        _more,
        "provider",
        lambda value: can_take(value, "name", **dict.fromkeys(_GIVEN)),
        "write provider(name, *, kind, **_), which returns the provider",
    )
if TYPE_CHECKING:
    ProviderChoice = str
else:
    _KINDS = ("openai", "local", "simulated", "litellm", *MORE_PROVIDERS)
    ProviderChoice = Literal[distinct(*_KINDS, added=MORE_PROVIDERS.items())]

#: A table of the file: its values as read, by key.
Table = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Takes:
    """What a key takes, in words, and as limits on its type or as `read`, which raises ValueError.

    `limits` are those of `msgspec.Meta`, which is not imported until there is a file to read.
    The parts of a list are of the kind `part` and the values of a table of the kind `each`, or
    the table has the keys of `table`. `secret` values are not repeated in an error.
    """

    words: str
    limits: Mapping[str, Any] = field(default_factory=dict)
    read: Callable[[Any], Any] | None = None
    part: Any = None
    each: Any = None
    table: Mapping[str, Any] | None = None
    secret: bool = False


class Unusable(ValueError):
    """A value that cannot be used; the message says why without showing the value."""


def read_url(value: object) -> str:
    """An endpoint's base URL, with no credentials in it; ValueError otherwise."""
    url = value.strip() if isinstance(value, str) else ""
    if any(character.isspace() or not character.isprintable() for character in url):
        raise Unusable("there is a space or a control character in it")
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if ":" in host:
            ip_address(host)
    except ValueError:
        raise Unusable("its IPv6 address is malformed") from None
    query = re.sub(r"\Aapi-version=[\w.-]+\Z", "", parts.query)  # Azure's
    if parts.username is not None or query or parts.fragment:
        raise Unusable("there is a user name, a password, a query or a fragment in it")
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError(value)
    if len(host) > 253 or not re.fullmatch(r"[\w-]+(\.[\w-]+)*\.?|.*:.*", host, re.ASCII):
        raise Unusable("its host is not made of letters, digits, dots and hyphens")
    port = parts.netloc.lower().removeprefix(f"[{host}]").removeprefix(host)
    if not re.fullmatch(r":?|:0*[1-9]\d{0,4}", port, re.ASCII) or int(port[1:] or 1) > 65535:
        raise Unusable("its port is not a number from 1 to 65535")
    return url


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(value)
    return value


def read_path(value: object) -> Path:
    """A path with `~` expanded; ValueError for what cannot be one."""
    text = _text(value)
    if "\0" in text:
        raise Unusable("there is a NUL character in it")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise Unusable("there is no such user") from None


def named_path(name: str, value: object) -> Path:
    """The path given under that name; SettingsError for what cannot be one."""
    try:
        return read_path(str(value))
    except ValueError as error:
        why = str(error).strip() or "give a path"
        raise SettingsError(f"{name} = {str(value)!r:.80} cannot be used: {why}") from None


def _usd(value: object) -> Decimal:
    amount = None if isinstance(value, str) else read_usd(value)
    if amount is None:
        raise ValueError(value)
    return amount


def _budget(value: object) -> Decimal:
    if not (amount := _usd(value)):
        raise ValueError(value)
    return amount


def _price(value: object) -> Price:
    if not isinstance(value, dict) or set(value) - {"cached_input"} != {"input", "output"}:
        raise ValueError(value)
    cached = _usd(value["cached_input"]) if "cached_input" in value else None
    return Price(_usd(value["input"]), _usd(value["output"]), "configured", cached)


def _fallback(value: object) -> str | Target:
    """A model's name, or a target; without a provider (`""`) it is at the tier's own."""
    if isinstance(value, dict) and "model" in value:
        return Target(**{"provider": "", **value})
    return _text(value)


_BUDGET = "US dollars above 0, or leave it out for no budget"
_PRICE = (
    "{ input = 0.15, output = 0.60 }, in US dollars per million tokens, 0 or more, optionally "
    "with cached_input = 0.075"
)
_MODEL = (
    'a model, such as "openai/gpt-4o-mini", or one elsewhere: '
    '{ provider = "openai", model = "gpt-4o-mini" }'
)
_URL = "an http or https address with no user name in it"
_ENV_NAME = "the name of an environment variable, not the key itself"

Text = Annotated[str, Takes("a text that is not empty", read=_text)]
AnyText = Annotated[str, Takes("a text", {"pattern": r"^\Z|\S"})]
Flag = Annotated[bool, Takes("true or false")]
Count = Annotated[int, Takes("a whole number above 0", {"gt": 0})]
Fraction = Annotated[float, Takes("a number from 0 to 1", {"ge": 0, "le": 1})]
Pace = Annotated[float, Takes("a number from 0 to 1000", {"ge": 0, "le": 1000})]
Seconds = Annotated[float, Takes("seconds above 0", {"gt": 0, "le": sys.float_info.max})]
FilePath = Annotated[Path, Takes("a path", read=read_path)]
FilePaths = Annotated[
    tuple[Path, ...], Takes("a path or a list of paths", read=read_path, part=FilePath)
]
Url = Annotated[str, Takes(_URL, read=read_url, secret=True)]
EnvName = Annotated[str, Takes(_ENV_NAME, {"pattern": r"^[A-Za-z_][A-Za-z0-9_]*\Z"}, secret=True)]
Reference = Annotated[
    str, Takes('"provider:model", such as "openrouter:openai/gpt-4o"', {"pattern": "^[^:]+:."})
]
Budget = Annotated[Decimal, Takes(_BUDGET, read=_budget)]
Budgets = Annotated[Decimal | Mapping[str, Decimal], Takes(_BUDGET, read=_budget, each=Budget)]
PriceTable = Annotated[Price, Takes(_PRICE, read=_price)]
_Model = Annotated[
    str | Target,
    Takes(_MODEL, read=_fallback, table={"provider": Text, "model": Text, "price": PriceTable}),
]
Models = Annotated[
    tuple[str | Target, ...], Takes('a list of models, such as ["openai/gpt-4o-mini"]', part=_Model)
]


class TierTable(TypedDict, total=False):
    """[tiers.NAME]: overrides the preset's tier, or makes a new one."""

    provider: Text
    model: Text
    fallbacks: Models
    max_tokens: Count
    context: Count
    system: AnyText
    description: AnyText
    price: PriceTable
    reference: Reference
    effort: Effort


class Environment:
    """Environment variables, hidden from debuggers, which show the locals of a failed call.

    A key that is kept here, only in this process, takes precedence over a variable of that name.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self._kept: dict[str, Key] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._kept or name in self._variables

    def get(self, name: str, default: str = "") -> str:
        """The variable's value."""
        return self._kept.get(name) or self._variables.get(name, default)

    def keep(self, name: str, key: str) -> None:
        """Use that key instead of the variable, which stays as it is."""
        self._kept[name] = Key(key)

    def forget(self) -> None:
        """Use the variables' own values again."""
        self._kept.clear()

    def kept(self) -> tuple[str, ...]:
        """The names of the variables for which a key is kept."""
        return tuple(self._kept)


ENVIRONMENT = Environment(os.environ)


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """An endpoint. `kind` is how it is reached: the OpenAI chat API, llama.cpp, a simulation.

    `litellm` is LiteLLM as a library, which finds addresses and keys itself.
    `api_key` is the value of the variable `api_key_env`; None for both is an endpoint that
    needs no key. A pickle contains no key: it is read from the environment where it is loaded.
    `billed` false: calls cost nothing, and what they would have cost is shown.
    `timeout_s` is the longest silence, `deadline_s` the longest time for an answer (None: ten
    times `timeout_s`).
    `token_parameter` names the parameter of the token limit if the usual one is wrong.
    `allow_http` allows plain http to another machine, `allow_any_variable` a key variable whose
    name ends in neither KEY nor TOKEN.
    `pace` and `fail` are for simulated models: real seconds per simulated second, and a
    failure to act out. `gguf` are the user's own model files for llama.cpp.
    """

    name: str
    kind: ProviderChoice
    base_url: Url = ""
    api_key_env: EnvName | None = None
    api_key: str | None = field(default=None, repr=False)
    timeout_s: Seconds = 60.0
    deadline_s: Seconds | None = None
    billed: Flag = True
    token_parameter: Literal["max_tokens", "max_completion_tokens"] | None = None
    allow_http: Flag = False
    allow_any_variable: Flag = False
    pace: Pace = 0.0
    fail: Text | None = None
    gguf: FilePaths = ()

    def with_key(self, environ: Environment) -> ProviderSettings:
        """The same with the key from the environment; None if that is empty."""
        key = environ.get(self.api_key_env or "").strip()
        return replace(self, api_key=Key(key) if key else None)

    def __reduce__(self) -> tuple[Any, ...]:
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return _unpickled, (values | {"api_key": None},)

    def __copy__(self) -> ProviderSettings:
        return self

    def __deepcopy__(self, memo: object) -> ProviderSettings:
        return self


def _unpickled(values: Table) -> ProviderSettings:
    return ProviderSettings(**values).with_key(ENVIRONMENT)


@dataclass(frozen=True, slots=True)
class ClassifierSettings:
    """The classifier's name and, for `model` and `hybrid`, the model that is asked.

    With `provider` and `model` None, that is the lowest tier's. From a confidence of `threshold`
    (0 to 1) up, `hybrid` asks no model. `file` is the one that `learned` was saved to. A
    decision with less confidence than `step_up_below` (0 to 1) goes one tier up.
    """

    name: Text = field(default=DEFAULT, metadata={"key": "classifier"})
    provider: Text | None = field(default=None, metadata={"key": "classifier_provider"})
    model: Text | None = field(default=None, metadata={"key": "classifier_model"})
    threshold: Fraction = field(default=0.6, metadata={"key": "classifier_threshold"})
    file: FilePath | None = field(default=None, metadata={"key": "classifier_file"})
    examples_file: FilePath | None = None
    step_up_below: Fraction = 0.0


@dataclass(frozen=True, slots=True)
class EmbedderSettings:
    """What turns texts into vectors: `auto`, `wordllama`, or a provider's `model`.

    For the first two `provider` is None.
    """

    name: Text = field(default="auto", metadata={"key": "embedder"})
    provider: str | None = field(default=None, metadata={"key": ""})
    model: Text = field(default="text-embedding-3-small", metadata={"key": "embedder_model"})


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that is configured; `origin` says in one line where it comes from.

    `baseline` is the tier that savings are measured against. Budgets are as in `Limits`,
    `agreement` (0 to 1) is how alike two answers must be, and a check may take
    `check_timeout_s` seconds. `static` means one plain output and no widgets.
    `max_prompt_chars` is 400,000 by default: about 100,000 tokens of English, which fit the
    smallest context window of the presets. `record` is the file for recording answers, `replay`
    the one that answers instead of the models. `set_aside` says which settings files were found
    but not used, as they are not trusted. `prompts` are system prompts by name.
    """

    profile: Text
    origin: str
    ladder: Ladder
    providers: tuple[ProviderSettings, ...]
    classifier: ClassifierSettings
    baseline: Text
    ledger_file: FilePath = field(metadata={"key": "ledger"})
    embedder: EmbedderSettings = EmbedderSettings()
    agreement: Fraction = 0.92
    check_timeout_s: Seconds = 10.0
    budget_usd: Budget | None = None
    budget_usd_per_day: Budget | None = None
    budget_usd_per_feature: Budgets | None = None
    on_limit: OnLimit = "refuse"
    cache: CacheMode = "use"
    cache_file: FilePath | None = None
    store_text: Flag = False
    static: Flag = False
    max_prompt_chars: Count = 400_000
    source_file: Path | None = None
    record: FilePath | None = None
    replay: FilePath | None = None
    set_aside: str = ""
    prompts: Mapping[str, str] = field(default_factory=dict)

    @property
    def limits(self) -> Limits:
        """What calls may cost and how long a prompt may be."""
        return Limits(**{one.name: getattr(self, one.name) for one in fields(Limits)})


def _hints(*models: type) -> dict[str, Any]:
    """The keys of the models' fields, each with the type that says what it takes."""
    return {
        _key_names(model).get(name, name): part
        for model in models
        for name, hint in get_type_hints(model, include_extras=True).items()
        for part in (hint, *get_args(hint))
        if get_origin(part) in (Literal, Annotated)
    }


def _key_names(model: type) -> dict[str, str]:
    """The file's keys by the names of the dataclass's fields; none for other classes."""
    own = fields(model) if is_dataclass(model) else ()
    return {one.name: one.metadata.get("key", one.name) for one in own}


def given(model: type, table: Table) -> dict[str, Any]:
    """The fields of the dataclass `model` that a table of the file sets."""
    return {name: table[key] for name, key in _key_names(model).items() if key in table}


@cache
def sections() -> Mapping[str, Mapping[str, Any]]:
    """The tables of the file, each with its keys and the types that say what they take.

    All but [nbroute] and [prompts] hold named tables. Worked out when there is a file to read.
    """
    nbroute = _hints(ClassifierSettings, EmbedderSettings, Settings)
    nbroute |= {"ladder": Text, "default_tier": Text}
    return {
        "nbroute": nbroute,
        "providers": _hints(ProviderSettings),
        "tiers": _hints(TierTable),
        "profiles": {**nbroute, "provider": Text},
        "prompts": {},  # a text under any name
    }
