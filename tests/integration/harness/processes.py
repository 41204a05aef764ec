"""Child processes: started with their output kept, always stopped, shown when a test fails."""

import contextlib
import os
import pathlib
import re
import signal
import subprocess

from .waiting import PATIENCE, wait_for

# Set by the sanitizers; a test during which one reports has failed whatever it asserted.
SANITIZER_REPORT = re.compile(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:")


class Process:
    """One server. Its standard output and error go to log_file; the latter to stderr if given."""

    def __init__(self, name: str, command: list[str], log_file: pathlib.Path,
                 stderr: int | None = None, **options):
        self.name = name
        self.command = command
        self.log_file = log_file
        with log_file.open("wb") as log:
            self.child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log if stderr is None else stderr, **options
            )

    @property
    def pid(self) -> int:
        return self.child.pid

    def alive(self) -> bool:
        return self.child.poll() is None

    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def wait_for_log(self, pattern: str, count: int = 1) -> str:
        """Waits until pattern has matched count times; returns the last such line."""
        expression = re.compile(pattern)

        def found():
            lines = [line for line in self.log().splitlines() if expression.search(line)]
            return lines[count - 1] if len(lines) >= count else None

        return wait_for(found, f"/{pattern}/ in the log of {self.name}:\n{self.log()}")

    def wait_until(self, probe, what: str):
        """Waits until probe() is true, but not beyond the process's end."""

        def ready():
            if not self.alive():
                raise AssertionError(
                    f"{self.name} ended with {self.child.returncode}:\n{self.log()}"
                )
            return probe()

        return wait_for(ready, f"{self.name}: {what}")

    def await_taken(self, number: signal.Signals) -> None:
        """Waits until the process, which blocks this signal, has taken the one that was sent."""

        def has(field: str) -> bool:
            status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
            signals = re.search(rf"^{field}:\s*(\w+)", status, re.MULTILINE).group(1)
            return bool(int(signals, 16) >> (number - 1) & 1)

        self.wait_until(lambda: has("SigBlk") and not has("ShdPnd"), f"{number} taken")

    def signal(self, number: signal.Signals) -> None:
        self.child.send_signal(number)

    @contextlib.contextmanager
    def stopped(self):
        """All threads stand still meanwhile. The signal alone does not say when they do."""
        self.signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        try:
            yield
        finally:
            self.signal(signal.SIGCONT)

    def wait(self, patience: float = PATIENCE) -> int:
        return self.child.wait(patience)

    def stop(self) -> int:
        """Asks the process to end, insists if it does not; returns its exit code."""
        if self.alive():
            self.child.terminate()
        try:
            return self.child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            raise AssertionError(f"{self.name} did not end after SIGTERM:\n{self.log()}") from None

    def kill(self) -> None:
        if self.alive():
            self.child.kill()
        self.child.wait()
