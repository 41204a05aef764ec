"""The faults that script/bench faults makes, one row each, and what is asked of sotto in it.

A proxy adds 10 ms to every payload in each direction. Times are seconds since the load began.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from faults_load import bursts, steady
from faults_world import Change, Script, World
from harness import answers, wire
from harness.certificates import DAY, Authority, Leaf, now

QUERIES = 5_000
PER_SECOND = 500
SECONDS = QUERIES / PER_SECOND


@dataclass(frozen=True)
class Targets:
    """Upper bounds; none where nothing is asked. Milliseconds, counts, percent."""

    failed: int = 0
    wrong: int = 0
    p50: float | None = None
    p99: float | None = None
    max: float | None = None
    connections: int | None = None
    extra: float | None = None
    recovery: float | None = None  # from the end of the fault until all is as before


@dataclass(frozen=True)
class Row:
    """before: done before the server under test starts; script: during the load."""

    title: str
    targets: Targets
    upstreams: int = 1
    fake: bool = False  # the upstream itself misbehaves; else it is a real one
    leaf: Callable[[Authority], Leaf] | None = None
    before: Change | None = None
    script: Script = ()
    times: list[float] = field(default_factory=lambda: steady(QUERIES, PER_SECOND))
    over_tcp: int = 0  # every so-manieth query
    fault_ends: float | None = None
    servfail_wanted: bool = False  # with EDE, within a second: nobody can be trusted


def _first(change: str, *arguments) -> Change:
    """Calls a method of the first upstream's proxy."""
    return lambda world: getattr(world.proxies[0], change)(*arguments)


def _set(target: str, **values) -> Change:
    """Sets attributes of the fake upstream, or of the first upstream's proxy."""

    def change(world: World) -> None:
        subject = world.fake if target == "fake" else world.proxies[0]
        for name, value in values.items():
            setattr(subject, name, value)

    return change


def _resets(every: float) -> Iterator[tuple[float, Change]]:
    for count in range(1, int(SECONDS / every)):
        yield count * every, _first("reset_all")


def _both(*changes: Change) -> Change:
    return lambda world: [change(world) for change in changes] and None


def _forged(asked: wire.Query) -> answers.Replies:
    """What no client may ever see."""
    return [(0, wire.respond(asked, (wire.record(wire.A, b"\xc0\x00\x02\x42"),)))]


def _untrusted(title: str, leaf: Callable[[Authority], Leaf]) -> Row:
    return Row(f"bad certificate: {title}", Targets(connections=50, max=1_000), fake=True,
               leaf=leaf, before=_set("fake", answer=_forged), servfail_wanted=True)


_IDLE = bursts(5, 50, 3.0)

ROWS = {
    "none": Row("no fault", Targets(p99=30)),
    "reset": Row("RST of all connections every 250 ms", Targets(p99=65, connections=60),
                 script=list(_resets(0.25))),
    "close": Row("FIN after every 50 answers", Targets(p99=45), fake=True,
                 before=_set("fake", close_after_answers=50)),
    "silent": Row("two upstreams, one goes silent at 3 s", Targets(p99=350, extra=10),
                  upstreams=2, script=[(3, _first("silence"))]),
    "refuses": Row("two upstreams, one refuses from 3 to 6 s", Targets(p99=45), upstreams=2,
                   script=[(3, _first("refuse")), (6, _first("start_listening"))]),
    "hole": Row("two upstreams, one reset at 3 s and then accepting nothing", Targets(p99=350),
                upstreams=2, script=[(3, _both(_first("black_hole"), _first("reset_all")))]),
    "stall": Row("1 % of chunks stall for 1 s", Targets(p99=150),
                 before=_set("proxy", stall_share=0.01)),
    "idle": Row("server closes after 2 s idle, bursts of 50 every 3 s", Targets(max=48),
                before=_set("proxy", idle_after=2.0), times=_IDLE),
    "nat": Row("the same, silently (NAT forgot the flow)", Targets(max=400),
               before=_set("proxy", idle_after=2.0, idle_kind="forget"), times=_IDLE),
    "only": Row("the only upstream refuses from 3 to 5 s", Targets(recovery=200),
                script=[(3, _first("refuse")), (5, _first("start_listening"))], fault_ends=5),
    "handshake": Row("TLS handshakes take 2 s from the start, live connections reset",
                     Targets(connections=10),
                     script=[(0, _both(_set("proxy", handshake_delay=2.0),
                                       _first("reset_all")))]),
    "self-signed": _untrusted("self-signed", lambda ca: ca.leaf(self_signed=True)),
    "other-name": _untrusted("other name", lambda ca: ca.leaf(names=("other.test",))),
    "expired": _untrusted("expired", lambda ca: ca.leaf(not_before=now() - 9 * DAY,
                                                        not_after=now() - DAY)),
    "question": Row("10 % of answers with another question", Targets(), fake=True,
                    before=_set("fake", answer=answers.share(
                        0.1, lambda asked: answers.wrong(asked, "name")))),
    "ids": Row("10 % of answers with swapped IDs", Targets(max=1_000), fake=True,
               before=_set("fake", answer=answers.Swapped(0.1))),
    "garbage": Row("10 % garbage frames", Targets(failed=10, p99=100), fake=True,
                   before=_set("fake", answer=answers.share(0.1, answers.garbage()))),
    "slower": Row("two upstreams, one 600 ms slower", Targets(p50=25, p99=300), upstreams=2,
                  before=_set("proxy", answer_delay=0.6)),
    "clients": Row("1,000 slow TCP clients, 10 % of the load over TCP", Targets(p99=25),
                   over_tcp=10, script=[(-1, lambda world: world.slow_clients(1_000))]),
}
