"""The security group of an account: one, which nothing enforces; programs ask which there are."""

from vmart.customers.models import Account
from vmart.kernel import ids
from vmart.listings.views import SecurityGroupView
from vmart.orders.purchase import id_key


def of_account(account_id: int) -> SecurityGroupView:
    """The account's default group; its id is a function of the account's number, so it is kept nowhere."""
    created_at = Account.objects.values_list("created_at", flat=True).get(id=account_id)
    return SecurityGroupView(ids.public_id(id_key(), "sg", account_id), created_at)
