"""Where sotto listens, from where it answers, and with how many workers."""

import concurrent.futures
import os
import socket

import dns.message
import pytest

from harness import wire
from harness.sotto import new_port
from harness.waiting import wait_for


def query(name="listen.example."):
    return dns.message.make_query(name, "A", use_edns=0)


def listens(address: str, port: int, kind: int) -> bool:
    """Is the port taken? Asked by trying to bind it."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return True
    return False


def test_any_number_of_addresses(start, fake):
    """Each answers over UDP and TCP; each answer comes from the address asked."""
    port = new_port()
    addresses = [f"127.0.0.1:{port}", f"127.0.0.2:{port}", f"127.0.0.3:{new_port()}",
                 f"[::1]:{port}"]
    sotto = start(fake, port=port, listen={"udp": addresses, "tcp": addresses})
    for address in addresses:
        host, _, number = address.rpartition(":")
        where = {"where": host.strip("[]"), "port": int(number)}
        assert sotto.udp(query(), **where).answer and sotto.tcp(query(), **where).answer


@pytest.mark.parametrize("wildcard, asked", [
    ("0.0.0.0", ["127.0.0.1", "127.0.0.2", "127.9.8.7"]), ("[::]", ["::1"])])
def test_wildcard_answers_come_from_the_address_asked(start, fake, wildcard, asked):
    """BEHAVIOUR 4; RFC 2181 §4.1. A connected client socket takes answers from nowhere else."""
    port = new_port()
    address = f"{wildcard}:{port}"
    everywhere = {"udp": [address], "tcp": [address]}
    sotto = start.raw(["--config", str(_write(start, fake, port, everywhere))], port=port,
                      address=asked[0])
    for where in asked:
        family = socket.AF_INET6 if ":" in where else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as client:
            client.settimeout(20)
            client.connect((where, port))
            client.send(wire.query("wild.example"))
            assert client.recv(512).endswith(
                wire.oracle_address(wire.name_octets("wild.example")))
        assert sotto.tcp(query(), where=where).answer


def _write(start, fake, port, listen):
    planned = start.with_text("", port=port, start=False)
    planned.configure(start.configuration(fake, port=port, listen=listen))
    return planned.config_file


def test_udp_can_be_switched_off(start, fake):
    port = new_port()
    sotto = start(fake, port=port, listen={"udp": []})
    assert sotto.tcp(query()).answer
    assert not listens("127.0.0.1", port, socket.SOCK_DGRAM)


def test_tcp_can_be_switched_off(start, fake):
    port = new_port()
    sotto = start(fake, port=port, listen={"tcp": []})
    assert sotto.udp(query()).answer
    with pytest.raises(ConnectionRefusedError):
        sotto.stream()


@pytest.mark.parametrize("workers", [2, 4])
def test_several_workers_share_the_port(start, fake, workers):
    """Every client is answered whatever worker its packets reach, and each worker keeps about one
    connection upstream (BEHAVIOUR 6)."""
    sotto = start(fake, workers=workers)

    def ask(index: int) -> bool:
        response = (sotto.udp if index % 2 else sotto.tcp)(query(f"worker-{index}.example."))
        return response.answer[0][0].address == wire.oracle_text(f"worker-{index}.example")

    with concurrent.futures.ThreadPoolExecutor(8) as clients:
        assert all(clients.map(ask, range(200)))
    assert 1 <= fake.connections <= 2 * workers
    assert len(fake.queries) == 200


def test_workers_are_as_many_threads_as_configured(start, fake):
    """Threads named or not: two more workers are two more threads."""
    one, three = (start(fake, workers=workers) for workers in (1, 3))

    def threads(sotto) -> int:
        return len(os.listdir(f"/proc/{sotto.pid}/task"))

    # The first worker may answer before the last has started.
    wait_for(lambda: threads(three) == threads(one) + 2, "two more threads", patience=5)


def test_command_line_alone_suffices(start, fake):
    """--listen, --upstream and --ca-file, with and without the word serve."""
    for word in ([], ["serve"]):
        port = new_port()
        sotto = start.raw([*word, "--listen", f"127.0.0.1:{port}", "--upstream", fake.url(),
                           "--ca-file", str(start.ca_file)], port=port)
        assert sotto.udp(query()).answer and sotto.tcp(query()).answer


def test_environment_alone_suffices(start, fake):
    """As containers are configured; lists are comma-separated."""
    port, other = new_port(), new_port()
    sotto = start.raw([], port=port, env={
        "SOTTO_LISTEN": f"127.0.0.1:{port},127.0.0.1:{other}", "SOTTO_UPSTREAM": fake.url(),
        "SOTTO_CA_FILE": str(start.ca_file), "SOTTO_LOG_LEVEL": "debug"})
    assert sotto.udp(query()).answer and sotto.udp(query(), port=other).answer


def test_precedence_is_command_line_environment_file(start, make_fake):
    """DESIGN §6: lists replace, they never merge."""
    from_file, from_environment, from_line = make_fake(), make_fake(), make_fake()
    port = new_port()
    config = _write(start, from_file, port, {})
    first = start.raw(["--config", str(config)], port=port,
                      env={"SOTTO_UPSTREAM": from_environment.url()})
    first.assert_right("environment.example.")
    assert first.stop() == 0
    second = start.raw(["--config", str(config), "--upstream", from_line.url()], port=port,
                       env={"SOTTO_UPSTREAM": from_environment.url()})
    second.assert_right("line.example.")
    assert (from_file.connections, len(from_environment.queries), len(from_line.queries)) == (
        0, 1, 1)
