"""Bills that an endpoint gives later."""

from __future__ import annotations

from decimal import Decimal

import pytest

from nbroute.errors import ProviderError


def source(router):
    return router.ledger.rows(session=router.session)[0]["cost_source"]


@pytest.mark.parametrize("bill", [{"total_cost": 0.00042, "native_tokens_prompt": 7}, None])
def test_a_call_without_a_bill_is_settled_later_where_the_endpoint_has_one(router, server, bill):
    if bill:
        server.generations["gen-1"] = bill
    server.reply(text="A whole answer.", id="gen-1")
    router.route("hello")
    before = router.spend().usd

    settled = router.settle()

    assert (1, int(bill is not None)) == (settled.asked, settled.settled)
    if bill:
        assert Decimal("0.00042") == router.spend().usd != before
        assert "billed" == source(router)
        assert "nothing to settle" in router.settle().told
    else:
        assert before == router.spend().usd


def test_an_interrupted_stream_can_be_settled(router, server):
    server.generations["gen-3"] = {"total_cost": 0.001}
    server.reply(text="one two three four", id="gen-3", cut_after=2)
    with pytest.raises(ProviderError):
        router.route("hello", model="small")

    assert "estimated" == source(router)
    assert 1 == router.settle().settled
    assert Decimal("0.001") == router.spend().usd
