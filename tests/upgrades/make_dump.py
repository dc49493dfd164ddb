"""Make the dump of a release: a shop with a little of everything that a schema must carry on.

    tests/upgrades/make_dump [FOLDER]    # FOLDER/<version>.tar, beside this file unless it is named

It is made once, from the code that is released, and committed with it. Every later version takes it over
(``test_upgrades.py``). It is a backup as ``vmart backup`` writes it, with the simulated engines' files in it.
"""

import contextlib
import datetime as dt
import json
import os
import sqlite3
import sys
import tarfile
import tempfile
from dataclasses import replace
from pathlib import Path

from django.conf import settings

from tests import conftest  # first: it sets what vmart reads from the environment
from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.database import Databases
from tests.support.shopper import HOURLY, MONTHLY, ZONE, buy_running, go_to, open_purse, raise_prices, wanted
from vmart import __version__
from vmart.config import backup, bring_up
from vmart.config.places import Places
from vmart.engines.simulated.world import World
from vmart.instances.models import Instance
from vmart.kernel.models import Deployment
from vmart.orders import place, sample, stop, terminate
from vmart.orders.purchase import purchase
from vmart.pricing.configuration import DiskChoice

assert conftest
DAY, HOUR, MINUTE = dt.timedelta(days=1), dt.timedelta(hours=1), dt.timedelta(minutes=1)


def fill(test_clock: BusinessClock) -> dict[str, str]:
    """Sell, close, raise prices and end machines for a day and a half; the state of each machine, by a name."""
    Deployment.objects.update(test_clock_at=test_clock.at)
    bring_up.start_business()
    buyer = open_purse("buyer", cash_minor=10_000_000)
    machines = _sold(buyer) | {"in_arrears": buy_running(open_purse("poor", cash_minor=750))}
    go_to(test_clock, test_clock.at + DAY + 17 * MINUTE)
    stop.stop(by(buyer), [machines["paused"].public_id], stopped_mode="STOP_CHARGING")
    terminate.terminate(by(buyer), [machines["returned"].public_id])
    go_to(test_clock, test_clock.at + 7 * HOUR)
    raise_prices(test_clock, "1.1")
    go_to(test_clock, test_clock.at + HOUR)
    terminate.terminate(by(buyer), [machines["binned"].public_id])
    go_to(test_clock, test_clock.at + 5 * MINUTE)
    place.place(wanted(buyer, MONTHLY))
    (pending,) = purchase(wanted(buyer, HOURLY)).instance_ids
    machines["pending"] = Instance.objects.get(public_id=pending)
    Deployment.objects.update(test_clock_at=test_clock.at)
    return {name: Instance.objects.get(pk=machine.pk).state for name, machine in machines.items()}


def _sold(buyer: int) -> dict[str, Instance]:
    """Of both charge types and networks, one that has sent 3 GiB, and those that will be ended."""
    by_traffic = replace(HOURLY, data_disks=(DiskChoice("CLOUD_PREMIUM", 20),), bandwidth_mbps=5, public_ip=True)
    by_bandwidth = replace(by_traffic, data_disks=(), internet_charge_type="BANDWIDTH_POSTPAID_BY_HOUR")
    chosen = {
        "by_traffic": by_traffic, "by_bandwidth": by_bandwidth, "monthly": MONTHLY, "returned": MONTHLY,
        "paused": HOURLY, "binned": HOURLY,
    }  # fmt: skip
    machines = {name: buy_running(buyer, configuration) for name, configuration in chosen.items()}
    World(settings.DATA_DIR / "engine" / f"{ZONE}.sqlite").send_bytes(machines["by_traffic"].public_id, 3 * 2**30)
    sample.sample_zone(ZONE)
    return machines


def dump(url: str, engines: Path, file: Path) -> None:
    """A backup of the database, and the engines' files, in one tar."""
    backup.backup(Places(engines.parent / "no-deployment"), file, url)
    with tarfile.open(file, "a") as tar:
        for engine in sorted(engines.glob("*.sqlite")):
            whole = engine.with_suffix(".whole")  # with what SQLite keeps beside the file
            with contextlib.closing(sqlite3.connect(engine)) as connection:
                connection.execute("VACUUM INTO ?", [str(whole)])
            tar.add(whole, f"engine/{engine.name}")


def main(folder: Path) -> None:
    """Make the dump, print the states of its machines as JSON."""
    file = folder / f"{__version__}.tar"
    if file.exists():
        sys.exit(f"{file} is there: the dump of a release is made once")
    databases = Databases(f"{os.environ.get('PYTEST_XDIST_WORKER', 'w')}_dumping")
    with tempfile.TemporaryDirectory() as data_dir, databases.elsewhere("shop") as url:
        settings.DATA_DIR = Path(data_dir)
        bring_up.bring_up_to_date()
        bring_up.open_empty_shop()
        test_clock = BusinessClock()
        test_clock.install()
        held = fill(test_clock)
        dump(url, settings.DATA_DIR / "engine", file)
    print(json.dumps(held))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parent)
