"""Where a rescue system finds a machine's own disk, by what is known of the server."""

from pathlib import Path
from typing import Any, cast

import pytest

from vmart.engines.incus.host import names_of_deployment
from vmart.engines.incus.rescue import Rescue, has_come, is_rescue


class _Server:
    def __init__(self, project: str) -> None:
        self.project = project


@pytest.mark.parametrize(
    ("project", "folder"),
    [
        ("default", "/var/lib/incus/storage-pools/fast/containers/ins-4k2j0qzt-own/rootfs"),
        ("shop", "/var/lib/incus/storage-pools/fast/containers/shop_ins-4k2j0qzt-own/rootfs"),
    ],
)
def test_the_own_disk_is_a_folder_of_the_host(project: str, folder: str) -> None:
    unused = cast(Any, None)
    rescue = Rescue(
        cast(Any, _Server(project)), "fast", names_of_deployment("test"), machines=unused, room=unused,
        state_dir=Path("/var/lib/incus"),
    )  # fmt: skip
    assert rescue.device("ins-4k2j0qzt") == {
        "type": "disk", "source": folder, "path": "/mnt/system", "shift": "true",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("config", "come", "rescue"),
    [
        ({}, False, False),
        ({"user.vmart.rescue": "1"}, True, True),
        ({"user.vmart.rescue": "2"}, True, False),
        ({"user.vmart.rescue": "1", "user.vmart.role": "aside"}, False, False),
    ],
)
def test_what_a_record_says_of_it(config: dict[str, str], come: bool, rescue: bool) -> None:
    assert (has_come({"config": config}, 1), is_rescue({"config": config})) == (come, rescue)


def test_what_is_not_there_has_not_come() -> None:
    assert has_come(None, 1) is False
