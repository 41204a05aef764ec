"""Hosts that give too little: a clear error and exit code 1, or service; never a crash."""

import re
import resource
import subprocess

import pytest

from harness import clients, wire
from harness.sotto import binary, environment, new_port, sanitized
from harness.waiting import PATIENCE, wait_for

pytestmark = pytest.mark.skipif(sanitized(), reason="sanitizers need more than these limits")

MEBIBYTE = 1_024 * 1_024
# Without enough for the libraries, the loader says so, and main is never reached.
LOADER_FAILED = (127, r"error while loading shared libraries")
WORDS = (r"out of memory|Cannot allocate memory|Too many open files|out of descriptors|"
         r"Resource temporarily unavailable|no thread to be had")


def start(limit: int, amount: int, arguments: list[str]) -> subprocess.Popen:
    return subprocess.Popen(
        [str(binary()), *arguments], env=environment(), text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=lambda: resource.setrlimit(limit, (amount, amount)))


def answers(port: int) -> bool:
    try:
        with clients.DatagramClient("127.0.0.1", port) as client:
            client.socket.settimeout(0.2)
            return bool(client.ask(wire.query("localhost")))
    except OSError:
        return False


def assert_serves_or_says_why_not(fake, authority, limit: int, amount: int) -> None:
    port = new_port()
    process = start(limit, amount, [
        "--listen", f"127.0.0.1:{port}", "--upstream", fake.url(), "--ca-file",
        str(authority.ca_file)])
    try:
        serving = wait_for(lambda: process.poll() is not None or answers(port), "an end or a start")
        if process.poll() is None:
            assert serving
            process.terminate()
        _output, said = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
        process.wait()
    code = process.returncode
    if (code, *re.findall(LOADER_FAILED[1], said)[:1]) == LOADER_FAILED:
        return
    # What it had enough for at the start may still have been too little later.
    assert code == 1 or (code == 0 and "listening" in said), (code, said)
    if code == 1:
        assert re.search(WORDS, said), said
    assert "terminate called" not in said, said


@pytest.mark.parametrize("descriptors", range(6, 17))
def test_few_descriptors(fake, authority, descriptors):
    assert_serves_or_says_why_not(fake, authority, resource.RLIMIT_NOFILE, descriptors)


@pytest.mark.parametrize("mebibytes", range(32, 161, 8))
def test_little_memory(fake, authority, mebibytes):
    assert_serves_or_says_why_not(fake, authority, resource.RLIMIT_AS, mebibytes * MEBIBYTE)


@pytest.mark.parametrize("mebibytes", range(32, 161, 16))
@pytest.mark.parametrize("command", [["check"], ["query", "@127.0.0.1:1", "localhost"], ["--help"]])
def test_little_memory_for_the_other_commands(command, mebibytes):
    process = start(resource.RLIMIT_AS, mebibytes * MEBIBYTE, command)
    _output, said = process.communicate(timeout=PATIENCE)
    assert process.returncode in (0, 1, LOADER_FAILED[0]), said
    assert "terminate called" not in said, said
