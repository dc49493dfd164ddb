"""Builds machine images from Debian packages, as root, in a process of its own."""

from collections.abc import Callable
from pathlib import Path

RECIPES = ("debian-12", "debian-13")


def build_image(name: str, out_dir: Path, report: Callable[[int, str], None] = lambda percent, step: None) -> Path:
    """Build recipe ``name`` (one of RECIPES) below ``out_dir``; returns the folder of the finished image.

    ``report`` gets (percent, step). Progress and outcome also stand in ``out_dir/<name>.json``, which
    ``ensure_image`` reads. Raises EngineError with a sentence. Needs root.
    """
    raise NotImplementedError
