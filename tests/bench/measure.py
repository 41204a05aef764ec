"""What is read off a server under load: CPU time, memory, instructions, and dnsperf's verdict."""

import contextlib
import pathlib
import re
import signal
import socket
import statistics
import struct
import subprocess
import time
from dataclasses import dataclass, field

SERVER_CPU = "0"
LOAD_CPU = "1"  # dnsperf and the upstream
# dnsperf's default buffer loses responses that come while the upstream has the CPU they share; a
# loss must be the server's.
LOAD_BUFFER_KILOBYTES = 4_096
DOH_LOAD = pathlib.Path(__file__).resolve().parents[2] / "build/bench/tests/bench/doh_load"
PADDING = "12:" + "00" * 73  # EDNS option 12: queries of 125 to 128 octets, RFC 8467 §4.1


@dataclass(frozen=True)
class Load:
    """One run of dnsperf, or of ours for DoH."""

    asked: int
    answered: int
    lost: int
    failed: int  # answered with anything but NOERROR
    seconds: float
    latency_mean: float  # microseconds
    latency_max: float
    command: str


@dataclass
class Sample:
    """One measured run of one server, and the echo's beside it."""

    microseconds: float  # CPU time of the server per query, user and system
    load: Load
    instructions: dict[str, float] = field(default_factory=dict)  # per query: "u", "k"


def tasks(pid: int) -> list[pathlib.Path]:
    """The threads of a process and of its descendants."""
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        found.append(task)
        with contextlib.suppress(OSError):
            for child in (task / "children").read_text().split():
                found += tasks(int(child))
    return found


def cpu_nanoseconds(pid: int) -> int:
    """Time on a CPU so far, user and system, to the nanosecond: schedstat's first field."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks(pid))


def resident_kilobytes(pid: int, peak: bool = False) -> int:
    """Memory now, or the most there was so far."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    field = "VmHWM" if peak else "VmRSS"
    return int(re.search(rf"^{field}:\s+(\d+) kB", status, re.MULTILINE).group(1))


class Names:
    """Files of names to ask."""

    def __init__(self, directory: pathlib.Path):
        self._directory = directory

    def file(self, count: int) -> pathlib.Path:
        """Names nobody asked before: a cache of whatever server never helps."""
        path = self._directory / "names"
        mark = f"{time.time_ns():x}"
        path.write_text("".join(f"n{index}.{mark}.bench.example A\n" for index in range(count)))
        return path

    def hot(self, count: int) -> pathlib.Path:
        """The same names each time."""
        path = self._directory / f"hot-{count}"
        if not path.exists():
            path.write_text("".join(f"hot{index}.bench.example A\n" for index in range(count)))
        return path


def dnsperf(port: int, names: pathlib.Path, outstanding: int, rounds: int = 1,
            transport: str = "udp", connections: int = 1, per_second: int = 0,
            padded: bool = False) -> Load:
    """Asks every name so many rounds, over udp, tcp, dot or doh. outstanding: on all connections
    together."""
    command = ["taskset", "-c", LOAD_CPU, "dnsperf", "-s", "127.0.0.1", "-p", str(port),
               "-d", str(names), "-n", str(rounds), "-q", str(outstanding), "-t", "5",
               "-l", "120", "-b", str(LOAD_BUFFER_KILOBYTES)]
    if transport != "udp":
        command += ["-m", transport, "-c", str(connections)]
    if padded:
        command += ["-E", PADDING]
    if per_second:
        command += ["-Q", str(per_second)]
    return _run(command)


def doh_load(port: int, names: pathlib.Path, outstanding: int, rounds: int = 1,
             connections: int = 1) -> Load:
    """The same over DoH, by GET."""
    return _run(["taskset", "-c", LOAD_CPU, str(DOH_LOAD), str(port), str(connections),
                 str(outstanding), str(rounds), str(names)])


def ask(port: int, names: pathlib.Path, outstanding: int, *, transport: str = "udp",
        **options) -> Load:
    """options: those of dnsperf(), or of doh_load()."""
    if transport == "doh":
        return doh_load(port, names, outstanding, **options)
    if transport == "dnsperf-doh":
        transport = "doh"
    return dnsperf(port, names, outstanding, transport=transport, **options)


def _run(command: list[str]) -> Load:
    text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=180).stdout

    def number(pattern: str) -> float:
        match = re.search(pattern, text)
        if match is None:
            raise RuntimeError(f"{command[3]} said nothing of /{pattern}/:\n{text}")
        return float(match.group(1))

    answered = int(number(r"Queries completed:\s+(\d+)"))
    good = re.search(r"Response codes:.*?NOERROR (\d+)", text)
    return Load(
        asked=int(number(r"Queries sent:\s+(\d+)")),
        answered=answered,
        lost=int(number(r"Queries lost:\s+(\d+)")),
        failed=answered - (int(good.group(1)) if good else 0),
        seconds=number(r"Run time \(s\):\s+([\d.]+)"),
        latency_mean=number(r"Average Latency \(s\):\s+([\d.]+)") * 1e6,
        latency_max=number(r"Average Latency \(s\):.*max ([\d.]+)") * 1e6,
        command=" ".join(command),
    )


def perf_counts_instructions() -> bool:
    """Virtual machines often have no counters."""
    try:
        seen = subprocess.run(["perf", "stat", "-x,", "-e", "instructions:u", "true"],
                              capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return re.match(r"\d", seen.stderr) is not None


@contextlib.contextmanager
def instructions(pid: int, counted: dict[str, int]):
    """Fills counted with the instructions executed in user mode and kernel mode meanwhile."""
    perf = subprocess.Popen(
        ["perf", "stat", "-x,", "-e", "instructions:u,instructions:k", "-p", str(pid)],
        stderr=subprocess.PIPE, text=True)
    time.sleep(0.2)  # perf attaches
    yield
    perf.send_signal(signal.SIGINT)
    _, text = perf.communicate(timeout=10)
    for line in text.splitlines():
        match = re.match(r"(\d+),.*instructions:([uk])", line)
        if match:
            counted[match.group(2)] = int(match.group(1))


def under_load(pid: int, port: int, names: pathlib.Path, outstanding: int,
               with_perf: bool, **options) -> Sample:
    """options: those of ask()."""
    counted: dict[str, int] = {}
    watch = instructions(pid, counted) if with_perf else contextlib.nullcontext()
    with watch:
        before = cpu_nanoseconds(pid)
        load = ask(port, names, outstanding, **options)
        after = cpu_nanoseconds(pid)
    per_query = {mode: count / load.asked for mode, count in counted.items()}
    return Sample((after - before) / 1_000 / load.asked, load, per_query)


def query_octets(name: str, ident: int = 1) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!6H", ident, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", 1, 1)


def first_answer(port: int, name: str, patience: float) -> float:
    """Asks every millisecond until an answer comes; returns when it came (monotonic seconds)."""
    deadline = time.monotonic() + patience
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", port))
        client.settimeout(0.001)
        while time.monotonic() < deadline:
            with contextlib.suppress(ConnectionRefusedError, TimeoutError):
                client.send(query_octets(name))
                response = client.recv(4_096)
                if response[3] & 0xF == 0:
                    return time.monotonic()
    raise RuntimeError(f"port {port} did not answer within {patience} s")


def spread(values: list[float], digits: int = 2) -> str:
    """Median and quartiles."""
    middle = statistics.median(values)
    if len(values) < 2:
        return f"{middle:.{digits}f}"
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{middle:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"
