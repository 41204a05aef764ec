"""The servers of the load benchmark: the echo, the DoT upstream, sotto, and sotto's rivals.

Each runs on one CPU with one worker, on a loopback port of its own, with files in one directory.
"""

import argparse
import pathlib
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/integration"))

from harness import ports  # noqa: E402
from harness.certificates import Authority, Leaf  # noqa: E402
from harness.processes import Process  # noqa: E402

AUTH_NAME = "dns.test"  # the name in the SAN of the certificate, the upstream's and the server's
DNSPERF_DOH = "dnsperf-doh"  # by dnsperf, where "doh" is by a client of our own
STREAMS_MAX = 1_000  # what a rival takes in connections, and queries of one: above any scenario's


@dataclass
class Place:
    """Where everything lies, what the upstream is called, and the certificate that it and the
    servers under test present."""

    directory: pathlib.Path
    authority: Authority
    leaf: Leaf
    upstream_port: int
    more_ports: list[int] = field(default_factory=list)  # of further upstreams like it
    upstream_address: str = "127.0.0.1"

    @property
    def upstreams(self) -> list[tuple[str, int]]:
        """In the order in which they are configured."""
        return [(self.upstream_address, port) for port in (self.upstream_port, *self.more_ports)]

    def write(self, name: str, text: str) -> str:
        path = self.directory / name
        path.write_text(text)
        return str(path)


@dataclass(frozen=True)
class Listen:
    """The ports of 127.0.0.1 on which a server under test is asked; 0: not by that transport."""

    plain: int
    tls: int = 0
    https: int = 0

    def port(self, transport: str) -> int:
        """transport: one of dnsperf's, or DNSPERF_DOH."""
        return {"dot": self.tls, "doh": self.https, DNSPERF_DOH: self.https}.get(transport,
                                                                                self.plain)


def new_listen(encrypted: bool = False) -> Listen:
    if not encrypted:
        return Listen(ports.free_port())
    return Listen(ports.free_port(), ports.free_port(), ports.free_port())


def new_place(directory: pathlib.Path) -> Place:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    authority = Authority(directory / "certificates")
    return Place(directory, authority, authority.leaf(names=(AUTH_NAME,)), ports.free_port())


def start(place: Place, name: str, command: list[str], cpu: str, **options) -> Process:
    return Process(name, ["taskset", "-c", cpu, *command], place.directory / f"{name}.log",
                   **options)


# --- the DoT upstream: answers every name, one worker -------------------------------------------


ZONE = """$ORIGIN bench.example.
@ 86400 SOA ns root 1 3600 600 86400 60
@ 86400 NS ns
ns 86400 A 192.0.2.53
* 86400 A 192.0.2.1
"""


def upstream_own(place: Place) -> list[str]:
    return [str(ROOT / "build/bench/tests/bench/dot_upstream"), str(place.upstream_port),
            str(place.leaf.chain), str(place.leaf.key)]


def upstream_dnsdist(place: Place) -> list[str]:
    return ["dnsdist", "--supervised", "--disable-syslog", "-C", place.write("upstream.lua", f"""
addTLSLocal("127.0.0.1:{place.upstream_port}", "{place.leaf.chain}", "{place.leaf.key}",
            {{maxInFlight=2000}})
newServer("127.0.0.1:9")
setMaxTCPClientThreads(1)
setMaxTCPQueriesPerConnection(0)
setSecurityPollSuffix("")
addAction(AllRule(), SpoofAction("192.0.2.1", {{ttl=86400}}))
""")]


def upstream_nsd(place: Place) -> list[str]:
    place.write("bench.zone", ZONE)
    directory = place.directory
    return ["nsd", "-d", "-c", place.write("nsd.conf", f"""
server:
  ip-address: 127.0.0.1@{place.upstream_port}
  tls-port: {place.upstream_port}
  tls-service-key: {place.leaf.key}
  tls-service-pem: {place.leaf.chain}
  server-count: 1
  username: ""
  chroot: ""
  zonesdir: {directory}
  pidfile: {directory}/nsd.pid
  xfrdfile: {directory}/xfrd.state
  zonelistfile: {directory}/zone.list
  xfrdir: {directory}
  tcp-query-count: 0
  minimal-responses: yes
remote-control:
  control-enable: no
zone:
  name: bench.example
  zonefile: bench.zone
""")]


def upstream_unbound(place: Place) -> list[str]:
    return ["unbound", "-d", "-c", place.write("upstream.conf", f"""
server:
  interface: 127.0.0.1@{place.upstream_port}
  tls-port: {place.upstream_port}
  tls-service-key: {place.leaf.key}
  tls-service-pem: {place.leaf.chain}
  chroot: ""
  username: ""
  directory: {place.directory}
  pidfile: ""
  use-syslog: no
  num-threads: 1
  module-config: "iterator"
  minimal-responses: yes
  local-zone: "bench.example." redirect
  local-data: "bench.example. 86400 A 192.0.2.1"
remote-control:
  control-enable: no
""")]


def upstream_knotd(place: Place) -> list[str]:
    place.write("bench.zone", ZONE)
    directory = place.directory
    return ["knotd", "-c", place.write("knotd.conf", f"""
server:
    listen-tls: 127.0.0.1@{place.upstream_port}
    rundir: {directory}
    key-file: {place.leaf.key}
    cert-file: {place.leaf.chain}
    tcp-workers: 1
    udp-workers: 1
    tcp-max-clients: {STREAMS_MAX}
database:
    storage: {directory}
log:
  - target: stderr
    any: warning
zone:
  - domain: bench.example
    file: {directory}/bench.zone
""")]


def has_tls(kind: str) -> bool:
    """Is this upstream installed, in a version that serves DoT?"""
    if kind == "own":
        return True
    if shutil.which(kind) is None:
        return False
    if kind != "knotd":
        return True
    version = subprocess.run(["knotd", "--version"], capture_output=True, text=True).stdout
    number = re.search(r"(\d+)\.(\d+)", version)
    return number is not None and tuple(map(int, number.groups())) >= (3, 4)


# Our own is the quickest; the others are what people run.
UPSTREAMS = {"unbound": upstream_unbound, "own": upstream_own, "knotd": upstream_knotd,
             "nsd": upstream_nsd, "dnsdist": upstream_dnsdist}


# --- under test ---------------------------------------------------------------------------------


def _sotto_listeners(place: Place, listen: Listen, more: str) -> str:
    if not listen.tls:
        return f"[listen]\n{more}\n"
    return f"""
[listen]
tls = ["127.0.0.1:{listen.tls}"]
https = ["127.0.0.1:{listen.https}"]
{more}

[server_tls]
certificate = "{place.leaf.chain}"
key = "{place.leaf.key}"
"""


def sotto(binary: pathlib.Path, settings: str = "", listeners: str = ""):
    """settings: the text of a configuration file; listeners: what else stands in [listen]."""
    def command(place: Place, listen: Listen) -> list[str]:
        text = settings + _sotto_listeners(place, listen, listeners)
        urls = [f"--upstream=tls://{address}:{upstream_port}#{AUTH_NAME}"
                for address, upstream_port in place.upstreams]
        return [str(binary), "serve", "--config", place.write(f"sotto-{listen.plain}.toml", text),
                "--listen", f"127.0.0.1:{listen.plain}", *urls, "--ca-file",
                str(place.authority.ca_file)]

    return command


def rival_unbound(place: Place, listen: Listen) -> list[str]:
    forward = "".join(f"  forward-addr: {address}@{upstream_port}#{AUTH_NAME}\n"
                      for address, upstream_port in place.upstreams)
    encrypted = f"""  interface: 127.0.0.1@{listen.tls}
  interface: 127.0.0.1@{listen.https}
  tls-port: {listen.tls}
  https-port: {listen.https}
  tls-service-key: {place.leaf.key}
  tls-service-pem: {place.leaf.chain}
  incoming-num-tcp: {STREAMS_MAX}
""" if listen.tls else ""
    return ["unbound", "-d", "-c", place.write("rival.conf", f"""
server:
  interface: 127.0.0.1@{listen.plain}
{encrypted}  chroot: ""
  username: ""
  directory: {place.directory}
  pidfile: ""
  use-syslog: no
  num-threads: 1
  module-config: "iterator"
  num-queries-per-thread: 4096
  outgoing-range: 8192
  do-not-query-localhost: no
  tls-cert-bundle: {place.authority.ca_file}
remote-control:
  control-enable: no
forward-zone:
  name: "."
  forward-tls-upstream: yes
{forward}""")]


def rival_dnsdist(place: Place, listen: Listen) -> list[str]:
    upstreams = "".join(f"""
newServer({{address="{address}:{upstream_port}", tls="openssl", subjectName="{AUTH_NAME}",
            caStore="{place.authority.ca_file}", validateCertificates=true}})"""
                        for address, upstream_port in place.upstreams)
    encrypted = f"""
addTLSLocal("127.0.0.1:{listen.tls}", "{place.leaf.chain}", "{place.leaf.key}",
            {{maxInFlight={STREAMS_MAX}}})
addDOHLocal("127.0.0.1:{listen.https}", "{place.leaf.chain}", "{place.leaf.key}", "/dns-query")
""" if listen.tls else ""
    return ["dnsdist", "--supervised", "--disable-syslog", "-C", place.write("rival.lua", f"""
setLocal("127.0.0.1:{listen.plain}"){upstreams}{encrypted}
setSecurityPollSuffix("")
pc = newPacketCache(1000000)
getPool(""):setCache(pc)
""")]


def rival_kresd(place: Place, listen: Listen) -> list[str]:
    upstreams = ",\n".join(f"""{{"{address}@{upstream_port}", hostname="{AUTH_NAME}",
  ca_file="{place.authority.ca_file}"}}""" for address, upstream_port in place.upstreams)
    encrypted = f"""net.listen("127.0.0.1", {listen.tls}, {{ kind = "tls" }})
net.listen("127.0.0.1", {listen.https}, {{ kind = "doh2" }})
net.tls("{place.leaf.chain}", "{place.leaf.key}")
""" if listen.tls else ""
    return ["kresd", "-n", "-c", place.write("kresd.lua", f"""
net.listen("127.0.0.1", {listen.plain}, {{ kind = "dns" }})
{encrypted}cache.size = 100 * MB
modules.unload("priming")
modules.unload("ta_update")
trust_anchors.remove(".") -- the upstream signs nothing
policy.add(policy.all(policy.TLS_FORWARD({{
{upstreams}}})))
"""), str(place.directory)]


def rival_smartdns(place: Place, listen: Listen) -> list[str]:
    upstreams = "".join(f"server-tls {address}:{upstream_port} -host-name {AUTH_NAME} "
                        f"-tls-host-verify {AUTH_NAME}\n"
                        for address, upstream_port in place.upstreams)
    return ["smartdns", "-f", "-x", "-p", "-", "-c", place.write("smartdns.conf", f"""
bind 127.0.0.1:{listen.plain}
{upstreams}ca-file {place.authority.ca_file}
speed-check-mode none
cache-persist no
log-level error
""")]


def rival_stubby(place: Place, listen: Listen) -> list[str]:
    upstreams = "".join(f"""
  - address_data: {address}
    tls_port: {upstream_port}
    tls_auth_name: "{AUTH_NAME}\"""" for address, upstream_port in place.upstreams)
    return ["stubby", "-C", place.write("stubby.yml", f"""
resolution_type: GETDNS_RESOLUTION_STUB
dns_transport_list:
  - GETDNS_TRANSPORT_TLS
tls_authentication: GETDNS_AUTHENTICATION_REQUIRED
tls_ca_file: "{place.authority.ca_file}"
appdata_dir: "{place.directory}"
idle_timeout: 10000
listen_addresses:
  - 127.0.0.1@{listen.plain}
upstream_recursive_servers:{upstreams}
""")]


# Those that clients can reach over DoT and DoH.
ENCRYPTED = ("sotto", "unbound", "dnsdist", "kresd")
RIVALS = {"unbound": rival_unbound, "dnsdist": rival_dnsdist, "kresd": rival_kresd,
          "smartdns": rival_smartdns, "stubby": rival_stubby}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--binary", type=pathlib.Path, default=ROOT / "build/release/sotto")
    parser.add_argument("--rivals", nargs="*", choices=RIVALS, metavar="NAME",
                        help=f"also measure these, or all installed: {', '.join(RIVALS)}")
    parser.add_argument("--without-sotto", action="store_true")


def end_with_children() -> None:
    """SIGTERM unwinds, so that what was started is stopped."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


def tested(arguments: argparse.Namespace) -> dict:
    """What to measure: names and the functions that make their command lines."""
    select = getattr(arguments, "select", None)
    settings = f'[[group]]\nname = "default"\nselect = "{select}"\n' if select else ""
    found = {} if arguments.without_sotto else {"sotto": sotto(arguments.binary, settings)}
    if arguments.rivals is not None:
        for name in arguments.rivals or filter(shutil.which, RIVALS):
            found[name] = RIVALS[name]
    return found
