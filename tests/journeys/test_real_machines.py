"""The main job on the real engine: bought on the page and by the SDK, logged in to, paid for to the second and byte."""

import csv
import datetime as dt
import html
import json
import re
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tencentcloud.common.credential import Credential
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.cvm.v20170312 import cvm_client, models

from tests.lab.conftest import Internet
from tests.lab.host_snapshot import found_on_host
from tests.pricing.demo import demo_book
from tests.support.plain_browser import PlainBrowser
from tests.support.running_shop import RunningShop
from vmart.config import os_users
from vmart.config.places import Deployment, Places
from vmart.engines import open_engine
from vmart.engines.contract import Engine
from vmart.engines.incus import links
from vmart.engines.incus.daemon import PrivateDaemon
from vmart.kernel.functions import resolve
from vmart.pricing.book import cpu_key, disk_key, traffic_key
from vmart.pricing.hour import ByteSample, HourCharge, Segment, charge_hour, charge_traffic, price_version

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

PASSWORD = "Correct-horse-7"
SENT_BYTES = 32 << 20
BEGAN = dt.datetime(2026, 3, 5, 2, 10, tzinfo=dt.UTC)
HOUR = BEGAN.replace(minute=0)
BY_SDK = {
    "InstanceChargeType": "POSTPAID_BY_HOUR",
    "Placement": {"Zone": "ap-guangzhou-3"},
    "InstanceType": "S5.SMALL1",
    "ImageId": "img-db12k7x4",
    "SystemDisk": {"DiskType": "CLOUD_PREMIUM", "DiskSize": 20},
    "InternetAccessible": {
        "InternetChargeType": "TRAFFIC_POSTPAID_BY_HOUR", "InternetMaxBandwidthOut": 100, "PublicIpAssigned": True,
    },
    "LoginSettings": {"Password": PASSWORD},
}  # fmt: skip


# A kernel without IPv6 gives no machine one; where root could have the host forward it, the shop's worker can too.
_IPV6 = {} if links.why_not() else {"ipv6": "1"}


class Watch:
    """How long each part of the journey took, for whoever reads the test's output."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def tell(self, what: str) -> None:
        now = time.monotonic()
        print(f"{now - self._last:6.1f} s  {what}")
        self._last = now


class Cvm:
    """The unmodified SDK; answers as plain members."""

    def __init__(self, shop: RunningShop) -> None:
        customer = shop.ready["customer"]
        http = HttpProfile(protocol="http", endpoint=shop.ready["api_endpoint"])
        credential = Credential(customer["secret_id"], customer["secret_key"])
        self._client = cvm_client.CvmClient(credential, "ap-guangzhou", ClientProfile(httpProfile=http))

    def __call__(self, action: str, **members: object) -> dict[str, Any]:
        request = getattr(models, f"{action}Request")()
        request.from_json_string(json.dumps(members))
        answer: dict[str, Any] = json.loads(getattr(self._client, action)(request).to_json_string())
        return answer

    def machine(self, public_id: str) -> dict[str, Any]:
        (found,) = self("DescribeInstances", InstanceIds=[public_id])["InstanceSet"]
        return dict(found)


def _until(look: Callable[[], object], limit_s: float = 120) -> None:
    ends = time.monotonic() + limit_s
    while not (seen := look()):
        assert time.monotonic() < ends, f"still {seen!r} after {limit_s} s"
        time.sleep(0.2)


def _daemon(shop: RunningShop) -> PrivateDaemon:
    places = Places.of(shop.data_dir)
    deployment = Deployment.read(places)
    assert deployment is not None
    return PrivateDaemon(places.data_dir, places.run_dir, group=os_users.WORKER, deployment=deployment.id)


def _engine(shop: RunningShop) -> Engine:
    return open_engine("incus", json.loads(shop.control()["environment"]["VMART_INCUS_SETTINGS"]))


def _rows(shop: RunningShop, query: str, *values: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(shop.database_url) as connection:
        return connection.execute(resolve(query), values).fetchall()


def _secret(folder: Path, name: str, text: str) -> str:
    file = folder / name
    file.write_text(text)
    file.chmod(0o600)
    return str(file)


def _sign_in(shop: RunningShop, browser: PlainBrowser) -> None:
    browser.open("/accounts/login/")
    browser.press("Sign in", login=shop.ready["customer"]["email"], password=shop.ready["customer"]["password"])
    assert shop.ready["customer"]["email"] in browser.html


def _make_key_pair(browser: PlainBrowser) -> tuple[str, str]:
    """(id, private key), as the page shows them this once."""
    browser.open("/keys/")
    browser.press("Create", name="laptop")
    shown = re.search(r'<textarea id="private-key"[^>]*>([^<]+)</textarea>', browser.html)
    public_id = re.search(r"skey-[a-z0-9]{8}", browser.html)
    assert shown and public_id
    return public_id[0], html.unescape(shown[1])


def _buy_on_the_page(browser: PlainBrowser, key_id: str) -> tuple[str, str]:
    """Everything is preselected but the login. (machine's id, its address), as the order's page shows them."""
    # While its engine starts the real zone has no room, and another is preselected.
    _until(lambda: 'value="ap-guangzhou-3" checked' in browser.open("/buy/"))
    browser.press("Pay and create", login="key", key=key_id, name="by-page", **_IPV6)
    order = browser.address
    assert re.search(r"/orders/\d+/$", order)
    assert "ssh root@" not in browser.html  # not promised before it is delivered

    def delivered() -> bool:
        return ">Delivered</span>" in browser.open(order)

    _until(delivered)
    assert "It answers some seconds later" in browser.html
    line = re.search(r">ssh (\w+)@([0-9.]+)<", browser.html)
    public_id = re.search(r"ins-[a-z0-9]{8}", browser.html)
    assert line and public_id
    assert line[1] == "root"
    return public_id[0], line[2]


def _charges(browser: PlainBrowser, public_id: str) -> dict[str, dict[str, str]]:
    """The machine's charges by component, out of the month's file that the charges page offers."""
    browser.open("/charges/")
    link = re.search(r'href="(/charges\.csv[^"]*)"', browser.html)
    assert link
    lines = browser.open(link[1]).removeprefix("\ufeff").splitlines()
    rows = [row for row in csv.DictReader(lines) if row["instance_id"] == public_id]
    assert {row["hour_utc"] for row in rows} == {"2026-03-05T02:00:00Z"}
    assert len({row["component"] for row in rows}) == len(rows)
    return {row["component"]: row for row in rows}


def _by_rule(out_bytes: int) -> dict[str, HourCharge]:
    """What the pure rule says of the machine bought by SDK: twenty minutes of it, and its bytes."""
    versions, ended = [price_version(demo_book())], BEGAN + dt.timedelta(minutes=20)

    def used(key: str, quantity: int) -> HourCharge:
        return charge_hour([Segment(BEGAN, ended, quantity, key)], versions, HOUR)

    sent = [ByteSample(BEGAN, out_bytes)]
    return {
        "cpu": used(cpu_key("ap-guangzhou", "S5.SMALL1"), 1),
        "disk": used(disk_key("ap-guangzhou", "CLOUD_PREMIUM"), 20),
        "traffic": charge_traffic(sent, traffic_key("ap-guangzhou"), versions, HOUR),
    }


def _balance_minor(shop: RunningShop) -> int:
    return int(_rows(shop, "SELECT fn.ledger_balance(p) FROM ledger_purses p")[0][0])


def _send_from_inside(internet: Internet, ip: str, folder: Path) -> None:
    """Log in with the password and send SENT_BYTES to somebody on the internet, who takes them all."""
    password_file = _secret(folder, "password", PASSWORD)
    send = f"head -c {SENT_BYTES} /dev/zero | bash -c 'cat > /dev/tcp/{internet.ip}/7001' && echo sent"
    with internet.sink(7001) as sink:
        assert internet.python("ssh_login", ip, "password", password_file, send).strip() == "sent"
        output, _ = sink.communicate(timeout=60)
    assert int(output.split()[0]) == SENT_BYTES


def _assert_bill(shop: RunningShop, browser: PlainBrowser, by_sdk: str, counted: int) -> None:
    """Counter = samples = charge = page, and each amount is the pure rule's."""
    sampled = "SELECT sum(s.out_bytes) FROM metering_sample s JOIN instances_instance i ON i.id = s.subscription_id"
    assert _rows(shop, f"{sampled} WHERE i.public_id = %s", by_sdk) == [(counted,)]
    charged, by_rule = _charges(browser, by_sdk), _by_rule(counted)
    assert {component: (int(row["seconds"]), int(row["out_bytes"])) for component, row in charged.items()} == {
        "cpu": (1200, 0),
        "disk": (1200, 0),
        "traffic": (0, counted),
    }
    assert {component: Decimal(row["exact"]) for component, row in charged.items()} == {
        component: charge.exact for component, charge in by_rule.items()
    }
    # 0.14 an hour, 20 GiB at 0.0005 an hour, 0.80 a GiB of 2^30 bytes
    assert by_rule["cpu"].exact == Decimal("0.04666667")
    assert by_rule["disk"].exact == Decimal("0.00333333")
    assert by_rule["traffic"].exact == round(counted * Decimal("0.8") / 2**30, 8)
    assert f"{counted / 2**20:.2f} MiB" in browser.open("/charges/?day=2026-03-05")


def _end_both(shop: RunningShop, browser: PlainBrowser, cvm: Cvm, by_page: str, by_sdk: str) -> None:
    """One is returned on the page and erased, the other, in the bin already, released."""
    browser.open(f"/machines/{by_page}/end/")
    browser.press("Return")
    _until(lambda: "Recycle bin" in browser.open(f"/machines/{by_page}/"))
    _until(lambda: cvm.machine(by_page)["LatestOperationState"] == "SUCCESS")
    browser.open(f"/machines/{by_page}/end/")
    browser.press("Erase now")
    cvm("TerminateInstances", InstanceIds=[by_sdk])
    _until(lambda: _rows(shop, "SELECT public_id FROM instances_instance WHERE state <> 'GONE'") == [])


def _nothing_on_host(daemon: PrivateDaemon) -> list[str]:
    """Kinds of things of which the daemon has none on its host."""
    return [kind for kind, found in found_on_host(daemon).items() if not found]


def test_bought_logged_in_to_and_paid_for_to_the_second_and_byte(
    real_shop: RunningShop, browser: PlainBrowser, internet: Internet, tmp_path: Path
) -> None:
    """Given a shop with a real engine, when a customer buys on the page and by SDK, then both machines are entered
    by SSH, what one sends is counted and charged to the byte, and at the end nothing is left."""
    shop, watch, cvm, daemon = real_shop, Watch(), Cvm(real_shop), _daemon(real_shop)
    # The first of the demo's pool; what a machine begins itself leaves by the host's address.
    internet.count_senders(internet.host_ip, *(f"203.0.113.{number}" for number in range(10, 20)))
    opening = _balance_minor(shop)

    # A prepaid machine on the page, with a key.
    _sign_in(shop, browser)
    key_id, private_key = _make_key_pair(browser)
    by_page, page_ip = _buy_on_the_page(browser, key_id)
    watch.tell("bought on the page and delivered, its image imported first")
    key_file = _secret(tmp_path, "key", private_key)
    inside = "id -un; hostname; ip -6 -brief address show dev eth1 scope global 2> /dev/null"
    seen = internet.python("ssh_login", page_ip, "key", key_file, inside).split()
    ipv6 = cvm.machine(by_page)["IPv6Addresses"] or []
    assert seen[:2] == ["root", by_page]
    assert (len(ipv6), [word.partition("/")[0] for word in seen[4:]]) == (len(_IPV6), ipv6)
    assert opening - _balance_minor(shop) == 6700  # a month of S5.SMALL2 at 60, 20 GiB at 0.35
    watch.tell("logged in with the key")

    # A postpaid one by the SDK, with a password and by traffic.
    (by_sdk,) = cvm("RunInstances", **BY_SDK)["InstanceIdSet"]
    _until(lambda: cvm.machine(by_sdk)["InstanceState"] == "RUNNING")
    (sdk_ip,) = cvm.machine(by_sdk)["PublicIpAddresses"]
    watch.tell("bought by SDK and delivered")
    _send_from_inside(internet, sdk_ip, tmp_path)
    watch.tell("logged in with the password and sent the bytes")
    assert _nothing_on_host(daemon) == []  # the control of the end: it sees each kind

    # Ended after twenty minutes, charged at the end of the hour.
    shop.vmart("clock", "advance", "20m")
    cvm("TerminateInstances", InstanceIds=[by_sdk])
    _until(lambda: cvm.machine(by_sdk)["LatestOperationState"] == "SUCCESS")
    assert cvm.machine(by_sdk)["InstanceState"] == "SHUTDOWN"
    counted = _engine(shop).counters([by_sdk])[by_sdk].out_bytes  # it is off: nothing is added any more
    shop.vmart("clock", "advance", "30m")
    watch.tell("ended, and the hour closed")
    assert counted == internet.seen_bytes(sdk_ip) + internet.seen_bytes(internet.host_ip)
    assert SENT_BYTES < counted < SENT_BYTES * 1.1
    _assert_bill(shop, browser, by_sdk, counted)
    by_page_charged = _charges(browser, by_page)  # prepaid: nothing by usage but the bytes of its own login
    assert by_page_charged.keys() == {"traffic"}
    assert int(by_page_charged["traffic"]["out_bytes"]) == _engine(shop).counters([by_page])[by_page].out_bytes > 0
    assert opening - _balance_minor(shop) == 6700 + 5 + 3
    watch.tell("the bill is right")

    _end_both(shop, browser, cvm, by_page, by_sdk)
    assert opening - _balance_minor(shop) == 5 + 3  # the first return gives everything back
    assert shop.vmart("reconcile").stdout == "everything agrees\n"
    assert {"links", "routes"} <= set(_nothing_on_host(daemon))
    watch.tell("both ended")
    assert shop.end() == 0
    shop.vmart("down", "--machines")
    assert {kind: found for kind, found in found_on_host(daemon).items() if found} == {}
    watch.tell("nothing is left")
