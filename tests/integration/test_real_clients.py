"""Clients that others wrote ask over DoT and DoH: each gets the exact answer, and the query is
counted where it came in. RFC 7858, RFC 8310, RFC 8484."""

import http.server
import re
import subprocess
import threading

import dns.exception
import dns.message
import dns.query
import pytest

from harness import answers, real_clients, wire
from harness.admin import Admin
from harness.fake_upstream import FakeUpstream
from harness.sotto import new_port
from harness.waiting import PATIENCE, wait_for

PADDED_OCTETS = 468  # RFC 8467 §4.1
PAGE_NAME = "page.example"  # has the address of the web server below


def answer(asked: wire.Query) -> answers.Replies:
    if asked.name.rstrip(".").lower() == PAGE_NAME and asked.qtype == wire.A:
        return [(0, wire.respond(asked, (wire.record(wire.A, b"\x7f\0\0\1"),)))]
    return answers.right(asked)


class Served:
    """A sotto with encrypted listeners on 127.0.0.1, its certificate good for dns.test."""

    def __init__(self, start, leaf, ca_file, fake):
        self.ca_file = ca_file
        self.leaf = leaf
        self.tls_port, self.https_port, admin_port = new_port(), new_port(), new_port()
        self.sotto = start(fake, listen={
            "tls": [f"127.0.0.1:{self.tls_port}"], "https": [f"127.0.0.1:{self.https_port}"],
            "admin": f"127.0.0.1:{admin_port}",
        }, server_tls={"certificate": str(leaf.chain), "key": str(leaf.key)})
        self._admin = Admin(admin_port)

    def counted(self) -> dict[str, float]:
        metrics = self._admin.metrics()
        return {transport: metrics("sotto_queries_total", transport=transport)
                for transport in ("udp", "tcp", "tls", "https")}

    def wait_for_counted(self, before: dict[str, float], transport: str) -> None:
        """Queries came, and over this transport alone."""
        wait_for(lambda: self.counted()[transport] > before[transport], f"queries over {transport}")
        others = [(count, before[other]) for other, count in self.counted().items()
                  if other != transport]
        assert all(now == then for now, then in others), others


@pytest.fixture(scope="module")
def served(start_for_module, leaf, authority):
    with FakeUpstream(leaf) as fake:
        fake.answer = answer
        yield Served(start_for_module, leaf, authority.ca_file, fake)


@pytest.fixture
def place(served, tmp_path):
    return real_clients.Place(tmp_path, served.tls_port, served.ca_file)


@pytest.fixture
def web_server():
    """Says which host it was asked for."""
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            page = f"<html><body>This is {self.headers['Host']}</body></html>".encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_ignored):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
    return done.stdout


# --- programs that ask once ---------------------------------------------------------------------

# The name of the option that says how: by which transport it comes in.
WAYS = {"+tls": "tls", "+https": "https", "+https-get": "https"}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("program", ["kdig", "dig"])
def test_kdig_and_dig(served, program, way):
    """Strictly authenticated. +https is by POST."""
    transport, before = WAYS[way], served.counted()
    port = served.tls_port if transport == "tls" else served.https_port
    name = f"{program}{way.replace('+', '-')}.example"
    ways = ["+https", way] if (program, way) == ("kdig", "+https-get") else [way]
    assert run(program, "@127.0.0.1", "-p", str(port), *ways, f"+tls-ca={served.ca_file}",
               "+tls-hostname=dns.test", "+short", name, "A") == f"{wire.oracle_text(name)}\n"
    served.wait_for_counted(before, transport)


@pytest.mark.parametrize("way", ["+tls", "+https"])
def test_responses_to_padded_queries_are_padded(served, way):
    port = served.tls_port if way == "+tls" else served.https_port
    options = (way, f"+tls-ca={served.ca_file}", "+tls-hostname=dns.test")
    padded = run("kdig", "@127.0.0.1", "-p", str(port), *options, "+padding=128", "p.example")
    plain = run("kdig", "@127.0.0.1", "-p", str(port), *options, "+nopadding", "p.example")
    assert wire.oracle_text("p.example") in padded and wire.oracle_text("p.example") in plain
    assert f";; Received {PADDED_OCTETS} B\n" in padded and "PADDING" in padded.upper()
    assert int(re.search(r";; Received (\d+) B", plain).group(1)) < 128


def test_curl_looks_up_names(served, web_server):
    before, port = served.counted(), web_server.server_address[1]
    page = run("curl", "--silent", "--show-error", "--noproxy", "*", "--cacert",
               str(served.ca_file), "--doh-url", f"https://127.0.0.1:{served.https_port}/dns-query",
               f"http://{PAGE_NAME}:{port}/")
    assert page == f"<html><body>This is {PAGE_NAME}:{port}</body></html>"
    served.wait_for_counted(before, "https")


@pytest.mark.skipif(real_clients.chromium_missing() != "", reason=real_clients.chromium_missing())
@pytest.mark.parametrize("variables", ["", "{?dns}"], ids=["post", "get"])
def test_chromium_loads_a_page(served, web_server, tmp_path, variables):
    """Secure DNS, so that it would look up names nowhere else."""
    before, port = served.counted(), web_server.server_address[1]
    page = real_clients.chromium_loads(
        f"http://{PAGE_NAME}:{port}/",
        f"https://127.0.0.1:{served.https_port}/dns-query{variables}", served.leaf, tmp_path)
    assert f"<body>This is {PAGE_NAME}:{port}</body>" in page
    served.wait_for_counted(before, "https")


# --- programs that forward ----------------------------------------------------------------------


def assert_forwards(served: Served, process, port: int) -> None:
    name = f"{process.name}.example"
    before = served.counted()

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
        served.wait_for_counted(before, "tls")
    finally:
        process.stop()


@pytest.mark.parametrize("name", real_clients.FORWARDERS)
def test_forwarders_ask_over_tls(served, place, name):
    assert_forwards(served, *real_clients.start_forwarder(name, place))


@pytest.mark.skipif(real_clients.resolved_missing() != "", reason=real_clients.resolved_missing())
def test_systemd_resolved_asks_over_tls(served, place):
    """DNSOverTLS=yes: never without, and only with the right name in the certificate."""
    assert_forwards(served, *real_clients.start_resolved(place))
