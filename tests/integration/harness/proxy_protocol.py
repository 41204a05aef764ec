"""Headers of the PROXY protocol, as HAProxy specifies them, right and wrong."""

import ipaddress
import struct

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
LOCAL, PROXY = 0x20, 0x21
UNSPEC, INET, INET6, UNIX = 0, 1, 2, 3
STREAM, DGRAM = 1, 2
NOOP, CRC32C = 4, 3


def line(client: str, port: int = 56_324) -> bytes:
    """Version 1."""
    family = "TCP6" if ":" in client else "TCP4"
    server = "2001:db8::53" if ":" in client else "198.51.100.53"
    return f"PROXY {family} {client} {server} {port} 53\r\n".encode()


def field(kind: int, value: bytes) -> bytes:
    return struct.pack("!BH", kind, len(value)) + value


def binary(block: bytes, *, command: int = PROXY, family: int = UNSPEC,
           protocol: int = 0) -> bytes:
    """Version 2. block: addresses and fields, whatever they are."""
    return SIGNATURE + struct.pack("!BBH", command, family << 4 | protocol, len(block)) + block


def header(client: str, fields: bytes = b"", *, protocol: int = STREAM,
           port: int = 56_324) -> bytes:
    """Version 2, of a client by its address."""
    address = ipaddress.ip_address(client)
    family = INET6 if address.version == 6 else INET
    block = address.packed + bytes(len(address.packed) - 1) + b"\1" + struct.pack("!HH", port, 53)
    return binary(block + fields, family=family, protocol=protocol)


def crc32c(octets: bytes) -> int:
    rest = 0xFFFF_FFFF
    for octet in octets:
        rest ^= octet
        for _ in range(8):
            rest = rest >> 1 ^ (0x82F6_3B78 if rest & 1 else 0)
    return rest ^ 0xFFFF_FFFF


def header_with_sum(client: str, *, wrong: bool = False) -> bytes:
    """The sum is the last field; it is of the header with zeros in its place."""
    zero = header(client, field(NOOP, b"abc") + field(CRC32C, bytes(4)))
    return zero[:-4] + struct.pack("!I", crc32c(zero) ^ wrong)


def unix_paths() -> bytes:
    return binary(b"/run/client".ljust(108, b"\0") * 2, family=UNIX, protocol=STREAM)
