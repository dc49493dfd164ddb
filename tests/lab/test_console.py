"""A machine's real console: logged in with the machine's password, over and over, whoever goes away in between."""

import threading
import time
from collections.abc import Callable

from tests.lab.conftest import PASSWORD, Lab
from vmart.engines.contract import ConsoleLine, Consoles, MachineSpec

MakeSpec = Callable[..., MachineSpec]


def said_until(line: ConsoleLine, text: str, *, press: bytes = b"", limit_s: float = 90) -> str:
    """What it has said once it has said this."""
    said, ends = "", time.monotonic() + limit_s
    while text not in said:
        assert time.monotonic() < ends, said
        if press:
            line.write(press)
        piece = line.read(2.0)
        assert piece != b"", said
        said += (piece or b"").decode(errors="replace")
    return said


def _shown_at_first(line: ConsoleLine) -> str:
    """What is there before a key is pressed. What is typed while a console is being attached may be lost."""
    said = ""
    while piece := line.read(1.0):
        said += piece.decode(errors="replace")
    return said


def _log_in(line: ConsoleLine) -> None:
    said_until(line, "login:", press=b"\r")
    line.write(b"root\r")
    said_until(line, "Password:")
    line.write(PASSWORD.encode() + b"\r")
    said_until(line, ":~#")


def test_a_login_by_the_console_of_a_machine_without_a_public_address(lab: Lab, make_spec: MakeSpec) -> None:
    engine = lab.engine()
    assert isinstance(engine, Consoles)
    assert engine.capabilities().console is True
    spec = make_spec(public=False, password=PASSWORD)
    booted_at = engine.ensure_present(spec).booted_at
    with engine.console(spec.name, 100, 30) as line:
        _log_in(line)
        line.write(b"echo is-$((6*7)); echo by-console > /root/mark\r")
        said_until(line, "is-42")
        for columns, rows in ((100, 30), (132, 43)):
            line.resize(columns, rows)
            line.write(
                b"while [ \"$(stty size)\" != '%d %d' ]; do sleep .1; done; echo seen-$((%d))\r" % (rows, columns, rows)
            )
            said_until(line, f"seen-{rows}")
    assert lab.inside(spec.name, "cat /root/mark").stdout == "by-console\n"
    with lab.engine().console(spec.name, 80, 24) as line:  # type: ignore[attr-defined]  # another process's driver
        assert ":~#" in _shown_at_first(line)  # the shell that was left there: a console is no session
        said_until(line, "login:", press=b"exit\r")
    assert engine.observe(spec.name).booted_at == booted_at


def test_a_machine_floods_its_console_and_is_not_held_up(lab: Lab, make_spec: MakeSpec) -> None:
    """Given a reader that does not read, the machine's console waits, and the machine does not."""
    engine = lab.engine()
    assert isinstance(engine, Consoles)
    spec = make_spec(public=False, password=PASSWORD)
    engine.ensure_present(spec)
    with engine.console(spec.name, 80, 24) as line:
        _log_in(line)
        line.write(b"yes flood\r")
        said_until(line, "flood")
        assert lab.inside(spec.name, "echo well").stdout == "well\n"
        stopper = threading.Timer(3, line.write, [b"\x03"])
        stopper.start()
        said_until(line, ":~#")
        stopper.join()
    with engine.console(spec.name, 80, 24) as line:
        _shown_at_first(line)
        said_until(line, ":~#", press=b"\r")
