"""How customers are found by the beginnings of words of their address and name: one rule for indexes and searches."""

import re
from typing import Any

from django.db.models import Func, TextField

# What lies between words: PostgreSQL's own parser would take an e-mail address for one word.
_BETWEEN = "@.-_+/,:;()<>&#=!?*"
_SQL = f"to_tsvector('simple'::regconfig, translate({{}}, '{_BETWEEN}', '{' ' * len(_BETWEEN)}'))"
_WORD = re.compile(r"[^\W_]+")
WORDS_MAX = 10


def of(column: str) -> str:
    """SQL of the words of a column, as its index has them."""
    return _SQL.format(column)


def asked(text: str) -> str | None:
    """What ``to_tsquery('simple', …)`` finds texts by, in which each word of this one begins a word; None of none."""
    found = _WORD.findall(text.lower())[:WORDS_MAX]
    return " & ".join(f"'{word}':*" for word in found) or None


class Words(Func):
    """The same for an index of a model."""

    template = of("%(expressions)s")
    output_field: Any = TextField()
