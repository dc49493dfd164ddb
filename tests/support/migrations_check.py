"""A step of bin/lint: what the migrations say is complete, named, and bearable while the version before still runs.

The models say nothing that no migration says; every migration has a name that tells; and squawk, which reads SQL by
PostgreSQL's grammar, finds nothing in theirs that takes from processes of the version before what they use, or locks
a table that has grown (ADR 0023; its rules: .squawk.toml).
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import django
from django.apps import apps
from django.db import connections
from django.db.migrations import Migration
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState
from django.utils import translation

from vmart.kernel.indexes import AddIndex

ROOT = Path(__file__).resolve().parents[2]
_MADE_UP = re.compile(r"^\d{4}_(auto_|initial$)|_and_more$|^\d{4}_$")
# Rules of squawk that a migration may break, and why: {"orders.0004_drop_old_name": {"ban-drop-column": "0.2 …"}}.
EXCUSED: dict[str, dict[str, str]] = {
    "network.0002_own_networks": {
        "ban-drop-not-null": "0.1 reads networks by their account, so that it never sees a row without one (ADR 0044)"
    },
    "subscriptions.0003_spot": {
        "ban-drop-constraint": "it comes back in the same transaction, and takes one more charge type",
    },
    "storage.0009_imported_images": dict.fromkeys(
        (
            "ban-drop-not-null",
            "require-concurrent-index-deletion",
            "require-concurrent-index-creation",
            "constraint-missing-not-valid",
        ),
        "no release has the table yet, and it has ten rows an account at most",
    ),
    "storage.0002_life_of_its_own": {
        "ban-drop-not-null": "0.1 asks for disks by their machine alone, so it never reads a disk without one",
    },
}


def faults() -> list[str]:
    """Sentences; empty when all is well. Needs no database."""
    loader = MigrationLoader(None)
    own = {config.label: Path(config.path) for config in apps.get_app_configs() if config.name.startswith("vmart.")}
    found = [
        f"{label}: migration {name} is not named after what it does"
        for label, name in loader.disk_migrations
        if label in own and _MADE_UP.search(name)
    ]
    conflicts = loader.detect_conflicts()
    found += [f"{label}: two last migrations, {', '.join(names)}" for label, names in conflicts.items() if label in own]
    if conflicts:
        return found
    with translation.override("en"):  # the language that migrations are written in, whoever spoke last
        detector = MigrationAutodetector(loader.project_state(), ProjectState.from_apps(apps))
        changes = detector.changes(graph=loader.graph)
    for label, migrations in changes.items():
        if label in own:
            what = [operation.describe() for migration in migrations for operation in migration.operations]
            found.append(f"{label}: no migration says: {'; '.join(what)}")
    found += [
        f"{label}.{name}: no transaction, so each step must be one that can be begun again (kernel.indexes.AddIndex)"
        for (label, name), migration in sorted(loader.disk_migrations.items())
        if label in own
        and not migration.atomic
        and not all(isinstance(step, AddIndex) for step in migration.operations)
    ]
    return found + breaking(loader, [key for key in sorted(loader.disk_migrations) if key[0] in own])


def breaking(
    loader: MigrationLoader, keys: list[tuple[str, str]], excused: dict[str, dict[str, str]] = EXCUSED
) -> list[str]:
    """What squawk finds in these migrations and nobody has excused, and excuses that nothing needs."""
    found, used = [], set()
    for key in keys:
        migration = loader.graph.nodes[key]
        name = ".".join(key)
        for rule, sentence in squawk(sql_of(migration, loader.project_state(key, at_end=False)), migration.atomic):
            if rule in excused.get(name, {}):
                used.add((name, rule))
            else:
                found.append(f"{name}: {rule}: {sentence}")
    here = {".".join(key) for key in keys}
    needless = {(name, rule) for name, rules in excused.items() if name in here for rule in rules} - used
    return found + [f"{name}: nothing breaks {rule}: drop the excuse" for name, rule in sorted(needless)]


def sql_of(migration: Migration, before: ProjectState) -> str:
    """The statements that PostgreSQL 15 would get from it, as ``sqlmigrate`` has them."""
    connection = connections.create_connection("default")
    connection.__dict__["pg_version"] = 150000  # asked of a server otherwise, as is how it quotes
    with connection.schema_editor(collect_sql=True, atomic=False) as editor:
        connection.ops.compose_sql = lambda sql, values: _filled(str(sql), editor, values)
        migration.apply(before.clone(), editor, collect_sql=True)
    return "\n".join(editor.collected_sql)


def _filled(sql: str, editor: Any, values: Any) -> str:
    return sql % tuple(map(editor.quote_value, values)) if values else sql


def squawk(sql: str, in_transaction: bool) -> list[tuple[str, str]]:
    """(rule, sentence) of each thing that it warns of."""
    words = [str(Path(sys.executable).parent / "squawk"), f"--config={ROOT / '.squawk.toml'}", "--reporter=json"]
    words += ["--assume-in-transaction"] if in_transaction else []
    done = subprocess.run(words, input=sql, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1) or not done.stdout.startswith("["):
        raise RuntimeError(f"squawk failed: {done.stderr}")
    warnings: list[dict[str, Any]] = json.loads(done.stdout)
    return [(warning["rule_name"], " ".join(warning["message"].split())) for warning in warnings]


if __name__ == "__main__":
    django.setup()
    text = faults()
    print("\n".join(text))
    sys.exit(1 if text else 0)
