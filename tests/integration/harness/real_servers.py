"""Real DNS servers as DoT upstreams: unbound and nsd, two TLS servers of different make."""

import pathlib
import socket
import ssl

import dns.message
import dns.query

from . import ports
from .certificates import Authority, Leaf
from .clients import StreamClient
from .processes import Process

# Both serve the same zone. The names say what each record is for.
ZONE = r"""$ORIGIN example.
$TTL 300
@           IN SOA   ns.example. hostmaster.example. 2024010101 7200 3600 1209600 300
@           IN NS    ns.example.
ns          IN A     192.0.2.53
www         IN A     192.0.2.80
www         IN AAAA  2001:db8::80
multi       IN A     192.0.2.1
multi       IN A     192.0.2.2
multi       IN A     192.0.2.3
alias       IN CNAME www.example.
mail        IN MX    10 mx.example.
mail        IN MX    20 backup.mx.example.
text        IN TXT   "first string" "second string"
_sip._tcp   IN SRV   1 2 5060 www.example.
caa         IN CAA   0 issue "ca.example"
naptr       IN NAPTR 100 10 "U" "E2U+sip" "!^.*$!sip:info@example!" .
unknown     IN TYPE65280 \# 6 000102c00cff
with\.dot   IN A     192.0.2.10
nul\000byte IN A     192.0.2.11
a\032space  IN A     192.0.2.12
"""

# What else there is: nobody is asked beyond the loopback.
ROOT_ZONE = """. 300 IN SOA ns.example. hostmaster.example. 1 7200 3600 1209600 300
. 300 IN NS ns.example.
example. 300 IN NS ns.example.
ns.example. 300 IN A 192.0.2.53
"""

LONGEST = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 53, "example."])  # 255 octets on the wire
LARGE_STRINGS = 240  # of 250 octets: a TXT RRset near 64 kB


def zone_text() -> str:
    large = "".join(
        f'large IN TXT "{index:04d}{"x" * 246}"\n' for index in range(LARGE_STRINGS)
    )
    middle = "".join(f'middle IN TXT "{index:04d}{"y" * 196}"\n' for index in range(10))
    return ZONE + f"{LONGEST} IN A 192.0.2.13\n" + large + middle


class RealServer:
    """A running server; url() is what sotto is told."""

    address = "127.0.0.1"

    def __init__(self, name: str, process: Process, port: int, ca_file: pathlib.Path):
        self.name = name
        self.process = process
        self.port = port
        self.ca_file = ca_file
        self.plain_port: int | None = None  # DNS over TCP without TLS

    def url(self, auth_name: str = "dns.test") -> str:
        return f"tls://{self.address}:{self.port}#{auth_name}"

    def ask(self, query: dns.message.Message, patience: float = 5) -> dns.message.Message:
        """Asks the server itself over DoT, past sotto."""
        context = ssl.create_default_context(cafile=str(self.ca_file))
        return dns.query.tls(query, self.address, port=self.port, timeout=patience,
                             ssl_context=context, server_hostname="dns.test")

    def stream(self) -> StreamClient:
        """A DoT connection to the server itself."""
        client = StreamClient(self.address, self.port)
        context = ssl.create_default_context(cafile=str(self.ca_file))
        client.socket = context.wrap_socket(client.socket, server_hostname="dns.test")
        return client

    def await_listening(self) -> None:
        """For one that answers nobody."""
        def listens() -> bool:
            try:
                socket.create_connection((self.address, self.port), 1).close()
                return True
            except OSError:
                return False

        self.process.wait_until(listens, "listening")

    def await_readiness(self) -> None:
        def answers() -> bool:
            try:
                return bool(self.ask(dns.message.make_query("www.example.", "A"), 1).answer)
            except (OSError, EOFError, dns.exception.DNSException):
                return False

        self.process.wait_until(answers, "answering over TLS")


def start_unbound(directory: pathlib.Path, authority: Authority, leaf: Leaf,
                  zone: str | None = None, extra: str = "",
                  access: str = "allow_snoop") -> RealServer:
    """extra: one more setting of the section "server", here as for nsd. access: what everybody
    gets, as unbound's access-control says it."""
    port = ports.free_port()
    (directory / "example.zone").write_text(zone or zone_text())
    (directory / "root.zone").write_text(ROOT_ZONE)
    (directory / "unbound.conf").write_text(f"""
server:
    directory: "{directory}"
    chroot: ""
    username: ""
    pidfile: ""
    do-daemonize: no
    use-syslog: no
    logfile: ""
    interface: 127.0.0.1@{port}
    port: {port}
    tls-port: {port}
    tls-service-key: "{leaf.key}"
    tls-service-pem: "{leaf.chain}"
    access-control: 127.0.0.0/8 {access}
    module-config: "iterator"
    num-threads: 1
    msg-buffer-size: 65552
    rrset-roundrobin: no
    incoming-num-tcp: 100
    identity: "unbound for sotto"
    hide-version: no
    do-not-query-localhost: yes
    local-zone: "refused.example." refuse
    ede: yes
    {extra}
auth-zone:
    name: "example."
    zonefile: "{directory}/example.zone"
    for-downstream: yes
    for-upstream: yes
    fallback-enabled: no
auth-zone:
    name: "."
    zonefile: "{directory}/root.zone"
    for-downstream: yes
    for-upstream: yes
    fallback-enabled: no
remote-control:
    control-enable: no
""")
    process = Process("unbound", ["unbound", "-d", "-c", str(directory / "unbound.conf")],
                      directory / "unbound.log")
    return RealServer("unbound", process, port, authority.ca_file)


def start_nsd(directory: pathlib.Path, authority: Authority, leaf: Leaf,
              zone: str | None = None, extra: str = "") -> RealServer:
    port, plain_port = ports.free_port(), ports.free_port()
    (directory / "example.zone").write_text(zone or zone_text())
    (directory / "nsd.conf").write_text(f"""
server:
    ip-address: 127.0.0.1@{port}
    ip-address: 127.0.0.1@{plain_port}
    port: {port}
    tls-port: {port}
    tls-service-key: "{leaf.key}"
    tls-service-pem: "{leaf.chain}"
    server-count: 1
    username: ""
    chroot: ""
    zonesdir: "{directory}"
    database: ""
    pidfile: "{directory}/nsd.pid"
    xfrdfile: "{directory}/xfrd.state"
    zonelistfile: "{directory}/zone.list"
    logfile: "{directory}/nsd.messages"
    identity: "nsd for sotto"
    nsid: "ascii_nsd"
    tcp-count: 100
    round-robin: no
    refuse-any: no
    rrl-ratelimit: 0
    {extra}
remote-control:
    control-enable: yes
    control-interface: "{directory}/nsd.control"
zone:
    name: "example."
    zonefile: "example.zone"
""")
    process = Process("nsd", ["nsd", "-d", "-c", str(directory / "nsd.conf")],
                      directory / "nsd.log")
    server = RealServer("nsd", process, port, authority.ca_file)
    server.plain_port = plain_port
    return server


def can_bind(address: str) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True
