"""Django's connection settings out of a PostgreSQL URL or conninfo."""

from typing import Any

from psycopg.conninfo import conninfo_to_dict

# Nothing in a request may wait long for a lock or run long; migrations and the close set their own.
_TIMEOUTS = "-c lock_timeout=10s -c statement_timeout=30s -c idle_in_transaction_session_timeout=60s"


def parse_database_url(url: str) -> dict[str, Any]:
    """``postgresql://user:password@host:port/name?host=/socket/dir`` to Django's DATABASES entry.

    An empty URL gives libpq's defaults. Raises psycopg.ProgrammingError when it is not one.
    """
    parts: dict[str, Any] = conninfo_to_dict(url) if url else {}
    entry = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.pop("dbname", "vmart"),
        "USER": parts.pop("user", ""),
        "PASSWORD": parts.pop("password", ""),
        "HOST": parts.pop("host", ""),
        "PORT": parts.pop("port", ""),
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": True,
        "OPTIONS": {"options": f"-c timezone=UTC {_TIMEOUTS} " + parts.pop("options", "")},
    }
    entry["OPTIONS"].update(parts)
    return entry
