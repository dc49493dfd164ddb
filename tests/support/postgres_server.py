"""The run's PostgreSQL as a program: ``python -m tests.support.postgres_server FOLDER PID [PROGRAMS]``.

Serves until the process PID (the test run) is gone, however it went, then removes FOLDER. The wheel's
PostgreSQL, or the programs in the folder PROGRAMS, else in the one that VMART_TEST_POSTGRES names
(/usr/lib/postgresql/15/bin).
"""

import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from vmart.config import os_users, postgres


def throw_away_cluster(pgdata: Path, socket_dir: Path, programs: str | None = None) -> postgres.Embedded:
    """A cluster without fsync, of the wheel's programs or of those in the folder ``programs``."""
    if not programs:
        return postgres.Embedded(pgdata, socket_dir, durable=False)
    said = subprocess.run([f"{programs}/postgres", "-V"], capture_output=True, text=True, check=True).stdout
    major = int(said.split()[2].split(".")[0])  # postgres (PostgreSQL) 15.18 (Debian …)
    return postgres.Embedded(pgdata, socket_dir, durable=False, folder=Path(programs), major=major)


def serve(folder: Path, run_pid: int, programs: str | None) -> None:
    run = os.pidfd_open(run_pid)
    os_users.ensure_users()
    cluster = throw_away_cluster(folder / "pg", folder / "socket", programs or os.environ.get("VMART_TEST_POSTGRES"))
    cluster.prepare()
    with (folder / "postgres.log").open("wb") as log:
        server = subprocess.Popen(
            cluster.command(), cwd=cluster.pgdata, env=postgres.environment(), stdout=log, stderr=log
        )
        try:
            cluster.wait_ready(30, server)
            (folder / "serving").touch()
            waiting = select.poll()
            waiting.register(run, select.POLLIN)
            waiting.poll()
        finally:
            server.send_signal(signal.SIGQUIT)  # nothing in it is worth a checkpoint
            server.wait()
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the run; its end ends this
    serve(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else None)
