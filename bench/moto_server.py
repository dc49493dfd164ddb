"""moto's server doing RunInstances: a yardstick of another make. It keeps its machines in memory and signs nothing off.

It has an environment of its own, with the packages of ``requirements/bench.txt``, made at the first use.
"""

import asyncio
import hashlib
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

from bench.shop import ROOT

_PACKAGES = ROOT / "requirements" / "bench.txt"
_SCOPE = "20260101/us-east-1/ec2/aws4_request"
_HEAD = (
    "POST / HTTP/1.1\r\nHost: ec2.us-east-1.amazonaws.com\r\nConnection: close\r\n"
    "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n"
    f"Authorization: AWS4-HMAC-SHA256 Credential=bench/{_SCOPE}, SignedHeaders=host, Signature=none\r\n\r\n"
)
_BODY = (
    "Action=RunInstances&Version=2016-11-15&ImageId=ami-12c6146b&MinCount=1&MaxCount=1&InstanceType=t3.micro"
    "&ClientToken={token}"
)


def _environment() -> Path:
    name = f"env-bench-{hashlib.sha256(_PACKAGES.read_bytes()).hexdigest()[:12]}"
    folder = Path(os.environ.get("VMART_PROGRAMS", "/opt/vmart")) if os.getuid() == 0 else ROOT / ".venv" / "bench"
    made = folder / name
    if not (made / ".complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", made], check=True)
        pip = [made / "bin/python", "-m", "pip", "install", "-q", "--no-input", "--disable-pip-version-check"]
        subprocess.run([*pip, "--no-deps", "--require-hashes", "-r", _PACKAGES], check=True)
        (made / ".complete").touch()
    return made


class Moto:
    """``with Moto() as moto: moto.run(clients, seconds)``."""

    def __enter__(self) -> Self:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = int(free.getsockname()[1])
        self._process = subprocess.Popen(
            [_environment() / "bin/python", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self._port)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(30)

    def _wait(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", self._port), 1).close()
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    sys.exit("moto's server did not start")
                time.sleep(0.1)
            else:
                return

    def run(self, clients: int, seconds: int) -> float:
        """Machines a second."""
        begun = time.monotonic()
        bought = asyncio.run(self._load(clients, begun + seconds))
        return round(bought / (time.monotonic() - begun), 1)

    async def _load(self, clients: int, end: float) -> int:
        async def client(number: int) -> int:
            count = 0
            while time.monotonic() < end:
                await self._buy(f"{number}-{time.time_ns()}")
                count += 1
            return count

        return sum(await asyncio.gather(*(client(number) for number in range(clients))))

    async def _buy(self, token: str) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)  # it closes each one after its answer
        body = _BODY.format(token=token)
        writer.write((_HEAD.format(length=len(body)) + body).encode())
        answer = await reader.read()
        writer.close()
        if not re.search(rb"<instanceId>i-[0-9a-f]+</instanceId>", answer):
            sys.exit(f"moto: {answer.decode()[:500]}")
