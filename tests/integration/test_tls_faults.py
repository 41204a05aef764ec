"""Every certificate fault of BEHAVIOUR.md §2, on a full and on a resumed handshake: SERVFAIL with
EDE 22, a log line that names the certificate and the expected name, and no octet in plain text."""

import datetime
import ssl
import time

import dns.rcode
import pytest

from harness import certificates, fake_upstream
from harness.clients import extended_errors
from harness.waiting import wait_for

FAULTS = ["wrong name", "CN only", "expired", "not yet valid", "self-signed", "unknown authority"]


@pytest.fixture(scope="module")
def stranger(tmp_path_factory) -> certificates.Authority:
    """An authority that nobody trusts."""
    return certificates.Authority(tmp_path_factory.mktemp("stranger"), "Stranger CA")


@pytest.fixture
def faulty(authority, stranger):
    """faulty(fault): a certificate with that fault."""
    week = datetime.timedelta(days=7)

    def make(fault: str) -> certificates.Leaf:
        now = certificates.now()
        return {
            "wrong name": lambda: authority.leaf(
                names=("other.test",), addresses=(), common_name="other.test"),
            "CN only": lambda: authority.leaf(names=(), addresses=()),
            "expired": lambda: authority.leaf(not_before=now - 2 * week, not_after=now - week),
            "not yet valid": lambda: authority.leaf(
                not_before=now + week, not_after=now + 2 * week),
            "self-signed": lambda: authority.leaf(self_signed=True),
            "unknown authority": stranger.leaf,
        }[fault]()

    return make


def assert_unreachable(sotto, name: str) -> None:
    """SERVFAIL + EDE 22 with EDNS, SERVFAIL alone without (BEHAVIOUR 37)."""
    response = sotto.ask(name)
    assert (response.rcode(), response.answer) == (dns.rcode.SERVFAIL, [])
    assert extended_errors(response) == [22]
    assert sotto.ask(name, use_edns=False).rcode() == dns.rcode.SERVFAIL


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_certificate_on_a_full_handshake(start, fake, faulty, fault):
    """BEHAVIOUR 11, 9: it fails at once, long before the overall deadline of a minute."""
    fake.use(faulty(fault))
    sotto = start(fake, query_timeout="60s")
    assert_unreachable(sotto, "secret.example.")
    line = sotto.wait_for_log(r"dns\.test")
    shown = "other.test" if fault == "wrong name" else "dns.test"
    assert f"CN={shown}" in line, line
    assert fake.queries == []
    fake.assert_only_tls()
    assert sotto.peers() <= {("127.0.0.1", fake.port)}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_certificate_when_a_ticket_is_held(start, fake, faulty, fault, leaf):
    """The server changes while the client holds tickets; they do not help it. Afterwards, with the
    good certificate back, the first query succeeds again (item 6: within the back-off)."""
    sotto = start(fake, query_timeout="60s")
    sotto.assert_right("before.example.")
    fake.use(faulty(fault))
    fake.close_all()
    assert_unreachable(sotto, "secret.example.")
    assert fake.asked("secret.example") == []
    fake.use(leaf)
    wait_for(lambda: sotto.ask("after.example.").answer, "healing without a restart")
    fake.assert_only_tls()


def test_a_certificate_that_expires_is_refused_on_resumption(start, make_fake, authority):
    """BEHAVIOUR 11: the chain is checked after every handshake, the resumed ones too."""
    lifetime = datetime.timedelta(seconds=4)
    expires = certificates.now() + lifetime
    short_lived = authority.leaf(not_after=expires)
    fake = make_fake(leaf=short_lived)
    sotto = start({"url": fake.url(), "keep_warm": "0s"}, query_timeout="60s")
    sotto.assert_right("before.example.")
    fake.close_all()
    sotto.assert_right("resumed.example.")
    resumed = fake.handshakes_resumed
    assert resumed == 1
    wait_for(lambda: certificates.now() > expires + datetime.timedelta(seconds=1), "expiry")
    fake.close_all()
    assert_unreachable(sotto, "secret.example.")
    assert fake.asked("secret.example") == []
    assert "expired" in sotto.wait_for_log(r"expired.*dns\.test|dns\.test.*expired")


def test_a_trust_anchor_that_is_replaced_ends_resumption(start, fake, stranger, authority,
                                                            tmp_path):
    """A reload with another CA in the same file: a ticket of the old trust does not get in."""
    ca_file = tmp_path / "changing.pem"
    ca_file.write_bytes(authority.ca_file.read_bytes())
    sotto = start({"url": fake.url(), "ca_file": str(ca_file)}, query_timeout="60s")
    sotto.assert_right("before.example.")
    ca_file.write_bytes(stranger.ca_file.read_bytes())
    sotto.reload()
    sotto.wait_for_log(r"(?i)reload|configuration")
    wait_for(lambda: sotto.ask("secret.example.").rcode() == dns.rcode.SERVFAIL, "distrust")
    assert extended_errors(sotto.ask("secret-2.example.")) == [22]
    assert fake.asked("secret-2.example") == []


def test_a_rotated_certificate_of_the_same_name_is_accepted(start, fake, authority):
    """BEHAVIOUR §2: rotated; the refused ticket falls back to a full handshake (item 10)."""
    sotto = start(fake)
    sotto.assert_right("before.example.")
    fake.use(authority.leaf())
    fake.close_all()
    sotto.assert_right("after.example.")
    assert fake.handshakes_full == 2


def test_an_expired_cross_sign_beside_a_valid_path_is_accepted(start, fake, authority, stranger):
    """BEHAVIOUR §2: the server sends the root anew, signed by an old root and expired; the root
    that is trusted makes a path without it."""
    good = authority.leaf()
    yesterday = certificates.now() - certificates.DAY
    with good.chain.open("ab") as chain:
        chain.write(authority.cross_signed_by(stranger, not_after=yesterday))
    fake.use(good)
    start(fake).assert_right("cross.example.")


@pytest.mark.parametrize("url_name, names, addresses, works", [
    ("dns.test", ("dns.test",), (), True),
    ("DNS.Test", ("dns.test",), (), True),
    ("a.dns.test", ("*.dns.test",), (), True),
    ("a.b.dns.test", ("*.dns.test",), (), False),
    ("dns.test", ("*.dns.test",), (), False),
    ("dns.test", (), ("127.0.0.1",), False),
    ("", (), ("127.0.0.1",), True),
    ("", ("dns.test",), (), False),
    ("", ("127.0.0.1",), (), False),
    ("", (), ("127.0.0.2",), False)])
def test_the_name_or_the_address_must_be_in_the_san(start, make_fake, authority, url_name, names,
                                                     addresses, works):
    """DESIGN §6: #AUTH-NAME, or without it the IP address in the SAN."""
    fake = make_fake(leaf=authority.leaf(names=names, addresses=addresses, common_name="x"))
    sotto = start(fake.url(url_name), query_timeout="60s")
    if works:
        sotto.assert_right("name.example.")
    else:
        assert_unreachable(sotto, "name.example.")
        assert fake.queries == []


def test_pins_are_checked_in_addition(start, fake, leaf, stranger):
    """BEHAVIOUR 11: a right pin passes, a wrong one does not although the chain is good; a right
    pin does not replace the chain."""
    right = start({"url": fake.url(), "pins": [leaf.pin]}, query_timeout="60s")
    right.assert_right("pin.example.")
    fake.close_all()
    right.assert_right("pin-resumed.example.")
    assert fake.handshakes_resumed == 1
    assert right.stop() == 0
    wrong = start({"url": fake.url(), "pins": [stranger.leaf().pin]}, query_timeout="60s")
    assert_unreachable(wrong, "secret.example.")
    assert wrong.stop() == 0
    unknown = stranger.leaf()
    fake.use(unknown)
    untrusted = start({"url": fake.url(), "pins": [unknown.pin]}, query_timeout="60s")
    assert_unreachable(untrusted, "secret.example.")
    assert fake.asked("secret.example") == []


def test_tls_1_2_is_spoken_and_1_1_is_not(start, fake, leaf):
    """BEHAVIOUR 11."""
    fake.use(leaf, version=ssl.TLSVersion.TLSv1_2)
    sotto = start(fake, query_timeout="1s")
    sotto.assert_right("old.example.")
    fake.close_all()
    sotto.assert_right("old-again.example.")
    assert fake.tls_versions == {"TLSv1.2"}
    fake.use(leaf, version=ssl.TLSVersion.TLSv1_1)
    fake.close_all()
    assert sotto.ask("older.example.").rcode() == dns.rcode.SERVFAIL
    assert fake.asked("older.example") == []


def test_alpn_dot_is_offered(start, fake):
    """BEHAVIOUR 11; RFC 7858's registered protocol."""
    start(fake).assert_right("alpn.example.")
    assert fake.alpn == {"dot"}


def test_absent_alpn_is_accepted(start, fake, leaf):
    context = fake_upstream.server_context(leaf)
    context.set_alpn_protocols(["other"])  # no overlap: OpenSSL answers without ALPN
    fake.context = context
    start(fake).assert_right("alpn.example.")
    assert fake.alpn == {None}


@pytest.mark.parametrize("what", ["plaintext", "http"])
def test_what_is_not_tls_on_port_853_gets_nothing(start, fake, what):
    """BEHAVIOUR §2: plain DNS on 853, a captive portal: never a fallback (item 11)."""
    fake.on_connect = what
    sotto = start(fake, query_timeout="1s")
    response = sotto.ask("secret.example.")
    assert (response.rcode(), response.answer) == (dns.rcode.SERVFAIL, [])
    assert extended_errors(response) in ([22], [23])
    fake.assert_only_tls()
    fake.on_connect = "serve"
    wait_for(lambda: sotto.ask("after.example.").answer, "healing when the portal is gone")


def test_authentication_failing_everywhere_fails_at_once(start, make_fake, faulty):
    """BEHAVIOUR 9: only when the last failure of every upstream was authentication; then without
    waiting for the overall deadline of a minute."""
    first, second = make_fake(leaf=faulty("expired")), make_fake(leaf=faulty("wrong name"))
    sotto = start(first, second, query_timeout="60s")
    began = time.monotonic()
    assert_unreachable(sotto, "secret.example.")
    assert time.monotonic() - began < 30  # the deadline is a minute away
    assert first.connections >= 1 and second.connections >= 1


def test_the_next_upstream_stands_in_for_one_that_cannot_prove_itself(start, make_fake, faulty):
    impostor, honest = make_fake(leaf=faulty("self-signed")), make_fake()
    sotto = start(impostor, honest)
    sotto.assert_right("honest.example.")
    assert impostor.queries == [] and len(honest.queries) == 1
