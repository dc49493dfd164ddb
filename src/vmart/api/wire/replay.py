"""Nonces: the same signed request is accepted once (decision 18)."""

import datetime as dt

from vmart.kernel import clock, db


def remember_nonce(secret_id: str, nonce: int, until_s: int) -> bool:
    """Whether ``nonce`` of this key is new; remembered until the Unix time ``until_s``. One durable statement."""
    until = dt.datetime.fromtimestamp(until_s, dt.UTC)
    return bool(db.call("api_remember_nonce", secret_id, nonce, until, clock.wall()))
