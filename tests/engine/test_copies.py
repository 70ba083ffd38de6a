"""What a user keeps can be pickled and copied."""

import copy
import pickle

import pytest
from conftest import LADDER

from nbroute.errors import SettingsError
from nbroute.types import Verdict

TWO = [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))]  # noqa: S301 - our own


@pytest.mark.parametrize("copied", TWO)
def test_a_result_keeps_all_but_functions_that_cannot_travel(router, copied):
    checks = ["truncation", lambda reply: Verdict(reply.text != "", "own")]
    found = router.route("Hi", strategy="cascade", checks=checks)
    again = copied(found)

    assert (again.text, again.attempts, again.cost) == (found.text, found.attempts, found.cost)
    assert again.options.checks == ("truncation", "<lambda>")
    with pytest.raises(SettingsError, match="<lambda>"):
        router.escalate(again)


@pytest.mark.parametrize("copied", TWO)
def test_a_router_out_of_a_pickle_says_what_it_lacks(router, copied):
    with pytest.raises(SettingsError) as caught:
        copied(router).route("Hi")
    told = "this was pickled or copied and has no router to ask for its route: make a Router, or "
    assert f"{told}go back to the original" == str(caught.value)
    kept = copied(router)
    assert (LADDER, router.session) == (kept.ladder, kept.session)
    assert "remote" == kept.parts.kind(LADDER.tiers[0])
    assert not hasattr(kept, "_repr_html_")
    with pytest.raises(SettingsError, match=r"its ledger, cache, providers.* keep its results"):
        copied(router.ledger)
