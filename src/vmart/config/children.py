"""One child process of the supervisor: how it is started, restarted with back-off, and ended."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vmart.config import readiness

_FIRST_DELAY_S = 0.1
_LONGEST_DELAY_S = 10.0
_STEADY_S = 30.0  # who has run that long begins anew with the shortest delay
_LOG_MAX_BYTES = 10_000_000


@dataclass
class Child:
    """``command`` is made anew at each start; ``announces`` children write to VMART_READY_FD when they serve."""

    name: str
    command: Callable[[], Sequence[str]]
    environment: Mapping[str, str]
    cwd: Path
    end_signal: signal.Signals = signal.SIGTERM
    end_limit_s: float = 15.0
    announces: bool = False
    before: Callable[[], None] = lambda: None
    passes: tuple[int, ...] = ()  # descriptors that it gets, under the same numbers
    log_dir: Path | None = None  # None: the supervisor's standard error
    process: "subprocess.Popen[bytes] | None" = None
    ready: bool = False
    starts: int = 0
    next_start: float = 0.0
    _delay_s: float = _FIRST_DELAY_S
    _started: float = 0.0
    _ready_pipe: int | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start it now; the back-off counts from here."""
        self.before()
        read_end, write_end = os.pipe() if self.announces else (None, None)
        environment = dict(self.environment)
        passed = self.passes
        if write_end is not None:
            environment[readiness.VARIABLE] = str(write_end)
            passed = (*passed, write_end)
        self._close_pipe()
        self._ready_pipe = read_end
        log = self._open_log()
        try:
            self.process = subprocess.Popen(
                list(self.command()), env=environment, cwd=self.cwd, pass_fds=passed,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0,  # Ctrl-C is for us, in order
            )  # fmt: skip
        finally:
            os.close(log)
            if write_end is not None:
                os.close(write_end)
        if read_end is not None:
            os.set_blocking(read_end, False)
        self.ready = not self.announces
        self.starts += 1
        self._started = time.monotonic()

    def _open_log(self) -> int:
        if self.log_dir is None:
            return os.dup(2)
        path = self.log_dir / f"{self.name}.log"
        if path.exists() and path.stat().st_size > _LOG_MAX_BYTES:
            path.replace(path.with_suffix(".log.1"))
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)

    def _close_pipe(self) -> None:
        if self._ready_pipe is not None:
            os.close(self._ready_pipe)
            self._ready_pipe = None

    def check_ready(self) -> bool:
        """Whether it has announced that it serves."""
        if not self.ready and self._ready_pipe is not None:
            try:
                if os.read(self._ready_pipe, 1):
                    self.ready = True
            except BlockingIOError:
                pass
        return self.ready

    def ended(self) -> int | None:
        """Exit code when it has ended since the last look (then ``next_start`` says when to start it again)."""
        if self.process is None:
            return None
        code = self.process.poll()
        if code is None:
            return None
        self.process = None
        self.ready = False
        self._close_pipe()
        now = time.monotonic()
        if now - self._started > _STEADY_S:
            self._delay_s = _FIRST_DELAY_S
        self.next_start = now + self._delay_s
        self._delay_s = min(self._delay_s * 2, _LONGEST_DELAY_S)
        return code

    def ask_to_end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(self.end_signal)

    def wait_ended(self) -> bool:
        """Wait for its end up to ``end_limit_s``, then kill it; False when it had to be killed."""
        if self.process is None:
            return True
        try:
            self.process.wait(self.end_limit_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return False
        finally:
            self.process = None if self.process.poll() is not None else self.process
            self._close_pipe()
        return True
