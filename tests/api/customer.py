"""A customer of the demo shop whose program calls the API, and proof that a call wrote nothing."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from tests.api.calling import Client, Ring, TestKey, application
from tests.api.signing import SECRET_ID
from vmart.api import services
from vmart.customers.models import User
from vmart.kernel import clock
from vmart.orders import open_account


def open_customer(name: str = "buyer", *, credit_minor: int = 1_000_000) -> tuple[Client, int]:
    """A client that signs for a new account with this much gift money, and the account's id."""
    owner = User.objects.create_user(f"{name}@example.com", date_joined=clock.now())
    account = open_account.open_account(owner, name)
    if credit_minor:
        open_account.grant(account.id, credit_minor, "first")
    return client_of(account.id), account.id


def client_of(account_id: int) -> Client:
    """A client that signs for this account, with a key of its owner."""
    owner = User.objects.get(member__account_id=account_id, member__role="owner")
    keys = Ring({SECRET_ID: TestKey(account_id=account_id, user_id=owner.pk)})
    return Client(application(services.API, services.LEGACY, keys=keys))


def _digests() -> dict[str, str]:
    """Table -> digest of all its rows."""
    with connection.cursor() as cursor:
        tables = sorted(connection.introspection.table_names(cursor))
        digests = {}
        for table in tables:
            cursor.execute(
                f"SELECT md5(coalesce(string_agg(t::text, chr(10) ORDER BY t::text), '')) FROM \"{table}\" t"
            )
            (digests[table],) = cursor.fetchone()
    return digests


@contextmanager
def nothing_written() -> Iterator[None]:
    """Assert that no row of any table is another after the block."""
    before = _digests()
    assert len(before) > 30
    yield
    after = _digests()
    assert {table for table in before.keys() | after if before.get(table) != after.get(table)} == set()
