"""Every code that the database keeps and a page shows has a word: nobody reads ``seen_off`` or ``close_hour``."""

import re
from pathlib import Path

import pytest

import vmart
from vmart.config.steps import STEPS
from vmart.events import record
from vmart.instances.models import State
from vmart.orders import passwords
from vmart.orders.models import Line, Status
from vmart.orders.sweep import Drift
from vmart.pages import event_words, wording
from vmart.payments.models import Payment

SOURCE = Path(vmart.__file__).parent


def _found(pattern: str, glob: str) -> set[str]:
    return {word for file in SOURCE.glob(glob) for word in re.findall(pattern, file.read_text())}


def test_events() -> None:
    written = _found(r'\bevents?\([^"\n]*, "(\w+)"', "*/*.py") | {passwords.RESET}
    written |= _found(r"events_write\([^;]*?'(?:machine|order)', [^;]*?'(\w+)',\s+_now", "*/sql/*.sql")
    written |= _found(r'accepting\(\s*actor,\s*"(\w+)"', "orders/*.py")
    written |= _found(r'record\.write\([^)]*\], "(\w+)"', "*/*.py")
    written |= _found(r'\bevents?\([^"\n]*, "(\w+)"', "orders/*/*.py")
    written |= _found(r'(?:ACT|ATTACH|DETACH|TERMINATE)\b.* = .*"(\w+Disks)"', "orders/disks/*.py")
    assert {"StopInstances", "order_placed", "RunInstances"} <= written
    assert {"CreateDisks", "TerminateDisks", "disk_attached"} <= written
    assert {"delivered", "launch_failed", "network_off", "returned"} <= written - {"seen_"}
    told = re.findall(r"orphan|missing|on\b|off", Drift.__doc__ or "")
    seen = {f"seen_{kind}" for kind in told if kind in ("missing", "on", "off")}
    assert len(seen) == 3
    assert (written - {"seen_"}) | seen <= set(event_words.EVENTS)


def test_subjects_of_events() -> None:
    kinds = {value for name, value in vars(record).items() if name.isupper()}
    assert {"machine", "own_image", "account"} <= kinds
    assert kinds <= set(event_words.SUBJECTS)


def test_operations() -> None:
    assert set(STEPS) <= set(wording.OPERATIONS)


def test_transfers() -> None:
    written = _found(r"kernel_transfer_id\('(\w+)'", "*/sql/*.sql") | _found(
        r"ledger_post\([^,]+, '(\w+)'", "*/sql/*.sql"
    )
    written |= _found(r'(?:credit\(\w+|credit_all\(|transfer_id\([^)]*\),)[\s,]*"(\w+)"', "*/*.py")
    assert {"repay", "prepaid", "top_up", "refund", "grant"} <= written
    assert written <= set(wording.TRANSFERS)


@pytest.mark.parametrize(
    ("codes", "words"),
    [
        (State.values, wording.STATES), (Status.values, wording.ORDER_STATUS), (Line.State.values, wording.LINE_STATES),
        (Payment.State.values, wording.PAYMENT_STATES),
    ],
)  # fmt: skip
def test_states(codes: list[object], words: dict[object, object]) -> None:
    assert set(codes) <= set(words)
