from __future__ import annotations

import pytest

from nbroute.router import Router


@pytest.fixture
def opened():
    """What settings a router opens with."""

    def settings_of(*arguments, **options):
        router = Router(*arguments, **options)
        router.close()
        return router.settings

    return settings_of
