"""Clients of sotto's encrypted listeners: DNS over TLS as OpenSSL speaks it."""

import pathlib
import ssl

from .certificates import Leaf
from .clients import StreamClient


class TlsClient(StreamClient):
    """A DoT connection, its handshake done. With TLS 1.3 a server that refuses the client's
    certificate says so afterwards: see alert()."""

    def __init__(self, address: str, port: int, ca_file: pathlib.Path, *, name: str = "dns.test",
                 certificate: Leaf | None = None, session: ssl.SSLSession | None = None,
                 context: ssl.SSLContext | None = None,
                 version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3):
        """session: to be resumed; it belongs to a context."""
        super().__init__(address, port)
        self.context = context or client_context(ca_file, certificate, version)
        self.socket = self.context.wrap_socket(self.socket, server_hostname=name, session=session)

    @property
    def names(self) -> list[str]:
        """DNS names of the certificate that was shown."""
        shown = self.socket.getpeercert().get("subjectAltName", ())
        return [name for kind, name in shown if kind == "DNS"]

    @property
    def resumed(self) -> bool:
        return self.socket.session_reused


def client_context(ca_file: pathlib.Path, certificate: Leaf | None = None,
                   version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(ca_file))
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["dot"])
    if certificate:
        context.load_cert_chain(certificate.chain, certificate.key)
    return context
