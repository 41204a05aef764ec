"""The servers of doc/interoperability.md as DoT upstreams: each serves the same zone over TLS,
tells how often it was asked, and can be started again.

Those that cannot serve a zone, or not over TLS, stand in front of an nsd without TLS.
"""

import dataclasses
import pathlib
import re
import shutil
import subprocess
from collections.abc import Callable

from . import ports, real_servers, wire
from .certificates import Authority, Leaf
from .processes import Process
from .waiting import wait_for

# Prefixes of names with the oracle's addresses, and how many there are of each.
NAMES = {"warm": 1, "burst-a": 20, "burst-b": 20, "burst-c": 20, "many": 500, "restart": 500}


def zone_text() -> str:
    names = (f"{prefix}-{index}" for prefix, count in NAMES.items() for index in range(count))
    return real_servers.zone_text() + "".join(
        f"{name} IN A {wire.oracle_text(f'{name}.example')}\n" for name in names)


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a server keeps its files, where it listens, and with which certificate."""

    directory: pathlib.Path
    port: int
    leaf: Leaf
    plain_port: int  # of the nsd behind it, if it has one

    def write(self, name: str, text: str) -> str:
        path = self.directory / name
        path.write_text(text)
        return str(path)


class UpstreamServer(real_servers.RealServer):
    """One of SERVERS. behind: the processes that it asks itself, which it does not outlive."""

    def __init__(self, kind: "Kind", process: Process, place: Place, ca_file: pathlib.Path,
                 behind: list[Process]):
        super().__init__(kind.name, process, place.port, ca_file)
        self.kind = kind
        self._place = place
        self._behind = behind
        self._starts = 1

    def queries(self) -> int:
        """Asked of it since it was started."""
        return self.kind.count(self._place, self.process, self._behind)

    def restart(self) -> None:
        """As its operator would: stopped first, then started with the same configuration."""
        self.process.stop()
        # Children may outlive it for a moment, and hold the port.
        wait_for(lambda: ports.is_left(self.port), f"{self.name} to leave its port")
        self._starts += 1
        if self.kind.between:
            self._behind[0].stop()
            self._behind[0] = self._again(self._behind[0])
        self.process = self._again(self.process)

    def _again(self, process: Process) -> Process:
        log_file = self._place.directory / f"{process.name}-{self._starts}.log"
        return Process(process.name, process.command, log_file, cwd=self._place.directory)

    def stop(self) -> None:
        for process in (self.process, *self._behind):
            process.stop()


# --- how each is started ------------------------------------------------------------------------


def _kresd(place: Place) -> list[str]:
    return ["kresd", "-n", "-c", place.write("kresd.lua", f"""
net.listen("127.0.0.1", {place.port}, {{ kind = "tls" }})
net.tls("{place.leaf.chain}", "{place.leaf.key}")
cache.size = 10 * MB
modules.unload("priming")
modules.unload("ta_update")
trust_anchors.remove(".") -- the zone is not signed
policy.add(function(_, query)
  io.stderr:write("asked ", kres.dname2str(query.sname), "\\n")
end)
policy.add(policy.all(policy.STUB("127.0.0.1@{place.plain_port}")))
"""), str(place.directory)]


def _knotd(place: Place) -> list[str]:
    return ["knotd", "-c", place.write("knot.conf", f"""
server:
    listen-tls: 127.0.0.1@{place.port}
    cert-file: {place.leaf.chain}
    key-file: {place.leaf.key}
    rundir: {place.directory}
    tcp-workers: 1
    udp-workers: 1
    background-workers: 1
control:
    listen: {place.directory}/knot.control
database:
    storage: {place.directory}/database
log:
  - target: stderr
    any: info
mod-stats:
  - id: count
    request-protocol: on
template:
  - id: default
    storage: {place.directory}
    zonefile-sync: -1
    journal-content: none
    global-module: mod-stats/count
zone:
  - domain: example
    file: example.zone
""")]


def _dnsdist(place: Place) -> list[str]:
    return ["dnsdist", "--supervised", "--disable-syslog", "-C", place.write("dnsdist.lua", f"""
addTLSLocal("127.0.0.1:{place.port}", "{place.leaf.chain}", "{place.leaf.key}")
setSecurityPollSuffix("")
newServer({{address="127.0.0.1:{place.plain_port}", checkName="www.example."}})
addAction(AllRule(), LogAction("", false, false, false, false))
""")]


def _named(place: Place) -> list[str]:
    return ["named", "-g", "-n", "1", "-c", place.write("named.conf", f"""
tls ours {{
    cert-file "{place.leaf.chain}";
    key-file "{place.leaf.key}";
}};
options {{
    directory "{place.directory}";
    pid-file none;
    session-keyfile none;
    listen-on port {place.port} tls ours {{ 127.0.0.1; }};
    listen-on-v6 {{ none; }};
    recursion no;
    querylog yes;
    notify no;
    max-records-per-type 0; # "large" has more than the 100 it takes by default
}};
controls {{ }};
zone "example" {{ type primary; file "example.zone"; check-names ignore; }};
""")]


def _stunnel(place: Place) -> list[str]:
    """In front of dnsmasq, see _behind_stunnel."""
    return ["stunnel4", place.write("stunnel.conf", f"""
foreground = yes
pid =
syslog = no
[dot]
accept = 127.0.0.1:{place.port}
connect = 127.0.0.1:{_dnsmasq_port(place)}
cert = {place.leaf.chain}
key = {place.leaf.key}
""")]


# --- what stands behind them --------------------------------------------------------------------


def _dnsmasq_port(place: Place) -> int:
    return int((place.directory / "dnsmasq.port").read_text())


def _behind_stunnel(place: Place) -> Process:
    port = ports.free_port()
    place.write("dnsmasq.port", str(port))
    # Without a cache: it would keep less than the records of one large answer.
    return Process("dnsmasq", [
        "dnsmasq", "--conf-file=/dev/null", "--keep-in-foreground", "--user=", "--pid-file=",
        "--log-facility=-", "--log-queries", "--no-resolv", "--no-hosts", "--cache-size=0",
        "--listen-address=127.0.0.1", "--bind-interfaces", f"--port={port}",
        f"--server=127.0.0.1#{place.plain_port}"], place.directory / "dnsmasq.log")


# --- how many queries each was asked ------------------------------------------------------------

Count = Callable[[Place, Process, list[Process]], int]


def _logged(pattern: str, *, behind: int | None = None) -> Count:
    """Lines of its log, or of what stands behind it, that match."""
    expression = re.compile(pattern, re.MULTILINE)

    def count(_place: Place, process: Process, processes: list[Process]) -> int:
        log = (process if behind is None else processes[behind]).log()
        return len(expression.findall(log))

    return count


def _told(command: list[str], pattern: str) -> Count:
    """What a command that asks the server prints."""

    def count(place: Place, _process: Process, _behind: list[Process]) -> int:
        told = subprocess.run([part.format(place.directory) for part in command],
                              capture_output=True, text=True, check=True).stdout
        return sum(int(found) for found in re.findall(pattern, told, re.MULTILINE))

    return count


@dataclasses.dataclass(frozen=True)
class Kind:
    name: str
    programs: tuple[str, ...]
    packages: str
    count: Count
    # None: real_servers starts it.
    command: Callable[[Place], list[str]] | None = None
    needs_nsd: bool = False  # behind it
    between: Callable[[Place], Process] | None = None  # it and the nsd
    queries_per_connection: int = 1_000_000  # then it closes

    def missing(self) -> str:
        """Why it cannot be tested here; empty if it can."""
        if not all(map(shutil.which, self.programs)):
            return f"needs {self.packages} of Debian"
        if self.name == "knotd" and knot_version() < (3, 4):
            return "knotd serves TLS from 3.4, which Debian 13 has"
        return ""


def knot_version() -> tuple[int, ...]:
    told = subprocess.run(["knotd", "--version"], capture_output=True, text=True, check=True)
    return tuple(int(part) for part in re.search(r"(\d+)\.(\d+)", told.stdout).groups())


SERVERS = {kind.name: kind for kind in (
    Kind("unbound", ("unbound",), "unbound", _logged(r"info: 127\.0\.0\.1 \S+ \S+ IN$")),
    Kind("nsd", ("nsd",), "nsd",
         _told(["nsd-control", "-c", "{}/nsd.conf", "stats_noreset"], r"^num\.queries=(\d+)")),
    Kind("knotd", ("knotd",), "knot",
         _told(["knotc", "-s", "{}/knot.control", "stats", "mod-stats.request-protocol"],
               r"= (\d+)$"), _knotd),
    Kind("kresd", ("kresd", "nsd"), "knot-resolver and nsd", _logged(r"^asked "), _kresd,
         needs_nsd=True),
    Kind("dnsdist", ("dnsdist", "nsd"), "dnsdist and nsd",
         _logged(r"^Packet from 127\.0\.0\.1|^msg=\"Logging packet\""),  # before 2.0, and since
         _dnsdist, needs_nsd=True),
    Kind("named", ("named",), "bind9", _logged(r" client .* query: "), _named),
    Kind("dnsmasq", ("stunnel4", "dnsmasq", "nsd"), "stunnel4, dnsmasq-base and nsd",
         _logged(r"dnsmasq\[\d+\]:.* query\[", behind=0), _stunnel, needs_nsd=True,
         between=_behind_stunnel, queries_per_connection=100),
)}


def _nsd(*arguments) -> real_servers.RealServer:
    """Without authority and additional sections, which clients.load does not expect."""
    return real_servers.start_nsd(*arguments, "minimal-responses: yes")


def start(kind: Kind, directory: pathlib.Path, authority: Authority, leaf: Leaf) -> UpstreamServer:
    """Starts it and what stands behind it; await_readiness() says when it answers."""
    zone = zone_text()
    if kind.command is None:
        started = (_nsd(directory, authority, leaf, zone) if kind.name == "nsd" else
                   real_servers.start_unbound(directory, authority, leaf, zone, "log-queries: yes"))
        place = Place(directory, started.port, leaf, 0)
        return UpstreamServer(kind, started.process, place, authority.ca_file, [])

    behind, plain_port = [], 0
    if kind.needs_nsd:
        nsd = _nsd(directory, authority, leaf, zone)
        behind, plain_port = [nsd.process], nsd.plain_port
        nsd.await_readiness()
    place = Place(directory, ports.free_port(), leaf, plain_port)
    place.write("example.zone", zone)
    if kind.between:
        behind.insert(0, kind.between(place))
    process = Process(kind.name, kind.command(place), directory / f"{kind.name}.log",
                      cwd=directory)
    return UpstreamServer(kind, process, place, authority.ca_file, behind)
