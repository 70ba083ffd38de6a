"""The bar that shows how far a batch is, and what it has cost so far."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Self

from nbroute.batch.rows import Row
from nbroute.engine.engine import Engine
from nbroute.pricing import format_usd


class Bar:
    """A tqdm bar with the running cost; `shown` false draws nothing.

    A `plain` one goes to standard error as text, where no widgets are wanted.
    """

    def __init__(
        self, total: int | None, *, shown: bool, plain: bool, unit: str = "prompt"
    ) -> None:
        self._spent = {True: Decimal(0), False: Decimal(0)}
        self._unknown = 0
        self._bar = _tqdm(total, unit, plain=plain) if shown else None

    def skip(self) -> None:
        """A row that was there already."""
        if self._bar is not None:
            self._bar.update()

    def count(self, row: Row) -> None:
        """One more row."""
        if self._bar is None:
            return
        self._unknown += row.cost_usd is None
        if not row.cached:
            self._spent[row.cost_source == "equivalent"] += row.cost_usd or 0
        self._bar.set_postfix_str(self._told(), refresh=False)
        self._bar.update()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def _told(self) -> str:
        equivalent, real = self._spent[True], self._spent[False]
        parts = [f"{format_usd(real)} spent"] if real or not equivalent else []
        parts += [f"{format_usd(equivalent)} equivalent"] if equivalent else []
        parts += [f"{self._unknown} of unknown cost"] if self._unknown else []
        return ", ".join(parts)


def is_static(router: Engine) -> bool:
    """Whether the router's settings ask for plain output."""
    settings = getattr(router, "settings", None)
    return bool(settings and settings.static)


def _tqdm(total: int | None, unit: str, *, plain: bool) -> Any:
    if plain:
        from tqdm import tqdm
    else:
        from tqdm.auto import tqdm
    return tqdm(total=total, unit=unit)
