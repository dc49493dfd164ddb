"""What each of Granian's worker processes loads: the application, tied to the life of ``vmart web``.

A worker process that outlived a killed parent would go on answering on the shop's port beside the
restarted one, with old code and an old database address.
"""

import contextlib
import ctypes
import os
import signal
import socket

_PR_SET_PDEATHSIG = 1


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    parent = os.environ.get("VMART_WEB_PARENT")
    if parent is not None and os.getppid() != int(parent):
        os._exit(1)  # it died before we could say so


_die_with_parent()

from vmart.config import business_time
from vmart.config.web_main import loaded_address
from vmart.config.wsgi import application

business_time.install()


def _say_loaded() -> None:
    parent = os.environ.get("VMART_WEB_PARENT")
    if parent is not None:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
            told.sendto(b"1", loaded_address(int(parent)))  # nobody listens any more when it is a restart


_say_loaded()

__all__ = ["application"]
