"""Clients of sotto: a stream client that can misbehave, and a load of UDP queries at a set pace."""

import collections
import dataclasses
import select
import socket
import struct
import time

import dns.edns
import dns.message

from . import wire
from .waiting import PATIENCE


class StreamClient:
    """A TCP connection on which octets are sent as given. Context manager."""

    def __init__(self, address: str, port: int, *, receive_buffer: int | None = None,
                 source: str | None = None):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        if source:
            self.socket.bind((source, 0))
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(PATIENCE)
        self.socket.connect((address, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""

    def __enter__(self) -> "StreamClient":
        return self

    def __exit__(self, *_ignored) -> None:
        self.socket.close()

    def send(self, *messages: bytes) -> None:
        self.socket.sendall(b"".join(wire.framed(message) for message in messages))

    def send_octets(self, octets: bytes) -> None:
        self.socket.sendall(octets)

    def reset(self) -> None:
        """Closes with RST: whatever comes is not wanted any more."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def half_close(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def receive(self) -> bytes | None:
        """The next message, or None when the server has closed at a message's end."""
        while True:
            if len(self._buffer) >= 2:
                (length,) = struct.unpack_from("!H", self._buffer)
                if len(self._buffer) >= 2 + length:
                    message = self._buffer[2 : 2 + length]
                    self._buffer = self._buffer[2 + length :]
                    return message
            try:
                octets = self.socket.recv(65_536)
            except ConnectionResetError:
                octets = b""
            if not octets:
                assert not self._buffer, "the stream ended inside a message"
                return None
            self._buffer += octets

    def receive_many(self, count: int) -> list[bytes]:
        messages = []
        for _ in range(count):
            message = self.receive()
            assert message is not None, f"closed after {len(messages)} of {count} answers"
            messages.append(message)
        return messages

    def ask(self, message: dns.message.Message) -> dns.message.Message:
        self.send(message.to_wire())
        octets = self.receive()
        assert octets is not None, "closed instead of answering"
        return dns.message.from_wire(octets)

    def wait_for_close(self) -> None:
        """Reads until the server closes; anything it still sends is thrown away."""
        while True:
            try:
                if not self.socket.recv(65_536):
                    return
            except ConnectionResetError:
                return


class DatagramClient:
    """A UDP socket connected to sotto: only answers from the address asked come in."""

    def __init__(self, address: str, port: int, source: str | None = None):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        if source:
            self.socket.bind((source, 0))
        self.socket.settimeout(PATIENCE)
        self.socket.connect((address, port))

    def __enter__(self) -> "DatagramClient":
        return self

    def __exit__(self, *_ignored) -> None:
        self.socket.close()

    def send(self, *messages: bytes) -> None:
        for message in messages:
            self.socket.send(message)

    def receive(self) -> bytes:
        return self.socket.recv(65_536)

    def ask(self, message: bytes) -> bytes:
        self.send(message)
        return self.receive()


@dataclasses.dataclass
class LoadResult:
    asked: int
    right: int = 0
    duplicates: int = 0
    wrong: list[bytes] = dataclasses.field(default_factory=list)
    rcodes: collections.Counter = dataclasses.field(default_factory=collections.Counter)

    @property
    def lost(self) -> int:
        return self.asked - self.right - len(self.wrong) - sum(self.rcodes.values())

    def assert_none_failed(self) -> None:
        assert (self.right, dict(self.rcodes), self.wrong, self.lost, self.duplicates) == (
            self.asked, {}, [], 0, 0)


def load(address: str, port: int, *, queries: int, per_second: int, prefix: str = "load",
         patience: float = PATIENCE) -> LoadResult:
    """Distinct A queries over UDP at a set pace, each checked against the fake's oracle."""
    result = LoadResult(queries)
    names = [wire.name_octets(f"{prefix}-{index}.example") for index in range(queries)]
    answered: set[int] = set()

    with DatagramClient(address, port) as client:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        client.socket.setblocking(False)
        poller = select.poll()
        poller.register(client.socket, select.POLLIN)
        start = time.monotonic()
        sent, last = 0, start
        while len(answered) < queries and time.monotonic() - last < patience:
            due = min(queries, int((time.monotonic() - start) * per_second) + 1)
            while sent < due:
                client.send(wire.query(names[sent], ident=sent))
                sent += 1
                last = time.monotonic()
            poller.poll(2)
            while True:
                try:
                    message = client.socket.recv(4_096)
                except BlockingIOError:
                    break
                _account(result, message, names, answered)
    return result


def _account(result: LoadResult, message: bytes, names: list[bytes], answered: set[int]) -> None:
    ident, flags = struct.unpack_from("!HH", message)
    if ident >= len(names) or message[12 : 12 + len(names[ident])] != names[ident]:
        result.wrong.append(message)
        return
    if ident in answered:
        result.duplicates += 1
        return
    answered.add(ident)
    if flags & 0xF:
        result.rcodes[flags & 0xF] += 1
    elif message.endswith(wire.oracle_address(names[ident])):
        result.right += 1
    else:
        result.wrong.append(message)


def extended_errors(response: dns.message.Message) -> list[int]:
    """The INFO-CODEs of a response's EDE options."""
    return [
        struct.unpack("!H", option.to_wire()[:2])[0]
        for option in response.options
        if option.otype == dns.edns.EDE
    ]


def extended_text(response: dns.message.Message) -> list[str]:
    return [
        option.to_wire()[2:].decode()
        for option in response.options
        if option.otype == dns.edns.EDE
    ]
