"""A machine's real console: logged in with the machine's password, over and over, whoever goes away in between."""

import time
from collections.abc import Callable

from tests.lab.conftest import PASSWORD, Lab
from vmart.engines.contract import MachineSpec
from vmart.engines.optional import ConsoleLine, Consoles

MakeSpec = Callable[..., MachineSpec]


def said_until(line: ConsoleLine, text: str, *, limit_s: float = 60) -> str:
    """What it has said once it has said this."""
    said, ends = "", time.monotonic() + limit_s
    while text not in said:
        assert time.monotonic() < ends, said
        piece = line.read(2.0)
        assert piece != b"", said
        said += (piece or b"").decode(errors="replace")
    return said


def _log_in(line: ConsoleLine) -> None:
    said_until(line, "login:")
    line.write(b"root\r")
    said_until(line, "Password:")
    time.sleep(0.5)  # login forgets what was typed before it asked, and asks before it forgets
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
    assert _who_is_in(lab, spec.name) == ""  # the login ends with the line
    with lab.engine().console(spec.name, 80, 24) as line:  # type: ignore[attr-defined]  # another process's driver
        _log_in(line)
        line.write(b"exit\r")
        ends = time.monotonic() + 30
        while line.read(1.0) != b"":
            assert time.monotonic() < ends
    assert engine.observe(spec.name).booted_at == booted_at


def _who_is_in(lab: Lab, machine: str) -> str:
    """Once nobody is, or after a while."""
    ends = time.monotonic() + 20
    while (found := lab.inside(machine, "pgrep -xa 'login|bash'").stdout) and time.monotonic() < ends:
        time.sleep(0.5)
    return found


def test_whoever_leaves_a_machine_that_floods_its_console_harms_it_not(lab: Lab, make_spec: MakeSpec) -> None:
    """With liblxc's own console the machine's monitor waited for ever, and the server could do nothing with it."""
    engine = lab.engine()
    assert isinstance(engine, Consoles)
    spec = make_spec(public=False, password=PASSWORD)
    engine.ensure_present(spec)
    with engine.console(spec.name, 80, 24) as line:
        _log_in(line)
        line.write(b"yes flood\r")
        said_until(line, "flood")
        assert lab.inside(spec.name, "echo well").stdout == "well\n"
        time.sleep(2)  # nobody reads
    assert lab.ask("list", spec.name, "--format=csv", "--columns=s").strip() == "RUNNING"
    with engine.console(spec.name, 80, 24) as line:
        _log_in(line)
    assert engine.ensure_power(spec.name, False).power == "stopped"
