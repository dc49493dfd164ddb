"""A step of bin/lint: the models say nothing that no migration says, and every migration has a name that tells."""

import re
import sys
from pathlib import Path

import django
from django.apps import apps
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState
from django.utils import translation

_MADE_UP = re.compile(r"^\d{4}_(auto_|initial$)|_and_more$|^\d{4}_$")


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
    if not conflicts:
        with translation.override("en"):  # the language that migrations are written in, whoever spoke last
            detector = MigrationAutodetector(loader.project_state(), ProjectState.from_apps(apps))
            changes = detector.changes(graph=loader.graph)
        for label, migrations in changes.items():
            if label in own:
                what = [operation.describe() for migration in migrations for operation in migration.operations]
                found.append(f"{label}: no migration says: {'; '.join(what)}")
    return found


if __name__ == "__main__":
    django.setup()
    text = faults()
    print("\n".join(text))
    sys.exit(1 if text else 0)
