"""Malformed and hostile queries: answered or dropped as BEHAVIOUR §1, §3 list them. After each the
next query works, and nothing malformed has reached the upstream."""

import struct

import pytest

from harness import wire

NAME = wire.name_octets("bad.example")
QUESTION = NAME + struct.pack("!HH", wire.A, wire.IN)
AFTER_UDP = wire.name_octets("after-udp.example")
AXFR, IXFR = 252, 251
UDP_OCTETS = 4_096


def header(*, ident=0x4242, flags=wire.RD, questions=1, answers=0, authorities=0, additionals=0):
    return struct.pack("!HHHHHH", ident, flags, questions, answers, authorities, additionals)


def opcode(number: int) -> int:
    return number << 11


def chain_of_pointers(depth: int) -> bytes:
    """Two additional records: the RDATA of the first is a chain of pointers, each to the one before
    and at last to the question's name; the owner of the second points at the chain's end."""
    start = 12 + len(QUESTION) + 11
    targets = [12, *range(start, start + 2 * depth, 2)]
    chain = b"".join(struct.pack("!H", 0xC000 | target) for target in targets[:-1])
    return wire.record(65_280, chain, owner=b"\0") + wire.record(
        wire.A, b"\xc0\x00\x02\x01", owner=struct.pack("!H", 0xC000 | targets[-1]))


DROP, FORMERR, NOTIMP, FORMERR_OR_DROP, ANY = "drop", 1, 4, "formerr or drop", "any answer or none"

CASES = {
    "nothing": (b"", DROP),
    "one octet": (b"\x42", DROP),
    "eleven octets": (header()[:11], DROP),
    "header only, one question promised": (header(), FORMERR),
    "header only, no question": (header(questions=0), FORMERR),
    "header only, all counts 65535": (
        header(questions=65_535, answers=65_535, authorities=65_535, additionals=65_535), FORMERR),
    "two questions": (header(questions=2) + QUESTION * 2, FORMERR),
    "65535 questions": (header(questions=65_535) + QUESTION, FORMERR),
    "a response": (header(flags=wire.QR | wire.RD) + QUESTION, DROP),
    "a response without a question": (header(flags=wire.QR, questions=0), DROP),
    "garbage": (b"\x00\x17\x00\x00" + bytes(range(200)), FORMERR_OR_DROP),
    "question cut in the name": (header() + NAME[:5], FORMERR),
    "question cut before the type": (header() + NAME, FORMERR),
    "question cut in the class": (header() + QUESTION[:-1], FORMERR),
    "name without its end": (header() + NAME[:-1] + b"\x3f", FORMERR),
    "name of 256 octets": (
        header() + (b"\x3f" + b"x" * 63) * 3 + b"\x3e" + b"y" * 62 + b"\0" + b"\0\1\0\1", FORMERR),
    "label type 0x40": (header() + b"\x41a\0" + b"\0\1\0\1", FORMERR),
    "label type 0x80": (header() + b"\x81a\0" + b"\0\1\0\1", FORMERR),
    "pointer to itself": (header() + b"\xc0\x0c" + b"\0\1\0\1", FORMERR),
    "pointer forward": (header() + b"\xc0\x20" + b"\0\1\0\1" + b"\0" * 32, FORMERR),
    "pointer into the header": (header() + b"\xc0\x00" + b"\0\1\0\1", FORMERR),
    "pointers in a ring": (header() + b"\x01a\xc0\x10\x01b\xc0\x0c" + b"\0\1\0\1", FORMERR),
    "200 pointers deep": (
        header(additionals=2) + QUESTION + chain_of_pointers(200), ANY),
    "record promised, none there": (header(additionals=1) + QUESTION, FORMERR),
    "65535 answers promised": (header(answers=65_535) + QUESTION, FORMERR),
    "RDLENGTH beyond the end": (
        header(additionals=1) + QUESTION + wire.opt_record()[:-2] + b"\xff\xff", FORMERR),
    "option beyond the end of OPT": (
        header(additionals=1) + QUESTION
        + wire.opt_record(struct.pack("!HH", 10, 40) + b"short"), FORMERR),
    "option header cut": (
        header(additionals=1) + QUESTION + wire.opt_record(b"\x00\x0a\x00"), FORMERR),
    "two OPTs": (header(additionals=2) + QUESTION + wire.opt_record() * 2, FORMERR),
    "OPT owned by a name": (
        header(additionals=1) + QUESTION + b"\x03opt" + wire.opt_record(), FORMERR),
    "OPT among the answers": (header(answers=1) + QUESTION + wire.opt_record(), ANY),
    "16,000 empty options": (
        header(additionals=1) + QUESTION + wire.opt_record(wire.option(65_001, b"") * 16_000), 0),
    "the same option 100 times": (
        header(additionals=1) + QUESTION + wire.opt_record(wire.option(10, b"12345678") * 100), 0),
    "AXFR": (header() + NAME + struct.pack("!HH", AXFR, wire.IN), NOTIMP),
    "IXFR": (header() + NAME + struct.pack("!HH", IXFR, wire.IN), NOTIMP),
    "NOTIFY": (header(flags=opcode(4)) + QUESTION, NOTIMP),
    "UPDATE": (header(flags=opcode(5)) + QUESTION, NOTIMP),
    "STATUS": (header(flags=opcode(2)) + QUESTION, NOTIMP),
    "IQUERY": (header(flags=opcode(1), questions=0), NOTIMP),
    "opcode 15": (header(flags=opcode(15)) + QUESTION, NOTIMP),
    "opcode 15, header only": (header(flags=opcode(15), questions=0), NOTIMP),
}


def check(response: bytes | None, sent: bytes, expected) -> None:
    if expected == ANY or (expected == FORMERR_OR_DROP and response is None):
        return
    if expected == DROP:
        assert response is None, response
        return
    assert response is not None, "no answer"
    ident, flags, questions, answers = struct.unpack_from("!HHHH", response)
    wanted = FORMERR if expected == FORMERR_OR_DROP else expected
    assert (ident, flags & 0xF) == (struct.unpack_from("!H", sent)[0], wanted)
    assert flags & wire.QR and not flags & (wire.TC | wire.AA)
    assert flags & 0x7800 == struct.unpack_from("!H", sent, 2)[0] & 0x7800  # the opcode is echoed
    assert questions <= 1 and answers == (1 if wanted == 0 else 0)


def ask_with_marker(client, messages: list[bytes]) -> list[bytes]:
    """Sends the messages and then an unknown opcode with ID 1; returns all that came before its
    NOTIMP. Local answers leave in order, so a silent drop is seen without waiting."""
    client.send(*messages, header(ident=1, flags=opcode(15), questions=0))
    received = []
    while True:
        message = client.receive()
        if message is None:
            return received
        if struct.unpack_from("!H", message) == (1,):
            return received
        received.append(message)


@pytest.mark.parametrize("name", CASES)
def test_malformed_over_udp(shared, upstream, name):
    """BEHAVIOUR 18, 23, 24, §3."""
    message, expected = CASES[name]
    before = len(upstream.queries)
    with shared.sotto.datagram() as client:
        client.socket.settimeout(20)
        if expected == 0 and len(message) < UDP_OCTETS:
            check(client.ask(message), message, expected)
        elif expected == 0:
            # A datagram larger than any honest query may be cut, and what is cut is malformed.
            assert struct.unpack_from("!H", client.ask(message), 2)[0] & 0xF in (0, FORMERR)
        else:
            received = ask_with_marker(client, [message])
            assert len(received) <= 1
            check(received[0] if received else None, message, expected)
            if expected != ANY:
                # A late copy of what the test before this one asked may come yet.
                assert {query.qname for query in upstream.queries[before:]} <= {AFTER_UDP}
    shared.sotto.assert_right("after-udp.example.")


@pytest.mark.parametrize("name", CASES)
def test_malformed_over_tcp(shared, upstream, name):
    """The same over TCP; sotto may close such a connection after its answer, but never must not
    answer what was asked before on it."""
    message, expected = CASES[name]
    with shared.sotto.stream() as client:
        client.send(wire.query("before.example", ident=2))
        assert struct.unpack_from("!H", client.receive()) == (2,)
        if expected == 0:
            client.send(message)
            check(client.receive(), message, expected)
        else:
            received = ask_with_marker(client, [message])
            assert len(received) <= 1
            check(received[0] if received else None, message, expected)
    shared.sotto.assert_right("after-tcp.example.")


def test_formerr_to_a_bad_opt_carries_opt(shared, upstream):
    """BEHAVIOUR 18: two OPTs or a malformed option get FORMERR with OPT."""
    for case in ("two OPTs", "option beyond the end of OPT"):
        with shared.sotto.datagram() as client:
            response = client.ask(CASES[case][0])
        assert struct.unpack_from("!H", response, 10) == (1,), case


def test_every_cut_of_a_good_query_is_survived(shared, upstream):
    """FORMERR or silence for each, then the whole query is answered."""
    whole = wire.query("cuts.example", opt=wire.opt_record(wire.option(10, b"12345678")))
    with shared.sotto.datagram() as client:
        for length in range(len(whole)):
            received = ask_with_marker(client, [whole[:length]])
            assert len(received) <= 1
            for message in received:
                assert struct.unpack_from("!H", message, 2)[0] & 0xF == FORMERR, length
        assert client.ask(whole)
    assert len(upstream.asked("cuts.example")) == 1


def test_every_changed_octet_of_a_good_query_is_survived(shared, upstream):
    """Whatever comes of it, the process lives and upstream sees well-formed queries only."""
    whole = wire.query("flip.example", opt=wire.opt_record(wire.option(10, b"12345678")))
    with shared.sotto.datagram() as client:
        for position in range(2, len(whole)):
            for value in (0x00, 0xC0, 0xFF):
                client.send(whole[:position] + bytes([value]) + whole[position + 1 :])
    shared.sotto.assert_healthy()
    shared.sotto.assert_right("after-flips.example.")
    assert upstream.malformed == []


def test_octets_that_are_no_dns_on_tcp_do_no_harm(shared, upstream):
    """A browser, a TLS client and a port scanner on the DNS port."""
    for octets in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
                   b"\xff" * 70_000):
        with shared.sotto.stream() as client:
            try:
                client.send_octets(octets)
                client.half_close()
                client.wait_for_close()
            except OSError:
                pass  # closed before all was sent
    shared.sotto.assert_right("after-noise.example.")
