"""Writes ``published_actions.json`` out of the api.json that the pinned tccli carries: service → version → names.

Run ``python -m tests.support.published_actions`` after another tccli is pinned; a test compares the two.
"""

import json
from importlib.util import find_spec
from pathlib import Path

from vmart import api

SERVICES = ("api", "billing", "cam", "cbs", "cvm", "monitor", "region", "sts", "tag", "vpc")

FILE = Path(api.__file__).with_name("published_actions.json")
Published = dict[str, dict[str, list[str]]]


def published() -> Published:
    """What the pinned tccli knows of these services."""
    spec = find_spec("tccli")  # found, not imported: it imports the deprecated module imp
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent / "services"
    return {
        service: dict(_version(path) for path in sorted(folder.glob(f"{service}/v*/api.json"))) for service in SERVICES
    }


def _version(path: Path) -> tuple[str, list[str]]:
    described = json.loads(path.read_text("utf-8"))
    return described["metadata"]["apiVersion"], sorted(described["actions"])


if __name__ == "__main__":
    FILE.write_text(json.dumps(published(), indent=1) + "\n")
