"""The cache's file, read and written by a second implementation (ARCHITECTURE.md describes it)."""

import ctypes
import dataclasses
import pathlib
import struct
import time

from . import wire

MAGIC = b"sotto\r\n\x1a"
CHUNK_OCTETS_MAX = 256 * 1024
_FIXED = struct.Struct("!IQIHB")

_xxh3 = ctypes.CDLL("libxxhash.so.0").XXH3_64bits_withSeed
_xxh3.restype = ctypes.c_uint64
_xxh3.argtypes = (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64)


def now() -> int:
    return time.time_ns() // 1_000_000


@dataclasses.dataclass(frozen=True)
class Entry:
    expires: int  # milliseconds since 1970
    ttl: int
    message: bytes
    scope: int = 0x0100_0000  # RD
    rcode: int = 0
    extended_error: bytes = b""

    @property
    def name(self) -> bytes:
        return self.message[12 : self.message.index(0, 12) + 1]

    def octets(self) -> bytes:
        fixed = _FIXED.pack(self.scope, self.expires, self.ttl, self.rcode,
                            len(self.extended_error))
        return fixed + self.extended_error + struct.pack("!H", len(self.message)) + self.message


def address_entry(name: str, *, age: float = 0, ttl: int = 300, scope: int = 0x0100_0000) -> Entry:
    """The oracle's address of name, learned age seconds ago."""
    qname = wire.name_octets(name)
    message = struct.pack("!6H", 0, 0, 1, 1, 0, 0) + qname + struct.pack("!HH", wire.A, wire.IN)
    message += wire.record(wire.A, wire.oracle_address(qname), ttl=ttl)
    return Entry(now() - int(age * 1_000) + ttl * 1_000, ttl, message, scope)


@dataclasses.dataclass
class Snapshot:
    created: int
    entries: list[Entry]

    def aged(self, seconds: float) -> "Snapshot":
        """As if everything had happened that much earlier."""
        shift = int(seconds * 1_000)
        return Snapshot(self.created - shift, [
            dataclasses.replace(each, expires=each.expires - shift) for each in self.entries])

    def write(self, path: pathlib.Path, *, magic: bytes = MAGIC, version: int = 1) -> None:
        seal = _Seal()
        parts = [magic, seal(struct.pack("!IQ", version, self.created))]
        chunk = b""
        for entry in [each.octets() for each in self.entries]:
            if len(chunk) + len(entry) > CHUNK_OCTETS_MAX:
                parts += [struct.pack("!I", len(chunk)), seal(chunk)]
                chunk = b""
            chunk += entry
        if chunk:
            parts += [struct.pack("!I", len(chunk)), seal(chunk)]
        parts += [bytes(4), seal(struct.pack("!Q", len(self.entries)))]
        path.write_bytes(b"".join(parts))


class _Seal:
    """A part with its checksum, which seeds that of the next part."""

    def __init__(self):
        self.checksum = 0

    def __call__(self, part: bytes) -> bytes:
        self.checksum = _xxh3(part, len(part), self.checksum)
        return part + struct.pack("!Q", self.checksum)


def read(path: pathlib.Path) -> Snapshot:
    """Asserts that the file is whole."""
    file = path.read_bytes()
    seal = _Seal()
    at = len(MAGIC)
    assert file[:at] == MAGIC

    def part(octets: int) -> bytes:
        nonlocal at
        content = file[at : at + octets]
        at += octets + 8
        assert seal(content) == file[at - octets - 8 : at]
        return content

    version, created = struct.unpack("!IQ", part(12))
    assert version == 1
    entries = []
    while True:
        (length,) = struct.unpack_from("!I", file, at)
        at += 4
        if length == 0:
            break
        assert length <= CHUNK_OCTETS_MAX
        entries += _entries(part(length))
    (count,) = struct.unpack("!Q", part(8))
    assert count == len(entries) and at == len(file)
    return Snapshot(created, entries)


def _entries(chunk: bytes) -> list[Entry]:
    entries = []
    at = 0
    while at < len(chunk):
        scope, expires, ttl, rcode, ede = _FIXED.unpack_from(chunk, at)
        at += _FIXED.size
        extended_error = chunk[at : at + ede]
        (octets,) = struct.unpack_from("!H", chunk, at + ede)
        at += ede + 2 + octets
        assert at <= len(chunk)
        entries.append(Entry(expires, ttl, chunk[at - octets : at], scope, rcode, extended_error))
    return entries
