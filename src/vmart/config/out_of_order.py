"""The page of a request that ended in an error, and what the command line says of a database that is out of order."""

import sys

from django.http import HttpRequest, HttpResponse
from django.template import loader

from vmart.kernel import db

RETRY_AFTER_S = 10


def page(_request: HttpRequest) -> HttpResponse:
    """Django asks for it while it handles the error: 503 for a passing one of the database, else 500.

    Neither page asks the database for anything.
    """
    error = sys.exception()
    if error is not None and db.is_passing(error):
        unavailable = HttpResponse(loader.render_to_string("503.html"), status=503)
        unavailable["Retry-After"] = str(RETRY_AFTER_S)
        return unavailable
    return HttpResponse(loader.render_to_string("500.html"), status=500)


def sentence(error: Exception) -> str | None:
    """What a command says of a passing error of the database, in one line; None for any other."""
    if not db.is_passing(error):
        return None
    return f"the database is out of order for the moment: {db.one_line(error)}"
