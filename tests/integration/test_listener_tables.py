"""Listeners with settings of their own: read, printed, refused, and unchanged by a reload."""

import subprocess

import pytest

from harness.sotto import binary, environment, new_port
from harness.waiting import PATIENCE


def check(tmp_path, text: str) -> subprocess.CompletedProcess:
    config = tmp_path / "sotto.toml"
    config.write_text(text)
    return subprocess.run([str(binary()), "check", "--config", str(config)], env=environment(),
                          timeout=PATIENCE, text=True, capture_output=True, check=False)


def test_what_check_prints_reads_in_again(tmp_path):
    first = check(tmp_path, """
[[listen.udp]]
address = "127.0.0.1:53"
[[listen.udp]]
address = "[::1]:53"
proxy_from = ["10.0.0.0/8", "2001:db8::1"]
[listen]
tcp = ["127.0.0.1:53", { address = "127.0.0.2:53", proxy_from = ["192.0.2.1"] }]
""")
    assert (first.returncode, first.stderr) == (0, "")
    assert ('udp = ["127.0.0.1:53", { address = "[::1]:53", proxy_from = ["10.0.0.0/8", '
            '"2001:db8::1/128"] }]\n') in first.stdout
    second = check(tmp_path, first.stdout)
    assert (second.returncode, second.stdout) == (0, first.stdout)


@pytest.mark.parametrize("text, where, what", [
    ('[[listen.udp]]\naddres = "127.0.0.1:53"\n', "2:1",
     'unknown key ("addres"); did you mean "address"?'),
    ('[[listen.udp]]\nproxy_from = ["10.0.0.0/8"]\n', "1:1", "this listener has no address"),
    ('[[listen.tcp]]\naddress = "127.0.0.1:53"\npath = "/dns-query"\n', "3:1",
     'this key does not fit listen.tcp ("path"); a path is for listen.https'),
    ('[[listen.tcp]]\naddress = "127.0.0.1:53"\nproxy_from = "10.0.0.0/8"\n', "3:14",
     'proxy_from has the wrong type ("10.0.0.0/8"); write a list of strings: ["NETWORK", ...]'),
    ('[listen]\nudp = []\ntcp = []\n', "3:7",
     "udp, tcp, tls and https are all switched off; give one of them an address"),
    ('[listen]\ntcp = ["127.0.0.1:853"]\ntls = ["0.0.0.0:853"]\n', "3:8",
     'this address and one of listen.tcp collide ("0.0.0.0:853"); "127.0.0.1:853" is listed there; '
     'change a port'),
])
def test_errors_say_where_and_what(tmp_path, text, where, what):
    result = check(tmp_path, text)
    assert result.returncode == 2
    assert f"{tmp_path}/sotto.toml:{where}: {what}" in result.stderr


def test_a_changed_table_needs_a_restart(start, fake):
    port = new_port()
    address = f"127.0.0.1:{port}"
    sotto = start(fake, port=port)
    sotto.configure(start.configuration(
        fake, port=port, listen={"udp": [{"address": address, "proxy_from": ["127.0.0.1"]}]}))
    sotto.reload()
    sotto.wait_for_log("config.restart.*key=listen.udp")
    sotto.assert_right("unchanged.example.")
