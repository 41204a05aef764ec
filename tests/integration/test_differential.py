"""Through sotto, from the cache and past it, the answer is the upstream's own.

Every question of harness/differential_zone is asked with RD, CD, AD and DO on and off, in an order
drawn anew for each question, over UDP and TCP, before and after the answer is known. What the
upstream says is asked of the upstream itself.
"""

import contextlib
import dataclasses
import functools
import itertools
import random
import re
import socket
import struct
import time

import pytest

from harness import differential_zone, real_servers, records, wire
from harness.clients import DatagramClient, StreamClient
from harness.differential_zone import Shape
from harness.tls_tunnel import TlsTunnel

WINDOW = 150  # queries in flight: no buffer overflows
START = {"unbound": real_servers.start_unbound, "nsd": real_servers.start_nsd}


@dataclasses.dataclass(frozen=True)
class Flags:
    """What a client sets besides its question."""

    rd: bool
    cd: bool
    ad: bool
    do: bool

    @property
    def header(self) -> int:
        return self.rd * wire.RD | self.cd * wire.CD | self.ad * wire.AD

    @property
    def edns(self) -> bool:
        """DO needs it; of the others half come without."""
        return self.do or self.ad

    @property
    def udp_octets(self) -> int:
        return 1_232 if self.edns else 512


ALL_FLAGS = [Flags(*bits) for bits in itertools.product((True, False), repeat=4)]


@dataclasses.dataclass(frozen=True)
class Asked:
    shape: Shape
    flags: Flags
    qname: bytes

    @functools.cached_property
    def key(self) -> tuple:
        """AD changes no answer: all that differ in it alone share one (RFC 6840 §5.7)."""
        flags = self.flags
        return (self.qname.lower(), self.shape.qtype, self.shape.qclass,
                flags.rd, flags.cd, flags.do)

    def query(self, ident: int) -> bytes:
        opt = wire.opt_record(flags=self.flags.do * 0x8000) if self.flags.edns else None
        return wire.query(self.qname, self.shape.qtype, ident=ident, flags=self.flags.header,
                          rclass=self.shape.qclass, opt=opt)

    def __str__(self) -> str:
        return f"{self.shape.why} ({self.shape.qname!r} {self.shape.qtype}) {self.flags}"


def exchange(client: DatagramClient | StreamClient, queries: list[bytes]) -> list[bytes]:
    """Asks all, a window at a time; the answers in the order of the queries."""
    answers: list[bytes | None] = [None] * len(queries)
    for start in range(0, len(queries), WINDOW):
        window = queries[start : start + WINDOW]
        client.send(*window)
        for _ in window:
            message = client.receive()
            assert message is not None, "closed instead of answering"
            (index,) = struct.unpack_from("!H", message)
            assert answers[index] is None, "answered twice"
            answers[index] = message
    return answers


class Oracle:
    """What the upstream itself says to the questions that sotto asks it, learnt once."""

    def __init__(self, server: real_servers.RealServer):
        self.server = server
        self.known: dict[tuple, records.Response] = {}
        self.since: dict[tuple, float] = {}  # from when on a TTL may have run
        self._expected: dict[tuple, Expected] = {}

    def learn(self, wanted: list[Asked]) -> None:
        new = list({asked.key: asked for asked in wanted if asked.key not in self.known}.values())
        queries = [wire.query(asked.qname.lower(), asked.shape.qtype, ident=index,
                              flags=asked.flags.header | wire.AD, rclass=asked.shape.qclass,
                              opt=wire.opt_record(flags=asked.flags.do * 0x8000))
                   for index, asked in enumerate(new)]
        self.since |= dict.fromkeys((asked.key for asked in new), time.monotonic())
        server = self.server
        with (StreamClient(server.address, server.plain_port) if server.plain_port
              else server.stream()) as client:
            for asked, message in zip(new, exchange(client, queries)):
                self.known[asked.key] = records.parse(message)

    def truth(self, asked: Asked) -> records.Response:
        return self.known[asked.key]

    def expected(self, asked: Asked) -> "Expected":
        key = asked.key
        if key not in self._expected:
            truth = self.known[key]
            wanted = records.asked_for(truth, asked.shape.qtype, asked.flags.do)
            self._expected[key] = Expected(
                truth, wanted, _without_ttl(wanted), self.since[key],
                *records.bounded(wanted, asked.shape.qtype, truth.rcode))
        return self._expected[key]


@dataclasses.dataclass
class Expected:
    """What sotto may make of the upstream's answer."""

    truth: records.Response
    records: list[records.Record]
    contents: list[tuple]
    since: float  # when the upstream said so
    ttls: list[int]  # at most
    may_be_kept: bool


def _without_ttl(listed) -> list[tuple]:
    return [(record.section, record.owner, record.rtype, record.rclass, record.rdata)
            for record in listed]


class Comparer:
    """Compares what sotto answered with what the upstream says, and collects what differs."""

    def __init__(self, oracle: Oracle):
        self.oracle = oracle
        self.compared = 0
        self.differences: list[str] = []
        self._parsed: dict[bytes, records.Response] = {}

    def compare(self, asked: Asked, message: bytes, *, datagram: bool) -> None:
        self.compared += 1
        response = self._parsed.get(message[2:])
        if response is None:
            response = self._parsed[message[2:]] = records.parse(message)
        for what in self._differences(asked, response, len(message), datagram):
            self.differences.append(f"{asked}, {'UDP' if datagram else 'TCP'}: {what}")

    def _differences(self, asked: Asked, response: records.Response, octets: int, datagram: bool):
        wanted = self.oracle.expected(asked)
        flags = asked.flags
        expected = wire.QR | wire.RA | wanted.truth.rcode | (flags.header & (wire.RD | wire.CD))
        if wanted.truth.flags & wire.AD and (flags.ad or flags.do):
            expected |= wire.AD
        if response.flags & ~wire.TC != expected:
            yield f"flags {response.flags:04x}, not {expected:04x}"
        if response.question != differential_zone.question(asked.shape, asked.qname):
            yield f"question {response.question!r}"
        if response.edns != flags.edns:
            yield f"EDNS {response.edns}"
        if datagram and octets > flags.udp_octets:
            yield f"{octets} octets over UDP"
        yield from self._missing(response, wanted, datagram)
        for given, contents, bound in zip(response.records, wanted.contents, wanted.ttls):
            if _without_ttl([given]) != [contents]:
                yield f"{given}, not {contents}"[:1_000]
                return
            # Whole seconds have begun on both sides.
            age_max = int(time.monotonic() - wanted.since) + 2
            if not max(0, bound - age_max) <= given.ttl <= bound:
                yield f"TTL {given.ttl} of {given}, at most {bound} allowed"
                return

    @staticmethod
    def _missing(response: records.Response, wanted: Expected, datagram: bool):
        """Over UDP whole RRsets may be missing at the end, with TC set. Additional records are
        left out without it (RFC 2181 §9)."""
        count, truncated = len(response.records), bool(response.flags & wire.TC)
        missing = wanted.records[count:]
        if count > len(wanted.records) or missing and not datagram:
            yield f"{count} records, not {len(wanted.records)}"
        elif truncated != any(record.section < 2 for record in missing):
            yield f"TC {truncated}, {len(missing)} records missing"
        elif missing and count and response.records[-1].rrset == missing[0].rrset:
            yield "cut inside an RRset"


class Run:
    """One sotto asked again and again."""

    def __init__(self, sotto, oracle: Oracle):
        self.sotto = sotto
        self.oracle = oracle
        self.comparer = Comparer(oracle)
        self.asked: list[Asked] = []

    def pass_over(self, plans: list[list[Asked]], transport: str) -> None:
        """Round by round: each plan's next question once all those before are answered."""
        with getattr(self.sotto, transport)() as client:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            for batch in itertools.zip_longest(*plans):
                self.ask(client, [asked for asked in batch if asked])

    def ask(self, client, batch: list[Asked]) -> None:
        messages = exchange(client, [asked.query(i) for i, asked in enumerate(batch)])
        for asked, message in zip(batch, messages):
            self.comparer.compare(asked, message, datagram=isinstance(client, DatagramClient))
        self.asked += batch

    def assert_same(self) -> None:
        found = self.comparer.differences
        assert not found, f"{len(found)} differences in {self.comparer.compared}:\n" + "\n".join(
            found[:20])

    def assert_asked_upstream_only_what_was_not_known(self) -> None:
        seen, expected = set(), 0
        for asked in self.asked:
            expected += asked.key not in seen
            if self.oracle.expected(asked).may_be_kept:
                seen.add(asked.key)
        assert self.sotto.stop() == 0
        line = self.sotto.wait_for_log("queries to upstreams")
        assert int(re.search(r"\bsent=(\d+)", line).group(1)) == expected


def plans_for(shapes: list[Shape], seed: int) -> list[list[Asked]]:
    """For each shape all flags, in an order of its own; half of them spelled in mixed case."""
    chance = random.Random(seed)
    return [[Asked(shape, flags, chance.choice(
                (shape.qname, differential_zone.upper_case(shape.qname))))
             for flags in chance.sample(ALL_FLAGS, len(ALL_FLAGS))]
            for shape in shapes]


@pytest.fixture(scope="module", params=["unbound", "nsd"])
def oracle(request, tmp_path_factory, authority, leaf):
    zone = (differential_zone.zone_text(differential_zone.TTL_MAX) if request.param == "nsd"
            else differential_zone.zone_text())
    server = START[request.param](tmp_path_factory.mktemp("differential"), authority, leaf, zone)
    with contextlib.ExitStack() as stack:
        stack.callback(server.process.stop)
        server.await_readiness()
        if server.plain_port:
            tunnel = stack.enter_context(TlsTunnel(leaf, server.address, server.plain_port))
            server.port = tunnel.port
        yield Oracle(server)


@pytest.mark.parametrize("cold, warm", [("datagram", "stream"), ("stream", "datagram")])
def test_lasting_answers_are_the_upstreams_and_asked_for_once(start, oracle, cold, warm):
    plans = plans_for([shape for shape in differential_zone.shapes() if shape.lasting], seed=1)
    oracle.learn(list(itertools.chain(*plans)))
    run = Run(start(oracle.server), oracle)
    for transport in (cold, warm):
        run.pass_over(plans, transport)
    run.assert_same()
    run.assert_asked_upstream_only_what_was_not_known()


@pytest.mark.parametrize("transport", ["datagram", "stream"])
def test_answers_that_do_not_last_are_the_upstreams(start, oracle, transport):
    """TTL 0 and 1, other classes, other zones."""
    plans = plans_for([shape for shape in differential_zone.shapes() if not shape.lasting], seed=2)
    oracle.learn(list(itertools.chain(*plans)))
    # nsd refuses strange classes without repeating the question: no answer to it for anyone.
    plans = [plan for plan in plans if oracle.truth(plan[0]).question]
    run = Run(start(oracle.server), oracle)
    run.pass_over(plans, transport)
    run.pass_over(plans, transport)
    run.assert_same()


def test_no_question_leaves_a_trace_in_the_answer_to_another(start, oracle):
    """Every order of two: each pair of flags on a name of its own, data and none."""
    pairs = itertools.product(ALL_FLAGS, ALL_FLAGS)
    plans = []
    for number, (first, second) in enumerate(pairs):
        for qtype in (wire.A, wire.AAAA):
            name = differential_zone.wild_name(number, qtype)
            shape = Shape("every pair", name, qtype)
            plans.append([Asked(shape, flags, name) for flags in (first, second)])
    oracle.learn(list(itertools.chain(*plans)))
    run = Run(start(oracle.server), oracle)
    run.pass_over(plans, "datagram")
    run.assert_same()
    run.assert_asked_upstream_only_what_was_not_known()
