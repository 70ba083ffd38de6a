"""The tiers, and the models behind each."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nbroute.types.money import Price


@dataclass(frozen=True, slots=True)
class Target:
    """A model at a provider; `price` is for a model that the list does not have."""

    provider: str
    model: str
    price: Price | None = None


@dataclass(frozen=True, slots=True)
class Tier:
    """One rung of a ladder: a model with the system prompt and the token budget that suit it.

    `reference` is the model, as `provider:model`, whose list price stands in where nothing
    is billed (a local or a simulated model). `description` is what the tier is for, in the
    words that a model-as-classifier is given. A fallback is a model of the same provider or a
    `Target` at another. `context` is how many tokens the model reads and writes in one call;
    None is as the price list says.
    """

    name: str
    provider: str
    model: str
    max_tokens: int
    system: str = ""
    fallbacks: tuple[str | Target, ...] = ()
    price: Price | None = None
    reference: str | None = None
    description: str = ""
    context: int | None = None

    @property
    def targets(self) -> tuple[Target, ...]:
        """The model and its fallbacks, in the order in which they are tried."""
        chain = (
            one if isinstance(one, Target) else Target(self.provider, one) for one in self.fallbacks
        )
        return (Target(self.provider, self.model, self.price), *chain)

    @property
    def models(self) -> tuple[str, ...]:
        """The names of the model and its fallbacks, in the order in which they are tried."""
        return tuple(target.model for target in self.targets)

    def on(self, provider: str, model: str) -> Tier:
        """The tier as that target answers it: with its model and its price."""
        for target in self.targets[1:]:
            elsewhere = target.provider != self.provider or target.price is not None
            if elsewhere and (target.provider, target.model) == (provider, model):
                return replace(self, provider=provider, model=model, price=target.price)
        return self


@dataclass(frozen=True, slots=True)
class Ladder:
    """The tiers, cheapest first; `default` is taken where nothing decides."""

    name: str
    tiers: tuple[Tier, ...]
    default: str

    @property
    def names(self) -> tuple[str, ...]:
        """The tiers' names, cheapest first."""
        return tuple(tier.name for tier in self.tiers)

    def named(self, name: str) -> str | None:
        """The tier's name as the ladder writes it, for a name in any case; None if unknown."""
        if name in self.names:
            return name
        return next((tier for tier in self.names if tier.casefold() == name.casefold()), None)

    def index(self, name: str) -> int:
        """The place of the tier, 0 for the cheapest; ValueError where there is none."""
        return self.names.index(name)

    def __getitem__(self, name: str) -> Tier:
        """The tier of that name; ValueError where there is none."""
        return self.tiers[self.index(name)]

    def above(self, name: str) -> Tier | None:
        """The next tier up; None at the top."""
        place = self.index(name) + 1
        return self.tiers[place] if place < len(self.tiers) else None
