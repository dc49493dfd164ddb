"""The worker process: the lease loop over every kind of operation, and the chores."""

import signal
from collections.abc import Callable

from vmart.catalog import shop
from vmart.config.chores import Chores
from vmart.config.steps import STEPS, lanes, zone_codes
from vmart.engines.contract import install_transaction_probe
from vmart.kernel import db
from vmart.worker.loop import Worker


def run(ready: Callable[[], None]) -> None:
    """Work until SIGTERM, then let what is running end. ``ready`` is called when the loop is about to begin."""
    install_transaction_probe(db.in_transaction)
    shop.current()
    worker = Worker(STEPS, lanes)
    chores = Chores(zone_codes)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    chores.start()
    ready()
    worker.run()
    chores.stop()
