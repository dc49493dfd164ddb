"""The engines and the open business of the tests of acts, for this folder too."""

from tests.orders.conftest import engine, in_business, world  # noqa: F401  fixtures
