"""The lists of which users keep filters and columns: name of the address -> the list."""

from collections.abc import Callable, Mapping
from typing import Any

from vmart.pages.table import Table
from vmart.web import policy_tables, storage_tables, tables
from vmart.web.views.activity import audit_log

LISTS: Mapping[str, Callable[[], Table[Any]]] = {
    **{
        table.name: lambda table=table: table  # type: ignore[misc]
        for table in (
            tables.MACHINES, storage_tables.DISKS, storage_tables.SNAPSHOTS, tables.LAUNCH_TEMPLATES,
            tables.PLACEMENT_GROUPS, tables.SECURITY_GROUPS, policy_tables.SNAPSHOT_POLICIES,
        )
    },
    "activity": audit_log,  # its choices are in the reader's language
}  # fmt: skip
