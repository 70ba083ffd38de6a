"""Each recorded reply, played by a loopback server to the real provider, through a router."""

from __future__ import annotations

from decimal import Decimal

import pytest
from shapes import shapes

from nbroute.errors import ProviderError
from nbroute.types import Ladder, Price, Tier

PRICE = Price(Decimal(1), Decimal(2), "configured")
KEY = "sk-test-0123456789"


def told(router, shape):
    """What the router says of the reply, in the terms of `expect`."""
    try:
        result = router.route("What is the capital of France?", stream=shape.stream, cache="off")
    except ProviderError as error:
        return {"error": type(error).__name__, "next": error.try_next, "message": str(error)}
    answer = result.answer
    return {
        "text": result.text,
        "reasoning": result.reasoning,
        "input": answer.input_tokens,
        "output": answer.output_tokens,
        "cached": answer.cached_tokens,
        "estimated": answer.tokens_estimated,
        "cost": str(answer.cost_usd) if answer.cost_source == "billed" else None,
        "finish": answer.finish_reason,
        "model": result.answered_by,
        "id": answer.generation,
    }


@pytest.mark.parametrize("shape", [*shapes()], ids=str)
def test_a_recorded_reply_is_read_right(server, make_router, shape):
    tier = Tier("LOW", "loop", shape.asked, 64, system="Be brief.", price=PRICE)
    router = make_router(ladder=Ladder("test", (tier,), default="LOW"), api_key=KEY)
    server.reply(**shape.reply)
    found = told(router, shape)

    if shape.stream:  # cut at every place
        server.reply(**shape.reply, bytes_each=1)
        assert found == told(router, shape)

    expected = dict(shape.expect)
    if "error" in expected:
        kinds, words = expected["error"], expected["words"]
        assert found.get("error") in ([kinds] if isinstance(kinds, str) else kinds), found
        assert [] == [said for said in words if said not in found["message"]], found
        assert found["next"] is expected.get("next", found["next"])
        assert KEY not in found["message"]
        return
    if expected.get("estimated"):
        expected |= {"input": found["input"], "output": found["output"]}
    usual = {"reasoning": "", "cached": 0, "estimated": False, "cost": None, "finish": None}
    assert usual | expected == found
