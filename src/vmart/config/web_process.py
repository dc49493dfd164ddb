"""What each of Granian's worker processes loads: the application, tied to the life of ``vmart web``.

A worker process that outlived a killed parent would go on answering on the shop's port beside the
restarted one, with old code and an old database address.
"""

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    parent = os.environ.get("VMART_WEB_PARENT")
    if parent is not None and os.getppid() != int(parent):
        os._exit(1)  # it died before we could say so


_die_with_parent()

from vmart.config import business_time
from vmart.config.wsgi import application

business_time.install()

__all__ = ["application"]
