"""Sockets that a service manager opened: taken by name, shared by workers, refused if wrong."""

import contextlib
import shutil
import socket
import subprocess
import sys

import dns.message
import pytest

from harness import inherited, proxy_protocol, wire
from harness.admin import Admin
from harness.clients import DatagramClient, StreamClient
from harness.dot_client import DotClient
from harness.processes import Process
from harness.sotto import binary, environment, new_port
from harness.waiting import PATIENCE, wait_for

UDP, TCP = socket.SOCK_DGRAM, socket.SOCK_STREAM


@pytest.fixture
def opened():
    """A function that opens sockets for the length of a test."""
    with contextlib.ExitStack() as stack:
        yield lambda *where, **how: stack.enter_context(inherited.opened(*where, **how))


def query(name: str) -> dns.message.Message:
    return dns.message.make_query(name, "A", use_edns=0)


@pytest.mark.parametrize("workers", [1, 3])
def test_they_take_the_place_of_what_is_configured(start, fake, opened, workers):
    """Every name at once; workers share each; what is passed on counts, not the file."""
    port, configured, admin = new_port(), new_port(), new_port()
    sotto = start(fake, port=port, workers=workers,
                  sockets=[("udp", opened(UDP, "127.0.0.1", port)),
                           ("tcp", opened(TCP, "127.0.0.1", port)),
                           ("udp", opened(UDP, "::1", port)),
                           ("admin", opened(TCP, "127.0.0.1", admin))],
                  listen={"udp": [f"127.0.0.1:{configured}"], "tcp": [f"127.0.0.1:{configured}"]})
    for index in range(20):
        sotto.assert_right(f"datagram-{index}.example.")
        sotto.assert_right(f"stream-{index}.example.", transport="tcp")
    assert sotto.udp(query("v6.example."), where="::1").answer
    assert Admin(admin).status("/livez") == 200
    with pytest.raises(ConnectionRefusedError):
        StreamClient("127.0.0.1", configured)
    log = sotto.log()
    for name in ("udp", "tcp"):
        assert f"instead_of=listen.{name}" in log, log
    assert f"transport=udp address=[::1]:{port}" in log, log


def test_what_is_not_passed_on_is_opened_as_configured(start, fake, opened):
    port, other = new_port(), new_port()
    sotto = start(fake, port=port, sockets=[("udp", opened(UDP, "127.0.0.1", port))],
                  listen={"udp": [], "tcp": [f"127.0.0.1:{other}"]})
    assert sotto.udp(query("udp.example.")).answer
    assert sotto.tcp(query("tcp.example."), port=other).answer


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_socket_for_both_families(start, fake, opened, transport):
    """As systemd makes of ListenDatagram=53. IPv4 clients are such to the policy, and are answered
    from the address that they asked (a connected socket hears no other)."""
    port = new_port()
    kind = UDP if transport == "udp" else TCP
    sotto = start(fake, port=new_port(), policy={"allow": ["127.0.0.0/8"]},
                  sockets=[(transport, opened(kind, "::", port, both_families=True))])
    local = wire.query("localhost", ident=5)
    if transport == "udp":
        with DatagramClient("127.0.0.77", port) as client:
            assert client.ask(local)[3] & 0xF == wire.NOERROR
        with DatagramClient("::1", port) as client:
            assert client.ask(local)[3] & 0xF == wire.REFUSED
    else:
        assert sotto.tcp(query("localhost."), where="127.0.0.77", port=port).answer
        assert sotto.tcp(query("localhost."), where="::1", port=port).rcode() == wire.REFUSED


def test_one_for_dns_over_tls(start, fake, opened, leaf):
    """Nothing of [listen] names it, but its certificate is configured as ever."""
    port = new_port()
    start(fake, sockets=[("tls", opened(TCP, "127.0.0.1", port))],
          server_tls={"certificate": str(leaf.chain), "key": str(leaf.key)})
    with DotClient("127.0.0.1", port).handshake() as client:
        client.send(wire.query("localhost", ident=4))
        assert client.receive()[:2] == b"\0\4"


def test_settings_are_those_of_the_configured_address(start, fake, opened):
    plain, behind = new_port(), new_port()
    listeners = [{"address": f"127.0.0.1:{plain}"},
                 {"address": f"127.0.0.1:{behind}", "proxy_from": ["127.0.0.1"]}]
    start(fake, port=plain, listen={"udp": listeners},
          sockets=[("udp", opened(UDP, "127.0.0.1", behind)),
                   ("udp", opened(UDP, "127.0.0.1", plain))])
    with DatagramClient("127.0.0.1", behind) as client:
        client.send(wire.query("localhost", ident=1))
        client.send(proxy_protocol.header("10.0.0.1") + wire.query("localhost", ident=2))
        assert client.receive()[:2] == b"\0\2"


def test_queries_wait_in_them_for_the_next_sotto(start, fake, opened):
    """Nothing is lost while there is none: that is what they are for."""
    port = new_port()
    passed = opened(UDP, "127.0.0.1", port)
    first = start(fake, port=port, sockets=[("udp", passed)])
    first.assert_right("first.example.")
    assert first.stop() == 0
    with DatagramClient("127.0.0.1", port) as client:
        client.send(wire.query("waiting.example", ident=3))
        start(fake, port=port, sockets=[("udp", passed)])
        assert client.receive().endswith(
            wire.oracle_address(wire.name_octets("waiting.example")))


def test_a_reload_keeps_them(start, fake, opened):
    port = new_port()
    sotto = start(fake, port=port, sockets=[("udp", opened(UDP, "127.0.0.1", port))])
    sotto.reload()
    sotto.wait_for_log("config.reloaded")
    sotto.assert_right("reloaded.example.")
    assert "config.restart" not in sotto.log()


def test_those_of_another_process_are_not_taken(start, fake):
    sotto = start(fake, env={"LISTEN_PID": "1", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "udp"})
    sotto.assert_right("own.example.")


def run(sockets, tmp_path, text: str = "") -> subprocess.CompletedProcess:
    config = tmp_path / "sotto.toml"
    config.write_text(text)
    program = [str(binary()), "--config", str(config)]
    return subprocess.run(inherited.command(sockets, program), env=environment(), timeout=PATIENCE,
                          pass_fds=[each.fileno() for _name, each in sockets], text=True,
                          capture_output=True, check=False)


def unbound(family: socket.AddressFamily, kind: socket.SocketKind) -> socket.socket:
    return socket.socket(family, kind)


@pytest.mark.parametrize("name, make, expected", [
    ("dns", lambda: unbound(socket.AF_INET, UDP),
     'no listener has the name of this socket ("dns"); write FileDescriptorName=udp, tcp, tls, '
     'https or admin'),
    ("", lambda: unbound(socket.AF_INET, UDP),
     'no listener has the name of this socket (""); write FileDescriptorName=udp, tcp, tls, https '
     'or admin'),
    ("udp", lambda: unbound(socket.AF_INET, TCP),
     'this socket cannot be its listener\'s ("udp"); it is no datagram socket; write '
     'ListenDatagram='),
    ("tls", lambda: unbound(socket.AF_INET6, UDP),
     'this socket cannot be its listener\'s ("tls"); it is no stream socket; write ListenStream='),
    ("tcp", lambda: unbound(socket.AF_INET, TCP),
     'this socket cannot be its listener\'s ("tcp"); it does not listen; write Accept=no'),
    ("udp", lambda: unbound(socket.AF_INET, UDP),
     'this socket cannot be its listener\'s ("udp"); it is not bound to a port'),
    ("tcp", lambda: unbound(socket.AF_UNIX, TCP),
     'this socket cannot be its listener\'s ("tcp"); it is not a socket of IPv4 or IPv6'),
])
def test_wrong_ones_are_errors(tmp_path, name, make, expected):
    with make() as made:
        result = run([(name, made)], tmp_path)
    assert (result.returncode, result.stderr) == (2, f"LISTEN_FDS: {expected}\n")


def test_counted_ones_must_be_there(tmp_path, opened):
    """LISTEN_FDS says more than were passed on."""
    program = [sys.executable, "-c", "import os, sys; os.environ['LISTEN_FDS'] = '1000000000'; "
               "os.execv(sys.argv[1], sys.argv[1:])", str(binary())]
    with opened(UDP, "127.0.0.1", new_port()) as passed:
        result = subprocess.run(inherited.command([("udp", passed)], program), text=True,
                                env=environment(), timeout=PATIENCE, capture_output=True,
                                pass_fds=[passed.fileno()], check=False, cwd=tmp_path)
    assert result.returncode == 2
    assert result.stderr == ('LISTEN_FDS: there is no such descriptor ("4"); LISTEN_FDS counts '
                             'more than were passed on\n')


def test_one_admin_only(tmp_path, opened):
    both = [("admin", opened(TCP, "127.0.0.1", new_port())) for _ in range(2)]
    result = run(both, tmp_path)
    assert (result.returncode, result.stderr) == (
        2, 'LISTEN_FDS: more than one socket has this name ("admin"); write one ListenStream= in '
           'its unit\n')


def test_encrypted_ones_need_a_certificate(tmp_path, opened):
    result = run([("tls", opened(TCP, "127.0.0.1", new_port()))], tmp_path)
    assert result.returncode == 2
    assert "server_tls" in result.stderr, result.stderr


def test_settings_are_not_guessed(tmp_path, opened):
    port = new_port()
    result = run([("udp", opened(UDP, "127.0.0.1", port))], tmp_path,
                 '[listen]\nudp = ["127.0.0.1:1", { address = "127.0.0.1:2", '
                 'proxy_from = ["10.0.0.0/8"] }]\n')
    assert (result.returncode, result.stderr) == (
        2, f'LISTEN_FDS: no element of listen.udp has the address of this socket '
           f'("127.0.0.1:{port}"); add one, so that it is known which settings are meant for it\n')


@pytest.mark.skipif(not shutil.which("systemd-socket-activate"), reason="needs systemd")
def test_systemd_starts_it_with_the_first_client(start, fake, tmp_path):
    """systemd itself: sotto is started by the connection, and answers what came before it was."""
    port = new_port()
    planned = start.with_text("", port=port, start=False)
    planned.configure(start.configuration(fake, port=port, listen={"udp": []}))
    activate = Process(
        "systemd-socket-activate",
        ["systemd-socket-activate", f"--listen=127.0.0.1:{port}", "--fdname=tcp", str(binary()),
         "--config", str(planned.config_file)], tmp_path / "activate.log", env=environment())
    try:
        def connected() -> StreamClient | None:
            try:
                return StreamClient("127.0.0.1", port)
            except ConnectionRefusedError:
                return None

        with wait_for(connected, "systemd listening") as client:
            assert client.ask(query("activated.example.")).answer
    finally:
        assert activate.stop() == 0
