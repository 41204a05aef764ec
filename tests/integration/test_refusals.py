"""Upstreams that turn sotto away with a bare header: a failure that is known at once, which its
EDE tells from a query that nobody answered in time."""

import dns.rcode
import pytest

from harness import answers, real_servers, wire
from harness.clients import extended_errors

NO_REACHABLE_AUTHORITY = 22  # RFC 8914 §4.23

REFUSALS = {"FORMERR": wire.FORMERR, "SERVFAIL": wire.SERVFAIL, "NOTIMP": wire.NOTIMP,
            "REFUSED": wire.REFUSED}


@pytest.mark.parametrize("rcode", REFUSALS)
def test_the_client_of_a_lone_upstream_hears_of_it_at_once(start, fake, rcode):
    fake.answer = answers.refusal(REFUSALS[rcode])
    sotto = start(fake)
    response = sotto.ask("refused.example.")
    assert response.rcode() == dns.rcode.SERVFAIL
    assert extended_errors(response) == [NO_REACHABLE_AUTHORITY]
    # FORMERR may mean EDNS, and is asked about once without it.
    assert len(fake.asked("refused.example")) == (2 if rcode == "FORMERR" else 1)
    assert fake.connections == 1
    sotto.wait_for_log(f"upstream.refused.*{rcode}")
    assert "upstream.discarded" not in sotto.log()


def test_another_upstream_is_asked_instead(start, make_fake):
    refusing, well = make_fake(), make_fake()
    refusing.answer = answers.refusal(wire.REFUSED)
    sotto = start(refusing, well)
    for index in range(5):
        sotto.assert_right(f"elsewhere-{index}.example.")
    sotto.wait_for_log("upstream.refused")


def test_another_group_is_asked_instead(start, make_fake):
    """It says nothing of the question, so no policy is evaded."""
    refusing, well = make_fake(), make_fake()
    refusing.answer = answers.refusal(wire.REFUSED)
    sotto = start({"url": refusing.url(), "group": "first"}, {"url": well.url(), "group": "second"},
                  group=[{"name": "first"}, {"name": "second"}])
    sotto.assert_right("second.example.")


def test_the_log_does_not_repeat_it_for_each_query(start, fake):
    fake.answer = answers.refusal(wire.REFUSED)
    sotto = start(fake)
    for index in range(200):
        sotto.ask(f"many-{index}.example.")
    sotto.wait_for_log("upstream.refused")
    assert sotto.log().count("upstream.refused") < 100


def test_unbound_that_refuses_is_told_from_one_that_is_silent(start, tmp_path, authority, leaf):
    """unbound, access-control: refuse. It answers REFUSED without a question, unless with EDE."""
    server = real_servers.start_unbound(tmp_path, authority, leaf, extra="ede: no", access="refuse")
    try:
        server.await_listening()
        sotto = start(server)
        response = sotto.ask("www.example.")
        assert response.rcode() == dns.rcode.SERVFAIL
        assert extended_errors(response) == [NO_REACHABLE_AUTHORITY]
        sotto.wait_for_log("upstream.refused.*REFUSED")
        assert "upstream.discarded" not in sotto.log()
    finally:
        server.process.stop()
