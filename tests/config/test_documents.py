"""What a person may set stands in a page that they can find."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_VARIABLE = re.compile(r"VMART_[A-Z]+(?:_[A-Z]+)*")
# What the supervisor and bin/setup tell their own programs, and what only the tests set.
_OURS = {
    "VMART_COLLECTING", "VMART_COMPUTE", "VMART_CONSOLE_FDS", "VMART_CONSOLE_LINGER_S", "VMART_CONSOLE_PORT",
    "VMART_CONSOLE_TLS_PORT", "VMART_INCUS_SETTINGS",
    "VMART_NO_ENGINE", "VMART_READY_FD", "VMART_RUN_DIR", "VMART_SIMULATED_SETTINGS", "VMART_STATIC_AS_IS",
    "VMART_TERRAFORM_PROVIDER", "VMART_TEST_CLOCK", "VMART_WEB_PARENT", "VMART_WORKER_GROUPS",
}  # fmt: skip


def _named(*files: Path) -> set[str]:
    return {name for file in files for name in _VARIABLE.findall(file.read_text())}


def test_every_setting_by_environment_is_documented() -> None:
    read = _named(*(ROOT / "src/vmart").rglob("*.py"), *(file for file in (ROOT / "bin").iterdir()))
    told = _named(ROOT / "README.md", *(ROOT / "docs/operate").glob("*.md"))
    assert read - told == _OURS
    assert told - read <= {
        "VMART_STRIPE",
        "VMART_TEST_MONEY_POSTGRES",
        "VMART_TEST_POSTGRES",
    }  # a family's name; of tests


def test_every_page_of_the_operators_is_linked_from_the_first() -> None:
    linked = re.findall(r"\]\(([a-z]+\.md)\)", (ROOT / "docs/operate/running.md").read_text())
    assert {"running.md", *linked} == {page.name for page in (ROOT / "docs/operate").glob("*.md")}


def test_the_index_of_decisions_is_complete() -> None:
    linked = re.findall(r"\]\((\d{4}-[a-z0-9-]+\.md)\)", (ROOT / "docs/adr/README.md").read_text())
    assert linked == sorted(page.name for page in (ROOT / "docs/adr").glob("[0-9]*.md"))
