"""How often an account may call an action a second, over all web processes.

The database counts; a process takes several calls at once where the limit is high, so that a fast customer
costs no statement a request. What a process took and did not use is lost with the second.
"""

import threading
from collections.abc import Callable

from vmart.kernel import clock, db

_SHARE = 20  # a process takes at most this part of a second's calls at once
_MOST_KEPT = 10_000

# (account, action, second, wanted, limit) -> granted
TakeCalls = Callable[[int, str, int, int, int], int]


def take_calls(account_id: int, action: str, second: int, wanted: int, limit: int) -> int:
    """``wanted`` calls of this second or what is left of ``limit``, counted in the database."""
    return int(db.call("api_take_calls", account_id, action, second, wanted, limit))


class CallRates:
    """Calls this process may still make in the running second."""

    def __init__(self, take: TakeCalls = take_calls) -> None:
        self._take = take
        self._lock = threading.Lock()
        self._left: dict[tuple[int, str], tuple[int, int]] = {}

    def allows(self, account_id: int, action: str, limit_per_s: int) -> bool:
        """Whether one more call fits into this second; counts it if so."""
        second = int(clock.wall().timestamp())
        key = (account_id, action)
        with self._lock:
            kept_second, left = self._left.get(key, (second, 0))
            if kept_second == second and left > 0:
                self._left[key] = (second, left - 1)
                return True
        granted = self._take(account_id, action, second, max(1, limit_per_s // _SHARE), limit_per_s)
        if granted > 1:
            with self._lock:
                if len(self._left) >= _MOST_KEPT:
                    self._left.clear()
                kept_second, left = self._left.get(key, (second, 0))
                self._left[key] = (second, granted - 1 + (left if kept_second == second else 0))
        return granted > 0
