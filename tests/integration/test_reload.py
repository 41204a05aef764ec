"""SIGHUP: a new configuration without a lost query; a wrong one changes nothing (BEHAVIOUR 36)."""

import threading

import pytest

from harness import answers, wire
from harness.sotto import new_port
from harness.waiting import wait_for


def new_configuration(start, sotto, *upstreams, **changes) -> None:
    sotto.configure(start.configuration(*upstreams, port=sotto.port, **changes))
    sotto.reload()


def asked_through(sotto, fake, prefix: str) -> None:
    """Waits until queries reach this upstream."""
    numbers = iter(range(100_000))

    def reached() -> bool:
        name = f"{prefix}-{next(numbers)}.example"
        sotto.assert_right(name + ".")
        return bool(fake.asked(name))

    wait_for(reached, f"queries at the upstream of {prefix}")


def test_upstreams_change_under_load_without_a_lost_query(start, make_fake):
    """BEHAVIOUR 36: five changes to and fro while 500 queries a second pass."""
    fakes = make_fake(), make_fake()
    sotto = start(fakes[0])
    results = []
    load = threading.Thread(target=lambda: results.append(sotto.load(2_000, 500)))
    load.start()
    for turn in range(1, 6):
        upstream = fakes[turn % 2]
        before = len(upstream.queries)
        new_configuration(start, sotto, upstream)
        wait_for(lambda: len(upstream.queries) > before + 20, "queries at the new upstream")
    load.join()
    results[0].assert_none_failed()
    assert results[0].asked == 2_000


def test_a_storm_of_reloads_loses_nothing(start, fake):
    """SIGHUP thirty times in a row, under load."""
    sotto = start(fake, hedge={"budget": 0})  # on a busy machine a query may be late
    results = []
    load = threading.Thread(target=lambda: results.append(sotto.load(500, 500)))
    load.start()
    wait_for(lambda: len(fake.queries) > 20, "the load")
    for _ in range(30):
        sotto.reload()
    load.join()
    results[0].assert_none_failed()
    assert fake.connections == 1


def test_an_unchanged_reload_keeps_connections(start, fake):
    """BEHAVIOUR 36: connections and tickets survive."""
    sotto = start(fake)
    sotto.assert_right("before.example.")
    for round_ in range(3):
        sotto.reload()
        sotto.wait_for_log(r"(?i)reload", count=round_ + 1)
        sotto.assert_right(f"after-{round_}.example.")
    assert fake.connections == 1


def test_clients_connections_survive_a_reload(start, make_fake):
    first, second = make_fake(), make_fake()
    sotto = start(first)
    with sotto.stream() as client:
        client.send(wire.query("before.example"))
        assert client.receive()
        new_configuration(start, sotto, second)
        asked_through(sotto, second, "switched")
        client.send(wire.query("same-connection.example"))
        assert client.receive().endswith(
            wire.oracle_address(wire.name_octets("same-connection.example")))
    assert len(second.asked("same-connection.example")) == 1


def test_queries_in_flight_on_a_removed_upstream_are_still_answered(start, make_fake):
    """What was asked of the old upstream is finished, there or elsewhere."""
    old, new = make_fake(), make_fake()
    old.answer = answers.late(0.5)
    sotto = start(old)
    with sotto.datagram() as client:
        client.send(*[wire.query(f"flight-{index}.example", ident=index) for index in range(50)])
        old.wait_for_query("flight-49.example")
        new_configuration(start, sotto, new)
        received = [client.receive() for _ in range(50)]
    assert {message[3] & 0xF for message in received} == {0}


WRONG = {
    "no TOML": "upstream = [",
    "unknown key": 'upstreams = "x"\n',
    "out of range": "workers = 0\n",
    "unreadable CA": '[upstream_default]\nca_file = "/nonexistent/ca.pem"\n'
                     '[[upstream]]\nurl = "tls://127.0.0.1#x.test"\n',
    "no authentication": '[[upstream]]\nurl = "udp://127.0.0.1"\n',
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_changes_nothing_and_is_named(start, fake, case):
    """BEHAVIOUR 36: the old configuration stays; the log has file:line:column."""
    sotto = start(fake)
    sotto.config_file.write_text(WRONG[case])
    sotto.reload()
    sotto.wait_for_log(rf"{sotto.config_file.name}:\d+:\d+")
    sotto.assert_right("still.example.")
    new_configuration(start, sotto, fake)
    sotto.assert_right("good-again.example.")


def test_a_file_that_is_gone_changes_nothing(start, fake):
    sotto = start(fake)
    sotto.config_file.unlink()
    sotto.reload()
    sotto.wait_for_log(rf"{sotto.config_file.name}.*")
    sotto.assert_right("still.example.")


@pytest.mark.parametrize("key, changes", [
    ("workers", {"workers": 3}),
    ("listen.udp", {"listen": {"udp": ["127.0.0.4:{port}"]}}),
    ("tcp.idle_timeout", {"tcp": {"idle_timeout": "3s"}}),
    ("log.format", {"log": {"format": "json"}})])
def test_what_needs_a_restart_is_named_and_the_rest_applied(start, make_fake, key, changes):
    first, second = make_fake(), make_fake()
    sotto = start(first)
    if "listen" in changes:
        changes = {"listen": {"udp": [f"127.0.0.4:{new_port()}"]}}
    new_configuration(start, sotto, second, **changes)
    assert "restart" in sotto.wait_for_log(rf"{key.replace('.', '[.]')}.*restart|restart.*{key}")
    asked_through(sotto, second, "applied")


def test_the_log_level_changes_with_a_reload(start, fake):
    sotto = start(fake, log={"level": "error"})
    sotto.assert_right("quiet.example.")
    quiet = sotto.log()
    new_configuration(start, sotto, fake, log={"level": "debug"})
    fake.close_all()
    wait_for(lambda: sotto.ask("loud.example.").answer and len(sotto.log()) > len(quiet),
             "debug messages")


def test_the_allow_list_changes_with_a_reload(start, fake):
    sotto = start(fake)
    sotto.assert_right("allowed.example.")
    new_configuration(start, sotto, fake, policy={"allow": ["192.0.2.0/24"]})
    wait_for(lambda: sotto.ask("refused.example.").rcode() == 5, "REFUSED")


def test_a_reload_without_a_file_keeps_what_the_command_line_says(start, fake):
    port = new_port()
    sotto = start.raw(["--listen", f"127.0.0.1:{port}", "--upstream", fake.url(),
                       "--ca-file", str(start.ca_file)], port=port)
    sotto.assert_right("before.example.")
    sotto.reload()
    sotto.wait_for_log(r"(?i)reload")
    sotto.assert_right("after.example.")
