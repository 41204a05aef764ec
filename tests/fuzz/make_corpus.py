#!/usr/bin/python3
"""Writes the seed corpora of the fuzz targets: small, readable here, the same every time.

Inputs that once broke something stay beside them, named regression-…; this program leaves them.
"""

import pathlib
import struct

CORPUS = pathlib.Path(__file__).parent / "corpus"
QNAME = b"\3www\7example\3com\0"
TO_QNAME = b"\xc0\x0c"


def header(flags, questions=1, answers=0, authorities=0, additionals=0):
    return struct.pack("!6H", 0x1234, flags, questions, answers, authorities, additionals)


def record(owner, rtype, ttl, rdata, rclass=1):
    return owner + struct.pack("!HHIH", rtype, rclass, ttl, len(rdata)) + rdata


def opt(*options, ttl=0):
    rdata = b"".join(struct.pack("!HH", code, len(value)) + value for code, value in options)
    return record(b"\0", 41, ttl, rdata, 1232)


def question(name=QNAME, qtype=1):
    return name + struct.pack("!HH", qtype, 1)


def names():
    yield "plain", QNAME
    yield "pointer", QNAME + b"\1a" + b"\xc0\x00" + b"\xc0\x11"
    yield "pointer-to-itself", b"\xc0\x00"
    chain = (struct.pack("!H", 0xC000 + max(0, 2 * i - 1)) for i in range(100))
    yield "pointer-chain", b"\0" + b"".join(chain)
    yield "reserved-labels", b"\x40a\0\x80a\0"
    yield "longest", (b"\x3f" + b"a" * 63) * 3 + b"\x3d" + b"b" * 61 + b"\0"
    yield "text", b"www.ex\\.am\\000ple.com."


def queries():
    yield "plain", header(0x0100) + question()
    options = opt((10, b"cookie!!"), (12, b"\0" * 9))
    yield "edns", header(0x0120, additionals=1) + question(qtype=28) + options
    yield "two-opts", header(0x0100, additionals=2) + question() + opt() + opt()
    yield "badvers", header(0x0100, additionals=1) + question() + opt(ttl=0x00018000)
    yield "update", header(0x2800, answers=1) + question() + record(TO_QNAME, 16, 0, b"\1x")
    yield "axfr", header(0x0000) + question(qtype=252)
    yield "counts", header(0x0100, 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF)
    yield "header-only", header(0x0100, questions=0)
    yield "response", header(0x8180) + question()


def edns():
    yield "options", bytes(4) + opt((15, b"\0\x16no path"), (11, b"\0\x64"), (12, b"\0" * 20))[11:]
    yield "version", b"\xff\x01\x80\0" + opt((3, b""))[11:]
    yield "utf8", bytes(4) + opt((15, b"\0\0" + "verschl\u00fcsselt \U0001f512".encode()))[11:]
    yield "cut-short", bytes(4) + b"\0\x0f\0\x09a"


def answers():
    signed = record(TO_QNAME, 46, 300, b"\0\1\x08\3" + bytes(14) + QNAME[4:] + b"signature")
    soa = b"\2ns" + b"\xc0\x10" + b"\5admin" + b"\xc0\x10" + struct.pack("!5I", 1, 2, 3, 4, 5)
    address = record(TO_QNAME, 1, 300, b"\xc0\0\2\1")
    yield "address", b"\0" + header(0x8180, answers=1, additionals=1) + question() + address + opt()
    yield "signed", b"\1" + header(0x81A0, answers=2) + question() + address + signed
    yield "stripped", b"\0" + header(0x81A0, answers=2) + question() + address + signed
    denial = record(b"\xc0\x10", 6, 60, soa)
    yield "nxdomain", b"\0" + header(0x8183, authorities=1) + question() + denial
    alias = record(TO_QNAME, 5, 20, b"\3cdn\7example\3net\0")
    target = record(b"\xc0\x2d", 1, 10, b"\xc0\0\2\2")
    yield "alias", b"\0" + header(0x8180, answers=2) + question() + alias + target
    mx = record(TO_QNAME, 15, 9, b"\0\1\2mx" + b"\xc0\x10")
    srv = record(TO_QNAME, 33, 9, bytes(6) + b"\2sv" + b"\xc0\x10")
    naptr = record(TO_QNAME, 35, 9, bytes(4) + b"\1u\0\2xy" + b"\xc0\x10")
    yield "types", b"\0" + header(0x8180, answers=3) + question() + mx + srv + naptr
    text = record(b"\3WWW\xc0\x10", 16, 0x80000000, b"\1x")
    mixed = (address + text) * 2
    yield "scattered", b"\0" + header(0x8180, answers=4) + question() + mixed
    yield "too-few", b"\0" + header(0x8180, answers=9) + question() + address
    many = b"".join(record(TO_QNAME, 1, i, bytes([10, 0, 0, i])) for i in range(100))
    yield "long", b"\0" + header(0x8180, answers=100) + question() + many
    other = b"".join(record(bytes([1, 97 + i]) + b"\xc0\x10", 1, i, bytes(4)) for i in range(26))
    yield "owners", b"\0" + header(0x8180, additionals=26) + question() + other


def framing():
    yield "bytewise", b"\0" + b"\0\3abc\0\0\0\1d"
    yield "pieces", b"\x06" + b"\0\x20" + b"x" * 32 + b"\0\0" * 3 + b"\0\5yyyyy"
    yield "late", b"\xff" + b"\0\1a" * 40
    yield "partial", b"\x10" + b"\xff\xff" + b"z" * 300


def demultiplexer():
    # Operations of demultiplexer_fuzz.cc: 0 ask, 1 links up, 2 raw octets, 3 answer, 4 wait, 5 die.
    yield "answered", bytes([0, 1, 3, 0, 0, 3, 1, 0])
    yield "wrong_name", bytes([1, 3, 0, 1, 13, 120, 3, 1, 0])
    yield "wrong_id", bytes([1, 3, 0, 1, 0, 9, 3, 0, 0])
    yield "truncated_count", bytes([1, 3, 0, 1, 7, 200, 4, 30])
    yield "servfail_then_next", bytes([1, 3, 0, 1, 3, 0x82, 1, 3, 1, 0])
    yield "formerr", bytes([1, 3, 0, 1, 3, 0x81, 3, 1, 0])
    yield "silence", bytes([1, 4, 250, 4, 250, 1, 3, 1, 0, 3, 0, 0])
    yield "dies_twice", bytes([0, 0, 1, 5, 1, 5, 1, 4, 60, 1, 5, 1, 4, 60, 1, 3, 2, 0])
    yield "never_who_they_should_be", bytes([5, 2, 2, 4, 30, 0, 5, 2, 2])
    yield "empty_messages", bytes([1, 2, 6, 0, 0, 0, 0, 0, 0, 3, 0, 0])
    yield "garbage", bytes([1, 2, 20, 0, 18]) + bytes(range(18)) + bytes([3, 0, 0])


def saved(message, ttl=300, scope=0x01000000, rcode=0, ede=b""):
    """An entry of a snapshot; snapshot_fuzz.cc puts the checksums in."""
    fixed = struct.pack("!IQIHB", scope, 1_700_000_300_000, ttl, rcode, len(ede))
    return fixed + ede + struct.pack("!H", len(message)) + message


def snapshot_of(*chunks, count, created=1_700_000_000_000, version=1):
    file = b"\1sotto\r\n\x1a" + struct.pack("!IQ", version, created) + bytes(8)
    for chunk in chunks:
        file += struct.pack("!I", len(chunk)) + chunk + bytes(8)
    return file + struct.pack("!IQ", 0, count) + bytes(8)


def snapshots():
    address = header(0, answers=1)[2:] + question() + record(TO_QNAME, 1, 300, b"\xc0\0\2\1")
    address = bytes(2) + address
    denial = bytes(2) + header(0x23, authorities=1)[2:] + question() + record(
        b"\xc0\x10", 6, 60, b"\2ns" + b"\xc0\x10" + b"\0" + struct.pack("!5I", 1, 2, 3, 4, 60))
    yield "empty", snapshot_of(count=0)
    yield "address", snapshot_of(saved(address), count=1)
    yield "negative", snapshot_of(saved(denial, 60, 0x07123456, 3, b"\0\x16no path"), count=1)
    yield "chunks", snapshot_of(saved(address) * 2, saved(denial, 60, rcode=3), count=3)
    yield "other-ttl", snapshot_of(saved(address, 200), saved(address), count=2)
    yield "miscounted", snapshot_of(saved(address), count=2)
    yield "future", snapshot_of(saved(address), count=1, created=1_700_000_999_000)
    yield "version", snapshot_of(count=0, version=2)
    yield "unsealed", b"\0" + snapshot_of(saved(address), count=1)[1:]
    yield "foreign", b"\0PNG\r\n\x1a\n" + bytes(40)


def ticket_file(*peers, version=1, created=1_700_000_000_000):
    """ticket_file_fuzz.cc puts the checksum in."""
    head = struct.pack("!IQH", version, created, len(peers))
    return b"\1sottoT\n\x1a" + head + b"".join(peers) + bytes(8)


def peer_tickets(address, *tickets, name=b"dns.test", ca_file=b"", pins=()):
    identity = bytes([len(address)]) + address + struct.pack("!IH", 0, 853)
    identity += struct.pack("!H", len(name)) + name + struct.pack("!H", len(ca_file)) + ca_file
    identity += bytes([len(pins)]) + b"".join(pins) + bytes([len(tickets)])
    return identity + b"".join(struct.pack("!H", len(each)) + each for each in tickets)


def ticket_files():
    plain = peer_tickets(b"\xc0\0\2\1", b"session")
    pinned = peer_tickets(b"\x20\1\x0d\xb8" + bytes(11) + b"\1", b"one", b"two", name=b"",
                          ca_file=b"/ca.pem", pins=(bytes(32), bytes(range(32))))
    yield "empty", ticket_file()
    yield "plain", ticket_file(plain)
    yield "two", ticket_file(pinned, plain)
    yield "old", ticket_file(plain, created=1_600_000_000_000)
    yield "future", ticket_file(plain, created=1_700_000_999_000)
    yield "version", ticket_file(plain, version=2)
    yield "mapped", ticket_file(peer_tickets(bytes(10) + b"\xff\xff\xc0\0\2\1", b"session"))
    yield "no-ticket", ticket_file(peer_tickets(b"\xc0\0\2\1"))
    yield "unsealed", b"\0" + ticket_file(plain)[1:]


def proxy_headers():
    def binary(command, family, block):
        head = b"\r\n\r\n\0\r\nQUIT\n" + bytes((command, family))
        return head + struct.pack("!H", len(block)) + block

    v4 = b"\xc0\0\2\1\xc6\x33\x64\2\x12\x34\0\x35"
    v6 = bytes(15) + b"\1" + b"\x20\1\x0d\xb8" + bytes(12) + b"\0\7\0\x35"
    yield "line-v4", b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\nrest"
    yield "line-v6", b"PROXY TCP6 2001:db8::1 ::ffff:192.0.2.1 1 65535\r\n"
    yield "line-unknown", b"PROXY UNKNOWN anything\r\n"
    yield "line-too-long", b"PROXY UNKNOWN " + b"x" * 100
    yield "local", binary(0x20, 0, b"") + b"rest"
    yield "tcp-v4", binary(0x21, 0x11, v4)
    yield "udp-v6", binary(0x21, 0x22, v6 + b"\1\0\3dot")
    yield "unix", binary(0x21, 0x31, bytes(216))
    yield "sum", binary(0x21, 0x11, v4 + b"\3\0\4\xc7\x62\xee\xef")
    yield "wrong-sum", binary(0x21, 0x11, v4 + b"\3\0\4none")
    yield "cut-field", binary(0x21, 0x11, v4 + b"\4\0\xff")
    yield "too-long", binary(0x21, 0x11, v4 + b"\4\xff\0" + bytes(2_000))


def h2_frame(kind, flags, stream, payload=b""):
    return struct.pack("!I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(
        "!I", stream) + payload


def h2_fields(*fields):
    """Literal fields without indexing (RFC 7541 section 6.2.2)."""
    return b"".join(b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value
                    for name, value in fields)


def http2():
    # The first two octets: how the rest is cut, and the rhythm; below 128 a greeting comes first.
    get = h2_fields((b":method", b"GET"), (b":scheme", b"https"), (b":path", b"/dns-query?dns=AA"))
    post = h2_fields((b":method", b"POST"), (b":scheme", b"https"), (b":path", b"/dns-query"),
                     (b"content-type", b"application/dns-message"))
    asked = h2_frame(1, 5, 1, get)
    sent = h2_frame(1, 4, 3, post) + h2_frame(0, 1, 3, b"m" * 40)
    yield "get", b"\xff\x01" + asked
    yield "post", b"\x10\x02" + sent + asked.replace(b"\1\5\0\0\0\1", b"\1\5\0\0\0\5")
    resets = (h2_frame(1, 5, n, get) + h2_frame(3, 0, n, b"\0\0\0\x08") for n in range(1, 99, 2))
    yield "resets", b"\xff\x05" + b"".join(resets)
    yield "continuations", b"\x40\x03" + h2_frame(1, 1, 1, get[:20]) + b"".join(
        h2_frame(9, 0, 1, get[at:at + 4]) for at in range(20, 60, 4))
    yield "pings", b"\xff\x00" + h2_frame(6, 0, 0, b"12345678") * 140
    yield "settings", b"\xff\x07" + h2_frame(4, 0, 0, b"\0\4\0\0\0\0") * 5 + asked
    yield "windows", b"\xff\x01" + asked + h2_frame(8, 0, 0, b"\x7f\xff\xff\xff") * 2
    yield "trailers", b"\xff\x01" + h2_frame(1, 4, 3, post) + h2_frame(0, 0, 3, b"m") + h2_frame(
        1, 5, 3, h2_fields((b"x", b"y")))
    yield "unfinished", b"\xff\x04" + b"".join(
        h2_frame(1, 4, n, post) + h2_frame(0, 0, n, b"x" * 900) for n in range(1, 60, 2))
    yield "bomb", b"\xff\x01" + h2_frame(
        1, 5, 1, get + b"\x40\1x\x7f\x85\6" + b"v" * 900 + b"\xbe" * 2_000)
    yield "table-size", b"\xff\x01" + h2_frame(1, 5, 1, b"\x3f\xe1\7" + get)
    yield "goodbye", b"\x08\x06" + asked + h2_frame(7, 0, 0, bytes(8)) + sent
    yield "http1", b"\xff\x80GET / HTTP/1.1\r\n\r\n"


def doh_requests():
    message = b"AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB"
    yield "get", b"\0GET\n/dns-query?dns=" + message
    yield "parameters", b"\0HEAD\n/dns-query?a=b&&dns=" + message + b"&c"
    yield "padded", b"\0GET\n/dns-query?dns=AAABAAABAAAAAAAAAA=="
    yield "twice", b"\0GET\n/dns-query?dns=AA&dns=AA"
    yield "post", b"\0POST\n/dns-query\napplication/dns-message\n" + header(0x100) + question()
    yield "type", b"\0POST\n/dns-query\nApplication/DNS-Message ; x=y\n" + bytes(12)
    yield "fields", b"\1GET\n/dns-query"
    yield "body", b"\2POST\n/dns-query"
    yield "base64url", b"\3-_-_Zm9vYmE"
    yield "lost-bits", b"\3Zm9"


def main():
    seeds = {"http2": http2, "doh_request": doh_requests,
             "name": names, "query": queries, "edns": edns, "answer": answers, "framing": framing,
             "demultiplexer": demultiplexer, "snapshot": snapshots, "ticket_file": ticket_files,
             "proxy_header": proxy_headers}
    for target, generate in seeds.items():
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in generate():
            (folder / name).write_bytes(content)


if __name__ == "__main__":
    main()
