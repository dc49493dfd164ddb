"""An act, with a worker that is killed (kill -9) at each point of it in turn: what all such tests share.

It is gone through once undisturbed, with one customer, and then with another customer for each point.
"""

from collections.abc import Callable
from typing import Any

from tests.crash.conftest import Nursery
from tests.support.outcome import outcome
from tests.support.shopper import work

POINTS_MAX = 200


def points(run: Callable[[int], dict[str, Any] | None], verify: Callable[[int], None]) -> int:
    """Run with the kill at point 1, 2, … and verify after each, until a run passes all its points alive."""
    for point in range(1, POINTS_MAX):
        answer = run(point)
        verify(point)
        if answer is not None:
            assert "error" not in answer
            return point - 1
    raise AssertionError("the act does not end")


def name_of(control: dict[str, Any] | None, point: int) -> str:
    """What the undisturbed run passed there."""
    assert control is not None
    return str(control["points"][point - 1]) if point <= len(control["points"]) else "its end"


def at_each_point(
    nursery: Nursery, let_leases_run_out: Callable[[], int], asked: Callable[[str], int], *, least: int,
    come_to: Callable[[int], dict[str, Any]] = outcome, settle: Callable[[int], object] = lambda _account: work(),
) -> dict[str, Any]:  # fmt: skip
    """What the account of the undisturbed run has come to, as every other has; ``asked`` opens one and asks.

    ``settle`` does the work that is left after a worker was killed; there are ``least`` points or more.
    """
    undisturbed = asked("undisturbed")
    control = nursery.run("work")
    settle(undisturbed)
    expected = come_to(undisturbed)
    accounts: dict[int, int] = {}

    def killed(point: int) -> dict[str, Any] | None:
        accounts[point] = asked(f"killed-{point}")
        return nursery.run("work", kill_at=point)

    def verify(point: int) -> None:
        let_leases_run_out()
        settle(accounts[point])
        assert come_to(accounts[point]) == expected, name_of(control, point)

    assert points(killed, verify) >= least
    return expected
