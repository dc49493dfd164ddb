"""What the log shows of a fault."""

import os
import subprocess
import sys

import pytest

FAILS = """
import logging, structlog
from vmart.config import logs
logs.configure({"format": FORMAT})
def check(secret):
    raise RuntimeError("a fault of ours")
try:
    check("s3cret-key")
except RuntimeError:
    structlog.get_logger("vmart").exception("failed", request_id="r-1")
    logging.getLogger("vmart").exception("failed too")
"""


@pytest.mark.parametrize("chosen", ["text", "json"])
def test_a_fault_shows_where_it_was_and_no_variable(chosen: str) -> None:
    """Local variables of a request are its secret key and its password; also with packages that would show them."""
    code = FAILS.replace("FORMAT", repr(chosen))
    done = subprocess.run([sys.executable, "-c", code], env=os.environ, capture_output=True, text=True, check=True)
    assert done.stderr.count("a fault of ours") >= 2
    assert "in check" in done.stderr
    assert "s3cret-key" not in done.stderr.replace('check("s3cret-key")', "")
