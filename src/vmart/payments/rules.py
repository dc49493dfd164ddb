"""How much may be asked of a card, and when a payment is looked at again. Pure."""

import datetime as dt

POLL_FIRST = dt.timedelta(seconds=10)
_LONGEST = dt.timedelta(minutes=5)
_LONGEST_OF_REFUND = dt.timedelta(hours=1)  # one that the provider has not sent yet may take it days


def least_minor(due_minor: int, available_minor: int, min_minor: int, step_minor: int = 1) -> int:
    """The least payment that lets an order of ``due_minor`` be paid from the balance.

    At least ``min_minor``, the least that one payment may be, and a multiple of ``step_minor``.
    """
    least = max(due_minor - available_minor, min_minor)
    return least + -least % step_minor


def asked_minor(due_minor: int, available_minor: int, min_minor: int, step_minor: int = 1) -> int:
    """What a card is asked for an order: what the balance lacks; the whole price where it lacks nothing."""
    return least_minor(due_minor, 0 if due_minor <= available_minor else available_minor, min_minor, step_minor)


def poll_after(age: dt.timedelta) -> dt.timedelta:
    """How long to wait before looking again at a payment that began ``age`` ago: doubling, at most 5 minutes."""
    return min(max(age, POLL_FIRST), _LONGEST)


def refund_poll_after(age: dt.timedelta) -> dt.timedelta:
    """The same of a refund that the provider has and has not sent yet: doubling, at most an hour."""
    return min(max(age, POLL_FIRST), _LONGEST_OF_REFUND)


def all_that_can_minor(left_minor: int, free_minor: int, step_minor: int = 1) -> int:
    """The most that can go back to a card: left of its payment, free in cash, a multiple of ``step_minor``."""
    most = min(left_minor, free_minor)
    return most - most % step_minor
