"""Given machines of every kind and a clock that goes on 33 days, then the shop's sums are what the rule says."""

import json
import os
import subprocess
import sys

from tests.support.running_shop import ROOT

ON = ("--days", "33", "--accounts", "2", "--postpaid", "12", "--prepaid", "1")


def test_a_month_is_charged_as_the_rule_says() -> None:
    """Its figures are computed by ``pricing.rules`` alone; these numbers are a second witness."""
    own = {name: text for name, text in os.environ.items() if not name.startswith("VMART_")} | {"VMART_ENV": sys.prefix}
    done = subprocess.run(
        [sys.executable, "-m", "bench.advance", *ON],
        cwd=ROOT, env=own, capture_output=True, text=True, check=False, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    named = ("hours", "charges", "deducted_minor", "renewals", "renewed_minor", "differences")
    assert tuple(figures[name] for name in named) == (792, 26_133, 434_907, 1, 5665, 0)
