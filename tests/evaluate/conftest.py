"""What the tests of several units of `evaluate/` share."""

from __future__ import annotations

import pytest

from nbroute.router import Router


@pytest.fixture
def simulated():
    router = Router(profile="simulated")
    yield router
    router.close()
