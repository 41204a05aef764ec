"""Fixtures. Servers without state that tests could spoil live as long as the session; sotto and the
fake upstream live as long as one test or one module. Everything is stopped, whatever happens."""

import contextlib
import itertools
import pathlib

import pytest

from harness import answers, certificates, fake_upstream, real_servers
from harness import clock as clocks
from harness import served as clients_served
from harness.processes import Process
from harness.sotto import Sotto, binary, environment, new_port

_processes_key = pytest.StashKey[list[Process]]()
_LOG_SHOWN_OCTETS = 8_000


def pytest_sessionstart(session: pytest.Session) -> None:
    if not session.config.option.collectonly and not binary().exists():
        pytest.exit(f"{binary()} is missing: build it, or set SOTTO_BINARY", returncode=2)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    """A failed test shows the end of the log of each process that served it."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for process in item.stash.get(_processes_key, []):
            if process.log_file.exists():
                tail = process.log()[-_LOG_SHOWN_OCTETS:]
                report.sections.append((f"log of {process.name} ({process.pid})", tail))


@pytest.fixture(autouse=True)
def _logs_of_longer_lived(request: pytest.FixtureRequest):
    """Processes of wider scope that this test uses are shown with it, too."""
    shown = request.node.stash.setdefault(_processes_key, [])
    for name in request.fixturenames:
        if name in ("unbound", "nsd", "shared", "real", "served"):
            value = request.getfixturevalue(name)
            shown.append(getattr(value, "process", None) or value.sotto)


# --- certificates and real servers -------------------------------------------------------------


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> certificates.Authority:
    return certificates.Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def leaf(authority: certificates.Authority) -> certificates.Leaf:
    """A good certificate: dns.test, 127.0.0.1 and ::1 in its SAN."""
    return authority.leaf(addresses=("127.0.0.1", "::1"))


@contextlib.contextmanager
def _running(server: real_servers.RealServer):
    try:
        server.await_readiness()
        yield server
    finally:
        server.process.stop()


@pytest.fixture(scope="session")
def unbound(tmp_path_factory, authority, leaf):
    directory = tmp_path_factory.mktemp("unbound")
    with _running(real_servers.start_unbound(directory, authority, leaf)) as server:
        yield server


@pytest.fixture(scope="session")
def nsd(tmp_path_factory, authority, leaf):
    directory = tmp_path_factory.mktemp("nsd")
    with _running(real_servers.start_nsd(directory, authority, leaf)) as server:
        yield server


# --- the fake upstream -------------------------------------------------------------------------


@pytest.fixture
def make_fake(leaf):
    """A function that starts fake upstreams."""
    with contextlib.ExitStack() as stack:
        yield lambda **options: stack.enter_context(
            fake_upstream.FakeUpstream(options.pop("leaf", leaf), **options)
        )


@pytest.fixture
def fake(make_fake) -> fake_upstream.FakeUpstream:
    return make_fake()


# --- sotto -------------------------------------------------------------------------------------


class Starter:
    """Starts sottos and ends them."""

    def __init__(self, directory: pathlib.Path, ca_file: pathlib.Path, shown: list[Process]):
        self.directory = directory
        self.ca_file = ca_file
        self.started: list[Sotto] = []
        self._shown = shown
        self._numbers = itertools.count()

    def configuration(self, *upstreams, port: int, **changes) -> dict:
        """upstreams: servers, URLs, or tables, asked in this order. changes replace top-level keys,
        or add to sections."""
        address = f"127.0.0.1:{port}"
        tables = [_upstream(each) for each in upstreams]
        standard = {
            # Many sottos run at a time: none takes the default port for metrics.
            "listen": {"udp": [address], "tcp": [address], "admin": ""},
            "upstream_default": {"ca_file": str(self.ca_file)},
            "upstream": tables,
            "log": {"level": "debug"},
        }
        if not all("group" in table for table in tables):
            standard["group"] = [{"name": "default", "select": "order"}]
        for key, value in changes.items():
            if isinstance(value, dict) and key in standard:
                standard[key] = {**standard[key], **value}
            else:
                standard[key] = value
        return standard

    def __call__(self, *upstreams, **changes) -> Sotto:
        """Starts sotto with a configuration file and waits until it answers."""
        port = changes.pop("port", None) or new_port()
        env = changes.pop("env", None)
        sockets = changes.pop("sockets", None)
        stderr = changes.pop("stderr", None)
        configuration = self.configuration(*upstreams, port=port, **changes)
        sotto = self.with_text("", port=port, start=False)
        sotto.configure(configuration)
        return self.start(sotto, env, sockets, stderr)

    def with_text(self, text: str, *, port: int, start: bool = True) -> "Planned | Sotto":
        planned = Planned(self.directory, next(self._numbers), port)
        planned.config_file.write_text(text)
        return self.start(planned) if start else planned

    def start(self, planned: "Planned", env: dict[str, str] | None = None,
              sockets: list | None = None, stderr: int | None = None) -> Sotto:
        return self.raw(["serve", "--config", str(planned.config_file)], port=planned.port,
                        number=planned.number, env=env, sockets=sockets, stderr=stderr)

    def raw(self, arguments: list[str], *, port: int, ready: bool = True, number: int | None = None,
            env: dict[str, str] | None = None, address: str = "127.0.0.1",
            sockets: list | None = None, stderr: int | None = None) -> Sotto:
        """Starts sotto with these arguments."""
        if number is None:
            number = next(self._numbers)
        sotto = Sotto(self.directory, arguments, port=port, number=number, address=address,
                      env=environment(**(env or {})), sockets=sockets, stderr=stderr)
        self.started.append(sotto)
        self._shown.append(sotto)
        if ready:
            sotto.await_readiness()
        return sotto

    def stop_all(self) -> None:
        """Every sotto must still be running, must end with 0, and must not have upset a sanitizer,
        unless the test has ended it itself."""
        problems = []
        for sotto in self.started:
            ended_before = not sotto.alive()
            try:
                code = sotto.stop()
                sotto.assert_sane()
                if code != 0 and not ended_before:
                    problems.append(f"exit code {code} after SIGTERM:\n{sotto.log()}")
                if ended_before and code < 0:
                    problems.append(f"killed by signal {-code}:\n{sotto.log()}")
            except AssertionError as error:
                problems.append(str(error))
        assert not problems, "\n".join(problems)


class Planned:
    """A sotto about to be started: its number, port and configuration file are fixed."""

    def __init__(self, directory: pathlib.Path, number: int, port: int):
        self.number = number
        self.port = port
        self.config_file = directory / f"sotto-{number}.toml"

    configure = Sotto.configure


def _upstream(given) -> dict:
    if isinstance(given, dict):
        return given
    return {"url": given if isinstance(given, str) else given.url()}


@pytest.fixture
def start(request, tmp_path, authority):
    """start(upstream, …, key=value) runs sotto in front of these upstreams until the test ends."""
    starter = Starter(tmp_path, authority.ca_file,
                      request.node.stash.setdefault(_processes_key, []))
    yield starter
    starter.stop_all()


@pytest.fixture(scope="session")
def clock_shim(tmp_path_factory) -> pathlib.Path:
    return clocks.build_shim(tmp_path_factory.mktemp("clock"))


@pytest.fixture
def clock(clock_shim, tmp_path):
    """The clock of sottos started with env=clock.environment; see harness/clock.py."""
    with clocks.Clock(clock_shim, tmp_path / "clock") as made:
        yield made


class Shared:
    """A sotto in front of a fake upstream, for the tests of one module that leave no trace."""

    def __init__(self, sotto: Sotto, fake: fake_upstream.FakeUpstream):
        self.sotto = sotto
        self.fake = fake


@pytest.fixture(scope="module")
def start_for_module(tmp_path_factory, authority):
    """Like start, but the sottos live as long as the module."""
    starter = Starter(tmp_path_factory.mktemp("module"), authority.ca_file, [])
    yield starter
    starter.stop_all()


@pytest.fixture(scope="module")
def shared(start_for_module, leaf):
    with fake_upstream.FakeUpstream(leaf) as fake:
        yield Shared(start_for_module(fake), fake)


@pytest.fixture(scope="module")
def served(start_for_module, leaf, authority):
    """A sotto with a listener of each kind, for clients that others wrote."""
    with fake_upstream.FakeUpstream(leaf) as fake:
        yield clients_served.Served(start_for_module, leaf, authority.ca_file, fake)


@pytest.fixture
def web_server():
    with clients_served.web_server() as server:
        yield server


@pytest.fixture
def upstream(shared):
    """The fake upstream of shared; its answers are right again afterwards."""
    yield shared.fake
    shared.fake.assert_only_tls()
    shared.fake.answer = answers.right
    shared.fake.trickle = False
