"""An Incus of the seller's own: over its socket, not as root, and over TLS with a client certificate."""

import base64
import contextlib
import datetime as dt
import grp
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException

from tests.clients.conftest import Access
from tests.clients.test_sdk_python import POSTPAID, Cvm
from tests.lab.conftest import IMAGE, Lab
from tests.support.database import DEMO_CATALOG
from tests.support.running_shop import RunningShop
from vmart.config import os_users
from vmart.config.places import read_json
from vmart.engines import open_engine
from vmart.engines.contract import EngineError
from vmart.engines.incus.client import IncusClient
from vmart.engines.incus.driver import IncusEngine
from vmart.engines.incus.host import names_of_deployment, run

SOCKET_ZONE, TLS_ZONE = "ap-guangzhou-3", "ap-guangzhou-4"
GROUP = "daemon"  # any that the worker is not in by itself
_TLS_ENGINE = """          kind: incus
          settings:
            url: {url}
            client_cert: {cert}
            client_key: {key}
            server_fingerprint: {fingerprint}
            images: {{debian-12: {{alias: {alias}}}, debian-13: {{alias: none}}}}
"""


@contextlib.contextmanager
def socket_of(group: str, path: Path) -> Iterator[None]:
    """The daemon's socket belongs to ``group`` meanwhile, as a packaged Incus's belongs to incus-admin."""
    before = path.stat().st_gid
    os.chown(path, 0, grp.getgrnam(group).gr_gid)
    try:
        yield
    finally:
        os.chown(path, 0, before)


def client_certificate(folder: Path) -> tuple[Path, Path, x509.Certificate]:
    """A self-signed one, as ``incus remote generate-certificate`` makes it."""
    key = ec.generate_private_key(ec.SECP384R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shop")])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now - dt.timedelta(1), now + dt.timedelta(9))
    certificate = builder.sign(key, hashes.SHA256())
    files = folder / "client.crt", folder / "client.key"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )  # fmt: skip
    files[1].chmod(0o600)
    return *files, certificate


@contextlib.contextmanager
def listening(lab: Lab, trusted: x509.Certificate) -> Iterator[dict[str, str]]:
    """The daemon answers on a TLS address too and trusts the certificate; what a zone is told of it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    der = base64.b64encode(trusted.public_bytes(serialization.Encoding.DER)).decode()
    with IncusClient({"socket": str(lab.daemon.socket)}) as client:
        client.send("PATCH", "/1.0", {"config": {"core.https_address": address}})
        client.send("POST", "/1.0/certificates", {"type": "client", "name": "shop", "certificate": der})
        fingerprint = client.get("/1.0")["environment"]["certificate_fingerprint"]
        try:
            yield {"url": f"https://{address}", "fingerprint": fingerprint}
        finally:
            client.send("DELETE", f"/1.0/certificates/{trusted.fingerprint(hashes.SHA256()).hex()}")
            client.send("PATCH", "/1.0", {"config": {"core.https_address": ""}})


def _alias(lab: Lab) -> str:
    with IncusClient({"socket": str(lab.daemon.socket)}) as client:
        aliases = [path.rsplit("/", 1)[1] for path in client.get("/1.0/images/aliases")]
    return next(alias for alias in aliases if alias.startswith(f"vmart-{IMAGE.name}-"))


def _catalog_with_tls_zone(**told: object) -> str:
    before, _, rest = DEMO_CATALOG.read_text().partition(f"      - code: {TLS_ZONE}\n")
    head, _, behind = rest.partition("          kind: simulated\n")
    members, pools, after = behind.partition("        address_pools:")
    assert "gz4-a" in members
    return f"{before}      - code: {TLS_ZONE}\n{head}{_TLS_ENGINE.format(**told)}{pools}{after}"


def _until(look: Callable[[], Any], expected: Any, limit_s: float = 240) -> None:
    deadline = time.monotonic() + limit_s
    while (seen := look()) != expected:
        assert time.monotonic() < deadline, f"still {seen!r}, not {expected!r}"
        time.sleep(0.5)


class Shop:
    """The demo customer's client on a shop, and what the lab's daemon has of it."""

    def __init__(self, shop: RunningShop, lab: Lab) -> None:
        self.shop, self.lab = shop, lab
        customer = shop.ready["customer"]
        self.cvm = Cvm(Access(shop.ready["api_endpoint"], "", "", customer["secret_id"], customer["secret_key"]))
        self.names = names_of_deployment((read_json(shop.data_dir / "deployment.json") or {})["id"])

    def state(self, machine: str) -> str:
        """The machine's state, and what it waits for."""
        (found,) = self.cvm.DescribeInstances({"InstanceIds": [machine]})["InstanceSet"]
        with psycopg.connect(self.shop.database_url) as connection:
            waits = connection.execute("SELECT last_error FROM worker_operation WHERE kind = 'deliver'").fetchall()
        return str((found["InstanceState"], *waits) if waits else found["InstanceState"])

    def buy_running(self, zone: str, **more: object) -> str:
        """Buy as soon as there is room (the zone's engine was looked at), and wait until it runs."""
        order = POSTPAID | {"Placement": {"Zone": zone}, "SystemDisk": {"DiskType": "CLOUD_PREMIUM", "DiskSize": 20}}
        order |= more
        bought: list[str] = []

        def buys() -> str:
            try:
                bought.extend(self.cvm.RunInstances(order)["InstanceIdSet"])
            except TencentCloudSDKException as refusal:
                return str(refusal.code)
            return ""

        _until(buys, "")
        _until(lambda: self.state(bought[0]), "RUNNING")
        return bought[0]

    def on_the_daemon(self) -> set[str]:
        return set(self.lab.ask("list", "--format=csv", "--columns=n").split())


def test_what_an_interrupted_unpacking_left_goes_at_the_end(lab: Lab) -> None:
    """Given a worker that ended while it unpacked an image, then the end of the deployment removes what it left."""
    engine = lab.engine()
    assert isinstance(engine, IncusEngine)
    marks = [f"--config=user.vmart.deployment={engine._names.deployment}", "--config=user.vmart.role=unpack"]
    lab.ask("init", "--empty", "vmart-unpack-left", "--no-profiles", "--storage", "vmart", *marks)
    engine.leave_host()
    assert "vmart-unpack-left" not in lab.ask("list", "--format=csv", "--columns=n").split()


def test_a_shop_sells_machines_of_the_sellers_own_incus_over_socket_and_tls(
    lab: Lab, start_shop: Callable[..., RunningShop]
) -> None:
    """Given an Incus that the seller runs, then the shop, not root, makes machines there and touches nothing else."""
    lab.ask("init", "--empty", "sellers-own", "--no-profiles", "--storage", "vmart")
    # Where machines lie when the zone does not say it.
    lab.ask("profile", "device", "add", "default", "root", "disk", "path=/", "pool=vmart")
    try:
        with socket_of(GROUP, lab.daemon.socket):
            running = start_shop("--compute", "incus", "--incus-socket", str(lab.daemon.socket))
            shop = Shop(running, lab)
            worker = _status(running.child_pid("worker"))
            assert worker["Uid"].split()[0] == str(os_users.uid_gid(os_users.WORKER)[0])
            assert str(grp.getgrnam(GROUP).gr_gid) in worker["Groups"].split()
            web = _status(running.child_pid("web"))
            assert str(grp.getgrnam(GROUP).gr_gid) not in web["Groups"].split()
            assert (running.ready["engine"], running.ready["instance_kind"]) == ("incus", "container")

            by_socket = shop.buy_running(SOCKET_ZONE)
            folder = running.data_dir / "client"
            folder.mkdir()
            cert, key, certificate = client_certificate(folder)
            os.chown(key, *os_users.uid_gid(os_users.WORKER))
            with listening(lab, certificate) as told:
                catalog = folder / "catalog.yaml"
                catalog.write_text(_catalog_with_tls_zone(cert=cert, key=key, alias=_alias(lab), **told))
                running.vmart("catalog", "apply", "--yes", str(catalog))
                # Without a public address: its cap would be the engine's own, which needs act_police.
                by_tls = shop.buy_running(TLS_ZONE, InternetAccessible={"PublicIpAssigned": False})

                assert shop.on_the_daemon() == {"sellers-own", by_socket, by_tls}
                for machine in (by_socket, by_tls):
                    assert lab.inside(machine, "id -un").stdout == "root\n"
                assert running.vmart("reconcile").stdout == "everything agrees\n"
                running.vmart("down", "--machines")
        assert shop.on_the_daemon() == {"sellers-own"}
        assert shop.names.bridge_prefix not in lab.ask("network", "list", "--format=csv")
        assert shop.names.table not in run(["nft", "list", "tables"]).stdout
        assert lab.daemon.is_running()
    finally:
        lab.ask("profile", "device", "remove", "default", "root")
        lab.ask("delete", "--force", "sellers-own")


def _status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: text.strip() for name, _, text in (line.partition(":") for line in lines)}


def test_over_tls_only_the_pinned_server_is_spoken_to_and_only_a_trusted_client_is_heard(
    lab: Lab, tmp_path: Path
) -> None:
    cert, key, certificate = client_certificate(tmp_path)
    with listening(lab, certificate) as told:
        settings = {
            "url": told["url"], "client_cert": str(cert), "client_key": str(key), "deployment": "tls",
            "server_fingerprint": ":".join(told["fingerprint"].upper()[i : i + 2] for i in range(0, 64, 2)),
        }  # fmt: skip
        remote = open_engine("incus", settings | {"pool": "vmart"})
        assert remote.capabilities().instance_kind == "container"
        assert set(remote.capabilities().missing) >= {"public_address_out", "byte_counters", "network_isolation"}
        assert [member.member for member in remote.capacity()] == ["local"]
        for wrong, sentence in (
            ({"server_fingerprint": "ab" * 32}, "another certificate than the pinned one"),
            ({"server_fingerprint": ""}, "no pinned certificate fingerprint"),
            ({"client_cert": "", "client_key": ""}, "does not trust"),
        ):
            with pytest.raises(EngineError, match=sentence) as refusal:
                open_engine("incus", settings | {"pool": "vmart"} | wrong).capabilities()
            assert not refusal.value.transient


def test_the_pool_is_the_one_that_the_server_uses(lab: Lab) -> None:
    settings = {name: value for name, value in lab.settings.items() if name != "pool"}
    assert lab.ask("storage", "list", "--format=csv").count("\n") == 1
    assert open_engine("incus", settings).capacity() == open_engine("incus", lab.settings).capacity()
    lab.ask("storage", "create", "second", "dir")
    try:
        with pytest.raises(EngineError, match="name no storage pool") as refusal:
            open_engine("incus", settings).capacity()
        assert not refusal.value.transient
        lab.ask("profile", "device", "add", "default", "root", "disk", "path=/", "pool=vmart")
        try:
            assert open_engine("incus", settings).capacity() == open_engine("incus", lab.settings).capacity()
        finally:
            lab.ask("profile", "device", "remove", "default", "root")
    finally:
        lab.ask("storage", "delete", "second")
