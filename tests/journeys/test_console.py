"""A real machine without a public address, logged in to by the gateway; and the gateway killed in the middle."""

import os
import signal

import pytest
from websockets.exceptions import ConnectionClosed

from tests.config.test_console_gateway import _events, _gateway_pid, _until
from tests.support.console_client import Cvm, log_in, said_until, window_on
from tests.support.running_shop import RunningShop

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]


def _has_room(cvm: Cvm) -> bool:
    """Once the engine has said what its host has."""
    sold = cvm("DescribeZoneInstanceConfigInfos")["InstanceTypeQuotaSet"]
    told = {(one["Zone"], one["InstanceType"], one["Status"]) for one in sold}
    return ("ap-guangzhou-3", "S5.SMALL1", "SELL") in told


def test_a_customer_logs_in_by_the_console_also_after_the_gateway_was_killed(real_shop: RunningShop) -> None:
    cvm = Cvm(real_shop)
    _until(lambda: _has_room(cvm), 240)
    machine = cvm.buy_running(240)
    url = cvm.console_url(machine)
    with window_on(real_shop.ready["console"], url) as window:
        log_in(window)
        window.send(b"stty size; tty; echo is-$((6*7))\r")
        assert "30 100" in said_until(window, "is-42")
        window.send(b'{"columns": 1}')
        pid = _gateway_pid(real_shop)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(ConnectionClosed):
            while True:
                window.recv(timeout=10)
    with window_on(real_shop.ready["console"], url) as window:
        assert "This ticket is not good any more" in said_until(window, '"end"')
    assert cvm.state(machine) == "RUNNING"
    with window_on(real_shop.ready["console"], cvm.console_url(machine)) as window:
        log_in(window)
        window.send(b"exit\r")
        assert "logged out" in said_until(window, '"end"')
    _until(lambda: _events(real_shop, machine)[-1] == ("console_closed", "over"))
    assert [kind for kind, _ in _events(real_shop, machine)].count("console_opened") == 2
    assert cvm.state(machine) == "RUNNING"
