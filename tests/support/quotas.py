"""What accounts of a test may have at most."""

from vmart.customers import quotas
from vmart.customers.models import QuotaDefault
from vmart.kernel import db


def everyone(**values: int) -> None:
    """Every account that has no value of its own."""
    for name, value in values.items():
        assert QuotaDefault.objects.filter(set_name="default", name=name).update(value=value) == 1


def one(account_id: int, **values: int) -> None:
    """This account."""
    with db.act():
        quotas.keep(account_id, values)
