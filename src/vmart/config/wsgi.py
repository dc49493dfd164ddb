"""One listening port, two sides: programs go to the API past all browser middleware, people to Django."""

import json
import os
import uuid
from collections.abc import Callable, Iterable
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vmart.config.settings")

from django.core.wsgi import get_wsgi_application

browser = get_wsgi_application()

import structlog
from django.db import Error, connection

from vmart.api.wire.wsgi import api_application, is_api_request
from vmart.catalog import shop
from vmart.kernel import db

log = structlog.get_logger("vmart.web")

Environ = dict[str, Any]
StartResponse = Callable[..., Any]


def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """The WSGI entry of ``vmart web``. Every request gets an id, which its log lines carry."""
    request_id = str(uuid.uuid4())
    environ["vmart.request_id"] = request_id
    structlog.contextvars.bind_contextvars(request_id=request_id)
    try:
        _notice_catalog()
        if is_api_request(environ):
            return api_application(environ, start_response)
        if environ.get("PATH_INFO") == "/healthz":
            return _health(start_response)
        return browser(environ, start_response)
    finally:
        structlog.contextvars.clear_contextvars()


def _notice_catalog() -> None:
    try:
        shop.notice_changes()
    except Error:
        connection.close()  # the request will find out what is wrong and say it


def _health(start_response: StartResponse) -> Iterable[bytes]:
    """200 when the database answers and has room to write, else 503; says nothing else to strangers."""
    db.drop_dead_connection()  # of this thread, from before the database was restarted
    try:
        db.probe()
        status, well = "200 OK", True
    except Error as error:
        connection.close()
        log.error("the database is out of order", error=db.one_line(error))
        status, well = "503 Service Unavailable", False
    body = json.dumps({"web": True, "database": well}).encode()
    headers = [
        ("Content-Type", "application/json"), ("Content-Length", str(len(body))), ("Cache-Control", "no-store"),
    ]  # fmt: skip
    start_response(status, headers)
    return [body]
