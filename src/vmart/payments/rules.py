"""How much may be asked of a card, and when a payment is looked at again. Pure."""

import datetime as dt

TOP_UP_MIN_MINOR = 100
TOP_UP_MAX_MINOR = 10_000_000
OPEN_MAX = 10  # an account's payments that wait for the customer

ABANDONED_AFTER = dt.timedelta(minutes=30)  # as long as an order's price holds
POLL_FIRST = dt.timedelta(seconds=10)
_LONGEST = dt.timedelta(minutes=5)


def in_bounds(amount_minor: int) -> bool:
    """Whether one payment may be of this amount."""
    return TOP_UP_MIN_MINOR <= amount_minor <= TOP_UP_MAX_MINOR


def least_minor(due_minor: int, available_minor: int, step_minor: int = 1) -> int:
    """The least payment, a multiple of ``step_minor``, that lets an order of ``due_minor`` be paid from the balance."""
    least = max(due_minor - available_minor, TOP_UP_MIN_MINOR)
    return least + -least % step_minor


def asked_minor(due_minor: int, available_minor: int, step_minor: int = 1) -> int:
    """What a card is asked for an order: what the balance lacks; the whole price where it lacks nothing."""
    return least_minor(due_minor, 0 if due_minor <= available_minor else available_minor, step_minor)


def poll_after(age: dt.timedelta) -> dt.timedelta:
    """How long to wait before looking again at a payment that began ``age`` ago: doubling, at most 5 minutes."""
    return min(max(age, POLL_FIRST), _LONGEST)


def abandoned(age: dt.timedelta) -> bool:
    """Whether a payment that still waits for its customer is to be canceled at the provider."""
    return age >= ABANDONED_AFTER
