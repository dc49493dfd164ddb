"""A thread of the web process whose connection the server has closed meanwhile answers as if nothing had been."""

import json
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest
from django.db import connection

from tests.support.database import Databases, end_backend
from tests.web.visiting import open_business
from vmart.config.wsgi import application
from vmart.kernel import db


def _get(path: str) -> tuple[str, bytes]:
    told: list[str] = []
    environ: dict[str, Any] = {"PATH_INFO": path}
    setup_testing_defaults(environ)
    body = b"".join(application(environ, lambda status, _headers: told.append(status)))
    return told[0], body


def _lose_connection(databases: Databases) -> None:
    (row,) = db.rows("SELECT pg_backend_pid() AS pid")
    end_backend(databases, row["pid"])


def test_health_is_told_on_a_new_connection(shop: Databases) -> None:
    _lose_connection(shop)
    status, body = _get("/healthz")
    assert (status, json.loads(body)) == ("200 OK", {"web": True, "database": True})


def test_without_that_look_a_sound_database_is_called_out_of_order_once(
    shop: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control."""
    monkeypatch.setattr(db, "drop_dead_connection", lambda: None)
    _lose_connection(shop)
    assert _get("/healthz")[0] == "503 Service Unavailable"
    assert _get("/healthz")[0] == "200 OK"


def test_a_page_is_shown_on_a_new_connection(shop: Databases) -> None:
    open_business()
    assert _get("/buy/")[0] == "200 OK"
    _lose_connection(shop)
    assert _get("/buy/")[0] == "200 OK"
    assert connection.connection is not None
