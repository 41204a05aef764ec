"""sotto query: a small dig, which is also the health check of the container."""

import subprocess

import pytest

from harness import answers, wire
from harness.sotto import binary, environment, new_port
from harness.waiting import PATIENCE


def run(*arguments: str, env: dict[str, str] | None = None):
    return subprocess.run([str(binary()), "query", *arguments], capture_output=True, text=True,
                          timeout=PATIENCE, env=environment(**(env or {})), check=False)


@pytest.fixture
def server(shared) -> str:
    return f"@127.0.0.1:{shared.sotto.port}"


@pytest.mark.parametrize("transport", [[], ["--tcp"]])
def test_udp_and_tcp(shared, upstream, server, transport):
    result = run(*transport, server, "www.example", "A")
    assert result.returncode == 0, result.stderr
    assert wire.oracle_text("www.example") in result.stdout
    assert "NOERROR" in result.stdout


def test_the_type_defaults_to_a(shared, upstream, server):
    result = run(server, "default.example")
    assert result.returncode == 0 and wire.oracle_text("default.example") in result.stdout


def test_tls_to_a_real_server(unbound):
    """It authenticates like sotto itself: --ca-file and the name in the URL."""
    result = run(f"@{unbound.url()}", "--ca-file", str(unbound.ca_file), "text.example", "TXT")
    assert result.returncode == 0, result.stderr
    assert '"first string" "second string"' in result.stdout


def test_tls_to_an_impostor_fails(unbound):
    result = run(f"@{unbound.url('other.test')}", "--ca-file", str(unbound.ca_file),
                 "www.example", "A")
    assert result.returncode == 1
    assert "other.test" in result.stderr and "192.0.2.80" not in result.stdout


def test_flags_edns_extended_errors_and_time_are_shown(shared, upstream, server):
    upstream.answer = answers.failure(wire.SERVFAIL, (6, "signature expired"))
    result = run(server, "bogus.example", "A")
    for shown in ("SERVFAIL", "qr", "rd", "ra", "EDNS", "EDE", "6", "signature expired", "ms"):
        assert shown in result.stdout, result.stdout


@pytest.mark.parametrize("rcode, word, code", [
    (wire.NOERROR, "NOERROR", 0), (wire.NXDOMAIN, "NXDOMAIN", 0), (wire.REFUSED, "REFUSED", 1),
    (wire.SERVFAIL, "SERVFAIL", 1)])
def test_the_exit_code_says_whether_the_resolver_works(shared, upstream, server, rcode, word, code):
    """A name that does not exist is an answer; a failing resolver is what a health check seeks."""
    upstream.answer = answers.failure(rcode)
    result = run(server, f"{word.lower()}.example", "A")
    assert word in result.stdout
    assert result.returncode == code


def test_no_server_is_a_failure():
    result = run(f"@127.0.0.1:{new_port()}", "www.example", "A")
    assert result.returncode == 1 and result.stderr


@pytest.mark.parametrize("arguments", [
    [], ["@127.0.0.1:53", "www.example", "NONSENSE"], ["@nowhere:x", "www.example"],
    ["@127.0.0.1:53", "a" * 64 + ".example"], ["@127.0.0.1:53", "a", "A", "surplus"],
    ["--nonsense", "www.example"]])
def test_usage_errors_exit_with_2(arguments):
    result = run(*arguments)
    assert result.returncode == 2 and result.stderr


def test_a_ca_file_that_cannot_be_read_is_wrong_usage(tmp_path):
    done = run("@tls://127.0.0.1:9#dns.test", "localhost", "--ca-file",
               str(tmp_path / "none"))
    assert done.returncode == 2
    assert done.stderr.startswith("sotto: no certificate can be read from the CA file")


def test_output_that_cannot_be_written_is_a_failure():
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([str(binary()), "check"], stdout=full, check=False,
                              env=environment())
    assert done.returncode == 1


def test_truncation_over_udp_is_retried_over_tcp_and_said(shared, upstream, server):
    upstream.answer = answers.of_size(5_000)
    result = run(server, "long.example", "TXT")
    assert result.returncode == 0
    assert ";; truncated over UDP, asked over TCP\n" in result.stdout
    assert result.stdout.count("x") > 4_500  # the whole of it


@pytest.mark.parametrize("name, rtype, shown", [
    ("mail.example", "MX", "10 mx.example."), ("caa.example", "CAA", "ca.example"),
    ("_sip._tcp.example", "SRV", "1 2 5060 www.example."),
    ("unknown.example", "TYPE65280", "000102C00CFF"), (r"with\.dot.example", "A", "192.0.2.10"),
    ("www.example", "AAAA", "2001:db8::80"), ("example", "SOA", "hostmaster.example.")])
def test_records_are_printed_as_in_zone_files(nsd, name, rtype, shown):
    result = run(f"@{nsd.url()}", "--ca-file", str(nsd.ca_file), name, rtype)
    assert result.returncode == 0, result.stderr
    assert shown.lower() in result.stdout.lower()
