"""What is asked of a what-if -> the prompts, the ladder and the settings that it works with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nbroute.classify.cautious import CautiousClassifier
from nbroute.errors import SettingsError
from nbroute.evaluate import past
from nbroute.evaluate.scenario import Setting
from nbroute.evaluate.whatif import WhatIf, what_if
from nbroute.ladders import validate
from nbroute.many.rows import Row
from nbroute.parts import Spec
from nbroute.settings import base_ladder
from nbroute.types import Ladder, RouteResult

if TYPE_CHECKING:
    from nbroute.build import Router


def ask_what_if(
    router: Router,
    *,
    ladder: Ladder | str | None,
    classifier: Spec | None,
    threshold: float | None,
    cache: bool | None,
    prompts: Any,
    results: Iterable[RouteResult | Row] | None,
    session: str | None,
    output_tokens: int,
) -> WhatIf:
    """As `Router.what_if`."""
    force = _in_force(router)
    asked = replace(
        force,
        ladder=_ladder(router, ladder),
        classifier=force.classifier if classifier is None else classifier,
        cache=force.cache if cache is None else cache,
        ladder_name=ladder if isinstance(ladder, str) else "",
    )
    found = _collected(router, prompts, results, session, output_tokens)
    return what_if(found, asked, force, router.parts, threshold)


def _in_force(router: Router) -> Setting:
    threshold = router.settings.classifier.step_up_below
    if isinstance(router.classifier, CautiousClassifier):
        threshold = router.classifier.threshold
    cached = router.parts.cache_mode in ("use", "only")
    return Setting(router.ladder, router.classifier, threshold, cached)


def _ladder(router: Router, asked: Ladder | str | None) -> Ladder:
    """The ladder asked for; a preset is one on the provider of the lowest tier, which is not asked.

    SettingsError for an unknown name.
    """
    own = router.ladder
    if asked is None or asked == own.name:
        return own
    if isinstance(asked, Ladder):
        validate(asked)
        return asked
    if not isinstance(asked, str):
        raise SettingsError(f"ladder={asked!r:.80} is no ladder; give a Ladder or a preset's name")
    home = own.tiers[0].provider
    known = next((one for one in router.settings.providers if one.name == home), None)
    if known is None:
        known = router.settings.providers[0]
    return base_ladder(asked, known)


def _collected(
    router: Router,
    prompts: Any,
    results: Iterable[RouteResult | Row] | None,
    session: str | None,
    output_tokens: int,
) -> past.Collected:
    given = [one for one in (prompts, results, session) if one is not None]
    if len(given) > 1:
        raise SettingsError("give what_if one of prompts, results and session, not several")
    if prompts is not None:
        return past.of_prompts(prompts, output_tokens)
    if results is not None:
        return past.of_results(results)
    kept = past.of_results(router.history.results() if session is None else ())
    if kept.past:
        return kept
    return past.of_ledger(router.ledger.rows(session=session or router.session))
