"""The commands a person types in the clone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_OF_THESE_TESTS = ("VMART_DATABASE_URL", "VMART_MASTER_KEY", "VMART_DATA_DIR", "VMART_STATIC_AS_IS")
ENVIRONMENT = os.environ | {"VMART_ENV": sys.prefix, "VMART_NO_ENGINE": "1"}


def run(*words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(words, cwd=ROOT, env=ENVIRONMENT | variables, capture_output=True, text=True, check=False)


def test_setup_with_nothing_to_do_does_nothing() -> None:
    assert run("bin/setup", "--dev").returncode == 0
    again = run("bin/setup", "--dev")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")


def test_an_unknown_benchmark_is_refused_with_the_list_of_those_there_are() -> None:
    refused = run("bin/bench", "nonsense")
    assert refused.returncode == 2
    assert "there is no benchmark nonsense" in refused.stderr
    assert refused.stdout.split() == [
        "advance", "attributes", "copies", "delivery", "lists", "metrics", "own_lists", "pages", "paint", "purchase",
        "rules", "settle", "startup", "told",
    ]  # fmt: skip


def test_the_benchmark_of_lists_finds_what_it_put_in() -> None:
    without = [word for name in _OF_THESE_TESTS for word in ("-u", name)]
    few = ["--machines", "4000", "--large", "1000", "--small", "400", "--requests", "1", "--rounds", "1"]
    done = run("env", *without, "bin/bench", "lists", *few)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert (figures["bench"], figures["wrong"], len(figures["questions"])) == ("lists", 0, 23)


def test_the_benchmark_of_pages_gets_every_page() -> None:
    without = [word for name in _OF_THESE_TESTS for word in ("-u", name)]
    few = ["--machines", "400", "--large", "100", "--small", "10", "--requests", "1", "--rounds", "1"]
    done = run("env", *without, "bin/bench", "pages", *few, "--sessions", "4", "--seconds", "1", "--think", "0.2")
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert (figures["bench"], figures["wrong"], len(figures["pages"])) == ("pages", 0, 10)


REPORT = """<testsuites><testsuite>
<testcase classname="tests.lab.test_ssh" name="logs_in">{lab}</testcase>
<testcase classname="tests.browser.test_buy" name="buys"/>
<testcase classname="tests.journeys.test_real_machines" name="pays"/>
</testsuite></testsuites>"""


@pytest.mark.parametrize(
    ("lab", "code"),
    [
        ("", 0),
        ('<skipped type="pytest.skip" message="this kernel has no act_police"/>', 0),
        ('<skipped type="pytest.skip" message="unconditional skip"/>', 1),
        ('<skipped type="pytest.skip" message=""/>', 1),
    ],
)
def test_ci_accepts_only_skips_that_say_why(tmp_path: Path, lab: str, code: int) -> None:
    report = tmp_path / "tests.xml"
    report.write_text(REPORT.format(lab=lab))
    assert run(sys.executable, ".ci/skips.py", str(report)).returncode == code


def test_ci_refuses_a_run_without_a_report() -> None:
    assert run(sys.executable, ".ci/skips.py", "/nonexistent.xml").returncode == 1
