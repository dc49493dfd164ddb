"""Given the purchase page's code, when it is run exactly as it is shown, then the machine is what was chosen.

Go's program runs where ``bin/setup --dev`` found the SDK, Terraform's where ``bin/setup --terraform`` built it.
"""

import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor

import psycopg
import pytest

from tests.clients import test_terraform
from tests.clients.conftest import Access, wait_for
from tests.clients.test_other_sdks import BUILT
from tests.clients.test_sdk_python import Cvm
from tests.instances.test_key_pairs import ED25519
from tests.support.running_shop import RunningShop
from tests.web import programs
from vmart.events.actor import PAGE, Actor
from vmart.instances.attributes import Attributes
from vmart.kernel import unix_password
from vmart.orders.login import LoginWanted
from vmart.orders.own_network import NetworkWanted
from vmart.orders.wanted import Machine, Purchase
from vmart.pricing.configuration import Configuration, DiskChoice
from vmart.tags.wanted import Tag, TagsOf
from vmart.web.as_code import LANGUAGES
from vmart.web.as_code.request import Call, Endpoint, members

PASSWORD = "aB3'\"\\$(id)`&%{x}!#"  # of signs that mean something to shells and templates
NAME = "a'b\"c\\$(id)`id`${HOME}%{x}网🖥 --region"
CHOSEN = {
    "zone": "ap-guangzhou-4", "type": "S5.SMALL1", "image": "img-db12k7x4", "disk": "CLOUD_SSD", "disk_gib": "60",
    "data_disk": "CLOUD_PREMIUM", "data_gib": "30", "internet": "bandwidth", "mbps": "3", "tags": "team=web 1,env=a:b",
}  # fmt: skip
BY_PASSWORD = CHOSEN | {"charge": "postpaid", "login": "password", "name": NAME}
TAGS = [{"Key": "env", "Value": "a:b"}, {"Key": "team", "Value": "web 1"}]

# What one is told when the machine is bought: (exit status, what it prints)
Runner = Callable[[str, Access, Path], str]


def shown(shop_url: str, language: str, chosen: dict[str, str], ca_file: str | None = None, **headers: str) -> str:
    """The program, as a stranger copies it from the page."""
    asked = urllib.request.Request(f"{shop_url}/buy/code/?{urlencode(chosen)}&language={language}", headers=headers)
    trusted = ssl.create_default_context(cafile=ca_file)
    with urllib.request.urlopen(asked, timeout=30, context=trusted) as page:
        return programs.shown(page.read().decode())


def sent(shop_url: str, language: str, typed: dict[str, str]) -> str:
    """The program, as the purchase page's form asks for it: what no address holds goes along."""
    cookies = HTTPCookieProcessor()
    opened = urllib.request.build_opener(cookies)
    page = opened.open(f"{shop_url}/buy/", timeout=30).read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert token
    form = urlencode(typed | {"language": language, "csrfmiddlewaretoken": token[1]}).encode()
    with opened.open(f"{shop_url}/buy/code/", form, timeout=30) as answer:
        return programs.shown(answer.read().decode())


def _done(words: list[str], access: Access, folder: Path, **environment: str) -> str:
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "TENCENTCLOUD_SECRET_ID": access.secret_id,
        "TENCENTCLOUD_SECRET_KEY": access.secret_key, "MACHINE_PASSWORD": PASSWORD, **environment,
    }  # fmt: skip
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _tccli(program: str, access: Access, folder: Path) -> str:
    (folder / "buy.sh").write_text(program)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return _done(["bash", "buy.sh"], access, folder, PATH=path)


def _python(program: str, access: Access, folder: Path) -> str:
    (folder / "buy.py").write_text(program)
    return _done([sys.executable, "buy.py"], access, folder)


def _go(program: str, access: Access, folder: Path, *act: str) -> str:
    built = BUILT / "go"
    if not (built / "run").exists():
        pytest.skip((built / "why").read_text().strip())
    for name in ("go.mod", "go.sum"):
        shutil.copy(built / name, folder)
    (folder / "buy.go").write_text(program)
    caches = json.loads(subprocess.check_output(["go", "env", "-json", "GOCACHE", "GOMODCACHE"]))
    words = ["go", *(act or ("run",)), "-mod=readonly", "buy.go"]
    return _done(words, access, folder, GOFLAGS="-buildvcs=false", GOWORK="off", **caches)


def _curl(program: str, access: Access, folder: Path) -> str:
    """With no other program than those that the page names."""
    (folder / "bin").mkdir()
    for name in ("bash", "curl", "openssl"):
        found = shutil.which(name)
        if found is None:
            pytest.skip(f"there is no {name} on this machine")
        (folder / "bin" / name).symlink_to(found)
    (folder / "buy.sh").write_text(program)
    words = [str(folder / "bin" / "bash"), "buy.sh"]
    return _done(words, access, folder, PATH=str(folder / "bin"), CURL_CA_BUNDLE=access.ca_file)


RUNNERS: dict[str, Runner] = {"tccli": _tccli, "python": _python, "go": _go, "curl": _curl}


def _bought(told: str) -> list[str]:
    answer = json.loads(told)
    answer = answer.get("Response", answer)
    assert "InstanceIdSet" in answer, told
    ids: list[str] = answer["InstanceIdSet"]
    return ids


def _running(cvm: Cvm, ids: list[str]) -> list[dict[str, Any]]:
    asked = {"InstanceIds": ids}
    wait_for(lambda: {one["InstanceState"] for one in cvm.DescribeInstances(asked)["InstanceSet"]}, {"RUNNING"})
    machines: list[dict[str, Any]] = cvm.DescribeInstances(asked)["InstanceSet"]
    return sorted(machines, key=lambda machine: str(machine["InstanceName"]))


def _is_as_chosen(machine: dict[str, Any]) -> None:
    """All but name, number and login, which differ."""
    disks = [machine["SystemDisk"], *machine["DataDisks"]]
    assert [(disk["DiskType"], disk["DiskSize"]) for disk in disks] == [("CLOUD_SSD", 60), ("CLOUD_PREMIUM", 30)]
    assert (machine["Placement"]["Zone"], machine["InstanceType"]) == ("ap-guangzhou-4", "S5.SMALL1")
    assert machine["ImageId"] == "img-db12k7x4"
    assert machine["InternetAccessible"]["InternetMaxBandwidthOut"] == 3
    assert len(machine["PublicIpAddresses"]) == 1
    assert sorted(machine["Tags"], key=lambda tag: str(tag["Key"])) == TAGS


def _lets_in(shop: RunningShop, public_id: str, password: str) -> bool:
    """Whether the password is the machine's, by the hash that its first boot puts in place."""
    with psycopg.connect(shop.database_url) as own:
        sql = "SELECT password_hash FROM instances_instance WHERE public_id = %s"
        (known,) = own.execute(sql, [public_id]).fetchone() or ("",)
    return unix_password.matches(password, known)


@pytest.mark.parametrize("language", RUNNERS)
def test_by_the_hour_with_a_password(running_shop: RunningShop, access: Access, tmp_path: Path, language: str) -> None:
    program = shown(running_shop.url, language, BY_PASSWORD)
    cvm, before = Cvm(access), Cvm(access).ids()
    (public_id,) = _bought(RUNNERS[language](program, access, tmp_path))
    assert cvm.ids() - before == {public_id}
    (machine,) = _running(cvm, [public_id])
    _is_as_chosen(machine)
    assert machine["InstanceName"] == NAME
    assert machine["InstanceChargeType"] == "POSTPAID_BY_HOUR"
    assert machine["InternetAccessible"]["InternetChargeType"] == "BANDWIDTH_POSTPAID_BY_HOUR"
    assert _lets_in(running_shop, public_id, PASSWORD)
    cvm.end([public_id])


@pytest.mark.parametrize("language", RUNNERS)
def test_user_data_is_run_by_the_machine_that_the_program_buys(
    running_shop: RunningShop, access: Access, tmp_path: Path, language: str
) -> None:
    document = f"#!/bin/sh\n# {NAME} {PASSWORD}\necho 'done' > /root/told\n"
    typed = CHOSEN | {"charge": "postpaid", "user_data": document.replace("\n", "\r\n")}
    program = sent(running_shop.url, language, typed)
    (public_id,) = _bought(RUNNERS[language](program, access, tmp_path))
    with psycopg.connect(running_shop.database_url) as own:
        sql = "SELECT user_data FROM instances_instance WHERE public_id = %s"
        (kept,) = own.execute(sql, [public_id]).fetchone() or (b"",)
    assert kept == document.encode()
    Cvm(access).settle([public_id])
    Cvm(access).end([public_id])


@pytest.mark.parametrize("language", RUNNERS)
def test_two_by_the_month_with_a_key(running_shop: RunningShop, access: Access, tmp_path: Path, language: str) -> None:
    cvm = Cvm(access)
    key = cvm.ImportKeyPair({"KeyName": f"code_{language}", "ProjectId": 0, "PublicKey": ED25519})["KeyId"]
    chosen = CHOSEN | {"charge": "prepaid", "months": "2", "count": "2", "name": "web", "login": "key", "key": key}
    told = RUNNERS[language](shown(running_shop.url, language, chosen), access, tmp_path)
    machines = _running(cvm, _bought(told))
    assert [machine["InstanceName"] for machine in machines] == ["web1", "web2"]
    for machine in machines:
        _is_as_chosen(machine)
        assert machine["InstanceChargeType"] == "PREPAID"
        assert machine["InternetAccessible"]["InternetChargeType"] == "BANDWIDTH_PREPAID"
        assert machine["LoginSettings"]["KeyIds"] == [key]
    cvm.end([machine["InstanceId"] for machine in machines])
    cvm.DeleteKeyPairs({"KeyIds": [key]})


def test_go_knows_every_member(access: Access, tmp_path: Path) -> None:
    """Given all that a purchase may say, but names of disks and protection, which this old SDK has not: it compiles."""
    disk = DiskChoice("CLOUD_SSD", 50, delete_with_instance=False, snapshot_id="snap-abcd1234")
    configuration = Configuration(
        "ap-guangzhou",
        "ap-guangzhou-4",
        "S5.SMALL1",
        "PREPAID",
        DiskChoice("CLOUD_SSD", 60),
        (disk,),
        1,
        public_ip=True,
    )
    machine = Machine(
        "img-db12k7x4", LoginWanted(key_ids=("skey-abcd1234",)), "web", "web", b"#!/bin/sh",
        attributes=Attributes(False, ("sg-abcd1234",), Decimal("0.9")),
        network=NetworkWanted("vpc-abcd1234", "subnet-abcd1234", ("10.0.0.9",), 1),
        placement_groups=("ps-abcd1234",), tag_specification=(TagsOf("instance", (Tag("a", "b"),)),),
        ends_at=datetime(2027, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    said = members(Purchase(Actor(1, PAGE), configuration, machine))
    assert len(said) == 19
    program = LANGUAGES["go"].program(Call(Endpoint("http", access.endpoint), "ap-guangzhou", said))
    assert _go(program, access, tmp_path, "build", "-o", os.devnull) == ""


def test_curl_over_tls(access: Access, tmp_path: Path) -> None:
    """Given a page that was reached by HTTPS, then its program goes there too."""
    program = shown(f"https://{access.tls_endpoint}", "curl", BY_PASSWORD, access.ca_file)
    assert f"scheme=https\nhost={access.tls_endpoint}\n" in program
    (public_id,) = _bought(_curl(program, access, tmp_path))
    Cvm(access).settle([public_id])
    Cvm(access).end([public_id])


@pytest.mark.parametrize("language", RUNNERS)
def test_a_refusal_is_told(running_shop: RunningShop, access: Access, tmp_path: Path, language: str) -> None:
    """Given a placement group that is not there, when the program runs, then it says so, in the page's language."""
    program = shown(running_shop.url, language, CHOSEN | {"group": "ps-00000000", "login": "generated"})
    before = Cvm(access).ids()
    try:
        told = RUNNERS[language](program, access, tmp_path)
    except AssertionError as failed:
        told = str(failed)
    assert "FailedOperation.DisasterRecoverGroupNotFound" in told
    assert "The placement group ps-00000000 does not exist." in told
    assert Cvm(access).ids() == before


@pytest.mark.skipif(bool(test_terraform.WITHOUT), reason=test_terraform.WITHOUT)
@pytest.mark.timeout(3600)
def test_the_configuration_of_terraform(running_shop: RunningShop, access: Access, tmp_path: Path) -> None:
    """Given the page as reached by the name that leads to the shop, then its configuration buys the machines."""
    cvm = Cvm(access)
    key = cvm.ImportKeyPair({"KeyName": "code_terraform", "ProjectId": 0, "PublicKey": ED25519})["KeyId"]
    chosen = CHOSEN | {"charge": "postpaid", "count": "2", "name": NAME, "login": "key", "key": key}
    host = f"{test_terraform.DOMAIN}:{access.endpoint.rpartition(':')[2]}"
    (tmp_path / "shown.tf").write_text(shown(running_shop.url, "terraform", chosen, Host=host))
    folder = tmp_path / "work"
    folder.mkdir()
    before = cvm.ids()
    tofu = test_terraform.Tofu(access, folder, str(tmp_path / "shown.tf"))
    try:
        tofu.apply()
        machines = _running(cvm, sorted(cvm.ids() - before))
        assert [machine["InstanceName"] for machine in machines] == [f"{NAME}1", f"{NAME}2"]
        for machine in machines:
            _is_as_chosen(machine)
            assert machine["LoginSettings"]["KeyIds"] == [key]
    finally:
        tofu.destroy()
        cvm.DeleteKeyPairs({"KeyIds": [key]})
