"""A customer's program that buys a machine by the unmodified SDK, and a window with its console."""

import contextlib
import json
import ssl
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from tencentcloud.common.credential import Credential
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.cvm.v20170312 import cvm_client, models
from websockets.sync.client import ClientConnection, connect

from tests.support.running_shop import RunningShop

PASSWORD = "Correct-horse-7"
_WANTED = {
    "InstanceChargeType": "POSTPAID_BY_HOUR", "Placement": {"Zone": "ap-guangzhou-3"}, "InstanceType": "S5.SMALL1",
    "ImageId": "img-db12k7x4", "SystemDisk": {"DiskType": "CLOUD_PREMIUM", "DiskSize": 20},
    "InternetAccessible": {"PublicIpAssigned": False}, "LoginSettings": {"Password": PASSWORD},
}  # fmt: skip


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

    def state(self, public_id: str) -> str:
        (found,) = self("DescribeInstances", InstanceIds=[public_id])["InstanceSet"]
        return str(found["InstanceState"])

    def buy_running(self, limit_s: float = 120) -> str:
        """A machine without a public address, with PASSWORD; its id once it runs."""
        (public_id,) = self("RunInstances", **_WANTED)["InstanceIdSet"]
        ends = time.monotonic() + limit_s
        while (state := self.state(public_id)) != "RUNNING":
            assert time.monotonic() < ends, state
            time.sleep(0.2)
        return str(public_id)

    def console_url(self, public_id: str) -> str:
        return str(self("DescribeInstanceVncUrl", InstanceId=public_id)["InstanceVncUrl"])


@contextlib.contextmanager
def window_on(gateway: str, url: str, ca_file: str | None = None) -> Iterator[ClientConnection]:
    """What the page at ``url`` does: its ticket stands behind the #."""
    parts = urlsplit(url)
    context = ssl.create_default_context(cafile=ca_file) if ca_file else None
    origin: Any = f"{parts.scheme}://{parts.netloc}"
    with connect(gateway, origin=origin, ssl=context, compression=None, proxy=None, open_timeout=30) as window:
        window.send(json.dumps({"ticket": parts.fragment, "columns": 100, "rows": 30, "language": "en"}))
        yield window


def said_until(window: ClientConnection, text: str, limit_s: float = 60) -> str:
    """What has been said once this is said."""
    said, ends = "", time.monotonic() + limit_s
    while text not in said:
        told = window.recv(timeout=max(0.1, ends - time.monotonic()))
        said += told.decode(errors="replace") if isinstance(told, bytes) else told
    return said


def log_in(window: ClientConnection) -> None:
    """As root, with PASSWORD."""
    said_until(window, " login: ")
    window.send(b"root\r")
    said_until(window, "Password: ")
    time.sleep(0.5)  # login forgets what was typed before it asked, and asks before it forgets
    window.send(PASSWORD.encode() + b"\r")
    said_until(window, ":~#")
