"""Fixtures of tests of acts: simulated engines of the test's own, and an hour that is open."""

from tests.orders.conftest import engine, in_business, no_pauses  # noqa: F401
