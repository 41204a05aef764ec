"""Whoever waits is served as soon as a path works, and what waits is bounded."""

import os
import shutil
import subprocess

import dns.rcode
import pytest

from harness import answers, wire
from harness.sotto import binary, environment, new_port, sanitized
from harness.waiting import wait_for


def test_a_race_with_an_idle_close_slows_nobody_afterwards(start, fake):
    """BEHAVIOUR 7: a single loss does not mean that the server answers one query per connection."""
    sotto = start(fake)
    fake.close_after_queries = 2  # the second is lost with its connection
    sotto.assert_right("first.example.")
    first = sotto.load(1, 100, prefix="second")
    fake.close_after_queries = 0
    first.assert_none_failed()
    before = fake.connections
    with sotto.datagram() as client:
        client.send(*[wire.query(f"burst-{index}.example", ident=index) for index in range(100)])
        received = [client.receive() for _ in range(100)]
    assert {message[3] & 0xF for message in received} == {0}
    assert fake.connections - before <= 1


@pytest.mark.parametrize("workers", [1, 2])
def test_everybody_is_served_when_the_network_returns(start, fake, workers):
    """Invariant 5: every worker learns that the back-off is over, not only who ended it."""
    sotto = start(fake, workers=workers)
    for outage in range(3):
        fake.go_down()
        clients = [sotto.datagram() for _ in range(20)]
        try:
            for index, client in enumerate(clients):
                client.send(wire.query(f"out-{outage}-{index}.example", ident=index))
            fake.start_listening()
            assert {client.receive()[3] & 0xF for client in clients} == {0}
        finally:
            for client in clients:
                client.__exit__()


def test_many_large_answers_at_once_do_not_fill_the_memory(start, fake):
    """BEHAVIOUR 15, 35: the limit of unsent octets holds within one turn, too."""
    fake.answer = answers.of_size(60_000)
    sotto = start(fake)
    with fake.held():
        clients = [sotto.stream(receive_buffer=4_096) for _ in range(2)]
        for client in clients:
            client.send(*[wire.query("same.example", wire.TXT, ident=index)
                          for index in range(2_000)])  # 240 MB of answers to one upstream query
        fake.wait_for_query("same.example")
        sotto.ask("localhost.", transport="tcp")  # what was sent before has been read
    assert sotto.ask("beside.example.", "TXT", transport="tcp").answer
    if not sanitized():  # AddressSanitizer keeps what was freed
        with open(f"/proc/{sotto.pid}/status", encoding="ascii") as status:
            peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
        assert peak < 96 * 1_024
    for client in clients:
        client.__exit__()


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("unshare") is None,
                    reason="needs root for a network namespace of its own")
def test_without_a_network_the_client_is_told_so_and_not_at_once(authority, tmp_path):
    """BEHAVIOUR 9: no route is not failed authentication."""
    script = tmp_path / "no-network"
    port = new_port()
    script.write_text(f"""
ip link set lo up
{binary()} --config {tmp_path}/sotto.toml 2>{tmp_path}/log & sotto=$!
until {binary()} query @127.0.0.1:{port} localhost >{tmp_path}/ready 2>&1; do :; done
{binary()} query @127.0.0.1:{port} example.com
kill $sotto; wait $sotto
""")
    (tmp_path / "sotto.toml").write_text(f"""query_timeout = "500ms"
listen.udp = ["127.0.0.1:{port}"]
listen.tcp = []
[[upstream]]
url = "tls://192.0.2.1#dns.test"
ca_file = "{authority.ca_file}"
""")
    done = subprocess.run(["timeout", "30", "unshare", "--net", "sh", str(script)], text=True,
                          capture_output=True, check=False, env=environment())
    assert done.returncode == 0, done.stderr
    assert "status: SERVFAIL" in done.stdout
    assert 'EDE 22 (No Reachable Authority): "no upstream could be reached"' in done.stdout


def test_a_server_that_hangs_up_before_it_is_asked_is_not_stormed(start, fake):
    """BEHAVIOUR 6: new connections are bounded however a connection ends."""
    fake.on_connect = "close"
    sotto = start(fake, query_timeout="1s")
    response = sotto.ask("storm.example.")
    assert response.rcode() == dns.rcode.SERVFAIL
    # 50 ms, then 100 ms and up to a quarter more between attempts, for a second.
    assert 5 <= fake.connections <= 21
    fake.on_connect = "serve"
    wait_for(lambda: sotto.ask("calm.example.").rcode() == dns.rcode.NOERROR, "an answer again")
