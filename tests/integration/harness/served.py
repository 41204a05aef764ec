"""A sotto that clients of others' making ask, with a listener of each kind."""

import contextlib
import http.server
import threading
from collections.abc import Iterator

import dns.exception
import dns.message
import dns.query

from . import answers, wire
from .admin import Admin
from .certificates import Leaf
from .fake_upstream import FakeUpstream
from .processes import Process
from .sotto import new_port
from .waiting import wait_for

TRANSPORTS = ("udp", "tcp", "tls", "https")
PAGE_NAME = "page.example"  # has the address of web servers in tests


def answer(asked: wire.Query) -> answers.Replies:
    if asked.name.rstrip(".").lower() == PAGE_NAME and asked.qtype == wire.A:
        return [(0, wire.respond(asked, (wire.record(wire.A, b"\x7f\0\0\1"),)))]
    return answers.right(asked)


class Served:
    """On 127.0.0.1; its certificate is good for dns.test."""

    def __init__(self, start, leaf: Leaf, ca_file, fake: FakeUpstream):
        fake.answer = answer
        self.ca_file = ca_file
        self.leaf = leaf
        tls_port, https_port, admin_port = new_port(), new_port(), new_port()
        self.sotto = start(fake, listen={
            "tls": [f"127.0.0.1:{tls_port}"], "https": [f"127.0.0.1:{https_port}"],
            "admin": f"127.0.0.1:{admin_port}",
        }, server_tls={"certificate": str(leaf.chain), "key": str(leaf.key)})
        self.ports = {"udp": self.sotto.port, "tcp": self.sotto.port, "tls": tls_port,
                      "https": https_port}
        self._admin = Admin(admin_port)

    @property
    def tls_port(self) -> int:
        return self.ports["tls"]

    @property
    def https_port(self) -> int:
        return self.ports["https"]

    def counted(self) -> dict[str, float]:
        metrics = self._admin.metrics()
        return {transport: metrics("sotto_queries_total", transport=transport)
                for transport in TRANSPORTS}

    def wait_for_counted(self, before: dict[str, float], transport: str) -> None:
        """Queries came, and over this transport alone."""
        wait_for(lambda: self.counted()[transport] > before[transport], f"queries over {transport}")
        others = [(count, before[other]) for other, count in self.counted().items()
                  if other != transport]
        assert all(now == then for now, then in others), others

    def assert_asked_by(self, process: Process, port: int, transport: str = "tls") -> None:
        """A forwarder at this port asks sotto over transport, and nobody else; it is ended."""
        name = f"{process.name}.example"
        before = self.counted()

        def response():
            try:
                found = dns.query.udp(dns.message.make_query(name, "A"), "127.0.0.1", port=port,
                                      timeout=0.2)
            except (OSError, dns.exception.DNSException):
                return None
            return found if found.answer else None

        try:
            found = process.wait_until(response, "answering")
            assert [rdata.address for rrset in found.answer for rdata in rrset] == [
                wire.oracle_text(name)]
            self.wait_for_counted(before, transport)
        finally:
            process.stop()


class Page(http.server.BaseHTTPRequestHandler):
    """Says which host it was asked for."""

    def do_GET(self):
        self.server.asked.append(self.headers["Host"])
        page = f"<html><body>This is {self.headers['Host']}</body></html>".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_ignored):
        pass


@contextlib.contextmanager
def web_server() -> Iterator[http.server.ThreadingHTTPServer]:
    """On 127.0.0.1; its list "asked" holds the hosts it was asked for."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        server.asked = []
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()
