"""A zone with a record of nearly every kind, and several hundred questions about it.

Its signatures are made up: servers serve them without looking inside, and so must a forwarder.
"""

import dataclasses
import itertools
import struct

import dns.name

from . import wire
from .real_servers import LONGEST

ORIGIN = "example."
TTL = 3_600
# Those below cannot be expected to last until they are asked for again.
SHORT_TTLS = (0, 1)
LONG_TTLS = (86_400, 86_401, 2**31 - 1, 2**31, 2**32 - 1)
TTL_MAX = 2**31 - 1  # RFC 2181 §8; nsd serves no zone with more, of the version of Debian 13

_RICH = [
    ("A", "192.0.2.80"), ("AAAA", "2001:db8::80"), ("MX", "10 mx"), ("MX", "20 mx.far.test."),
    ("TXT", '"first string" "second string" ""'), ("TXT", r'"\000\255\"; text"'),
    ("SRV", "1 2 5060 www"), ("NAPTR", '100 10 "U" "E2U+sip" "!^.*$!sip:a@example!" .'),
    ("NAPTR", '100 20 "" "" "" www'), ("CAA", '0 issue "ca.example"'), ("PTR", "www"),
    ("HINFO", '"PC" "Linux"'), ("RP", "admin.example. text"), ("AFSDB", "1 www"),
    ("X25", "311061700956"), ("ISDN", '"150862028003217" "004"'), ("RT", "2 www"),
    ("LOC", "51 30 12.748 N 0 7 39.611 W 0.00m 1m 10000m 10m"), ("PX", "10 www mx"),
    ("KX", "10 www"), ("CERT", "1 2 3 AQID"), ("APL", "1:192.0.2.0/24 !2:2001:db8::/32"),
    ("SSHFP", "4 2 " + "ab" * 32), ("TLSA", "3 1 1 " + "cd" * 32),
    ("SMIMEA", "3 1 1 " + "ef" * 32), ("OPENPGPKEY", "AQIDBA=="), ("DHCID", "AAIBAQID"),
    ("EUI48", "00-00-5e-00-53-2a"), ("EUI64", "00-00-5e-ef-10-00-00-2a"),
    ("URI", '10 1 "https://www.example/"'), ("SPF", '"v=spf1 -all"'),
    ("MB", "www"), ("MG", "www"), ("MR", "www"), ("MINFO", "www mx"), ("NID", "10 14:4fff:ff20:0"),
    ("L32", "10 192.0.2.1"), ("L64", "10 2001:db8:1140:1000"), ("LP", "10 www"),
    ("SVCB", "1 www alpn=dot port=853"), ("HTTPS", "1 . alpn=h2 ipv4hint=192.0.2.80"),
    ("HTTPS", "0 www"), ("TYPE65280", r"\# 6 000102c00cff"), ("TYPE1234", r"\# 0"),
]
_TYPES = {
    "A": 1, "NS": 2, "MD": 3, "MF": 4, "CNAME": 5, "SOA": 6, "MB": 7, "MG": 8, "MR": 9, "NULL": 10,
    "WKS": 11, "PTR": 12, "HINFO": 13, "MINFO": 14, "MX": 15, "TXT": 16, "RP": 17, "AFSDB": 18,
    "X25": 19, "ISDN": 20, "RT": 21, "NSAP": 22, "SIG": 24, "KEY": 25, "PX": 26, "GPOS": 27,
    "AAAA": 28, "LOC": 29, "NXT": 30, "SRV": 33, "NAPTR": 35, "KX": 36, "CERT": 37, "A6": 38,
    "DNAME": 39, "APL": 42, "DS": 43, "SSHFP": 44, "IPSECKEY": 45, "RRSIG": 46, "NSEC": 47,
    "DNSKEY": 48, "DHCID": 49, "NSEC3": 50, "NSEC3PARAM": 51, "TLSA": 52, "SMIMEA": 53, "HIP": 55,
    "CDS": 59, "CDNSKEY": 60, "OPENPGPKEY": 61, "CSYNC": 62, "ZONEMD": 63, "SVCB": 64, "HTTPS": 65,
    "SPF": 99, "NID": 104, "L32": 105, "L64": 106, "LP": 107, "EUI48": 108, "EUI64": 109,
    "ANY": 255, "URI": 256, "AVC": 258, "TA": 32_768, "DLV": 32_769, "TYPE1234": 1_234,
    "TYPE4711": 4_711, "TYPE65280": 65_280, "TYPE65534": 65_534,
}


@dataclasses.dataclass(frozen=True)
class Shape:
    """One question. lasting: its answer, if it may be kept at all, outlives the test."""

    why: str
    qname: bytes
    qtype: int
    qclass: int = wire.IN
    lasting: bool = True


def _records() -> list[tuple[str, int, str, str]]:
    """Owner, TTL, type, RDATA."""
    made = [
        # Its TTL and MINIMUM are above what a negative answer may be kept for.
        ("@", 2 * TTL, "SOA", "ns hostmaster 2024010101 7200 3600 1209600 7200"),
        ("@", TTL, "NS", "ns"), ("@", TTL, "NS", "ns.far.test."),
        ("@", TTL, "DNSKEY", "256 3 8 AwEAAcFc"), ("@", TTL, "CDS", "0 0 0 00"),
        ("@", TTL, "A", "192.0.2.1"), ("ns", TTL, "A", "192.0.2.53"),
        ("ns", TTL, "AAAA", "2001:db8::53"), ("mx", TTL, "A", "192.0.2.25"),
        ("www", TTL, "A", "192.0.2.80"), ("www", TTL, "AAAA", "2001:db8::80"),
        ("UPPER", TTL, "A", "192.0.2.81"), ("UPPER", TTL, "MX", "1 Mixed.UPPER"),
        ("wild", TTL, "A", "192.0.2.90"), ("*.wild", TTL, "A", "192.0.2.91"),
        ("*.wild", TTL, "TXT", '"wild"'), ("*.aliases", TTL, "CNAME", "www"),
        ("tree", TTL, "DNAME", "grove"), ("leaf.grove", TTL, "A", "192.0.2.92"),
        ("alias.grove", TTL, "CNAME", "leaf.grove"), ("a.b.deep", TTL, "A", "192.0.2.93"),
        ("far", TTL, "DNAME", "elsewhere.test."),
        ("sub", TTL, "NS", "ns.sub"), ("sub", TTL, "DS", "1 8 2 " + "ab" * 32),
        ("ns.sub", TTL, "A", "192.0.2.94"),
        ("to-nothing", TTL, "CNAME", "nothing"), ("to-empty", TTL, "CNAME", "b.deep"),
        ("to-far", TTL, "CNAME", "www.far.test."), ("to-wild", TTL, "CNAME", "x.wild"),
        ("loop-a", TTL, "CNAME", "loop-b"), ("loop-b", TTL, "CNAME", "loop-a"),
        ("short-alias", 60 * 60, "CNAME", "www"), ("to-tree", TTL, "CNAME", "leaf.tree"),
        (r"with\.dot", TTL, "A", "192.0.2.10"), (r"nul\000byte", TTL, "A", "192.0.2.11"),
        (r"a\032space", TTL, "A", "192.0.2.12"), (r"quo\"te", TTL, "A", "192.0.2.14"),
        (r"back\\slash", TTL, "A", "192.0.2.15"), (r"\255\128\001", TTL, "A", "192.0.2.16"),
        (LONGEST, TTL, "A", "192.0.2.13"), (LONGEST, TTL, "TXT", '"longest"'),
    ]
    made += [("rich", TTL, rtype, rdata) for rtype, rdata in _RICH]
    made += [(f"chain-{i}", TTL, "CNAME", f"chain-{i + 1}") for i in range(7)]
    made += [("chain-7", TTL, "A", "192.0.2.95"), ("chain-7", TTL, "A", "192.0.2.94")]
    made += [(f"ttl-{ttl}", ttl, "A", "192.0.2.96") for ttl in SHORT_TTLS + LONG_TTLS]
    made += [(f"ttl-alias-{ttl}", ttl, "CNAME", "www") for ttl in SHORT_TTLS + LONG_TTLS]
    made += [("large", TTL, "TXT", f'"{index:04d}{"x" * 246}"') for index in range(240)]
    made += [("middle", TTL, "TXT", f'"{index:04d}{"y" * 196}"') for index in range(10)]
    made += [("thousand", TTL, "A", f"10.9.{index >> 8}.{index & 255}") for index in range(1_000)]
    made += [("thousand", TTL, "MX", f"{index} mx-{index}") for index in range(1_000)]
    return made


def zone_text(ttl_max: int = 2**32 - 1) -> str:
    """The zone as a server reads it, with a signature on every RRset and a chain of NSEC. Records
    of a longer TTL are left out."""
    origin = dns.name.from_text(ORIGIN)
    types: dict[dns.name.Name, dict[str, int]] = {}
    lines = [f"$ORIGIN {ORIGIN}"]
    for owner, ttl, rtype, rdata in _records():
        if ttl > ttl_max:
            continue
        lines.append(f"{owner} {ttl} IN {rtype} {rdata}")
        types.setdefault(dns.name.from_text(owner, origin), {})[rtype] = ttl
    cut = dns.name.from_text("sub", origin)
    signed = sorted(name for name in types if name == cut or not name.is_subdomain(cut))
    for name, following in zip(signed, signed[1:] + signed[:1]):
        present = {**types[name], "NSEC": 1_800}
        bits = " ".join([*present, "RRSIG"])
        lines.append(f"{name} {present['NSEC']} IN NSEC {following} {bits}")
        for rtype, ttl in present.items():
            if name == cut and rtype == "NS":
                continue  # a delegation's NS belong to the child
            labels = len(name) - 1 - name.is_wild()
            lines.append(f"{name} {ttl} IN RRSIG {rtype} 8 {labels} {ttl} 20380101000000 "
                         f"20200101000000 12345 {ORIGIN} c2lnbmF0dXJlIG1hZGUgdXA=")
    return "\n".join(lines) + "\n"


def _octets(text: str) -> bytes:
    """Lower case, as sotto asks upstream; text may have escapes."""
    return dns.name.from_text(text, dns.name.from_text(ORIGIN)).to_wire().lower()


def shapes() -> list[Shape]:
    made = [Shape(f"{name} {rtype}", _octets(name), number)
            for name, (rtype, number) in itertools.product(
                ("@", "rich", "www", "x.wild", "nothing", "chain-0"), _TYPES.items())]
    names = ["b.deep", "a.b.deep", "under.nothing.deep", "wild", "x.y.wild", "*.wild", "b.aliases",
             "tree", "leaf.tree", "alias.tree", "nothing.tree", "x.far", "sub", "x.sub", "ns.sub",
             "to-nothing", "to-empty", "to-far", "to-wild", "to-tree", "loop-a", "upper", "chain-7",
             r"with\.dot", r"nul\000byte", r"a\032space", r"quo\"te", r"back\\slash",
             r"\255\128\001", LONGEST, LONGEST.replace("aaa", "baa", 1)]
    kinds = {kind: _TYPES[kind] for kind in ("A", "TXT", "CNAME", "DS", "NSEC", "RRSIG", "ANY")}
    made += [Shape(f"{name} {kind}", _octets(name), number)
             for name, (kind, number) in itertools.product(names, kinds.items())]
    made += [Shape(f"{name} {kind}", _octets(name), _TYPES[kind]) for name, kind in (
        ("large", "TXT"), ("large", "A"), ("middle", "TXT"), ("thousand", "A"), ("thousand", "MX"),
        ("thousand", "AAAA"), ("upper", "MX"))]
    made += [Shape(f"{prefix}-{ttl} A", _octets(f"{prefix}-{ttl}"), wire.A,
                   lasting=ttl not in SHORT_TTLS)
             for prefix in ("ttl", "ttl-alias") for ttl in SHORT_TTLS + LONG_TTLS]
    made += [Shape(f"class {qclass} {name}", wire.name_octets(name), wire.TXT, qclass, False)
             for qclass, name in ((wire.CH, "id.server"), (wire.CH, "version.bind"),
                                  (wire.CH, "nothing.bind"), (4, "www.example"), (2, "www.example"),
                                  (254, "www.example"), (255, "www.example"), (77, "example"))]
    made += [Shape("outside the zone", wire.name_octets("www.outside"), wire.A, lasting=False),
             Shape("the root", b"\0", _TYPES["NS"], lasting=False)]
    return made


def upper_case(qname: bytes) -> bytes:
    """The same name, every other letter a capital."""
    flips = itertools.cycle((True, False))
    return bytes(octet - 32 if 97 <= octet <= 122 and next(flips) else octet for octet in qname)


def wild_name(*numbers: int) -> bytes:
    return wire.name_octets("-".join(map(str, numbers)) + ".wild.example")


def question(shape: Shape, qname: bytes | None = None) -> bytes:
    return (qname or shape.qname) + struct.pack("!HH", shape.qtype, shape.qclass)
