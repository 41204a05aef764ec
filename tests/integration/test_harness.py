"""The harness itself, without sotto: a fixture's fault must not be taken for the product's."""

import socket
import ssl
import struct

import dns.message
import dns.query
import pytest

from harness import answers, fake_upstream, ports, real_servers, wire
from harness.clients import DatagramClient
from harness.fake_connection import RecordMeter


def ask_fake(fake, authority, name="www.example.", rtype="A", session=None, **options):
    context = ssl.create_default_context(cafile=str(authority.ca_file))
    query = dns.message.make_query(name, rtype, use_edns=0)
    return dns.query.tls(query, fake.address, port=fake.port, timeout=5, ssl_context=context,
                         server_hostname="dns.test", **options)


@pytest.mark.parametrize("server", ["unbound", "nsd"])
def test_real_servers_answer_over_tls(server, request):
    """unbound and nsd serve the same zone over DoT."""
    server = request.getfixturevalue(server)
    response = server.ask(dns.message.make_query("multi.example.", "A"))
    assert sorted(rdata.address for rdata in response.answer[0]) == [
        "192.0.2.1", "192.0.2.2", "192.0.2.3"]
    longest = server.ask(dns.message.make_query(real_servers.LONGEST, "A"))
    assert longest.answer[0][0].address == "192.0.2.13"
    large = server.ask(dns.message.make_query("large.example.", "TXT"))
    assert len(large.answer[0]) == real_servers.LARGE_STRINGS


def test_fake_upstream_answers_and_counts(fake, authority):
    response = ask_fake(fake, authority)
    assert response.answer[0][0].address == wire.oracle_text("www.example.")
    assert [query.name for query in fake.queries] == ["www.example."]
    assert (fake.connections, fake.handshakes_full, fake.handshakes_resumed) == (1, 1, 0)
    fake.assert_only_tls()


def test_fake_upstream_notices_what_is_not_tls(fake):
    """The meter that proves that nothing leaves in plain text can fail."""
    plain = wire.framed(wire.query("leak.example"))
    with socket.create_connection((fake.address, fake.port)) as client:
        client.sendall(plain)
        fake_upstream.wait_for(lambda: fake.octets_not_tls == len(plain), "octets counted")
    with DatagramClient(fake.address, fake.port) as client:
        client.send(plain)
        fake_upstream.wait_for(lambda: fake.datagrams == 1, "the datagram")
    with pytest.raises(AssertionError):
        fake.assert_only_tls()


def test_record_meter_counts_in_any_pieces():
    """A stream of records counts nothing, however it is cut; one wrong octet counts the rest."""
    record = struct.pack("!BHH", 23, 0x0303, 7) + b"payload"
    for cut in range(1, 20):
        meter = RecordMeter()
        stream = record * 3
        for at in range(0, len(stream), cut):
            meter.feed(stream[at : at + cut])
        assert meter.not_tls == 0
    meter = RecordMeter()
    meter.feed(record)
    meter.feed(b"GET / HTTP/1.1")
    assert meter.not_tls == 14


@pytest.mark.parametrize("octets", [100, 512, 1_232, 16_400, 65_535])
def test_answers_of_size_are_of_that_size(fake, authority, octets):
    fake.answer = answers.of_size(octets)
    response = ask_fake(fake, authority, rtype="TXT")
    assert response.rcode() == 0


def test_a_trickled_answer_is_whole(fake, authority):
    fake.trickle = True
    assert ask_fake(fake, authority).answer


def test_tickets_resume_until_the_context_changes(fake, authority, leaf):
    """What tests of resumption rely on."""
    context = ssl.create_default_context(cafile=str(authority.ca_file))

    def connect(session):
        with socket.create_connection((fake.address, fake.port), timeout=5) as plain:
            with context.wrap_socket(plain, server_hostname="dns.test", session=session) as tls:
                tls.sendall(wire.framed(wire.query("www.example")))
                assert tls.recv(100)
                return tls.session, tls.session_reused

    session, _ = connect(None)
    session, reused = connect(session)
    assert reused and fake.handshakes_resumed == 1
    fake.use(leaf)
    _, reused = connect(session)
    assert not reused and fake.handshakes_full == 2


def test_free_ports_are_never_given_twice():
    given = [ports.free_port() for _ in range(50)]
    assert len(set(given)) == 50


def test_black_hole_never_accepts():
    with fake_upstream.BlackHole() as hole, socket.socket() as client:
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.connect((hole.address, hole.port))
