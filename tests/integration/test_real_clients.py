"""Clients that others wrote ask over DoT and DoH: each gets the exact answer, and the query is
counted where it came in. RFC 7858, RFC 8310, RFC 8484."""

import re

import pytest

from harness import real_clients, wire
from harness.real_clients import run
from harness.served import PAGE_NAME

PADDED_OCTETS = 468  # RFC 8467 §4.1


@pytest.fixture
def place(served, tmp_path):
    return real_clients.Place(tmp_path, served.tls_port, served.ca_file)


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


@pytest.mark.parametrize("name", real_clients.FORWARDERS)
def test_forwarders_ask_over_tls(served, place, name):
    served.assert_asked_by(*real_clients.start_forwarder(name, place))


@pytest.mark.skipif(real_clients.resolved_missing() != "", reason=real_clients.resolved_missing())
def test_systemd_resolved_asks_over_tls(served, place):
    """DNSOverTLS=yes: never without, and only with the right name in the certificate."""
    served.assert_asked_by(*real_clients.start_resolved(place))
