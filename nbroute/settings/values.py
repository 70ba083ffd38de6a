"""What `load` gives: frozen values, no key in any repr."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Literal

from nbroute.budgets import Limits, OnLimit
from nbroute.types import CacheMode, Ladder

ProviderChoice = Literal["openai", "local", "simulated", "litellm"]


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """An endpoint. `kind` is what speaks to it: the OpenAI chat API, llama.cpp, a simulation.

    `litellm` is LiteLLM as a library, which knows addresses and keys by itself.
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
    of `threshold` (0 to 1) on `hybrid` trusts the rules. `file` is what `learned` was saved in.
    A decision less sure than `step_up_below` (0 to 1) goes one tier up.
    """

    name: str = "rules"
    provider: str | None = None
    model: str | None = None
    threshold: float = 0.7
    file: Path | None = None
    examples_file: Path | None = None
    step_up_below: float = 0.0


@dataclass(frozen=True, slots=True)
class EmbedderSettings:
    """What turns texts into vectors: `auto`, `wordllama`, or a provider's `model`.

    `provider` is None for the first two.
    """

    name: str = "auto"
    provider: str | None = None
    model: str = "text-embedding-3-small"


@dataclass(frozen=True, slots=True)
class Settings:
    """All that is configured, and in `origin`, one line, where it comes from.

    `baseline` is the tier that savings are measured against. Budgets are as in `Limits`,
    `agreement` (0 to 1) is how alike two answers must be, and a check may take
    `check_timeout_s` seconds. `static` is one plain output and no widgets.
    `max_prompt_chars` is 400,000 by default: about 100,000 tokens of English, which the
    smallest context window of the presets holds. `record` is the file that answers are kept
    in, `replay` the one that answers in the models' place.
    """

    profile: str
    origin: str
    ladder: Ladder
    providers: tuple[ProviderSettings, ...]
    classifier: ClassifierSettings
    baseline: str
    ledger_file: Path
    embedder: EmbedderSettings = EmbedderSettings()
    agreement: float = 0.92
    check_timeout_s: float = 10.0
    budget_usd: Decimal | None = None
    budget_usd_per_day: Decimal | None = None
    budget_usd_per_feature: Decimal | Mapping[str, Decimal] | None = None
    on_limit: OnLimit = "refuse"
    cache: CacheMode = "use"
    cache_file: Path | None = None
    store_text: bool = False
    static: bool = False
    max_prompt_chars: int = 400_000
    source_file: Path | None = None
    record: Path | None = None
    replay: Path | None = None

    @property
    def limits(self) -> Limits:
        """What calls may cost and how long a prompt may be."""
        return Limits(
            self.budget_usd,
            self.budget_usd_per_day,
            self.budget_usd_per_feature,
            self.on_limit,
            self.max_prompt_chars,
        )
