"""What `load` gives: frozen values, no key in any repr."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Literal

from nbroute.types import CacheMode, Ladder

ProviderChoice = Literal["openai", "local", "simulated"]


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """An endpoint. `kind` is what speaks to it: the OpenAI chat API, llama.cpp, a simulation.

    `api_key` is the value of the variable `api_key_env`; None for both is an endpoint that
    wants no key. `billed` false: calls cost nothing, what they would have cost is shown.
    `token_parameter` names the parameter of the token limit where the usual one is wrong.
    `pace` and `fail` are for simulated models: real seconds per simulated second, and a
    failure to act out. `gguf` are model files of one's own for llama.cpp.
    """

    name: str
    kind: ProviderChoice
    base_url: str = ""
    api_key_env: str | None = None
    api_key: str | None = field(default=None, repr=False)
    timeout_s: float = 60.0
    billed: bool = True
    token_parameter: str | None = None
    pace: float = 0.0
    fail: str | None = None
    gguf: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class ClassifierSettings:
    """The classifier's name and, for `model` and `hybrid`, the model that is asked.

    `provider` and `model` are None where they are those of the lowest tier. From a confidence
    of `threshold` (0 to 1) on `hybrid` trusts the rules.
    """

    name: str = "rules"
    provider: str | None = None
    model: str | None = None
    threshold: float = 0.7


@dataclass(frozen=True, slots=True)
class Settings:
    """All that is configured, and in `origin`, one line, where it comes from.

    `baseline` is the tier that savings are measured against. `budget_usd` is for a session.
    `static` is one plain output and no widgets. `max_prompt_chars` is 400,000 by default:
    about 100,000 tokens of English, which the smallest context window of the presets holds.
    """

    profile: str
    origin: str
    ladder: Ladder
    providers: tuple[ProviderSettings, ...]
    classifier: ClassifierSettings
    baseline: str
    ledger_file: Path
    budget_usd: Decimal | None = None
    cache: CacheMode = "use"
    cache_file: Path | None = None
    store_text: bool = False
    static: bool = False
    max_prompt_chars: int = 400_000
    source_file: Path | None = None
