"""Certificates of the encrypted listeners, and of their clients: chosen by name, replaced while
sotto runs, checked, and what tickets are good for. DNS over TLS stands for all of them."""

import pathlib
import shutil
import ssl
import threading

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from harness import certificates, wire
from harness.certificates import DAY
from harness.sotto import new_port
from harness.tls_client import TlsClient, client_context
from harness.waiting import wait_for

QUERY = wire.query("localhost.")  # answered by sotto itself


class Files:
    """A certificate and its key where sotto looks for them."""

    def __init__(self, directory: pathlib.Path, leaf: certificates.Leaf, name: str = "server"):
        self.certificate, self.key = directory / f"{name}.pem", directory / f"{name}.key"
        self.replace(leaf)

    def replace(self, leaf: certificates.Leaf) -> None:
        put(self.certificate, leaf.chain.read_bytes())
        put(self.key, leaf.key.read_bytes())


def put(path: pathlib.Path, content: bytes) -> None:
    """As a whole, with a mode for secrets."""
    made = path.with_suffix(".new")
    made.write_bytes(content)
    made.chmod(0o600)
    made.rename(path)


class Served:
    """A sotto with DoT listeners, whose upstream is never asked."""

    def __init__(self, start, authority, *listeners: dict, **server_tls):
        self.authority = authority
        self.ports = [new_port() for _ in listeners or ({},)]
        tables = [{"address": f"127.0.0.1:{port}", **listener}
                  for port, listener in zip(self.ports, listeners or ({},))]
        self.sotto = start("tls://127.0.0.1:1#dns.test", listen={"tls": tables},
                           server_tls={key: str(value) if isinstance(value, pathlib.Path) else value
                                       for key, value in server_tls.items()})

    def connect(self, listener: int = 0, **options) -> TlsClient:
        return TlsClient("127.0.0.1", self.ports[listener], self.authority.ca_file, **options)

    def shown(self, **options) -> list[str]:
        """The names of the certificate that a new client is shown."""
        with self.connect(**options) as client:
            assert answered(client)
            return client.names


def answered(client: TlsClient) -> bool:
    client.send(QUERY)
    return client.receive()[:2] == QUERY[:2]


def refusal(client: TlsClient) -> str:
    """The alert that the server ended the connection with."""
    with pytest.raises(ssl.SSLError) as caught:
        client.receive()
    return caught.value.reason


def load(served: Served, stop: threading.Event, names: set, faults: list) -> None:
    """One connection that stays, and new ones all the time."""
    try:
        with served.connect(name="dns.test") as old:
            while not stop.is_set():
                assert answered(old)
                names.update(served.shown(name="dns.test"))
    except (AssertionError, OSError) as fault:
        faults.append(fault)


def test_certificates_are_replaced_under_load(start, authority, tmp_path):
    """By SIGHUP, and by the files alone; a broken pair in between is told of, once, and not used.
    No connection is lost and no query fails."""
    first, second, third = (authority.leaf(names=("dns.test", f"{number}.test"))
                            for number in ("first", "second", "third"))
    files = Files(tmp_path, first)
    served = Served(start, authority, certificate=files.certificate, key=files.key)
    stop, names, faults = threading.Event(), set(), []
    client = threading.Thread(target=load, args=(served, stop, names, faults))
    client.start()
    try:
        wait_for(lambda: "first.test" in names, "the first certificate")
        files.replace(second)
        served.sotto.reload()
        wait_for(lambda: "second.test" in names, "the certificate after SIGHUP")

        put(files.certificate, third.chain.read_bytes())
        served.sotto.reload()
        served.sotto.wait_for_log("config.error: .*the private key does not belong")
        served.sotto.wait_for_log("server_tls.kept: .*the private key does not belong")
        assert "third.test" not in names
        put(files.key, third.key.read_bytes())
        wait_for(lambda: "third.test" in names, "the certificate that was put there")
    finally:
        stop.set()
        client.join()
    assert not faults
    assert served.sotto.log().count("server_tls.kept") == 1


def test_the_certificate_is_chosen_by_the_name_that_is_asked_for(start, authority, tmp_path):
    plain = Files(tmp_path, authority.leaf(names=("dns.test",)), "plain")
    wild = Files(tmp_path, authority.leaf(names=("other.test", "*.other.test")), "wild")
    served = Served(start, authority, certificate=[str(plain.certificate), str(wild.certificate)],
                    key=[str(plain.key), str(wild.key)])
    assert served.shown(name="dns.test") == ["dns.test"]
    assert served.shown(name="127.0.0.1") == ["dns.test"]
    for name in ("other.test", "a.other.test", "OTHER.test"):
        assert served.shown(name=name) == ["other.test", "*.other.test"]


def test_clients_are_let_in_by_their_certificates(start, authority, leaf, tmp_path):
    """None, of another authority, expired, of a server, right: over both versions of TLS, where one
    is required and where it is not, and again with the session."""
    clients = certificates.Authority(tmp_path / "clients", "Clients")
    others = certificates.Authority(tmp_path / "others", "Others")
    purpose = {"purpose": ExtendedKeyUsageOID.CLIENT_AUTH}
    now = certificates.now()
    refused = {
        "UNKNOWN_CA": others.leaf(**purpose),
        "CERTIFICATE_EXPIRED": clients.leaf(not_after=now - DAY / 24, not_before=now - DAY,
                                            **purpose),
        "BAD_CERTIFICATE": clients.leaf(not_before=now + DAY / 24, **purpose),
        "UNSUPPORTED_CERTIFICATE": clients.leaf(),
    }
    right = clients.leaf(names=("laptop.test",), **purpose)
    ca = str(clients.ca_file)
    required, optional, open_to_all = 0, 1, 2
    served = Served(start, authority, {"client_ca": ca},
                    {"client_ca": ca, "client_certificate": "optional"}, {},
                    certificate=leaf.chain, key=leaf.key)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        for alert, certificate in refused.items():
            for listener in (required, optional):
                with served.connect(listener, certificate=certificate, version=version) as client:
                    assert refusal(client).endswith(alert)
        with served.connect(required, version=version) as client:
            assert refusal(client).endswith(
                "CERTIFICATE_REQUIRED" if version == ssl.TLSVersion.TLSv1_3 else
                "HANDSHAKE_FAILURE")
        for listener, certificate in ((required, right), (optional, right), (optional, None)):
            context = client_context(authority.ca_file, certificate, version)
            session = None
            for resumed in (False, True):
                with served.connect(listener, context=context, session=session) as client:
                    assert answered(client)
                    assert client.resumed == resumed
                    session = client.socket.session

    # A session from where nobody is asked, or from another listener, does not let anybody in.
    context = client_context(authority.ca_file)
    for listener in (open_to_all, optional):
        with served.connect(listener, context=context) as client:
            assert answered(client)
            session = client.socket.session
        with served.connect(required, context=context, session=session) as client:
            assert not client.resumed
            assert refusal(client).endswith("CERTIFICATE_REQUIRED")


def test_a_fleet_shares_its_sessions_until_the_key_is_replaced(start, authority, leaf, tmp_path):
    key = tmp_path / "tickets.key"
    put(key, bytes(range(64)))
    fleet = [Served(start, authority, certificate=leaf.chain, key=leaf.key, ticket_key_file=key)
             for _ in range(2)]
    context = client_context(authority.ca_file)

    def resumed(served: Served, session: ssl.SSLSession | None):
        with served.connect(context=context, session=session) as client:
            assert answered(client)
            return client.resumed, client.socket.session

    was, session = resumed(fleet[0], None)
    assert not was
    was, session = resumed(fleet[1], session)
    assert was, "by the other one's ticket"
    put(key, bytes(range(1, 65)))
    for served in fleet:
        served.sotto.reload()
        served.sotto.wait_for_log("config.reloaded")
    was, session = resumed(fleet[0], session)
    assert not was, "one full handshake"
    was, session = resumed(fleet[1], session)
    assert was

    shutil.copy(key, tmp_path / "open.key")
    (tmp_path / "open.key").chmod(0o644)
    put(key, b"too short")
    fleet[0].sotto.reload()
    fleet[0].sotto.wait_for_log("config.error: .*a ticket key has 64 octets, this file has 9")
    assert resumed(fleet[0], session)[0], "the old key stays"
