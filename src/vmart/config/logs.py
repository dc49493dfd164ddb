"""Structured logs on standard error: one line an event, with the request's or operation's id.

``VMART_LOG_FORMAT`` is ``json``, ``text``, or empty: text on a terminal, JSON elsewhere.
"""

import logging
import sys
from collections.abc import Mapping
from typing import Any

import structlog


def configure(options: Mapping[str, Any]) -> None:
    """Route structlog and the standard library's logging through one renderer; ``level`` and ``format``."""
    as_text = options.get("format") == "text" or (not options.get("format") and sys.stderr.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    if as_text:
        plain = structlog.dev.plain_traceback  # the renderer's own choice shows local variables, passwords among them
        last: list[Any] = [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
    else:
        last = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
    )
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(str(options.get("level", "INFO")).upper())
    # Addresses of the engine, of a payment provider, with their queries: only when something is wrong.
    for chatty in ("httpx", "httpcore", "stripe", "_granian"):
        logging.getLogger(chatty).setLevel("WARNING")
    for chatty in ("django.request", "django.security"):  # every stranger's 404 and stale form
        logging.getLogger(chatty).setLevel("ERROR")
    logging.getLogger("django.security.DisallowedHost").setLevel("CRITICAL")  # a trace for each scanner's Host
