"""Whether anything was written: every table's content before and after."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from vmart.kernel import db

_TABLES = """
SELECT c.relname FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1
"""


def contents() -> dict[str, tuple[int, str | None]]:
    """Number of rows and a digest of all of them, by table."""
    tables = [row["relname"] for row in db.rows(_TABLES)]
    each = " UNION ALL ".join(
        f"SELECT '{table}' AS name, count(*) AS n, md5(string_agg(t::text, '|' ORDER BY t::text)) AS digest"
        f" FROM {table} AS t"
        for table in tables
    )
    return {row["name"]: (row["n"], row["digest"]) for row in db.rows(each)}


@contextmanager
def nothing_written() -> Iterator[None]:
    """Fail, naming the tables, when the block changed a row anywhere."""
    before = contents()
    yield
    after = contents()
    changed = {table: (before[table][0], after[table][0]) for table in before if before[table] != after[table]}
    if changed:
        raise AssertionError(f"rows before and after: {changed}")


@contextmanager
def refused(
    error: type[Exception], *, match: str | None = None, field: str | None = None, code: str = ""
) -> Iterator[None]:
    """The block raises this refusal, with this field and code, and writes nothing."""
    with nothing_written(), pytest.raises(error, match=match) as caught:
        yield
    if field is not None:
        assert caught.value.field == field  # type: ignore[attr-defined]
    if code:
        assert caught.value.code == code  # type: ignore[attr-defined]
