"""A kernel without IPv6: its sockets fail with EAFNOSUPPORT. And one where it is switched off."""

import subprocess

import pytest

from harness import kernel, netns
from harness.sotto import binary, environment, new_port
from harness.waiting import PATIENCE


@pytest.fixture
def without_ipv6(tmp_path):
    """The environment of a sotto on such a kernel."""
    return kernel.environment(tmp_path, "SOTTO_TEST_NO_IPV6")


def test_wildcards_of_ipv6_are_skipped(start, fake, without_ipv6):
    """As the container image is started."""
    port = new_port()
    addresses = [f"0.0.0.0:{port}", f"[::]:{port}"]
    sotto = start(fake, port=port, listen={"udp": addresses, "tcp": addresses}, env=without_ipv6)
    for transport in ("udp", "tcp"):
        sotto.assert_right("four.example.", transport=transport)
        line = sotto.wait_for_log(rf"listen\.skipped.* transport={transport} ")
        assert " warning " in line and f"[::]:{port}" in line
        assert f"transport={transport} address=0.0.0.0:{port}" in sotto.log()


@pytest.mark.parametrize("addresses", [["[::]:{port}"], ["127.0.0.1:{port}", "[::1]:{port}"]])
def test_what_was_asked_for_and_cannot_be_had_is_an_error(fake, authority, without_ipv6, addresses):
    """The only address of a list, and one that is no wildcard."""
    port = new_port()
    listen = [word for address in addresses for word in ("--listen", address.format(port=port))]
    result = subprocess.run(
        [str(binary()), *listen, "--upstream", fake.url(), "--ca-file", str(authority.ca_file)],
        capture_output=True, text=True, timeout=PATIENCE, env=environment(**without_ipv6),
        check=False)
    assert result.returncode == 1
    assert "Address family not supported by protocol" in result.stderr


def test_upstreams_of_ipv4_are_asked(start, fake, without_ipv6):
    sotto = start("tls://[::1]:853#dns.test", fake, env=without_ipv6)
    sotto.assert_right("four.example.")
    assert "Address family not supported by protocol" in sotto.wait_for_log(r"upstream\.down.*::1")


@pytest.mark.skipif(bool(netns.missing()), reason=netns.missing() or "none")
def test_where_ipv6_is_switched_off_the_wildcard_does_no_harm(start, make_fake):
    """sysctl net.ipv6.conf.all.disable_ipv6: sockets can be made, addresses are not there."""
    space = netns.Namespace()
    try:
        space.set("ipv6/conf/all/disable_ipv6", "1")
        with space.inside():
            port = new_port()
            addresses = [f"0.0.0.0:{port}", f"[::]:{port}"]
            sotto = start("tls://[::1]:853#dns.test", make_fake(), port=port,
                          listen={"udp": addresses, "tcp": addresses})
            sotto.assert_right("four.example.")
            assert sotto.stop() == 0
    finally:
        space.close()
