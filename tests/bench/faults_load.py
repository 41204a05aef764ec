"""The client of the fault benchmark: queries at set times, and when each was answered and how.

It asks each name once and never again. One thread, one UDP socket, and one TCP connection if some
of the load is to come that way; select() wakes it to the microsecond.
"""

import contextlib
import select
import socket
import statistics
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass

import servers  # noqa: F401  makes harness importable
from harness import wire

PATIENCE_SECONDS = 5.0  # of a client, for each query
_BUFFER_OCTETS = 4 << 20


def name_of(index: int) -> str:
    return f"n{index}.bench.example"


@dataclass
class Result:
    """Times are seconds since the start of the load, one entry for each query."""

    sent: list[float]
    answered: list[float | None]
    rcodes: list[int | None]
    with_ede: list[bool]
    wrong: int = 0  # another question, other data, or an ID nobody asked for
    first_wrong: bytes = b""

    def good(self, index: int) -> bool:
        answered = self.answered[index]
        return (self.rcodes[index] == wire.NOERROR and answered is not None
                and answered - self.sent[index] <= PATIENCE_SECONDS)

    @property
    def failed(self) -> int:
        return sum(not self.good(index) for index in range(len(self.sent)))

    @property
    def unanswered(self) -> int:
        return sum(answered is None for answered in self.answered)

    @property
    def with_data(self) -> int:
        return sum(rcode == wire.NOERROR for rcode in self.rcodes)

    def latencies(self) -> list[float]:
        """Milliseconds, ascending; what was not answered took as long as the client waited."""
        return sorted(
            ((self.sent[index] + PATIENCE_SECONDS if answered is None else answered)
             - self.sent[index]) * 1_000
            for index, answered in enumerate(self.answered))

    def percentile(self, percent: float) -> float:
        latencies = self.latencies()
        return latencies[min(len(latencies) - 1, int(len(latencies) * percent / 100))]

    def median(self) -> float:
        return statistics.median(self.latencies())

    def back_to_normal(self, since: float, normal: float) -> float:
        """Seconds after since until everything that took longer than normal had been answered."""
        return max((answered - since for sent, answered in zip(self.sent, self.answered)
                    if answered is not None and answered > since and answered - sent > normal),
                   default=0.0)


def steady(queries: int, per_second: int) -> list[float]:
    return [index / per_second for index in range(queries)]


def bursts(count: int, queries: int, every: float) -> list[float]:
    """The first comes one interval after the start."""
    return [every * (burst + 1) for burst in range(count) for _ in range(queries)]


@dataclass
class Client:
    """Asks the server at address:port. over_tcp: every so-manieth query goes over TCP, 0 none.
    echoed: the server is a bare echo, its answers hold no data."""

    address: str
    port: int
    over_tcp: int = 0
    echoed: bool = False

    def __post_init__(self) -> None:
        self._datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._datagrams.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_OCTETS)
        self._datagrams.connect((self.address, self.port))
        self._datagrams.setblocking(False)
        self._stream: socket.socket | None = None
        self._pieces = b""

    def close(self) -> None:
        self._datagrams.close()
        if self._stream:
            self._stream.close()

    def load(self, times: list[float], first_name: int,
             begin: Callable[[float], None] = lambda start: None) -> Result:
        """Asks the names from first_name on at these times; begin is told when that starts."""
        names = [wire.name_octets(name_of(first_name + index)) for index in range(len(times))]
        messages = [wire.query(name, ident=index, opt=wire.opt_record())
                    for index, name in enumerate(names)]
        right = [None if self.echoed else wire.oracle_address(name) for name in names]
        count = len(times)
        result = Result([0.0] * count, [None] * count, [None] * count, [False] * count)
        start = time.monotonic() + 0.05
        begin(start)
        sent = answered = 0
        while answered < count:
            now = time.monotonic() - start
            while sent < count and times[sent] <= now:
                result.sent[sent] = time.monotonic() - start
                self._send(messages[sent], sent)
                sent += 1
            if sent == count and now > times[-1] + PATIENCE_SECONDS:
                break
            wake = times[sent] if sent < count else times[-1] + PATIENCE_SECONDS + 0.001
            for message in self._wait(max(0.0, wake - (time.monotonic() - start))):
                at = time.monotonic() - start
                answered += _account(result, message, at, names, right, sent)
        return result

    def _send(self, message: bytes, index: int) -> None:
        with contextlib.suppress(OSError):  # refused, or a full buffer: a query that fails
            if self.over_tcp and index % self.over_tcp == 0:
                self._open_stream().send(wire.framed(message))
            else:
                self._datagrams.send(message)

    def _open_stream(self) -> socket.socket:
        if self._stream is None:
            self._stream = socket.create_connection((self.address, self.port))
            self._stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._stream.setblocking(False)
            self._pieces = b""
        return self._stream

    def _wait(self, seconds: float) -> list[bytes]:
        watched = [self._datagrams] + ([self._stream] if self._stream else [])
        ready, _, _ = select.select(watched, [], [], seconds)
        messages = []
        if self._datagrams in ready:
            with contextlib.suppress(OSError):
                while True:
                    messages.append(self._datagrams.recv(65_536))
        if self._stream in ready:
            messages += self._read_stream()
        return messages

    def _read_stream(self) -> list[bytes]:
        assert self._stream is not None
        try:
            octets = self._stream.recv(65_536)
        except OSError:
            octets = b""
        if not octets:
            self._stream.close()
            self._stream = None
            return []
        self._pieces += octets
        messages = []
        while len(self._pieces) >= 2:
            end = 2 + struct.unpack_from("!H", self._pieces)[0]
            if len(self._pieces) < end:
                break
            messages.append(self._pieces[2:end])
            self._pieces = self._pieces[end:]
        return messages


def _account(result: Result, message: bytes, at: float, names: list[bytes],
             right: list[bytes | None], sent: int) -> int:
    """1 if this is the first answer to a query, whatever it says."""
    if len(message) < 12:
        _wrong(result, message)
        return 0
    ident, flags, questions, answers = struct.unpack_from("!4H", message)
    if ident >= sent:
        _wrong(result, message)
        return 0
    rcode = flags & 0xF
    end = 12 + len(names[ident])
    # A failure may come without its question.
    same = questions == 0 < rcode or (questions == 1
                                      and message[12:end].lower() == names[ident])
    address = right[ident]
    if not same or (rcode == wire.NOERROR and address is not None
                    and not _has_address(message, end + 4, names[ident], address)):
        _wrong(result, message)
        return 0
    if result.answered[ident] is not None:
        return 0
    result.answered[ident], result.rcodes[ident] = at, rcode
    result.with_ede[ident] = struct.pack("!H", wire.EDE) in message[end:]
    return 1


def _has_address(message: bytes, position: int, name: bytes, right: bytes) -> bool:
    """Exactly one A record of that name, and that one right; an OPT record may follow."""
    if struct.unpack_from("!H", message, 6)[0] != 1:
        return False
    owners = (b"\xc0\x0c", name)
    owner = next((each for each in owners
                  if message[position : position + len(each)].lower() == each), None)
    if owner is None or len(message) < position + len(owner) + 14:
        return False
    position += len(owner)
    kind, _, _, length = struct.unpack_from("!HHIH", message, position)
    return kind == wire.A and message[position + 10 : position + 10 + length] == right


def _wrong(result: Result, message: bytes) -> None:
    result.wrong += 1
    result.first_wrong = result.first_wrong or message
