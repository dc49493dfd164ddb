"""The SQL functions of the rooms: which set of them this process calls. Knows no database.

Each room keeps its set-based work in ``sql/functions*.sql`` as functions ``fn.<room>_<verb>``. They are code: a
process calls those it was written with. So ``fn`` is a name in our files only. In a database each set of functions is
a schema of its own, named after the digest of all files: a newer vmart installs its set beside the one before
(``function_sets.py``), and processes of that one call theirs until they end (ADR 0022).
"""

import functools
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

_ROOMS = Path(__file__).resolve().parent.parent
_PLACE = re.compile(r"\bfn\.(?=[a-z])")


@dataclass(frozen=True)
class Functions:
    """A set of functions as its files have it."""

    text: str

    @functools.cached_property
    def schema(self) -> str:
        """Its schema's name, out of the digest of its text."""
        return f"fn_{hashlib.sha256(self.text.encode()).hexdigest()[:12]}"

    def resolve(self, sql: str) -> str:
        """``sql`` with this set's schema in the place of ``fn``."""
        return _PLACE.sub(f"{self.schema}.", sql)


def function_files() -> list[Path]:
    """The SQL files that define functions, rooms in alphabetical order."""
    return sorted(_ROOMS.glob("*/sql/functions*.sql"))


# Read when the process starts, as its Python is: files that an upgrade replaces meanwhile are another version's.
OURS = Functions("\n".join(file.read_text() for file in function_files()))


@functools.lru_cache(maxsize=2048)
def resolve(sql: str) -> str:
    """``sql`` as this process sends it: its ``fn.ledger_lock`` is the one that the process was written with."""
    return OURS.resolve(sql)
