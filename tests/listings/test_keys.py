"""Given key pairs of two customers, when they are listed, then each sees its own and the machines that have them."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.instances.test_key_pairs import ED25519
from tests.support.actors import by
from tests.support.shopper import HOURLY, IMAGE, open_purse, wanted
from vmart.instances import key_pairs
from vmart.instances.models import Instance
from vmart.kernel import clock
from vmart.listings import keys
from vmart.orders import login
from vmart.orders.purchase import purchase
from vmart.orders.wanted import Machine

pytestmark = pytest.mark.usefixtures("shop")


def _pairs(account: int, count: int) -> list[str]:
    from cryptography.hazmat.primitives.asymmetric import ed25519
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    lines = [
        ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
        for _ in range(count)
    ]
    return [key_pairs.import_(by(account), f"k{number}", line).public_id for number, line in enumerate(lines)]


def _with_keys(account: int, *key_ids: str) -> str:
    machine = Machine(IMAGE, login.LoginWanted(key_ids=tuple(key_ids)))
    return purchase(wanted(account, HOURLY, machine=machine)).instance_ids[0]


def test_a_pair_and_its_machines() -> None:
    account = open_purse(cash_minor=10_000)
    first, second = _pairs(account, 2)
    one, both = _with_keys(account, second), _with_keys(account, first, second)
    gone = _with_keys(account, second)
    Instance.objects.filter(public_id=gone).update(state="GONE", gone_at=clock.now())
    total, (newest, oldest) = keys.page(account)
    assert total == 2
    assert (newest.public_id, newest.name, newest.instance_ids) == (second, "k1", (one, both))
    assert (oldest.public_id, oldest.instance_ids, oldest.created_at) == (first, (both,), clock.now())


def test_ids_names_and_pages() -> None:
    account, other = open_purse(), open_purse("other")
    ids = _pairs(account, 4)
    theirs = key_pairs.import_(by(other), "k0", ED25519).public_id
    for asked, found in [
        ({}, ids[::-1]),
        ({"public_ids": [ids[1], theirs, "skey-unknown0"]}, [ids[1]]),
        ({"public_ids": [theirs]}, []),
        ({"names": ["k0", "k3", "k9"]}, [ids[3], ids[0]]),
        ({"names": []}, []),
    ]:
        for offset, limit in [(0, 100), (0, 1), (1, 1), (1, 100), (100, 1)]:
            total, views = keys.page(account, offset=offset, limit=limit, **asked)
            assert (total, [view.public_id for view in views]) == (len(found), found[offset : offset + limit])


@pytest.mark.parametrize("count", [1, 12])
def test_the_number_of_queries_does_not_grow(count: int) -> None:
    account = open_purse(cash_minor=10_000)
    _with_keys(account, _pairs(account, count)[0])
    for limit, budget in [(100, 1), (1, 2)]:
        with CaptureQueriesContext(connection) as queries:
            keys.page(account, limit=limit)
        assert len(queries) <= budget
