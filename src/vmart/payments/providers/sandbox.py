"""A test provider for demonstrations: no card, no money. Only where VMART_SANDBOX_CARDS is 1.

It keeps nothing: the chosen card and the wall time are part of the reference, which is ours to choose,
so a killed process or a lost answer is as real here as with a bank.
"""

import datetime as dt
from collections.abc import Mapping, Sequence

from django.utils.translation import gettext_noop

from vmart.kernel import clock
from vmart.payments.errors import UnknownCard
from vmart.payments.providers.contract import (
    Charge,
    Event,
    Outcome,
    Refund,
    Status,
    WebhookRefused,
    card_provider,
)

PAYS = "4242424242424242"
DECLINED = "4000000000000341"
ANSWERS_LATE = "4000000000000127"
TAKES_NOTHING_BACK = "4000000000005126"
REFUNDS_LATE = "4000000000007726"
CARDS: Mapping[str, str] = {  # what the page's select offers: number and label, to be translated
    PAYS: gettext_noop("4242 4242 4242 4242: test card that pays"),
    DECLINED: gettext_noop("4000 0000 0000 0341: test card that is declined"),
    ANSWERS_LATE: gettext_noop("4000 0000 0000 0127: test card whose answer is lost and found later"),
    TAKES_NOTHING_BACK: gettext_noop("4000 0000 0000 5126: test card that takes no refund"),
    REFUNDS_LATE: gettext_noop("4000 0000 0000 7726: test card whose refund is found later"),
}
LATE_S = 5
_DECLINED = gettext_noop("The card was declined.")
_LATE = gettext_noop("The provider has not answered yet.")
_TAKES_NOTHING_BACK = gettext_noop("The card takes no money back.")
_PREFIX = "sandbox"


@card_provider
class Sandbox:
    """See the module."""

    name = "sandbox"
    refund_takes = gettext_noop("At once. No money moves: it is a test card.")

    def step_minor(self, currency: str) -> int:
        return 1

    def prepare(self, token: str, method: str) -> str:
        if method not in CARDS:
            raise UnknownCard("Choose one of the test cards.", field="method")
        return f"{_PREFIX}_{method}_{int(clock.wall().timestamp())}_{token}"

    def create(self, charge: Charge) -> Outcome:
        return self._outcome(charge, asked=True)

    def look_up(self, charge: Charge) -> Outcome:
        return self._outcome(charge, asked=False)

    def cancel(self, charge: Charge) -> Outcome:
        return self._outcome(charge, asked=False)

    def refund(self, refund: Refund) -> Outcome:
        return self._refunded(refund, asked=True)

    def look_up_refund(self, refund: Refund) -> Outcome:
        return self._refunded(refund, asked=False)

    def _refunded(self, refund: Refund, *, asked: bool) -> Outcome:
        number = refund.charge.split("_", 2)[1]
        if number == TAKES_NOTHING_BACK:
            return Outcome(Status.FAILED, refund.token, reason=_TAKES_NOTHING_BACK)
        if number == REFUNDS_LATE and asked:
            return Outcome(Status.UNKNOWN, reason=_LATE)
        return Outcome(Status.SUCCEEDED, refund.token, refund.amount_minor, refund.currency)

    def paid_since(self, since: dt.datetime) -> Sequence[Event]:
        return ()

    def _outcome(self, charge: Charge, *, asked: bool) -> Outcome:
        _, number, wall_s, _ = charge.reference.split("_", 3)
        if number == DECLINED:
            return Outcome(Status.FAILED, charge.reference, reason=_DECLINED)
        if number == ANSWERS_LATE and (asked or clock.wall().timestamp() < int(wall_s) + LATE_S):
            return Outcome(Status.UNKNOWN, reason=_LATE)
        return Outcome(Status.SUCCEEDED, charge.reference, charge.amount_minor, charge.currency)

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> Event | None:
        raise WebhookRefused("the test provider sends no messages")
