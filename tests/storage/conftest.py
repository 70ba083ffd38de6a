from __future__ import annotations

import pytest

from nbroute.storage.ledger import SqliteLedger


@pytest.fixture
def path(tmp_path):
    return tmp_path / "my" / "data" / "file.sqlite"


@pytest.fixture
def ledger(path):
    with SqliteLedger(path, wait_s=0.05) as opened:
        yield opened
