"""The world around the server under test: DoT servers, and the proxies that spoil the path to them.

It runs in a process of its own, so that neither the client's Python nor this one's waits for the
other. The upstream is a real server, unbound, unless the server itself is what misbehaves.
"""

import contextlib
import gc
import multiprocessing
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import faults_load
import servers
from harness import fake_upstream, netns, ports, wire
from harness.certificates import Leaf
from harness.fault_proxy import FaultProxy
from harness.processes import Process
from measure import LOAD_CPU

DELAY_SECONDS = 0.01
NAMES = 24_000  # that the real server knows; each has an address of its own
_PATIENCE = 30.0


@dataclass
class Seen:
    """What the upstreams saw so far."""

    queries: int
    connections: int
    live: int = 0  # connections now

    def __sub__(self, before: "Seen") -> "Seen":
        return Seen(self.queries - before.queries, self.connections - before.connections)


class RealServer:
    """unbound, which answers from its configuration and asks nobody."""

    def __init__(self, place: servers.Place, address: str):
        self.port = ports.free_port()
        self._socket = place.directory / "upstream.socket"
        data = "".join(
            f"""  local-data: "{name} 300 A {wire.oracle_text(name)}"\n"""
            for name in map(faults_load.name_of, range(NAMES)))
        self._configuration = place.write("upstream.conf", f"""
server:
  interface: {address}@{self.port}
  access-control: 0.0.0.0/0 allow
  tls-port: {self.port}
  tls-service-key: {place.leaf.key}
  tls-service-pem: {place.leaf.chain}
  chroot: ""
  username: ""
  directory: {place.directory}
  pidfile: ""
  use-syslog: no
  num-threads: 1
  incoming-num-tcp: 2000
  msg-buffer-size: 4096
  module-config: "iterator"
  local-zone: "." static
{data}remote-control:
  control-enable: yes
  control-interface: {self._socket}
  control-use-cert: no
""")
        self.process = Process("upstream", ["taskset", "-c", LOAD_CPU, "unbound", "-d", "-c",
                                            self._configuration],
                               place.directory / "upstream.log")
        self.process.wait_until(self._socket.exists, "its control socket")

    def queries(self) -> int:
        text = subprocess.run(["unbound-control", "-c", self._configuration, "stats_noreset"],
                              capture_output=True, text=True, check=True).stdout
        return next(int(value) for key, _, value in
                    (line.partition("=") for line in text.splitlines())
                    if key == "total.num.queries")


class World:
    """Inside the process: proxies[0] is in front of the first upstream."""

    def __init__(self, place: servers.Place, options: "Options", stack: contextlib.ExitStack):
        self.server_port = options.server_port
        address = place.upstream_address
        self.fake: fake_upstream.FakeUpstream | None = None
        self.real: RealServer | None = None
        if options.fake:
            self.fake = fake_upstream.FakeUpstream(options.leaf or place.leaf, address)
            stack.enter_context(self.fake)
            port = self.fake.port
        else:
            self.real = RealServer(place, address)
            stack.callback(self.real.process.stop)
            port = self.real.port
        self.proxies = [
            stack.enter_context(FaultProxy(port, server_address=address, address=address,
                                           port=own, seed=index))
            for index, (_, own) in enumerate(place.upstreams)]
        for proxy in self.proxies:
            proxy.delay = DELAY_SECONDS
        self._slow: list[socket.socket] = []

    def seen(self) -> Seen:
        queries = len(self.fake.queries) if self.fake else self.real.queries()
        return Seen(queries, sum(proxy.connections for proxy in self.proxies),
                    sum(len(proxy.live) for proxy in self.proxies))

    def release(self) -> None:
        """What was held arrives after all, so that it is counted."""
        for proxy in self.proxies:
            proxy.release()

    def forget(self) -> None:
        """As a NAT forgets flows that were long idle."""
        for proxy in self.proxies:
            proxy.forget_connections()

    def slow_clients(self, count: int) -> None:
        """Each sends the first octet of a query to the server under test, and no more."""
        for _ in range(count):
            with contextlib.suppress(OSError):  # turned away: then there is one less
                client = socket.create_connection(("127.0.0.1", self.server_port))
                client.send(b"\0")
                self._slow.append(client)


# What happens to a world: before the server starts, then at some second of the load.
Change = Callable[[World], None]
Script = Iterable[tuple[float, Change]]


@dataclass(frozen=True)
class Options:
    """Of a world."""

    fake: bool
    leaf: Leaf | None
    before: Change | None
    script: list[tuple[float, Change]]
    server_port: int


def _serve(pipe, place: servers.Place, options: Options,
           namespace: netns.Namespace | None) -> None:
    os.sched_setaffinity(0, {int(LOAD_CPU)})
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.disable()
    with contextlib.ExitStack() as stack:
        if namespace:
            stack.enter_context(namespace.inside())
        world = World(place, options, stack)
        if options.before:
            options.before(world)
        pipe.send("ready")
        while True:
            command, argument = pipe.recv()
            if command == "begin":
                _play(world, options.script, argument, pipe)
            elif command == "seen":
                pipe.send(world.seen())
            elif command == "do":
                getattr(world, argument)()
                pipe.send("done")
            elif command == "stop":
                return


def _play(world: World, script: Script, start: float, pipe) -> None:
    """Until the script ends or something else is wanted; start is of the monotonic clock."""
    for second, change in script:
        if pipe.poll(max(0.0, start + second - time.monotonic())):
            return
        change(world)


class WorldProcess:
    """The process that holds a World. Context manager; the proxies are at place.upstreams."""

    def __init__(self, place: servers.Place, *, fake: bool = False, leaf: Leaf | None = None,
                 before: Change | None = None, script: Script = (), server_port: int = 0,
                 namespace: netns.Namespace | None = None):
        context = multiprocessing.get_context("fork")
        self._pipe, theirs = context.Pipe()
        options = Options(fake, leaf, before, list(script), server_port)
        self._process = context.Process(target=_serve, args=(theirs, place, options, namespace))
        self._process.start()
        theirs.close()

    def __enter__(self) -> "WorldProcess":
        self._receive()
        return self

    def __exit__(self, *_ignored) -> None:
        with contextlib.suppress(OSError):
            self._pipe.send(("stop", None))
        self._process.join(_PATIENCE)
        if self._process.is_alive():
            self._process.terminate()

    def _receive(self):
        if not self._pipe.poll(_PATIENCE):
            raise RuntimeError("the world around the server does not answer")
        return self._pipe.recv()

    def begin(self, start: float) -> None:
        """The script runs from that second of the monotonic clock on."""
        self._pipe.send(("begin", start))

    def do(self, change: str) -> None:
        """Calls a method of World."""
        self._pipe.send(("do", change))
        self._receive()

    def seen(self) -> Seen:
        self._pipe.send(("seen", None))
        return self._receive()
