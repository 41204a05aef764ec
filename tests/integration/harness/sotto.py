"""The product under test: sotto with a configuration of the test's own."""

import functools
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess

import dns.message
import dns.query

from . import inherited, ports, wire
from .clients import DatagramClient, LoadResult, StreamClient, load
from .processes import SANITIZER_REPORT, Process
from .waiting import PATIENCE

# Nothing of the caller's environment may configure the sotto under test.
_FOREIGN = ("SOTTO_LISTEN", "SOTTO_UPSTREAM", "SOTTO_BOOTSTRAP", "SOTTO_CA_FILE", "SOTTO_LOG_LEVEL",
            "SOTTO_CONFIG", "RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR", "LISTEN_PID", "LISTEN_FDS",
            "LISTEN_FDNAMES")
# Without this, root's sotto would take the control socket of one that runs on this machine.
NO_RUNTIME_DIRECTORY = "/nonexistent"


def binary() -> pathlib.Path:
    root = pathlib.Path(__file__).resolve().parents[3]
    path = pathlib.Path(os.environ.get("SOTTO_BINARY", root / "build/release/sotto"))
    return path if path.is_absolute() else root / path


@functools.cache
def sanitized() -> bool:
    """Is this a build with AddressSanitizer or ThreadSanitizer? They need memory and descriptors of
    their own, so that bounds of these cannot be measured with them."""
    content = binary().read_bytes()
    return b"__asan_init" in content or b"__tsan_init" in content


def environment(**extra: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key not in _FOREIGN}
    return {**kept, "RUNTIME_DIRECTORY": NO_RUNTIME_DIRECTORY, **extra}


def toml(configuration: dict, parent: str = "") -> str:
    """The subset of TOML that tests need: values, tables within tables, arrays of tables."""
    plain, tables = [], []
    for key, value in configuration.items():
        if isinstance(value, dict):
            tables.append(f"[{parent}{key}]\n{toml(value, f'{parent}{key}.')}")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            tables += [f"[[{parent}{key}]]\n{toml(each)}" for each in value]
        else:
            plain.append(f"{key} = {json.dumps(value)}")
    return "\n".join(plain + tables) + "\n"


class Sotto(Process):
    """A running sotto, listening on address:port over UDP and TCP unless configured otherwise.

    sockets: passed on as a service manager does, each with its name."""

    def __init__(self, directory: pathlib.Path, arguments: list[str], *, port: int,
                 address: str = "127.0.0.1", env: dict[str, str] | None = None,
                 number: int = 0, sockets: list[tuple[str, socket.socket]] | None = None,
                 stderr: int | None = None):
        env = env or environment()
        if env["RUNTIME_DIRECTORY"] == NO_RUNTIME_DIRECTORY:
            # Where systemd would have the control socket, one for each sotto.
            runtime = directory / f"run-{number}"
            runtime.mkdir(mode=0o700, exist_ok=True)
            env = {**env, "RUNTIME_DIRECTORY": str(runtime)}
        command, passed = [str(binary()), *arguments], ()
        if sockets is not None:
            command = inherited.command(sockets, command)
            passed = tuple(each.fileno() for _name, each in sockets)
        super().__init__("sotto", command, directory / f"sotto-{number}.log", env=env,
                         stderr=stderr, cwd=directory, pass_fds=passed)
        self.control_socket = pathlib.Path(env["RUNTIME_DIRECTORY"]) / "control.socket"
        self.address = address
        self.port = port
        self.config_file = directory / f"sotto-{number}.toml"

    def await_readiness(self) -> None:
        """Sends an opcode that sotto answers NOTIMP itself, over whichever transport answers."""
        probe = struct.pack("!HHHHHH", 1, 15 << 11, 0, 0, 0, 0)

        def answers() -> bool:
            try:
                with DatagramClient(self.address, self.port) as client:
                    client.socket.settimeout(0.5)
                    return bool(client.ask(probe))
            except OSError:
                pass
            try:
                with StreamClient(self.address, self.port) as client:
                    client.send(probe)
                    return client.receive() is not None
            except OSError:
                return False

        self.wait_until(answers, "answering")

    # --- asking --------------------------------------------------------------------------

    def udp(self, query: dns.message.Message, **options) -> dns.message.Message:
        options.setdefault("timeout", PATIENCE)
        return dns.query.udp(query, options.pop("where", self.address),
                             port=options.pop("port", self.port), **options)

    def tcp(self, query: dns.message.Message, **options) -> dns.message.Message:
        options.setdefault("timeout", PATIENCE)
        return dns.query.tcp(query, options.pop("where", self.address),
                             port=options.pop("port", self.port), **options)

    def ask(self, name: str, rtype: str = "A", *, transport: str = "udp",
            **options) -> dns.message.Message:
        """One query with EDNS, as a modern stub sends it."""
        options.setdefault("use_edns", 0)
        query = dns.message.make_query(name, rtype, **options)
        return self.udp(query) if transport == "udp" else self.tcp(query)

    def assert_right(self, name: str, **options) -> dns.message.Message:
        """Asks for the address of a plain name and compares it with the fake upstream's oracle."""
        response = self.ask(name, **options)
        assert [rdata.address for rrset in response.answer for rdata in rrset] == [
            wire.oracle_text(name)
        ], response
        return response

    def stream(self, **options) -> StreamClient:
        return StreamClient(self.address, self.port, **options)

    def datagram(self, **options) -> DatagramClient:
        return DatagramClient(self.address, self.port, **options)

    def load(self, queries: int, per_second: int = 500, **options) -> LoadResult:
        return load(self.address, self.port, queries=queries, per_second=per_second, **options)

    # --- operating -----------------------------------------------------------------------

    def cache(self, *arguments: str) -> str:
        """What sotto cache prints about this sotto."""
        result = subprocess.run([str(binary()), "cache", *arguments,
                                 "--socket", str(self.control_socket)], capture_output=True,
                                text=True, timeout=PATIENCE, env=environment(), check=False)
        assert result.returncode == 0, result.stderr
        assert not result.stderr, result.stderr
        return result.stdout

    def cache_stats(self) -> dict[str, float]:
        lines = self.cache("stats").splitlines()
        return {name: float(value) for name, value in map(str.split, lines)}

    def configure(self, configuration: dict) -> None:
        self.config_file.write_text(toml(configuration))

    def reload(self) -> None:
        self.signal(signal.SIGHUP)

    def peers(self) -> set[tuple[str, int]]:
        """Remote ends of all its sockets towards others; clients of its own port left out."""
        mine = set()
        for entry in pathlib.Path(f"/proc/{self.pid}/fd").iterdir():
            try:
                target = os.readlink(entry)
            except FileNotFoundError:
                continue
            if target.startswith("socket:["):
                mine.add(target[8:-1])
        found = set()
        for table in ("tcp", "tcp6", "udp", "udp6"):
            for line in pathlib.Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
                fields = line.split()
                local, remote = _endpoint(fields[1]), _endpoint(fields[2])
                if fields[9] in mine and local[1] != self.port and remote[1]:
                    found.add(remote)
        return found

    def assert_healthy(self) -> None:
        """Alive, answers, and no sanitizer complained."""
        assert self.alive(), f"sotto ended with {self.child.returncode}:\n{self.log()}"
        self.await_readiness()
        self.assert_sane()

    def assert_sane(self) -> None:
        assert not SANITIZER_REPORT.search(self.log()), self.log()


def _endpoint(text: str) -> tuple[str, int]:
    """/proc/net's notation: the address as 32-bit words in host order, the port in hexadecimal."""
    address, port = text.split(":")
    words = bytes.fromhex(address)
    octets = b"".join(words[at : at + 4][::-1] for at in range(0, len(words), 4))
    family = socket.AF_INET if len(octets) == 4 else socket.AF_INET6
    return socket.inet_ntop(family, octets), int(port, 16)


def new_port() -> int:
    return ports.free_port()
