"""The log: on standard error, as text or JSON lines; says what happened to upstreams and why."""

import json

import pytest

from harness import wire
from harness.waiting import wait_for


def json_lines(sotto) -> list[dict]:
    return [json.loads(line) for line in sotto.log().splitlines()]


def test_text_lines_have_a_time_and_a_level(start, fake):
    sotto = start(fake)
    sotto.assert_right("line.example.")
    for line in sotto.log().splitlines():
        assert line[:4].isdigit(), line
        assert any(level in line.lower() for level in ("debug", "info", "warn", "error")), line


def test_json_lines_are_objects(start, fake):
    sotto = start(fake, log={"format": "json", "level": "debug"})
    sotto.assert_right("json.example.")
    fake.go_down()
    sotto.ask("down.example.", use_edns=0)
    lines = json_lines(sotto)
    assert lines
    for line in lines:
        assert {"time", "level", "message"} <= set(line)
        assert line["level"] in ("debug", "info", "warning", "error")


def test_the_log_says_where_it_listens_and_whom_it_asks_how(start, fake):
    sotto = start(fake, log={"level": "info"})
    for transport in ("udp", "tcp"):
        assert len([line for line in sotto.log().splitlines()
                    if transport in line and f"127.0.0.1:{sotto.port}" in line]) == 1
    sotto.assert_right("whom.example.")
    assert "TLS1.3" in sotto.wait_for_log(rf"127\.0\.0\.1:{fake.port}")


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_an_upstreams_fall_and_return_are_logged(start, fake, log_format):
    sotto = start(fake, query_timeout="300ms", log={"level": "info", "format": log_format})
    sotto.assert_right("before.example.")
    fake.go_down()
    sotto.ask("down.example.")
    line = sotto.wait_for_log(rf"(?i)127\.0\.0\.1:{fake.port}.*refused|refused.*:{fake.port}")
    assert "warn" in line.lower()
    fake.start_listening()
    sotto.assert_right("back.example.")
    sotto.wait_for_log(rf"(?i)(again|recovered|back).*:{fake.port}|:{fake.port}.*(again|recovered)")


def test_tls_failures_name_the_certificate_and_the_expected_name(start, make_fake, authority):
    fake = make_fake(leaf=authority.leaf(names=("other.test",), addresses=(),
                                         common_name="other.test"))
    sotto = start(fake, log={"level": "warning"})
    sotto.ask("secret.example.")
    line = sotto.wait_for_log(r"other\.test")
    assert "dns.test" in line and f"127.0.0.1:{fake.port}" in line


def test_a_storm_of_failures_is_rate_limited(start, fake):
    """BEHAVIOUR 35: log volume is bounded."""
    fake.on_connect = "reset"
    sotto = start(fake, query_timeout="200ms", log={"level": "info"})
    sotto.load(600, 300, prefix="storm")
    assert len(sotto.log().splitlines()) < 60


def test_levels_hide_what_is_below_them(start, fake):
    sotto = start(fake, log={"level": "error"})
    sotto.assert_right("quiet.example.")
    fake.close_all()
    sotto.assert_right("quiet-again.example.")
    assert sotto.log() == ""


def test_names_are_not_logged_and_hostile_ones_forge_no_line(start, fake):
    """BEHAVIOUR §3: hostile names in logs. Whatever is logged stays printable, one line each."""
    sotto = start(fake, log={"level": "debug", "format": "json"})
    hostile = b"\x15a\n{\"level\":\"error\"}\x1b[31m"[:22] + b"\x07example\0"
    label = b'a\n{"x":1}\x1b[31m\r\0'
    name = bytes([len(label)]) + label + b"\x07example\0"
    with sotto.datagram() as client:
        client.ask(wire.query(name))
        client.send(wire.query(name)[:-2])
        client.send(wire.query(hostile))
    sotto.assert_right("after.example.")
    for line in sotto.log().splitlines():
        json.loads(line)
        assert line.isprintable()


def test_the_log_is_complete_at_the_end(start, fake):
    """Asynchronous logging loses no line at a clean stop."""
    sotto = start(fake, log={"level": "info"})
    assert sotto.stop() == 0
    wait_for(lambda: sotto.log().strip(), "the log")
    assert any(word in sotto.log().splitlines()[-1].lower() for word in ("stop", "end", "bye"))


def test_an_outage_is_told_once_and_its_end_too(start, fake):
    """Changes of state, not attempts: 50 attempts are one line."""
    sotto = start(fake, log={"level": "info"}, query_timeout="1s")
    sotto.assert_right("before.example.")
    fake.go_down()
    for index in range(3):
        sotto.ask(f"down-{index}.example.")
    fake.start_listening()
    sotto.assert_right("after.example.")
    sotto.wait_for_log("upstream.recovered")
    log = sotto.log()
    assert log.count("Connection refused") == 2, "the address, and that it was the only one"
    assert log.count("upstream.down") == 1
    assert log.count("upstream.recovered") == 1
