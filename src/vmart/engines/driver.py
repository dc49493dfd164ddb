"""What the shop knows of a kind of engine before it opens one. Each driver's folder exports one ``DRIVER``.

Whoever asks something of a kind asks its driver; nobody compares kinds. This module and the drivers' folders themselves
are cheap to import: what reaches an engine is imported when an engine is opened.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pydantic import BaseModel

    from vmart.engines.contract import Engine

Settings = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Here:
    """What a driver may know of the deployment: its mark on engines, a folder for files and locks, what was ``told``.

    ``told`` are settings from the variable ``Driver.settings_variable`` of the environment.
    """

    deployment: str
    folder: Path
    told: Settings


class Identity(NamedTuple):
    """Two zones that have all in common would take each other's machines for theirs.

    A zone whose ``kind`` and ``mark`` stay finds its machines again, also by another ``address``.
    """

    kind: str
    address: str  # where the engine is, "" where it is nowhere else than here
    mark: str  # by what its machines are found


def _as_they_stand(_zone: str, own: Settings, here: Here) -> dict[str, Any]:
    return {"deployment": here.deployment, **here.told, **own}


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """One kind of engine. Titles are English, the msgids of the pages' words.

    ``own`` are a zone's settings as its catalog has them. ``found_as`` maps each ``auto_compute`` of a zone of kind
    auto that this driver serves to the option of ``vmart up`` that asks for it: empty where it serves none. A setting
    ``socket`` is one whose group the worker gets.
    """

    kind: str  # at most 20 characters
    title: str  # for the seller
    title_for_buyers: str
    is_real: bool  # whether somebody answers at a machine's addresses
    finds_members: bool  # else the catalog lists them
    open: Callable[[Settings], "Engine"]  # takes complete settings; raises EngineError
    problems: Callable[[Settings], Mapping[str, str]]  # of a catalog's settings: key -> "key: what is wrong"
    identity: Callable[[str, Settings, Here], Identity]  # (zone, own, here)
    complete: Callable[[str, Settings, Here], dict[str, Any]] = _as_they_stand  # (zone, own, here): for ``open``
    is_sellers_own: Callable[[Settings, str], bool] = lambda _own, _compute: True  # not run by vmart: (own, compute)
    forget: Callable[[Path, Callable[[str], None]], None] = lambda _folder, _report: None  # files in ``Here.folder``
    settings_variable: str = ""
    found_as: Mapping[str, str] = field(default_factory=dict)


def problems_by(model: "type[BaseModel]", settings: Settings) -> dict[str, str]:
    """What a model finds in settings, as ``Driver.problems``; one sentence a key."""
    from vmart.kernel.documents import DocumentError, check

    found: dict[str, str] = {}
    try:
        check(model, settings)
    except DocumentError as error:
        for problem in error.problems:
            found.setdefault(problem.partition(":")[0].split(".")[0], problem)
    return found
