"""On which PostgreSQL money is tested."""

import os
import subprocess

from django.db import connection

from tests.support.database import Databases
from vmart.config.postgres import MAJOR


def _asked_for() -> int:
    older = os.environ.get("VMART_TEST_MONEY_POSTGRES") or os.environ.get("VMART_TEST_POSTGRES")
    if not older:
        return MAJOR
    return int(subprocess.check_output([f"{older}/postgres", "-V"], text=True).split()[2].split(".")[0])


def test_money_is_tested_on_the_server_that_is_asked_for(db: Databases) -> None:
    assert connection.cursor().connection.info.server_version // 10000 == _asked_for()
