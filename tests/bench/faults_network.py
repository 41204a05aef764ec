"""Rows of the fault benchmark in which the network itself fails: in namespaces of their own, the
server under test and its client here, the upstream and its proxy there, a link between.

Hours pass by sotto's clock alone (harness/clock.py); so only sotto is measured where they must.
"""

import contextlib
import pathlib
import time
from collections.abc import Callable
from dataclasses import dataclass

import measure
import servers
from faults_load import Client, Result, name_of, steady
from faults_rows import PER_SECOND, Row, Targets
from faults_world import NAMES, Seen, WorldProcess
from harness import clock as clocks
from harness import netns
from harness.waiting import wait_for
from measure import SERVER_CPU

WARM_UP_QUERIES = 1_000
ROUNDS = 6
LOSS_PERCENT = 1
# TCP repairs most losses within milliseconds. What waits for its timeout of 200 ms are those few
# whose repair is lost, too: one in ten seconds or so, so that a short run is a lottery.
LOSS_QUERIES = 20_000
# A handshake over the proxy is one round trip of 20 ms, the query another one.
HANDSHAKE_MS = 48


@dataclass
class Scene:
    """Everything is running."""

    link: netns.Link
    world: WorldProcess
    client: Client
    clock: clocks.Clock
    next_name: int = WARM_UP_QUERIES

    def ask(self, count: int = 1) -> Result:
        """Fresh names, all at once."""
        first, self.next_name = self.next_name, self.next_name + count
        return self.client.load([0.0] * count, first)


def _joined(results: list[Result]) -> Result:
    whole = Result([], [], [], [])
    for each in results:
        whole.sent += each.sent
        whole.answered += each.answered
        whole.rcodes += each.rcodes
        whole.with_ede += each.with_ede
        whole.wrong += each.wrong
    return whole


def _cuts(scene: Scene) -> Result:
    """Ten minutes without a link. In every other cut clients go on asking, in vain."""
    results = []
    for number in range(ROUNDS):
        scene.link.down()
        if number % 2:
            scene.ask(5)
        scene.clock.advance(600)
        scene.link.up()
        scene.link.await_path(scene.link.THERE)
        results.append(scene.ask())
        scene.ask(20)
    return _joined(results)


def _suspensions(scene: Scene) -> Result:
    """An hour asleep; meanwhile every NAT on the path forgot every flow."""
    results = []
    for _ in range(ROUNDS):
        scene.world.do("forget")
        scene.clock.advance(3_600)
        results.append(scene.ask())
        scene.ask(20)
    return _joined(results)


def _idle_hours(scene: Scene) -> Result:
    """An hour without a query; the connection was closed when it had been idle for long enough."""
    results = []
    for _ in range(2):
        wait_for(lambda: scene.world.seen().live == 0, "the idle connection closed", patience=90)
        scene.clock.advance(3_600)
        results.append(scene.ask())
    return _joined(results)


def _loss(scene: Scene) -> Result:
    for end in (scene.link.here, scene.link.there):
        end.filter(f'iifname "up0" numgen random mod 100 < {LOSS_PERCENT} drop', hook="input")
    return scene.client.load(steady(LOSS_QUERIES, PER_SECOND), WARM_UP_QUERIES)


@dataclass(frozen=True)
class NetworkRow:
    title: str
    targets: Targets
    play: Callable[[Scene], Result]
    by_clock: bool  # sotto's alone


LOSS = "loss"
NETWORK_ROWS = {
    "cut": NetworkRow("network cut for 10 minutes, then the first query",
                      Targets(max=HANDSHAKE_MS), _cuts, True),
    "suspend": NetworkRow("suspended for an hour, flows forgotten, then the first query",
                          Targets(max=HANDSHAKE_MS), _suspensions, True),
    "hour": NetworkRow("idle for an hour, then a query", Targets(max=HANDSHAKE_MS), _idle_hours,
                       True),
    LOSS: NetworkRow(f"{LOSS_PERCENT} % packet loss each way", Targets(), _loss, False),
}


def _start(place: servers.Place, name: str, command, port: int, by_clock: bool,
           stack: contextlib.ExitStack) -> clocks.Clock:
    shim = clocks.build_shim(place.directory)
    clock = stack.enter_context(clocks.Clock(shim, place.directory / "clock"))
    options = {"env": clock.whole_environment()} if by_clock else {}
    process = servers.start(place, name, command(place, servers.Listen(port)), SERVER_CPU,
                            **options)
    stack.callback(process.stop)
    return clock


def measure_network_row(row: NetworkRow, name: str, command, directory: pathlib.Path,
                        evaluate: Callable):
    """evaluate: of faults.py."""
    place = servers.new_place(directory)
    place.upstream_address = netns.Link.THERE
    port = servers.ports.free_port()
    with contextlib.ExitStack() as stack:
        link = stack.enter_context(netns.Link())
        world = stack.enter_context(WorldProcess(place, namespace=link.there))
        stack.enter_context(link.here.inside())
        clock = _start(place, name, command, port, row.by_clock, stack)
        measure.first_answer(port, name_of(NAMES - 1), patience=10)
        client = stack.enter_context(contextlib.closing(Client("127.0.0.1", port)))
        client.load(steady(WARM_UP_QUERIES, PER_SECOND), 0)
        before = world.seen()
        result = row.play(Scene(link, world, client, clock))
        during = world.seen()
        world.do("release")
        time.sleep(0.3)
        seen = Seen((world.seen() - before).queries, during.connections - before.connections)
        return evaluate(Row(row.title, row.targets), result, seen)
