"""The demo customer of the running shop, as the clients know it: an address and a key."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import pytest

from tests.support.running_shop import RunningShop

T = TypeVar("T")
LIMIT_S = 60.0


@dataclass(frozen=True)
class Access:
    """``endpoint`` speaks HTTP, ``tls_endpoint`` HTTPS with a certificate of ``ca_file``."""

    endpoint: str
    tls_endpoint: str
    ca_file: str
    secret_id: str
    secret_key: str

    @property
    def secret(self) -> tuple[str, str]:
        return self.secret_id, self.secret_key


@pytest.fixture
def access(running_shop: RunningShop) -> Access:
    ready = running_shop.ready
    customer = ready["customer"]
    return Access(
        ready["api_endpoint"], ready["tls_endpoint"], ready["ca_file"], customer["secret_id"], customer["secret_key"]
    )


def wait_for(look: Callable[[], T], expected: T, *, limit_s: float | None = None) -> None:
    """Ask until the answer is ``expected``, as a client's polling would; AssertionError after LIMIT_S."""
    deadline = time.monotonic() + (limit_s or LIMIT_S)
    while (seen := look()) != expected:
        assert time.monotonic() < deadline, f"still {seen!r}, not {expected!r}"
        time.sleep(0.2)
