"""What one purchase and its delivery cost the database alone: the rows that they write, by bare prepared statements.

The rows are taken from a purchase that the shop makes, and what its delivery then changes; ``pgbench`` writes their
like over as many connections into tables of the same columns, indexes and constraints (but for foreign keys), a commit
for the purchase and one for the delivery. Left out: whatever is read, decided or counted on the way.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Written by others meanwhile, or by more than the purchase.
_NOT_THEIRS = ("catalog_zone", "api_rate", "metering_counter")
_ZONE = "ap-guangzhou-4"
_NUMBERS = ("id", "bundle_id", "subscription_id", "instance_id", "order_id", "subject_id", "number")
_NAMES = ("public_id", "token")
_TABLES = """
SELECT relname FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
"""
_COLUMNS = """
SELECT attname AS name, format_type(atttypid, atttypmod) AS type,
       coalesce(attnum = ANY (i.indkey::int2[]), false) AS key
FROM pg_attribute a LEFT JOIN pg_index i ON i.indrelid = attrelid AND indisprimary
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""

# Rows that stand there beforehand: which of them a purchase changes.
_STANDING = {
    "ledger_purses": "account_id = :account",
    "network_subnet": "id = :account",
    "network_public_address": "ip = inet '100.64.0.1' + (:client_id * 4000 + :n % 4000)",
    "placement_host": "id = (SELECT ids[1 + :o % cardinality(ids)] FROM floor.hosts)",
}
_OWN_SUBNETS = """
INSERT INTO floor.network_subnet SELECT (jsonb_populate_record(s, jsonb_build_object(
  'id', p.account_id, 'account_id', p.account_id, 'vpc_id', p.account_id, 'public_id', 'subnet-' || p.account_id,
  'number', p.account_id
))).* FROM ledger_purses p, network_subnet s WHERE s.id = (SELECT min(id) FROM network_subnet)
"""

# pgbench gives base, first account, and n = 0 at the start of a round.
_VARIABLES = (
    r"\set n :n + 1",
    r"\set o :base + :client_id * 500000 + :n",
    r"\set account :first + :client_id + 32 * (:n % 4)",
)

Rows = dict[str, dict[tuple[str, ...], dict[str, Any]]]


class Floor:
    """The script for pgbench, and the tables that it writes. Needs a shop in which nothing else happens."""

    def __init__(self, connection: Any, buy: Callable[[], None], deliver: Callable[[], None]) -> None:
        self._sql, self._made = connection, set[str]()
        connection.execute("CREATE SCHEMA floor")
        self._columns = {
            table: connection.execute(_COLUMNS, [table]).fetchall()
            for (table,) in connection.execute(_TABLES).fetchall() if table not in _NOT_THEIRS
        }  # fmt: skip
        before = self._rows()
        buy()
        bought = self._rows()
        deliver()
        delivered = self._rows()
        purchase, delivery = list(self._written(before, bought)), list(self._written(bought, delivered))
        self.rows = {"purchase": len(purchase), "delivery": len(delivery)}
        self._script = "\n".join([*_VARIABLES, "BEGIN;", *purchase, "END;", "BEGIN;", *delivery, "END;"])

    def write(self, file: Path) -> Path:
        file.write_text(self._script)
        return file

    # -- what was written ----------------------------------------------------------------------

    def _rows(self) -> Rows:
        found: Rows = {}
        for table, columns in self._columns.items():
            key = [name for name, _, is_key in columns if is_key]
            rows = [json.loads(text) for (text,) in self._sql.execute(f"SELECT to_jsonb(x)::text FROM {table} x")]
            found[table] = {tuple(str(row[name]) for name in key): row for row in rows}
        return found

    def _written(self, before: Rows, after: Rows) -> Iterator[str]:
        for table, rows in after.items():
            for key, row in rows.items():
                was = before[table].get(key)
                if was is None:
                    yield self._insert(table, row)
                elif was != row and "online" not in {name for name in row if was[name] != row[name]}:
                    yield self._update(table, was, row)
            yield from (self._delete(table, before[table][key]) for key in before[table].keys() - rows.keys())

    # -- as statements -------------------------------------------------------------------------

    def _insert(self, table: str, row: dict[str, Any]) -> str:
        self._make(table)
        names = ", ".join(row)
        values = ", ".join(self._value(table, name, row[name]) for name in row)
        return f"INSERT INTO floor.{table} ({names}) VALUES ({values});"

    def _update(self, table: str, was: dict[str, Any], row: dict[str, Any]) -> str:
        self._make(table)
        changed = ", ".join(f"{name} = {self._value(table, name, row[name])}" for name in row if was[name] != row[name])
        return f"UPDATE floor.{table} SET {changed} WHERE {self._where(table, row)};"

    def _delete(self, table: str, row: dict[str, Any]) -> str:
        return f"DELETE FROM floor.{table} WHERE {self._where(table, row)};"

    def _where(self, table: str, row: dict[str, Any]) -> str:
        if table in _STANDING:
            return _STANDING[table]
        keys = [name for name, _, is_key in self._columns[table] if is_key]
        return " AND ".join(f"{name} = {self._value(table, name, row[name])}" for name in keys)

    def _value(self, table: str, name: str, value: Any) -> str:
        kind = next(kind for column, kind, _ in self._columns[table] if column == name)
        text = value if isinstance(value, str) else json.dumps(value)
        if value is None:
            return "NULL"
        if name == "account_id":
            return ":account::bigint"
        if name in _NAMES:
            return f"('{value[:4]}' || :o::text)"
        if (name in _NUMBERS, kind) == (True, "bigint"):
            return f"({value} + 4 * :o::bigint)"
        made = {"uuid": "md5('hold' || :o::text)::uuid", "inet": f"(inet '{_network(text)}' + :o::bigint)"}
        return made.get(kind) or "'{}'::{}".format(text.replace("'", "''"), kind)

    def _make(self, table: str) -> None:
        """A table as the shop's, with what stands in it beforehand; once."""
        if table in self._made:
            return
        self._made.add(table)
        self._sql.execute(f"CREATE TABLE floor.{table} (LIKE public.{table} INCLUDING ALL)")
        if table == "network_subnet":
            self._sql.execute(_OWN_SUBNETS)
        elif table in _STANDING:
            self._sql.execute(f"INSERT INTO floor.{table} SELECT * FROM {table}")
        if table == "placement_host":
            self._sql.execute(
                "CREATE TABLE floor.hosts AS SELECT array_agg(id) AS ids FROM placement_host WHERE zone_id = %s",
                [_ZONE],
            )


def _network(address: str) -> str:
    return "10.0.0.0" if address.startswith("10.") else "100.64.0.0"
