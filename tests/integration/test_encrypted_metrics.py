"""What clients did over TLS and HTTPS is counted, shown by the admin listener, told at the end."""

import socket
import ssl
import subprocess
import time

from harness import wire
from harness.admin import Admin, Metrics
from harness.sotto import binary, environment, new_port
from harness.waiting import PATIENCE, wait_for


def ask_over_https(port: int, path: str, authority) -> int:
    return subprocess.run(
        [str(binary()), "query", f"@https://127.0.0.1:{port}{path}", "localhost",
         "--ca-file", str(authority.ca_file)],
        capture_output=True, timeout=PATIENCE, env=environment(), check=False).returncode


def ask_over_tls(port: int, context: ssl.SSLContext, session=None) -> ssl.SSLSession:
    """Asks one question and leaves."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as plain:
        with context.wrap_socket(plain, server_hostname="dns.test", session=session) as client:
            client.sendall(wire.framed(wire.query("localhost")))
            assert client.recv(65_536)
            return client.session


def closed_after(port: int, octets: bytes) -> None:
    """Sends that and waits until sotto hangs up."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client:
        client.sendall(octets)
        while client.recv(4_096):
            pass


def test_connections_over_tls_and_https_are_counted(start, fake, leaf, authority):
    tls, https, closed, admin_port = new_port(), new_port(), new_port(), new_port()
    sotto = start(
        fake, listen={
            "tls": [{"address": f"127.0.0.1:{tls}"},
                    {"address": f"127.0.0.1:{closed}", "client_ca": str(authority.ca_file)}],
            "https": [f"127.0.0.1:{https}"], "admin": f"127.0.0.1:{admin_port}"},
        server_tls={"certificate": str(leaf.chain), "key": str(leaf.key)})
    admin = Admin(admin_port)
    context = ssl.create_default_context(cafile=str(authority.ca_file))
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # its tickets are there at once
    ask_over_tls(tls, context, ask_over_tls(tls, context))
    closed_after(tls, b"GET / HTTP/1.1\r\n\r\n")
    try:
        ask_over_tls(closed, context)
        raise AssertionError("answered without a certificate")
    except OSError:
        pass
    assert ask_over_https(https, "/dns-query", authority) == 0
    assert ask_over_https(https, "/elsewhere", authority) == 1

    def all_counted() -> Metrics | None:
        metrics = admin.metrics()
        ended = metrics.sum("sotto_tls_connections_closed_total")
        return metrics if ended == 4 and metrics("sotto_https_connections") == 0 else None

    metrics = wait_for(all_counted, "all connections ended")
    assert metrics("sotto_queries_total", transport="tls") == 2
    assert metrics("sotto_responses_total", transport="tls", rcode="NOERROR") == 2
    assert metrics("sotto_queries_total", transport="https") == 1
    assert metrics("sotto_responses_total", transport="https", rcode="NOERROR") == 1
    assert metrics("sotto_tls_connections_accepted_total") == 4
    assert metrics("sotto_tls_handshakes_total", kind="full") == 1
    assert metrics("sotto_tls_handshakes_total", kind="resumed") == 1
    reasons = {reason: metrics("sotto_tls_connections_closed_total", reason=reason)
               for reason in ("not_tls", "certificate", "other")}
    assert reasons == {"not_tls": 1, "certificate": 1, "other": 2}
    assert metrics("sotto_https_connections_accepted_total") == 2
    assert metrics("sotto_https_requests_total", result="answered") == 1
    assert metrics("sotto_https_requests_total", result="refused") == 1
    expires = metrics("sotto_server_certificate_expiry_timestamp_seconds", file=str(leaf.chain))
    assert 19 * 86_400 < expires - time.time() < 21 * 86_400

    assert sotto.stop() == 0
    totals = sotto.wait_for_log("stopped.tls")
    assert " queries=2 accepted=4 rejected=0 handshakes=2 resumed=1 " in totals
    assert ' failed="not_tls:1 certificate:1" ' in totals
    assert " answered=1 refused=1 http1=0 " in sotto.wait_for_log("stopped.requests")
