"""Every test of the pages visits an open shop."""

import pytest

from tests.web.visiting import open_business


@pytest.fixture(autouse=True)
def _open_shop(shop: object) -> None:
    open_business()
