"""What an account has: purses, holds, credit."""

from vmart.customers.models import Account
from vmart.ledger import queries
from vmart.listings.views import BalanceView


def balance(account_id: int) -> BalanceView:
    """Purses and holds of the account as they are now; two queries."""
    purses = queries.balance(account_id)
    return BalanceView(
        account_id=account_id,
        cash_minor=purses.cash_minor,
        gift_minor=purses.gift_minor,
        owed_minor=purses.owed_minor,
        held_minor=purses.held_minor,
        credit_limit_minor=Account.objects.values_list("credit_limit_minor", flat=True).get(id=account_id),
    )
