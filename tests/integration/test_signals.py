"""Signals, the drain, and exit codes."""

import os
import signal
import subprocess

import pytest

from harness import answers, clients, wire
from harness.sotto import binary, environment, new_port
from harness.waiting import PATIENCE, wait_for


def answers_locally(port: int) -> bool:
    with clients.DatagramClient("127.0.0.1", port) as client:
        client.socket.settimeout(1)
        try:
            return bool(client.ask(wire.query("localhost")))
        except OSError:
            return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_clean_stop_exits_with_0(start, fake, number):
    sotto = start(fake)
    sotto.assert_right("before.example.")
    sotto.signal(number)
    assert sotto.wait() == 0


def test_a_stop_without_any_query_exits_with_0(start, fake):
    sotto = start(fake)
    sotto.signal(signal.SIGTERM)
    assert sotto.wait() == 0
    assert fake.connections == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_queries_in_progress_are_answered_before_the_end(start, fake, workers):
    """BEHAVIOUR 36: over UDP and TCP."""
    fake.answer = answers.late(0.4)
    sotto = start(fake, workers=workers)
    with sotto.datagram() as datagram, sotto.stream() as stream:
        datagram.send(*[wire.query(f"udp-{index}.example", ident=index) for index in range(20)])
        stream.send(*[wire.query(f"tcp-{index}.example", ident=index) for index in range(20)])
        fake.wait_for_query("udp-19.example")
        fake.wait_for_query("tcp-19.example")
        sotto.signal(signal.SIGTERM)
        over_tcp = stream.receive_many(20)
        assert stream.receive() is None
        over_udp = [datagram.receive() for _ in range(20)]
    assert {message[3] & 0xF for message in over_tcp + over_udp} == {0}
    assert sotto.wait() == 0


def test_the_drain_is_bounded(start, fake):
    """BEHAVIOUR 36: an upstream that never answers does not hold the process."""
    fake.answer = answers.nothing
    sotto = start(fake, query_timeout="60s")
    with sotto.datagram() as client:
        client.send(wire.query("never.example"))
        fake.wait_for_query("never.example")
        sotto.signal(signal.SIGTERM)
        assert sotto.wait(PATIENCE) == 0


def test_idle_clients_do_not_hold_the_end(start, fake):
    sotto = start(fake)
    with sotto.stream() as client:
        client.send(wire.query("idle.example"))
        assert client.receive()
        sotto.signal(signal.SIGTERM)
        assert client.receive() is None
        assert sotto.wait() == 0


def test_a_second_signal_ends_the_drain_at_once(start, fake):
    """Whoever presses Ctrl-C twice means it; still no crash."""
    fake.answer = answers.nothing
    # Whoever ends at once waits for none of his threads.
    options = ":".join(filter(None, (os.environ.get("TSAN_OPTIONS"), "report_thread_leaks=0")))
    sotto = start(fake, query_timeout="60s", env={"TSAN_OPTIONS": options})
    with sotto.datagram() as client:
        client.send(wire.query("never.example"))
        fake.wait_for_query("never.example")
        sotto.signal(signal.SIGINT)
        sotto.wait_for_log(r"(?i)drain|stop|SIGINT")
        sotto.signal(signal.SIGINT)
        assert sotto.wait() == 1


def test_the_port_is_free_again_at_once(start, fake):
    first = start(fake)
    first.assert_right("first.example.")
    assert first.stop() == 0
    second = start(fake, port=first.port)
    second.assert_right("second.example.")


def test_sigpipe_and_a_closed_stderr_do_not_end_it(fake, authority, start):
    """A log reader that goes away (journald restarting, a pipe that ends) stops no query."""
    port = new_port()
    with subprocess.Popen(
            [str(binary()), "--listen", f"127.0.0.1:{port}", "--upstream", fake.url(), "--ca-file",
             str(authority.ca_file), "--log-level", "debug"],
            stderr=subprocess.PIPE, env=environment()) as process:
        try:
            wait_for(lambda: answers_locally(port), "an answer")
            process.stderr.close()
            for _ in range(3):
                fake.reset_all()
                assert answers_locally(port)
                clients.load("127.0.0.1", port, queries=20, per_second=200).assert_none_failed()
        finally:
            process.terminate()
            code = process.wait(PATIENCE)
    assert code == 0


def test_it_starts_without_standard_descriptors(start, fake):
    """They are /dev/null then: what is opened next would take their places, and log lines would be
    sent to whoever is connected to it."""
    port = new_port()
    planned = start.with_text("", port=port, start=False)
    planned.configure(start.configuration(fake, port=port))
    command = [str(binary()), "serve", "--config", str(planned.config_file)]
    with subprocess.Popen(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *command],
                          env=environment()) as process:
        try:
            wait_for(lambda: answers_locally(port), "an answer")
            for descriptor in (0, 1, 2):
                assert os.readlink(f"/proc/{process.pid}/fd/{descriptor}") == "/dev/null"
        finally:
            process.terminate()
            code = process.wait(PATIENCE)
    assert code == 0
