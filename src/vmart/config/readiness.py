"""A child tells the supervisor that it serves: one byte into the descriptor named by VMART_READY_FD."""

import contextlib
import os

VARIABLE = "VMART_READY_FD"


def announce() -> None:
    """Say it once; without a supervisor it does nothing."""
    number = os.environ.pop(VARIABLE, None)
    if number is not None:
        with contextlib.suppress(OSError):
            os.write(int(number), b"1")
            os.close(int(number))
