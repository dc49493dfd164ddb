"""Given a running shop, when a customer's program on the unmodified Go, Java or Node SDK is pointed at it, then it
buys a machine there, runs it and ends it.

The programs (``programs/<language>``) tell what they saw; ``bin/setup --dev`` makes them where the toolchain is.
"""

import json
import os
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import Access
from tests.clients.test_sdk_python import POSTPAID

BUILT = Path(__file__).resolve().parents[2] / "build" / "clients"
ORDER = {**POSTPAID, "InstanceName": "other-sdk"}
LOOKED_AROUND = {
    "zones": ["ap-guangzhou-3", "ap-guangzhou-4", "ap-guangzhou-6"], "types": 26, "image": "img-db12k7x4",
    "hourly": 0.165,
}  # fmt: skip
BOUGHT = {"bought_once": True, "name": "other-sdk", "type": "S5.SMALL1", "cpu": 1, "disk": 50, "addresses": 1}
REFUSED = {"error": "InvalidParameterValue.ZoneNotSupported", "error_has_request": True}


def _run(access: Access, language: str, *words: str) -> dict[str, Any]:
    """What the program tells; skipped with the reason that setup found, where there is no program."""
    program = BUILT / language / "run"
    if not program.exists():
        pytest.skip((BUILT / language / "why").read_text().strip())
    environment = {
        "PATH": os.environ["PATH"], "HOME": "/nonexistent", "VMART_ENDPOINT": access.endpoint,
        "VMART_SECRET_ID": access.secret_id, "VMART_SECRET_KEY": access.secret_key,
        "VMART_ORDER": json.dumps(ORDER), "VMART_TOKEN": str(uuid.uuid4()),
    }  # fmt: skip
    done = subprocess.run([program, *words], env=environment, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.mark.parametrize("program", ["go", "java", "node cn", "node intl"])
def test_a_machine_from_price_to_end(access: Access, program: str) -> None:
    """The program waits for RUNNING, STOPPED, RUNNING, SHUTDOWN and no machine, and fails where one does not come."""
    assert _run(access, *program.split()) == LOOKED_AROUND | BOUGHT | REFUSED
