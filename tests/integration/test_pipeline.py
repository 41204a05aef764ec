"""How sotto uses its connection upstream: reuse, resumption, idleness, IDs, coalescing."""

import collections
import struct

import dns.rcode

from harness import answers, wire
from harness.waiting import wait_for


def test_one_connection_carries_everything(start, fake):
    """BEHAVIOUR 6: one connection per upstream and worker, but for late queries."""
    sotto = start(fake, hedge={"budget": 0})
    sotto.load(1_000, 2_000).assert_none_failed()
    assert (fake.connections, len(fake.queries)) == (1, 1_000)


def test_queries_do_not_wait_for_answers(start, fake):
    """BEHAVIOUR 6: 300 queries are upstream before the first answer leaves there."""
    sotto = start(fake)
    with fake.held(), sotto.datagram() as client:
        client.send(*[wire.query(f"flight-{index}.example", ident=index) for index in range(300)])
        wait_for(lambda: len({query.name for query in fake.queries}) == 300, "300 in flight")


def test_an_idle_connection_is_closed_by_us_first(start, fake):
    """BEHAVIOUR 10: with a proper close, before the server does; then the next query connects."""
    sotto = start({"url": fake.url(), "idle_timeout": "300ms", "keep_warm": "0s"})
    sotto.assert_right("before.example.")
    wait_for(lambda: not fake.live, "the idle connection to be closed")
    assert fake.tls_errors == []
    sotto.assert_right("after.example.")
    assert fake.connections == 2


def test_a_connection_that_closes_after_a_query_is_replaced_ahead_of_need(start, fake):
    """keep_warm: the next query finds a connection, and waits for no handshake."""
    sotto = start({"url": fake.url(), "keep_warm": "1m"})
    sotto.assert_right("before.example.")
    fake.close_all()
    wait_for(lambda: fake.connections == 2 and fake.live, "a second connection")
    assert len(fake.queries) == 1
    sotto.assert_right("after.example.")
    assert fake.connections == 2


def test_queries_keep_a_connection_open(start, fake):
    # A late answer would have its query asked over a second connection.
    sotto = start({"url": fake.url(), "idle_timeout": "500ms"}, hedge={"budget": 0})
    sotto.load(80, 40).assert_none_failed()  # two seconds, never idle for half of one
    assert fake.connections == 1


def test_sessions_are_resumed(start, fake):
    """BEHAVIOUR 10; a ticket is used once (RFC 8446 C.4), and each connection brings new ones."""
    sotto = start({"url": fake.url(), "keep_warm": "0s"})
    for index in range(6):
        # Never as often as before: a server that counts answers would be prepared for.
        for number in range(index + 1):
            sotto.assert_right(f"resume-{index}-{number}.example.")
        fake.close_all()
    assert (fake.handshakes_full, fake.handshakes_resumed) == (1, 5)


def test_refused_tickets_cost_a_full_handshake_and_no_query(start, fake, leaf):
    """BEHAVIOUR 10."""
    sotto = start({"url": fake.url(), "keep_warm": "0s"})
    for index in range(3):
        for number in range(index + 1):
            sotto.assert_right(f"refused-{index}-{number}.example.")
        fake.use(leaf)
        fake.close_all()
    sotto.assert_right("refused-last.example.")
    assert (fake.handshakes_full, fake.handshakes_resumed) == (4, 0)


def test_a_server_without_tickets_is_used_all_the_same(start, fake, leaf):
    """BEHAVIOUR §2: no resumption."""
    fake.use(leaf, tickets=False)
    sotto = start(fake)
    for index in range(3):
        sotto.assert_right(f"none-{index}.example.")
        fake.close_all()
    assert fake.handshakes_resumed == 0


def test_keepalive_is_asked_for_and_honoured(start, fake):
    """BEHAVIOUR 10; RFC 7828: the server's idle time of 300 ms beats our own of 9 s."""
    fake.answer = answers.keepalive(3)
    sotto = start({"url": fake.url(), "keep_warm": "0s"})
    sotto.assert_right("keepalive.example.")
    assert fake.queries[0].option(wire.KEEPALIVE) == b""
    wait_for(lambda: not fake.live, "the connection to be closed after 300 ms")
    assert fake.tls_errors == []


def test_keepalive_of_zero_closes_and_loses_nothing(start, fake):
    """BEHAVIOUR 10, §2; RFC 7828 §3.4: close as soon as all is answered."""
    fake.answer = answers.keepalive(0)
    sotto = start({"url": fake.url(), "keep_warm": "0s"})
    sotto.load(60, 60).assert_none_failed()
    wait_for(lambda: not fake.live, "the connections to be closed")
    assert max(fake.sends().values()) <= 2


def test_padding_can_be_switched_off(start, fake):
    sotto = start({"url": fake.url(), "padding": False})
    sotto.assert_right("unpadded.example.")
    assert fake.queries[0].option(wire.PADDING) is None


def test_padding_hides_the_length_of_every_name(start, fake):
    """BEHAVIOUR 20: one size for all ordinary names, whether keepalive is asked for or not."""
    sotto = start(fake)
    for length in range(1, 60, 7):
        sotto.assert_right("p" * length + ".example.")
    assert {query.octets for query in fake.queries} == {128}


def test_ids_are_unpredictable(start, fake):
    """BEHAVIOUR 2, coarsely: spread over all 16 bits, no step, no relation to the client's ID."""
    sotto = start(fake)
    sotto.load(2_000, 4_000).assert_none_failed()
    ids = [query.ident for query in fake.queries]
    # 2,000 of 65,536 at random collide about 30 times; a counter or a few bits do otherwise.
    assert len(set(ids)) > 1_900
    quarters = collections.Counter(ident >> 14 for ident in ids)
    assert all(350 < quarters[quarter] < 650 for quarter in range(4))
    bits = [sum(ident >> bit & 1 for ident in ids) for bit in range(16)]
    assert all(800 < ones < 1_200 for ones in bits)
    steps = collections.Counter((b - a) & 0xFFFF for a, b in zip(ids, ids[1:], strict=False))
    assert steps.most_common(1)[0][1] < 10
    own = [int(query.name.split(".")[0].split("-")[1]) for query in fake.queries]
    assert sum(a == b for a, b in zip(ids, own, strict=True)) < 10


def test_ids_in_flight_are_never_reused(start, fake):
    """BEHAVIOUR 2: 1,000 unanswered queries on one connection have 1,000 IDs."""
    sotto = start(fake)
    with fake.held(), sotto.datagram() as client:
        for first in range(0, 1_000, 100):  # in parts, so that no buffer overflows
            client.send(*[wire.query(f"id-{index}.example", ident=index)
                          for index in range(first, first + 100)])
            fake.wait_for_query(f"id-{first + 99}.example")
        per_connection = collections.defaultdict(list)
        for query in list(fake.queries):
            per_connection[query.connection].append(query.ident)
    for ids in per_connection.values():
        assert len(ids) == len(set(ids))


def test_timed_out_ids_stay_in_quarantine(start, fake):
    """BEHAVIOUR 2: an ID whose answer never came is not used again on that connection."""
    fake.answer = answers.slow_names("lost", 600)
    sotto = start(fake, query_timeout="300ms")
    with sotto.datagram() as client:
        client.send(*[wire.query(f"lost-{index}.example", ident=index) for index in range(100)])
        for _ in range(100):
            assert client.receive()[3] & 0xF == wire.SERVFAIL
    sotto.load(1_000, 2_000, prefix="next").assert_none_failed()
    lost, later = collections.defaultdict(set), collections.defaultdict(set)
    for query in list(fake.queries):
        (lost if query.name.startswith("lost") else later)[query.connection].add(query.ident)
    for connection, ids in lost.items():
        assert not ids & later[connection]


def test_identical_questions_in_flight_cost_one_upstream_query(start, fake):
    """BEHAVIOUR 32, 3: 100 clients, one query; each gets its own ID and spelling."""
    sotto = start(fake)
    with sotto.datagram() as client:
        with fake.held():
            spellings = ["same.example", "SAME.example", "sAmE.ExAmPlE"]
            client.send(*[wire.query(spellings[ident % 3], ident=ident) for ident in range(100)])
            fake.wait_for_query("same.example")
            client.send(wire.query("last.example", ident=999))
            fake.wait_for_query("last.example")  # so all before it have been taken in
        received = [client.receive() for _ in range(101)]
    assert len(fake.asked("same.example")) == 1
    seen = set()
    for message in received:
        ident = struct.unpack_from("!H", message)[0]
        seen.add(ident)
        name = "last.example" if ident == 999 else spellings[ident % 3]
        octets = wire.name_octets(name)
        assert message[12 : 12 + len(octets)] == octets
        assert message.endswith(wire.oracle_address(octets))
    assert seen == {*range(100), 999}


def test_coalesced_clients_keep_their_own_transport_edns_and_size(start, fake):
    """BEHAVIOUR 3, 4, 17, 19: one answer upstream, each client's own form of it."""
    fake.answer = answers.of_size(1_000)
    sotto = start(fake)
    with sotto.datagram() as plain, sotto.datagram() as modern, sotto.stream() as stream:
        with fake.held():
            plain.send(wire.query("forms.example", wire.TXT, ident=1))
            modern.send(wire.query("forms.example", wire.TXT, ident=2, opt=wire.opt_record()))
            stream.send(wire.query("forms.example", wire.TXT, ident=3))
            fake.wait_for_query("forms.example")
            stream.send(wire.query("taken-in.example", flags=15 << 11, ident=4))  # NOTIMP, at once
            assert struct.unpack_from("!H", stream.receive()) == (4,)
        first, second, third = plain.receive(), modern.receive(), stream.receive()
    assert [struct.unpack_from("!H", message)[0] for message in (first, second, third)] == [1, 2, 3]
    flags = [struct.unpack_from("!H", message, 2)[0] for message in (first, second, third)]
    assert [bool(flag & wire.TC) for flag in flags] == [True, False, False]
    assert len(first) <= 512
    additional = [struct.unpack_from("!H", message, 10)[0] for message in (first, second, third)]
    assert additional == [0, 1, 0]


def test_4096_waiting_queries_of_one_client_are_answered(start, fake):
    """BEHAVIOUR 36: behind one address many clients may stand."""
    sotto = start(fake)
    total = 4_096
    with sotto.stream() as client:
        with fake.held():
            client.send(*[wire.query(f"wait-{index}.example", ident=index)
                          for index in range(total)])
            wait_for(lambda: len({query.qname for query in list(fake.queries)}) >= 1_000,
                     "a thousand in flight")
        received = client.receive_many(total)
    assert {message[3] & 0xF for message in received} == {dns.rcode.NOERROR}
    assert len({struct.unpack_from("!H", message)[0] for message in received}) == total
