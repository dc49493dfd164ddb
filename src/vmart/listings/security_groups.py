"""The security group of an account: one, which nothing enforces; programs ask which there are."""

from vmart.customers.models import Account
from vmart.kernel import public_ids
from vmart.listings.views import SecurityGroupView


def of_account(account_id: int) -> SecurityGroupView:
    """The account's default group; its id is a function of the account's number, so it is kept nowhere."""
    created_at = Account.objects.values_list("created_at", flat=True).get(id=account_id)
    return SecurityGroupView(public_ids.of("sg", account_id), created_at)
