"""A client of DNS over HTTPS on the library h2, one connection, any number of requests; and frames
by hand, for what no library sends."""

import base64
import dataclasses
import pathlib
import socket
import ssl
import struct

import h2.config
import h2.connection
import h2.events
import h2.settings

from .waiting import PATIENCE

MEDIA_TYPE = "application/dns-message"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = (
    0, 1, 2, 3, 4, 6, 7, 8, 9)
END_STREAM, ACK, END_HEADERS = 1, 1, 4
ENHANCE_YOUR_CALM = 11


def base64url(message: bytes) -> str:
    return base64.urlsafe_b64encode(message).decode().rstrip("=")


def tls_context(ca_file: pathlib.Path | None = None, alpn: tuple[str, ...] = ("h2",)):
    context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    if not ca_file:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def connect(port: int, context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
    stream = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return (context or tls_context()).wrap_socket(stream, server_hostname="dns.test")


@dataclasses.dataclass
class Response:
    fields: dict[str, str] = dataclasses.field(default_factory=dict)
    body: bytes = b""
    ended: bool = False
    reset: int | None = None

    @property
    def status(self) -> int:
        return int(self.fields[":status"])


class DohClient:
    """Context manager. window: octets of each response that may come unasked."""

    def __init__(self, port: int, *, path: str = "/dns-query", window: int = 65_535,
                 context: ssl.SSLContext | None = None):
        self.path = path
        self.socket = connect(port, context)
        self.connection = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        self.connection.initiate_connection()
        self.responses: dict[int, Response] = {}
        self.order: list[int] = []  # of the streams whose responses have ended
        self.goaway: int | None = None
        self.closed = False
        self.automatic_windows = window == 65_535
        self._window_known = self.automatic_windows
        if not self.automatic_windows:
            self.connection.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window})
        self._send()
        self.wait_until(lambda: self._window_known)

    def __enter__(self) -> "DohClient":
        return self

    def __exit__(self, *_ignored) -> None:
        self.socket.close()

    # --- asking --------------------------------------------------------------------------

    def request(self, method: str, path: str, body: bytes = b"", **fields: str) -> int:
        """Sends a request and returns its stream. fields: names with _ for -."""
        stream = self.connection.get_next_available_stream_id()
        named = [(name.replace("_", "-"), value) for name, value in fields.items()]
        head = [(":method", method), (":scheme", "https"), (":authority", "dns.test"),
                (":path", path), *named]
        self.connection.send_headers(stream, head, end_stream=not body)
        self.responses[stream] = Response()
        if body:
            self.connection.send_data(stream, body, end_stream=True)
        self._send()
        return stream

    def post(self, message: bytes, content_type: str = MEDIA_TYPE) -> int:
        return self.request("POST", self.path, message, content_type=content_type)

    def get(self, message: bytes, method: str = "GET") -> int:
        return self.request(method, f"{self.path}?dns={base64url(message)}", accept=MEDIA_TYPE)

    def reset(self, stream: int) -> None:
        self.connection.reset_stream(stream)
        self._send()

    def allow(self, stream: int, octets: int) -> None:
        self.connection.increment_flow_control_window(octets, stream)
        self._send()

    # --- hearing -------------------------------------------------------------------------

    def response(self, stream: int) -> Response:
        """Waits until it is whole."""
        self.wait_until(lambda: self.responses[stream].ended
                        or self.responses[stream].reset is not None)
        return self.responses[stream]

    def wait_until(self, condition) -> None:
        while not condition():
            assert not self.closed, f"closed; GOAWAY {self.goaway}"
            self.receive()

    def receive(self) -> None:
        """What comes next; raises TimeoutError."""
        octets = self.socket.recv(65_536)
        if not octets:
            self.closed = True
            return
        for event in self.connection.receive_data(octets):
            self._take(event)
        self._send()

    def _take(self, event) -> None:
        if isinstance(event, h2.events.ResponseReceived):
            self.responses[event.stream_id].fields = dict(event.headers)
        elif isinstance(event, h2.events.DataReceived):
            self.responses[event.stream_id].body += event.data
            if self.automatic_windows:
                self.connection.acknowledge_received_data(event.flow_controlled_length,
                                                          event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            self.responses[event.stream_id].ended = True
            self.order.append(event.stream_id)
        elif isinstance(event, h2.events.StreamReset):
            self.responses[event.stream_id].reset = event.error_code
        elif isinstance(event, h2.events.SettingsAcknowledged):
            codes = event.changed_settings
            self._window_known |= h2.settings.SettingCodes.INITIAL_WINDOW_SIZE in codes
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.goaway = event.error_code

    def _send(self) -> None:
        octets = self.connection.data_to_send()
        if octets:
            self.socket.sendall(octets)


# --- frames by hand -----------------------------------------------------------------------------


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload


def literal_fields(*fields: tuple[bytes, bytes]) -> bytes:
    """Without indexing (RFC 7541 §6.2.2); names and values shorter than 127 octets."""
    return b"".join(b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value
                    for name, value in fields)


def greeting() -> bytes:
    return PREFACE + frame(SETTINGS, 0, 0) + frame(SETTINGS, ACK, 0)


def last_goaway(stream: ssl.SSLSocket) -> int | None:
    """Reads to the end of the stream; the error of the GOAWAY before it, if there was one."""
    octets = b""
    try:
        while piece := stream.recv(65_536):
            octets += piece
    except ConnectionError:
        pass
    error = None
    while len(octets) >= 9:
        length = int.from_bytes(octets[:3], "big")
        if octets[3] == GOAWAY:
            error = int.from_bytes(octets[13:17], "big")
        octets = octets[9 + length:]
    return error
