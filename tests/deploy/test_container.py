"""The image is built from the tree, runs unprivileged, answers over a local DoT upstream, is
configured by its environment, and stops cleanly."""

import json
import os
import pathlib
import signal
import subprocess

import image
import pytest

from harness import certificates, ports, real_servers
from harness.processes import Process
from harness.waiting import wait_for

pytestmark = pytest.mark.skipif(bool(image.reason_to_skip()), reason=image.reason_to_skip())

CA_IN_CONTAINER = "/etc/sotto/ca.pem"


@pytest.fixture(scope="module")
def built() -> str:
    return image.build()


@pytest.fixture(scope="module")
def container(built: str):
    name = image.buildah("from", built).splitlines()[-1]
    yield name
    image.buildah("rm", name)


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> certificates.Authority:
    return certificates.Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def upstream(tmp_path_factory, authority):
    directory = tmp_path_factory.mktemp("unbound")
    server = real_servers.start_unbound(directory, authority, authority.leaf())
    try:
        server.await_readiness()
        yield server
    finally:
        server.process.stop()


class Running:
    """sotto running in the container."""

    def __init__(self, container: str, upstream, ca_file: pathlib.Path, directory: pathlib.Path):
        self.container = container
        self.server = f"127.0.0.1:{ports.free_port()}"
        self.env = {"SOTTO_LISTEN": self.server, "SOTTO_UPSTREAM": upstream.url(),
                    "SOTTO_CA_FILE": CA_IN_CONTAINER}
        self.process = Process("sotto in a container", image.run_command(
            container, ["/usr/bin/sotto"], env=self.env,
            volumes=[f"{ca_file}:{CA_IN_CONTAINER}:ro"]), directory / "container.log")

    def pid(self) -> int:
        """Of sotto itself, below buildah."""
        for pid in image.descendants(self.process.pid):
            if pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == "sotto":
                return pid
        return 0

    def inside(self, *command: str) -> str:
        return image.run(image.run_command(self.container, list(command), env=self.env),
                         timeout=60)

    def answers(self) -> bool:
        command = image.run_command(self.container, self.health_check(), env=self.env)
        return subprocess.run(command, capture_output=True, timeout=60).returncode == 0

    def health_check(self) -> list[str]:
        kind, *command = settings(image.IMAGE)["Healthcheck"]["Test"]
        assert kind == "CMD"
        return command


@pytest.fixture(scope="module")
def running(container, upstream, authority, tmp_path_factory):
    sotto = Running(container, upstream, authority.ca_file, tmp_path_factory.mktemp("sotto"))
    try:
        sotto.process.wait_until(sotto.answers, "healthy")
        yield sotto
    finally:
        if pid := sotto.pid() if sotto.process.alive() else 0:
            os.kill(pid, signal.SIGKILL)
        sotto.process.stop()


def settings(name: str) -> dict:
    text = image.run(["buildah", *image.STORAGE, "inspect", "--type", "image", name])
    return json.loads(text)["Docker"]["config"]


def test_the_image_says_how_it_is_run(built):
    config = settings(built)
    assert config["User"] == "65532:65532"
    assert config["Entrypoint"] == ["/usr/bin/sotto"]
    assert set(config["ExposedPorts"]) == {"5053/udp", "5053/tcp", "853/tcp", "443/tcp"}


def test_the_image_holds_no_build_tools(container):
    command = image.run_command(container, ["sh", "-c", "command -v g++ cmake ccache"])
    assert subprocess.run(command, capture_output=True, timeout=60).returncode != 0


def test_it_runs_without_privileges(running):
    status = pathlib.Path(f"/proc/{running.pid()}/status").read_text()
    assert "\nUid:\t65532\t65532\t65532\t65532\n" in status
    assert "\nCapEff:\t0000000000000000\n" in status


@pytest.mark.parametrize("transport", [[], ["--tcp"]], ids=["udp", "tcp"])
def test_it_resolves_over_the_upstream(running, transport):
    text = running.inside("sotto", "query", *transport, f"@{running.server}", "www.example.", "A")
    assert "192.0.2.80" in text


def test_the_health_check_fails_when_nothing_listens(running):
    command = image.run_command(running.container, running.health_check(),
                                env={"SOTTO_LISTEN": f"127.0.0.1:{ports.free_port()}"})
    assert subprocess.run(command, capture_output=True, timeout=60).returncode != 0


def test_it_stops_cleanly(running):
    """Last in this file: nothing runs afterwards."""
    os.kill(running.pid(), signal.SIGTERM)
    wait_for(lambda: not running.process.alive(), "the container to end")
    assert running.process.wait() == 0, running.process.log()
