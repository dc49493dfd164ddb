"""A clone in a folder that only root may enter, as root's home is: its tests open shops all the same."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.running_shop import ROOT
from vmart.config import os_users

pytestmark = [
    pytest.mark.xdist_group("running_shop"),
    pytest.mark.skipif(not os_users.is_root(), reason="not root: everything runs as the caller"),
]
_NOT_COPIED = shutil.ignore_patterns(".git", ".venv", ".*_cache", ".hypothesis", "__pycache__", "node_modules", "var")


@pytest.fixture
def private_clone(tmp_path: Path) -> Path:
    folder = tmp_path / "private"
    folder.mkdir(mode=0o700)
    shutil.copytree(ROOT, folder / "clone", ignore=_NOT_COPIED)
    return folder / "clone"


@pytest.fixture
def programs() -> Iterator[Path]:
    """Where bin/setup puts the copy that web and worker read: one of the test's own, open to every user."""
    folder = Path(tempfile.mkdtemp(prefix="vmart-programs-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_bin_test_passes_in_a_clone_that_web_and_worker_cannot_enter(private_clone: Path, programs: Path) -> None:
    inherited = {
        name: text
        for name, text in os.environ.items()
        if not name.startswith(("VMART_", "PYTEST_", "PYTHON", "DJANGO_"))
    }
    own = {"VMART_ENV": sys.prefix, "VMART_PROGRAMS": str(programs), "VMART_NO_ENGINE": "1"}

    done = subprocess.run(
        [private_clone / "bin" / "test", "-n", "0", "tests/config/test_supervisor.py", "-k", "both_addresses"],
        env=inherited | own, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    assert [copy.name[:6] for copy in programs.iterdir()] == ["clone-"]
