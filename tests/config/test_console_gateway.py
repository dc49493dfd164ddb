"""The gateway of consoles under ``vmart up``: a process while somebody has one, over both addresses, also killed."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from websockets.exceptions import ConnectionClosed

from tests.support.console_client import Cvm, log_in, said_until, window_on
from tests.support.running_shop import RunningShop
from vmart.config.console_door import check_url, listen_at, listen_beside
from vmart.config.places import Misused


def _gateway_pid(shop: RunningShop) -> int | None:
    return shop.control()["children"].get("console")


def _until(look: Callable[[], object], limit_s: float = 30) -> None:
    ends = time.monotonic() + limit_s
    while not look():
        assert time.monotonic() < ends
        time.sleep(0.1)


def _events(shop: RunningShop, public_id: str) -> list[tuple[str, str | None]]:
    query = (
        "SELECT e.kind, e.detail->>'ended_by' FROM events_event e JOIN instances_instance i ON i.id = e.subject_id"
        " WHERE e.subject_kind = 'machine' AND i.public_id = %s AND e.kind LIKE 'console%%' ORDER BY e.id"
    )
    with psycopg.connect(shop.database_url) as connection:
        return connection.execute(query, [public_id]).fetchall()


@pytest.mark.crash
def test_a_process_comes_with_the_first_console_and_goes_when_nobody_is_there(
    start_shop: Callable[..., RunningShop],
) -> None:
    shop = start_shop("--listen-tls", "127.0.0.1:0", environment={"VMART_CONSOLE_LINGER_S": "2"})
    cvm, gateway = Cvm(shop), shop.ready["console"]
    machine = cvm.buy_running()
    assert _gateway_pid(shop) is None  # an idle shop has no process for it
    url = cvm.console_url(machine)
    assert url.startswith(f"{shop.url}/console/#")
    with window_on(gateway, url) as window:
        log_in(window)
        window.send(b"hostname\r")
        said_until(window, ":~#")
        pid = _gateway_pid(shop)
        assert pid is not None
        with window_on(gateway, url) as other:
            assert "This ticket is not good any more" in said_until(other, '"end"')
    _until(lambda: _gateway_pid(shop) is None)
    assert not Path(f"/proc/{pid}").exists()
    assert _events(shop, machine) == [("console_opened", None), ("console_closed", "left")]
    # Killed in the middle: the machine runs on, the ticket stays used, the next console starts the next process.
    url = cvm.console_url(machine)
    with window_on(gateway, url) as window:
        log_in(window)
        pid = _gateway_pid(shop)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(ConnectionClosed):
            while True:
                window.recv(timeout=10)
    with window_on(gateway, url) as window:
        assert "This ticket is not good any more" in said_until(window, '"end"')
    assert cvm.state(machine) == "RUNNING"
    with psycopg.connect(shop.database_url) as connection:  # as if a minute had gone by
        connection.execute(
            "UPDATE consoles_console SET made_at = made_at - interval '2 min', expires_at = expires_at"
            " - interval '2 min', opened_at = opened_at - interval '2 min', seen_at = seen_at - interval '2 min'"
            " WHERE closed_at IS NULL"
        )
    _until(lambda: _events(shop, machine)[2:] == [("console_opened", None), ("console_closed", "gateway_lost")], 60)
    with window_on(gateway, cvm.console_url(machine)) as window:
        log_in(window)
        assert shop.end() == 0  # and the shop ends in order while one is open
        assert "It ended because the shop is being restarted." in said_until(window, '"end"')


@pytest.mark.crash
def test_it_serves_over_tls_with_the_shops_own_certificate(running_shop: RunningShop) -> None:
    port = running_shop.control()["environment"]["VMART_CONSOLE_TLS_PORT"]
    machine = Cvm(running_shop).buy_running()
    url = Cvm(running_shop).console_url(machine)
    with window_on(f"wss://127.0.0.1:{port}", url, running_shop.ready["ca_file"]) as window:
        log_in(window)


def test_it_listens_beside_the_shop_unless_it_is_said_otherwise() -> None:
    first = listen_at(("127.0.0.1", 0), "--x")
    try:
        host, port = first.getsockname()
        beside = listen_beside((host, port - 1), None, (), "--console-listen")  # its neighbour is taken
        assert beside.getsockname()[1] not in (port, 0)
        beside.close()
        with pytest.raises(Misused, match=rf"cannot listen on 127\.0\.0\.1:{port} .*--console-listen"):
            listen_beside((host, port - 1), (host, port), (), "--console-listen")
    finally:
        first.close()
    free = listen_beside((host, port - 1), None, (), "--console-listen")
    assert free.getsockname() == (host, port)
    free.close()
    kept = listen_beside((host, port - 1), None, (port,), "--console-listen")  # the shop's own, not bound yet
    assert kept.getsockname()[1] != port
    kept.close()


@pytest.mark.parametrize("url", ["", "wss://console.example.com", "ws://10.0.0.1:8001", "wss://console.example.com/"])
def test_an_address_of_a_gateway(url: str) -> None:
    check_url(url)


@pytest.mark.parametrize(
    "url", ["https://x", "wss://", "wss://x/y", "wss://x?y=1", "wss://u:p@x", "wss://x:99999", "x", "wss://x#y"]
)
def test_what_is_no_address_of_a_gateway_is_refused(running_shop: RunningShop, tmp_path: Path, url: str) -> None:
    with pytest.raises(Misused, match="is no address of a gateway"):
        check_url(url)


def test_the_command_says_what_is_wrong_with_the_address(running_shop: RunningShop, tmp_path: Path) -> None:
    refused = running_shop.vmart("--data-dir", str(tmp_path), "up", "--console-url", "https://x", check=False)
    assert (refused.returncode, "wss://console.example.com" in refused.stderr) == (2, True)


@pytest.mark.crash
def test_alone_it_serves_beside_a_running_shop(running_shop: RunningShop) -> None:
    cvm = Cvm(running_shop)
    machine, environment = cvm.buy_running(), running_shop.environment() | running_shop.control()["environment"]
    listening = listen_at(("127.0.0.1", 0), "--listen")
    port = listening.getsockname()[1]
    listening.close()
    command = ["bin/vmart", "--data-dir", str(running_shop.data_dir), "console", "--listen", f"127.0.0.1:{port}"]
    process = subprocess.Popen(command, env=environment)
    try:
        ends = time.monotonic() + 60
        while True:
            try:
                with window_on(f"ws://127.0.0.1:{port}", cvm.console_url(machine)) as window:
                    log_in(window)
                break
            except ConnectionRefusedError:
                assert time.monotonic() < ends and process.poll() is None
                time.sleep(0.5)
    finally:
        process.terminate()
        assert process.wait(30) == 0


def test_the_notes_of_a_running_shop_say_where_it_is(running_shop: RunningShop) -> None:
    environment = running_shop.control()["environment"]
    assert running_shop.ready["console"] == f"ws://127.0.0.1:{environment['VMART_CONSOLE_PORT']}"
    assert json.dumps(running_shop.ready).count("console") == 1
