"""DNS over TCP towards clients: pipelining, order, ends and limits (RFC 7766)."""

import contextlib
import os
import struct

import dns.message
import pytest

from harness import answers, wire
from harness.clients import StreamClient
from harness.sotto import sanitized
from harness.waiting import PATIENCE, wait_for


def ident(message: bytes) -> int:
    return struct.unpack_from("!H", message)[0]


def test_queries_are_pipelined(shared, upstream):
    """BEHAVIOUR 6: all 100 are in flight upstream before the first is answered."""
    with upstream.held(), shared.sotto.stream() as client:
        client.send(*[wire.query(f"pipe-{index}.example", ident=index) for index in range(100)])
        upstream.wait_for_query("pipe-99.example")
    assert len([q for q in upstream.queries if q.name.startswith("pipe-")]) == 100


def test_answers_leave_out_of_order(shared, upstream):
    """BEHAVIOUR 5; RFC 7766 §6.2.1.1: one slow answer does not hold the fast ones."""
    upstream.answer = answers.slow_names("slow", 0.2)
    with shared.sotto.stream() as client:
        client.send(wire.query("slow.example", ident=1), wire.query("fast-1.example", ident=2),
                    wire.query("fast-2.example", ident=3))
        received = client.receive_many(3)
    assert ident(received[2]) == 1 and {ident(message) for message in received[:2]} == {2, 3}


def test_out_of_order_upstream_answers_find_their_query(shared, upstream):
    """BEHAVIOUR 5 on the other side; §4.1: never a crossed answer."""
    upstream.answer = answers.shuffled(0.08)
    with shared.sotto.stream() as client:
        client.send(*[wire.query(f"mix-{index}.example", ident=index) for index in range(200)])
        received = client.receive_many(200)
    assert sorted(map(ident, received)) == list(range(200))
    for message in received:
        name = wire.name_octets(f"mix-{ident(message)}.example")
        assert message[12 : 12 + len(name)] == name
        assert message.endswith(wire.oracle_address(name))


def test_messages_arrive_in_any_pieces(shared, upstream):
    """BEHAVIOUR 14: octet by octet, and two messages in one segment."""
    with shared.sotto.stream() as client:
        for octet in wire.framed(wire.query("pieces.example", ident=7)):
            client.send_octets(bytes([octet]))
        assert ident(client.receive()) == 7
        client.send(wire.query("pieces-1.example", ident=8),
                    wire.query("pieces-2.example", ident=9))
        assert {ident(message) for message in client.receive_many(2)} == {8, 9}


def test_half_closed_clients_get_what_they_asked(shared, upstream):
    """BEHAVIOUR 16: every query before the FIN is answered, then sotto closes too."""
    upstream.answer = answers.late(0.1)
    with shared.sotto.stream() as client:
        client.send(*[wire.query(f"half-{index}.example", ident=index) for index in range(20)])
        client.half_close()
        received = client.receive_many(20)
        assert client.receive() is None
    assert sorted(map(ident, received)) == list(range(20))


def test_a_message_cut_short_by_fin_is_not_answered(shared, upstream):
    with shared.sotto.stream() as client:
        client.send_octets(wire.framed(wire.query("cut.example"))[:-3])
        client.half_close()
        assert client.receive() is None
    assert upstream.asked("cut.example") == []


def test_zero_length_messages_end_or_are_skipped(shared, upstream):
    """BEHAVIOUR 14: never a loop; the process stays responsive."""
    with shared.sotto.stream() as client:
        client.send_octets(b"\0\0" * 1_000 + wire.framed(wire.query("zero.example", ident=5)))
        message = client.receive()
        assert message is None or ident(message) == 5
    shared.sotto.assert_right("after-zero.example.")


def test_ten_thousand_queries_on_one_connection(shared, upstream):
    """A connection lives as long as it is used; every query is answered once."""
    total, window = 10_000, 500
    with shared.sotto.stream() as client:
        seen = set()
        for first in range(0, total, window):
            client.send(*[wire.query(f"many-{index}.example", ident=index)
                          for index in range(first, first + window)])
            for message in client.receive_many(window):
                name = wire.name_octets(f"many-{ident(message)}.example")
                assert message.endswith(wire.oracle_address(name))
                seen.add(ident(message))
    assert seen == set(range(total))


def test_an_idle_connection_is_closed(start, fake):
    sotto = start(fake, tcp={"idle_timeout": "300ms"})
    with sotto.stream() as client:
        client.send(wire.query("idle.example"))
        assert client.receive() is not None
        assert client.receive() is None  # nothing more asked: sotto closes


def test_octets_that_complete_no_message_do_not_reset_the_idle_timer(start, fake):
    """BEHAVIOUR 15, slowloris: the connection ends although an octet comes again and again."""
    sotto = start(fake, tcp={"idle_timeout": "400ms"})
    query = wire.framed(wire.query("a" * 60 + ".slow.example"))
    with sotto.stream() as client:
        client.socket.settimeout(0.05)
        for octet in query[:-1] * 4:  # far more than the idle timeout lasts
            try:
                client.send_octets(bytes([octet]))
                if client.socket.recv(100) == b"":
                    break
            except TimeoutError:
                continue
            except (BrokenPipeError, ConnectionResetError):
                break
        else:
            pytest.fail("sotto kept a connection that never completed a message")
    assert fake.queries == []


def test_a_waiting_query_keeps_the_connection(start, fake):
    """An answer that takes longer than the idle timeout still arrives."""
    fake.answer = answers.late(0.8)
    sotto = start(fake, tcp={"idle_timeout": "200ms"})
    with sotto.stream() as client:
        client.send(wire.query("patient.example"))
        assert client.receive().endswith(wire.oracle_address(wire.name_octets("patient.example")))


def accepted(client: StreamClient) -> bool:
    """Does the connection answer? sotto closes those beyond a limit."""
    try:
        client.send(wire.query("localhost", flags=15 << 11))  # NOTIMP, at once
        return client.receive() is not None
    except (BrokenPipeError, ConnectionResetError):
        return False


def test_a_new_connection_beyond_the_limit_takes_the_place_of_the_idlest(start, fake):
    """BEHAVIOUR 15, 35: the limit holds, and idle clients cannot lock others out."""
    sotto = start(fake, tcp={"connections_max": 4})
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(sotto.stream()) for _ in range(4)]
        assert [accepted(client) for client in clients] == [True] * 4
        assert accepted(stack.enter_context(sotto.stream()))
        assert [accepted(client) for client in clients] == [False, True, True, True]


def test_connections_that_wait_for_an_answer_keep_their_place(start, fake):
    """BEHAVIOUR 15: when all are busy the new one is turned away; UDP is served meanwhile, and a
    place freed is given away again."""
    sotto = start(fake, tcp={"connections_max": 3})
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(sotto.stream()) for _ in range(3)]
        with fake.held():
            for index, client in enumerate(clients):
                client.send(wire.query(f"busy-{index}.example", ident=index))
                fake.wait_for_query(f"busy-{index}.example")
            assert not accepted(stack.enter_context(sotto.stream()))
        assert [ident(client.receive()) for client in clients] == [0, 1, 2]
        sotto.assert_right("by-udp.example.")
        assert accepted(stack.enter_context(sotto.stream()))


def test_one_client_cannot_take_all_connections(start, fake):
    """BEHAVIOUR 15: the limit of one client turns its next connection away and closes none."""
    sotto = start(fake, tcp={"connections_per_client_max": 4})
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(sotto.stream()) for _ in range(4)]
        assert [accepted(client) for client in clients] == [True] * 4
        assert not accepted(stack.enter_context(sotto.stream()))
        assert [accepted(client) for client in clients] == [True] * 4
        clients.pop().socket.close()

        def served_again() -> bool:
            with sotto.stream() as late:
                return accepted(late)

        wait_for(served_again, "a freed place to be given away")


def test_one_clients_limit_leaves_other_clients_alone(start, fake):
    sotto = start(fake, tcp={"connections_per_client_max": 2})
    with sotto.stream() as one, sotto.stream() as two:
        assert accepted(one) and accepted(two)
        query = dns.message.make_query("other-client.example.", "A")
        assert sotto.tcp(query, source="127.0.0.5").answer


def test_a_client_that_never_reads_is_closed_and_memory_stays(start, fake):
    """BEHAVIOUR 15: bounded write buffers; others are served meanwhile."""
    fake.answer = answers.of_size(60_000)
    sotto = start(fake, cache={"size": 0})
    before = resident_kib(sotto.pid)
    with sotto.stream(receive_buffer=4_096) as client:
        client.socket.settimeout(0.5)
        try:
            for index in range(800):  # 48 MB of answers
                client.send(wire.query(f"flood-{index}.example", wire.TXT, ident=index))
        except (TimeoutError, BrokenPipeError, ConnectionResetError):
            pass  # sotto stopped reading, or closed
        response = sotto.ask("beside.example.", "TXT", transport="tcp")
        assert response.answer
        # AddressSanitizer keeps up to 256 MiB of what was freed.
        bound_mib = 512 if sanitized() else 32
        assert resident_kib(sotto.pid) - before < bound_mib * 1_024


def resident_kib(pid: int) -> int:
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def test_open_and_close_storms_leave_nothing_behind(start, fake):
    """BEHAVIOUR §3, §4.7: descriptors return to the baseline."""
    sotto = start(fake)
    sotto.assert_right("first.example.")

    def descriptors() -> int:
        return len(os.listdir(f"/proc/{sotto.pid}/fd"))

    before = descriptors()
    for index in range(300):
        with sotto.stream() as client:
            if index % 3 == 0:
                client.send(wire.query(f"storm-{index}.example"))
            elif index % 3 == 1:
                client.send_octets(b"\x00")
    wait_for(lambda: descriptors() <= before, "descriptors to be closed", PATIENCE)
    sotto.assert_healthy()
