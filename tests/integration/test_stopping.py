"""Every way out is bounded: doc/decisions/0038."""

import os
import signal
import socket
import subprocess

import pytest

from harness import answers, kernel, wire
from harness.admin import Admin
from harness.pipes import StalledPipe
from harness.processes import Process
from harness.sotto import binary, environment, new_port
from harness.waiting import PATIENCE

# Beyond which sotto ends itself, and the time that a busy machine takes.
STOPPING_MAX = 19.0 + PATIENCE


@pytest.fixture
def unread():
    """Standard error that nobody reads."""
    with StalledPipe() as pipe:
        yield pipe


@pytest.fixture
def start_unread(start, unread):
    """start(), and nobody reads the log."""
    return lambda *upstreams, **changes: start(*upstreams, stderr=unread.writer, **changes)


# --- the log -----------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_log_that_nobody_reads_does_not_hold_the_end(start_unread, fake, number):
    sotto = start_unread(fake)
    sotto.assert_right("unread.example.")
    sotto.signal(number)
    assert sotto.wait() == 0


def test_a_second_signal_ends_it_at_once_though_nobody_reads_the_log(start_unread, fake):
    fake.answer = answers.nothing
    sotto = start_unread(fake, query_timeout="60s")
    with sotto.datagram() as client:
        client.send(wire.query("never.example"))
        fake.wait_for_query("never.example")
        sotto.signal(signal.SIGTERM)
        sotto.await_taken(signal.SIGTERM)
        sotto.signal(signal.SIGTERM)
        assert sotto.wait() == 1


def test_a_pipe_that_fills_before_the_write_does_not_hold_a_second_signal(start_unread, fake,
                                                                         tmp_path):
    fake.answer = answers.nothing
    sotto = start_unread(fake, query_timeout="60s",
                         env=kernel.environment(tmp_path, "SOTTO_TEST_POLL_LIES"))
    with sotto.datagram() as client:
        client.send(wire.query("never.example"))
        fake.wait_for_query("never.example")
        sotto.signal(signal.SIGTERM)
        sotto.await_taken(signal.SIGTERM)
        sotto.signal(signal.SIGTERM)
        assert sotto.wait() == 1


@pytest.mark.parametrize("arguments, code", [
    (["--listen", "192.0.2.1:53", "--upstream", "tls://192.0.2.2"], 1),
    (["--listen", "nonsense"], 2),
])
def test_a_failed_start_ends_though_nobody_reads_why(unread, arguments, code):
    sotto = subprocess.run([str(binary()), *arguments], stderr=unread.writer, env=environment(),
                           timeout=PATIENCE, check=False)
    assert sotto.returncode == code


# --- a configuration that is never read --------------------------------------------------------


def end_by_two(sotto, number: signal.Signals) -> None:
    sotto.await_taken(number)
    sotto.signal(number)
    sotto.await_taken(number)
    sotto.signal(number)
    assert sotto.wait() == 1
    assert "stopped by a second signal" in sotto.log()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_a_start_that_hangs(tmp_path, number):
    """Nobody writes to the pipe, as on a mount whose server is gone."""
    pipe = tmp_path / "sotto.toml"
    os.mkfifo(pipe)
    sotto = Process("sotto", [str(binary()), "--config", str(pipe)], tmp_path / "sotto.log",
                    env=environment())
    try:
        end_by_two(sotto, number)
    finally:
        sotto.kill()


def test_a_second_signal_ends_a_reload_that_hangs(start, fake):
    sotto = start(fake)
    sotto.config_file.unlink()
    os.mkfifo(sotto.config_file)
    sotto.signal(signal.SIGHUP)
    sotto.await_taken(signal.SIGHUP)
    sotto.assert_right("meanwhile.example.")
    end_by_two(sotto, signal.SIGTERM)


# --- the cache's file --------------------------------------------------------------------------


@pytest.fixture
def start_hanging(start, fake, tmp_path):
    """A sotto in front of the fake upstream whose cache file never reaches the disk."""
    def started():
        sotto = start(fake, cache={"file": str(tmp_path / "cache"), "save_interval": "0s"},
                      env=kernel.environment(tmp_path, "SOTTO_TEST_SYNC_HANGS"))
        sotto.assert_right("saved.example.")
        return sotto
    return started


def test_a_second_signal_ends_a_save_that_hangs(start_hanging):
    sotto = start_hanging()
    sotto.signal(signal.SIGTERM)
    sotto.wait_for_log(r"stopped\.clients")
    sotto.signal(signal.SIGTERM)
    assert sotto.wait() == 1


def test_a_save_that_hangs_is_given_up(start_hanging):
    sotto = start_hanging()
    sotto.signal(signal.SIGTERM)
    assert sotto.wait(STOPPING_MAX) == 1
    assert "stopping took too long; what was not saved yet is lost" in sotto.log()


# --- operators ---------------------------------------------------------------------------------


def test_an_operator_who_does_not_read_does_not_hold_the_end(start):
    """The answer is more than a socket takes, so the rest of it waits inside sotto."""
    sotto = start(*(f"tls://127.0.0.1:1#n{index}.test" for index in range(600)))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.settimeout(PATIENCE)
        peer.connect(str(sotto.control_socket))
        peer.sendall(b"upstreams json\n")
        assert peer.recv(1)
        sotto.signal(signal.SIGTERM)
        assert sotto.wait() == 0


@pytest.mark.parametrize("request_octets", [b"", b"GET /metrics HTTP/1.1\r\n"])
def test_an_http_client_that_waits_does_not_hold_the_end(start, fake, request_octets):
    admin = Admin(new_port())
    sotto = start(fake, listen={"admin": f"127.0.0.1:{admin.port}"})
    with socket.create_connection(("127.0.0.1", admin.port), PATIENCE) as client:
        client.sendall(request_octets)
        assert admin.status("/livez") == 200
        sotto.signal(signal.SIGTERM)
        assert sotto.wait() == 0


# --- other signals -----------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2])
def test_signals_without_a_meaning_are_ignored(start, fake, number):
    sotto = start(fake)
    for _ in range(3):
        sotto.signal(number)
        sotto.assert_right("ignored.example.")


def test_sigquit_ends_it_at_once(start, fake):
    fake.answer = answers.nothing
    sotto = start(fake, query_timeout="60s")
    with sotto.datagram() as client:
        client.send(wire.query("never.example"))
        fake.wait_for_query("never.example")
        sotto.signal(signal.SIGQUIT)
        assert sotto.wait() == 1
    assert "stopped by SIGQUIT" in sotto.log()
