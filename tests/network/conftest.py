"""Fixtures of tests of networks: simulated engines of the test's own, and an hour that is open."""

from tests.orders.conftest import engine, in_business, no_pauses, world  # noqa: F401
